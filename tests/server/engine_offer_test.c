// SPDX-License-Identifier: BSD-3-Clause
/* What is offered is what a create then gives, and an offer takes nothing. */
#include "world.h"

#include "common/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char *const client = "2001:db8:1::a";

static enum tsp_status offer_to(struct world *world, struct srv_session *session,
	const struct tsp_msg *create, struct lease *lease)
{
	uint64_t requests = counted(world, SRV_COUNT_REQUESTS);
	struct srv_pool_counts before = srv_pool_count(world->pools[0].pool);
	struct srv_pool_counts after;
	enum tsp_status status = srv_engine_offer(
		world->engine, session, create, world->now_ms, lease);

	expect_nothing(world);
	after = srv_pool_count(world->pools[0].pool);
	assert_memory_equal(&before, &after, sizeof(after));
	assert_int_equal(counted(world, SRV_COUNT_REQUESTS), requests);
	return status;
}

/* A lease that is offered to client, as a create would say it. */
static struct lease offered(struct world *world, struct srv_session *session)
{
	struct tsp_msg create = make_request(TSP_ACTION_CREATE, client, true);
	struct lease lease;

	assert_int_equal(offer_to(world, session, &create, &lease), TSP_STATUS_OK);
	return lease;
}

static void refused(struct world *world, struct srv_session *session, enum tsp_status status)
{
	struct tsp_msg create = make_request(TSP_ACTION_CREATE, client, true);
	struct lease lease;

	assert_int_equal(offer_to(world, session, &create, &lease), status);
}

static void assert_same_range(const struct lease *a, const struct lease *b)
{
	assert_int_equal(a->v4, b->v4);
	assert_int_equal(a->n_ranges, b->n_ranges);
	for (uint32_t i = 0; i < a->n_ranges; i++)
		assert_true(port_range_equal(a->ranges[i], b->ranges[i]));
}

static void release(struct world *world, struct srv_session *session)
{
	struct tsp_msg msg = make_request(TSP_ACTION_DELETE, client, false);

	ask(world, session, &msg);
	srv_engine_tep_answered(world->engine, expect(world, TEP_DELETE)->job, 0, SRV_TEP_DONE,
		NULL, world->now_ms);
	expect_stored(world, SRV_LEASE_RESTING, 0);
	expect_answer(world, session, TSP_STATUS_OK);
}

