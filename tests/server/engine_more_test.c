// SPDX-License-Identifier: BSD-3-Clause
/* More ports for who holds some already (R58). */
#include "world.h"

#include "common/addr.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define CLIENT "2001:db8:1::a"

static void allow(struct world *world, enum srv_more_ports more_ports)
{
	const struct srv_engine_params params = {
		.policy = {.lifetime_s = LIFETIME_MS / 1000, .lifetime_min_s = 1},
		.quarantine_s = QUARANTINE_MS / 1000,
		.more_ports = more_ports,
	};

	srv_engine_set_limits(world->engine, &params);
}

/* It names what it holds and asks for n more ports. */
static void ask_more(
	struct world *world, struct srv_session *session, const struct lease *lease, uint32_t n)
{
	struct tsp_msg msg = make_request(TSP_ACTION_CREATE, CLIENT, true);

	msg.client.has_v4 = true;
	msg.client.v4 = lease->v4;
	msg.client.n_ranges = lease->n_ranges;
	memcpy(msg.client.ranges, lease->ranges, sizeof(lease->ranges));
	msg.client.ports_count = n;
	ask(world, session, &msg);
}

static struct lease make_grown(struct world *world, struct srv_session *session)
{
	struct lease lease = make_lease(world, session, CLIENT);

	ask_more(world, session, &lease, 10000);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	lease = expect_tep_create(world, SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	assert_int_equal(expect_answer(world, session, TSP_STATUS_OK)->client.n_ranges, 2);
	expect_nothing(world);
	return lease;
}

static void another_range_of_the_same_address_comes_first(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	struct lease first, grown;

	allow(world, SRV_MORE_PORTS_ANOTHER_ADDRESS);
	begin_session(&session, TSP_GENERATION_1, "");
	first = make_lease(world, &session, CLIENT);
	pass_ms(world, LIFETIME_MS / 2);
	ask_more(world, &session, &first, 1);
	expect_stored(world, SRV_LEASE_ACTIVE, 0); /* before the TEP may have it */
	grown = expect_tep_create(world, SRV_TEP_DONE);
	assert_int_equal(grown.v4, first.v4);
	assert_int_equal(grown.n_ranges, 2);
	assert_true(port_range_equal(grown.ranges[0], first.ranges[0]));
	assert_false(port_range_overlaps(grown.ranges[1], first.ranges[0]));
	assert_int_equal(grown.end_ms, world->now_ms + LIFETIME_MS); /* renewed, too */
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	assert_int_equal(expect_answer(world, &session, TSP_STATUS_OK)->client.n_ranges, 2);
	assert_int_equal(leases_in(world, SRV_LEASE_ACTIVE), 1);
	assert_int_equal(srv_pool_count(world->pools[0].pool).leased, 2);
	assert_int_equal(counted(world, SRV_COUNT_LEASES_GROWN), 1);
	assert_non_null(srv_lease_db_holder(
		srv_engine_leases(world->engine), grown.v4, grown.ranges[1].last));
	close_session(world, &session);
}

static void renewal_expiry_and_release_are_about_all_ranges(void **state)
{
	struct tsp_msg msg = make_request(TSP_ACTION_DELETE, CLIENT, false);
	struct world *world = *state;
	struct srv_session session;
	struct action *delete;
	struct lease lease;

	allow(world, SRV_MORE_PORTS_SAME_ADDRESS);
	begin_session(&session, TSP_GENERATION_1, "");
	lease = make_grown(world, &session);
	pass_ms(world, LIFETIME_MS / 2);
	ask_renewal(world, &session, CLIENT, &lease);
	assert_int_equal(expect_tep_create(world, SRV_TEP_DONE).n_ranges, 2);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	assert_int_equal(expect_answer(world, &session, TSP_STATUS_OK)->client.n_ranges, 2);
	ask(world, &session, &msg);
	delete = expect(world, TEP_DELETE);
	assert_int_equal(delete->lease.n_ranges, 2);
	srv_engine_tep_answered(
		world->engine, delete->job, delete->tep, SRV_TEP_DONE, NULL, world->now_ms);
	expect_stored(world, SRV_LEASE_RESTING, 0);
	expect_answer(world, &session, TSP_STATUS_OK);
	assert_int_equal(srv_pool_count(world->pools[0].pool).resting, 2);
	pass_ms(world, QUARANTINE_MS);
	assert_int_equal(srv_pool_count(world->pools[0].pool).free, 3);
	close_session(world, &session);
}

/* Whoever does not know of it is not touched by it. */
static void a_plain_renewal_asks_for_nothing_more(void **state)
{
	struct tsp_msg plain = make_request(TSP_ACTION_CREATE, CLIENT, true);
	struct world *world = *state;
	struct srv_session session;
	struct lease lease;

	allow(world, SRV_MORE_PORTS_ANOTHER_ADDRESS);
	begin_session(&session, TSP_GENERATION_1, "");
	lease = make_lease(world, &session, CLIENT);
	plain.client.ports_count = 30000; /* a wish at the first create; nothing is named */
	for (int i = 0; i < 2; i++) {
		if (i == 0)
			ask(world, &session, &plain);
		else
			ask_more(world, &session, &lease, 0); /* <ports/> beside what it names */
		assert_int_equal(expect_tep_create(world, SRV_TEP_DONE).n_ranges, 1);
		expect_stored(world, SRV_LEASE_ACTIVE, 0);
		expect_answer(world, &session, TSP_STATUS_OK);
	}
	close_session(world, &session);
}

static void policy_may_forbid_it_and_the_lease_is_just_renewed(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	struct lease lease;

	begin_session(&session, TSP_GENERATION_1, "");
	lease = make_lease(world, &session, CLIENT);
	ask_more(world, &session, &lease, 1);
	assert_int_equal(expect_tep_create(world, SRV_TEP_DONE).n_ranges, 1);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	expect_answer(world, &session, TSP_STATUS_OK);
	close_session(world, &session);
}

/* 306, 301, and what it holds is as it was. */
static void an_address_without_room_leaves_the_lease_as_it_is(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	struct lease lease;

	allow(world, SRV_MORE_PORTS_SAME_ADDRESS);
	begin_session(&session, TSP_GENERATION_1, "");
	lease = make_lease(world, &session, CLIENT);
	ask_more(world, &session, &lease, 40000); /* three blocks; two are free */
	expect_refusal(world, &session, TSP_STATUS_POOL_EXHAUSTED);
	ask_more(world, &session, &lease, 65535);
	expect_refusal(world, &session, TSP_STATUS_POOL_EXHAUSTED);
	ask_renewal(world, &session, CLIENT, &lease);
	expect_tep_create(world, SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	expect_answer(world, &session, TSP_STATUS_OK);
	close_session(world, &session);
}

static void another_address_makes_a_lease_of_its_own_within_the_quota(void **state)
{
	struct tsp_msg msg = make_request(TSP_ACTION_DELETE, CLIENT, false);
	struct addr_v4_prefix prefix = {0xc6336408, 32};
	struct srv_pool *whole;
	struct world *world = *state;
	struct srv_session session;
	struct lease first, second;
	struct action *delete;

	whole = world->pools[1].pool;
	world->pools[1].pool = srv_pool_create(&prefix, 16384);
	srv_pool_destroy(whole);
	allow(world, SRV_MORE_PORTS_ANOTHER_ADDRESS);
	begin_session(&session, TSP_GENERATION_1, "");
	first = make_lease(world, &session, CLIENT);
	ask_more(world, &session, &first, 40000);
	expect_stored(world, SRV_LEASE_PENDING, 0);
	second = expect_tep_create(world, SRV_TEP_DONE);
	assert_int_not_equal(second.v4, first.v4);
	assert_int_equal(second.n_ranges, 3);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	expect_answer(world, &session, TSP_STATUS_OK);
	assert_int_equal(leases_in(world, SRV_LEASE_ACTIVE), 2);
	ask_more(world, &session, &first, 40000);
	expect_refusal(world, &session, TSP_STATUS_BUSY); /* leases_per_client */

	/* Each is renewed by its name, who names none means the first; a release without a name is of all. */
	ask_renewal(world, &session, CLIENT, &second);
	assert_int_equal(expect_tep_create(world, SRV_TEP_DONE).v4, second.v4);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	expect_answer(world, &session, TSP_STATUS_OK);
	ask_create(world, &session, CLIENT);
	assert_int_equal(expect_tep_create(world, SRV_TEP_DONE).v4, first.v4);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	expect_answer(world, &session, TSP_STATUS_OK);
	ask(world, &session, &msg);
	expect_end(world);
	delete = expect(world, TEP_DELETE);
	assert_int_equal(delete->lease.v4, first.v4);
	srv_engine_tep_answered(
		world->engine, delete->job, delete->tep, SRV_TEP_DONE, NULL, world->now_ms);
	expect_stored(world, SRV_LEASE_RESTING, 0);
	expect_answer(world, &session, TSP_STATUS_OK);
	assert_int_equal(leases_in(world, SRV_LEASE_ACTIVE), 0);
	close_session(world, &session);
}

/* --- what fails ---------------------------------------------------------------------------------- */

/* The lease is as before, in memory, store and time, and the ranges are nobody's or rest. */
static void expect_as_before(struct world *world, struct srv_session *session,
	const struct lease *lease, enum tsp_status status, bool rests)
{
	struct action *put;

	if (rests) {
		put = expect(world, TEP_DELETE);
		assert_int_equal(put->lease.n_ranges, 1);
		assert_false(port_range_equal(put->lease.ranges[0], lease->ranges[0]));
		assert_int_equal(expect(world, PUT)->state, SRV_LEASE_RESTING);
		expect_end_at_tep(world, lease->end_ms);
	}
	put = expect(world, PUT);
	assert_int_equal(put->state, SRV_LEASE_ACTIVE);
	assert_int_equal(put->lease.n_ranges, 1);
	assert_int_equal(put->until_ms, lease->end_ms);
	expect_refusal(world, session, status);
	assert_int_equal(srv_pool_count(world->pools[0].pool).leased, 1);
	assert_int_equal(srv_pool_count(world->pools[0].pool).resting, rests);
	assert_int_equal(srv_engine_next_ms(world->engine),
		rests ? world->now_ms + QUARANTINE_MS : lease->end_ms);
}

static void whatever_fails_takes_the_ranges_back(void **state)
{
	static const struct {
		int pending_error;
		enum srv_tep_result result;
		int error;
		enum tsp_status status;
		bool rests;
	} rows[] = {
		{-EIO, SRV_TEP_DONE, 0, TSP_STATUS_BUSY, false},
		{0, SRV_TEP_REFUSED, 0, TSP_STATUS_TEP_ERROR, false},
		{0, SRV_TEP_LOST, 0, TSP_STATUS_TEP_ERROR, true},
		{0, SRV_TEP_DONE, -ENOSPC, TSP_STATUS_BUSY, true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct srv_session session;
		struct world *world;
		struct lease lease;

		world_teardown(state);
		assert_int_equal(world_setup(state), 0);
		world = *state;
		allow(world, SRV_MORE_PORTS_SAME_ADDRESS);
		begin_session(&session, TSP_GENERATION_1, "");
		lease = make_lease(world, &session, CLIENT);
		pass_ms(world, 1000);
		ask_more(world, &session, &lease, 1);
		expect_stored(world, SRV_LEASE_ACTIVE, rows[i].pending_error);
		if (rows[i].pending_error == 0)
			expect_tep_create(world, rows[i].result);
		if (rows[i].pending_error == 0 && rows[i].result == SRV_TEP_DONE)
			expect_stored(world, SRV_LEASE_ACTIVE, rows[i].error);
		expect_as_before(world, &session, &lease, rows[i].status, rows[i].rests);
		close_session(world, &session);
	}
}

static void the_client_may_leave_meanwhile(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	struct lease lease;

	allow(world, SRV_MORE_PORTS_SAME_ADDRESS);
	begin_session(&session, TSP_GENERATION_1, "");
	lease = make_lease(world, &session, CLIENT);
	ask_more(world, &session, &lease, 1);
	close_session(world, &session);
	memset(&session, 0xff, sizeof(session));
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	expect_tep_create(world, SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	expect_nothing(world);
	pass_ms(world, LIFETIME_MS);
	expect_end(world);
}

#define more_test(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		more_test(another_range_of_the_same_address_comes_first),
		more_test(renewal_expiry_and_release_are_about_all_ranges),
		more_test(a_plain_renewal_asks_for_nothing_more),
		more_test(policy_may_forbid_it_and_the_lease_is_just_renewed),
		more_test(an_address_without_room_leaves_the_lease_as_it_is),
		more_test(another_address_makes_a_lease_of_its_own_within_the_quota),
		more_test(whatever_fails_takes_the_ranges_back),
		more_test(the_client_may_leave_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