static void a_free_range_is_offered_and_given_to_who_hints_at_it(void **state)
{
	struct world *world = *state;
	struct tsp_msg create = make_request(TSP_ACTION_CREATE, client, true);
	struct srv_session session;
	struct lease lease, got;

	begin_session(&session, TSP_GENERATION_1, "");
	for (int i = 0; i < 20; i++) {
		lease = offered(world, &session);
		assert_int_equal(lease.v4, 0xc6336407);
		assert_int_equal(lease.n_ranges, 1);
		assert_true(lease.ranges[0].first >= 1024);
		assert_int_equal(lease.end_ms, world->now_ms + LIFETIME_MS);
		assert_true(addr_v6_equal(&lease.tep_v6, &world->teps[0].v6));
		assert_true(addr_v6_equal(&lease.client_v6, &create.client.v6[0]));
	}
	create.has_hint = true;
	create.hint_v4 = lease.v4;
	create.hint = lease.ranges[0];
	ask(world, &session, &create);
	expect_stored(world, SRV_LEASE_PENDING, 0);
	got = expect_tep_create(world, SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	expect_answer(world, &session, TSP_STATUS_OK);
	assert_same_range(&got, &lease);
	close_session(world, &session);
}

/* S23: current, previous, new; also while a job works on the lease. */
static void a_client_is_offered_what_it_has_or_had(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	struct lease lease, offer;

	begin_session(&session, TSP_GENERATION_1, "");
	ask_create(world, &session, client);
	expect_stored(world, SRV_LEASE_PENDING, 0);
	offer = world->actions[world->n_seen].lease;
	world->n_seen++; /* the TEP has been asked */
	lease = offered(world, &session);
	assert_same_range(&lease, &offer);
	world->n_seen--;
	expect_tep_create(world, SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	expect_answer(world, &session, TSP_STATUS_OK);
	pass_ms(world, LIFETIME_MS / 2);
	offer = offered(world, &session);
	assert_same_range(&lease, &offer);
	assert_int_equal(offer.end_ms, world->now_ms + LIFETIME_MS);
	release(world, &session);
	offer = offered(world, &session); /* rests */
	assert_same_range(&lease, &offer);
	pass_ms(world, QUARANTINE_MS);
	offer = offered(world, &session); /* was its, and is free */
	assert_same_range(&lease, &offer);
	close_session(world, &session);
}

/* Another user at the address is another subscriber, and the other kind of address another pool. */
static void an_offer_is_to_a_user_and_of_a_kind(void **state)
{
	struct world *world = *state;
	struct tsp_msg whole = make_request(TSP_ACTION_CREATE, client, false);
	struct srv_session session, other;
	struct lease lease, offer;

	begin_session(&session, TSP_GENERATION_1, "");
	begin_session(&other, TSP_GENERATION_1, "somebody");
	lease = make_lease(world, &session, client);
	offer = offered(world, &other);
	assert_false(port_range_equal(offer.ranges[0], lease.ranges[0]));
	assert_int_equal(offer_to(world, &session, &whole, &offer), TSP_STATUS_OK);
	assert_int_equal(offer.v4, 0xcb007101);
	assert_true(lease_is_exclusive(&offer));
	assert_int_equal(leases_in(world, SRV_LEASE_ACTIVE), 1); /* not ended for that */
	close_session(world, &session);
	close_session(world, &other);
}

static void what_would_be_refused_is_not_offered(void **state)
{
	static const char *const others[] = {"2001:db8:1::b", "2001:db8:1::c", "2001:db8:1::d"};
	struct world *world = *state;
	struct srv_session session;
	struct tsp_msg create;
	struct lease lease;

	begin_session(&session, TSP_GENERATION_1, "");
	create = make_request(TSP_ACTION_CREATE, "fe80::1", true);
	assert_int_equal(offer_to(world, &session, &create, &lease), TSP_STATUS_BAD_V6);
	world->tep_states[0] = SRV_TEP_DOWN;
	refused(world, &session, TSP_STATUS_TEP_ERROR);
	world->tep_states[0] = SRV_TEP_CONNECTED;
	create = make_request(TSP_ACTION_CREATE, client, true);
	create.client.has_v4 = true;
	create.client.v4 = 0xc6336407;
	assert_int_equal(offer_to(world, &session, &create, &lease), TSP_STATUS_RENEWAL_REFUSED);
	for (size_t i = 0; i < 3; i++)
		make_lease(world, &session, others[i]);
	refused(world, &session, TSP_STATUS_POOL_EXHAUSTED);
	close_session(world, &session);
}

/* S25 */
static void an_offer_keeps_to_the_quota(void **state)
{
	struct world *world = *state;
	struct srv_session a, b, c;

	begin_session(&a, TSP_GENERATION_1, "a");
	begin_session(&b, TSP_GENERATION_1, "b");
	begin_session(&c, TSP_GENERATION_1, "c");
	make_lease(world, &a, client);
	make_lease(world, &b, client);
	refused(world, &c, TSP_STATUS_BUSY);
	assert_int_equal(world->over_quota, 0); /* nobody is told before it asks */
	offered(world, &a);
	close_session(world, &a);
	close_session(world, &b);
	close_session(world, &c);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(a_free_range_is_offered_and_given_to_who_hints_at_it),
		T(a_client_is_offered_what_it_has_or_had),
		T(an_offer_is_to_a_user_and_of_a_kind),
		T(what_would_be_refused_is_not_offered),
		T(an_offer_keeps_to_the_quota),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
