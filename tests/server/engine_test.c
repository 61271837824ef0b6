// SPDX-License-Identifier: BSD-3-Clause
/* How leases begin and go on: create and renewal, and what happens when a step fails. */
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

/* --- create -------------------------------------------------------------------------------------- */

/* R85, R89, R90: store, TEP, store, client, in this order, and the TEP's own addresses. */
static void a_create_is_stored_then_at_the_tep_then_stored_then_answered(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	const struct tsp_msg *info;
	struct lease lease;

	begin_session(&session, TSP_GENERATION_1, "");
	ask_create(world, &session, "2001:db8:1::a");
	expect_stored(world, SRV_LEASE_PENDING, 0);
	world->now_ms += 400;
	lease = expect_tep_create(world, SRV_TEP_DONE);
	assert_true(addr_v6_equal(&lease.tep_v6, &world->teps[0].v6));
	world->now_ms += 300;
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	info = expect_answer(world, &session, TSP_STATUS_OK);
	assert_int_equal(info->lifetime_s, 3600);
	assert_int_equal(info->server.v4, 0xc0000001);
	assert_true(addr_v6_equal(&info->server.v6[0], &world->teps[0].v6));
	assert_int_equal(info->client.v4, lease.v4);
	assert_true(port_range_equal(info->client.ranges[0], lease.ranges[0]));
	assert_true(lease.ranges[0].first >= 1024);
	expect_nothing(world);
	assert_int_equal(counted(world, SRV_COUNT_LEASES_CREATED), 1);
	close_session(world, &session);
	assert_int_equal(leases_in(world, SRV_LEASE_ACTIVE), 1); /* generation 1 keeps it */
}

static void a_store_that_fails_leaves_nothing(void **state)
{
	struct world *world = *state;
	struct srv_session session;

	begin_session(&session, TSP_GENERATION_1, "");
	ask_create(world, &session, "2001:db8:1::a");
	expect_stored(world, SRV_LEASE_PENDING, -ENOSPC);
	expect_refusal(world, &session, TSP_STATUS_BUSY);
	assert_int_equal(srv_pool_count(world->pools[0].pool).free, 3);
	ask_create(world, &session, "2001:db8:1::a");
	expect_stored(world, SRV_LEASE_PENDING, -ECANCELED); /* stored, but not recorded */
	expect(world, REMOVE);
	expect_refusal(world, &session, TSP_STATUS_BUSY);
	assert_int_equal(srv_pool_count(world->pools[0].pool).free, 3);
	close_session(world, &session);
}

/* It can give back what it has, and what it had is still its own afterwards. */
static void a_store_that_fails_keeps_no_client_from_releasing(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	struct tsp_msg release = make_request(TSP_ACTION_DELETE, "2001:db8:1::a", false);
	struct lease lease;

	begin_session(&session, TSP_GENERATION_1, "");
	lease = make_lease(world, &session, "2001:db8:1::a");
	ask(world, &session, &release);
	srv_engine_tep_answered(world->engine, expect(world, TEP_DELETE)->job, 0, SRV_TEP_DONE,
		NULL, world->now_ms);
	expect_stored(world, SRV_LEASE_RESTING, -ENOSPC);
	assert_null(expect(world, PUT)->job);
	expect_answer(world, &session, TSP_STATUS_OK);
	for (int i = 0; i < 2; i++) {
		ask_create(world, &session, "2001:db8:1::a");
		expect_stored(world, SRV_LEASE_PENDING, -ENOSPC);
		expect_refusal(world, &session, TSP_STATUS_BUSY);
		assert_int_equal(srv_pool_count(world->pools[0].pool).resting, 1);
	}
	ask_create(world, &session, "2001:db8:1::a");
	expect_stored(world, SRV_LEASE_PENDING, 0);
	assert_int_equal(
		expect_tep_create(world, SRV_TEP_DONE).ranges[0].first, lease.ranges[0].first);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	expect_answer(world, &session, TSP_STATUS_OK);
	close_session(world, &session);
}

static void a_store_that_fails_after_the_tep_takes_the_binding_back(void **state)
{
	struct world *world = *state;
	struct srv_session session;

	begin_session(&session, TSP_GENERATION_1, "");
	ask_create(world, &session, "2001:db8:1::a");
	expect_stored(world, SRV_LEASE_PENDING, 0);
	expect_tep_create(world, SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, -EIO);
	expect_end(world);
	expect_refusal(world, &session, TSP_STATUS_BUSY);
	assert_int_equal(srv_pool_count(world->pools[0].pool).resting, 1);
	close_session(world, &session);
}

/* R88 */
static void a_refusal_of_the_tep_frees_the_range_at_once(void **state)
{
	struct world *world = *state;
	struct srv_session session;

	begin_session(&session, TSP_GENERATION_1, "");
	ask_create(world, &session, "2001:db8:1::a");
	expect_stored(world, SRV_LEASE_PENDING, 0);
	expect_tep_create(world, SRV_TEP_REFUSED);
	expect(world, REMOVE);
	expect_refusal(world, &session, TSP_STATUS_TEP_ERROR);
	assert_int_equal(srv_pool_count(world->pools[0].pool).free, 3);
	close_session(world, &session);
}

/* R88, S24: it may have been installed, so it is deleted to be safe, and rests. */
static void a_silent_tep_sends_the_range_to_quarantine(void **state)
{
	struct world *world = *state;
	struct srv_session session;

	begin_session(&session, TSP_GENERATION_1, "");
	ask_create(world, &session, "2001:db8:1::a");
	expect_stored(world, SRV_LEASE_PENDING, 0);
	expect_tep_create(world, SRV_TEP_LOST);
	expect_end(world);
	expect_refusal(world, &session, TSP_STATUS_TEP_ERROR);
	assert_int_equal(srv_pool_count(world->pools[0].pool).resting, 1);
	pass_ms(world, QUARANTINE_MS - 1);
	assert_int_equal(srv_pool_count(world->pools[0].pool).resting, 1);
	pass_ms(world, 1);
	assert_int_equal(srv_pool_count(world->pools[0].pool).free, 3);
	close_session(world, &session);
}

/* R84, D1, S23 */
static void an_empty_pool_is_said_so_and_forgets_no_holder(void **state)
{
	struct world *world = *state;
	struct srv_session session;

	begin_session(&session, TSP_GENERATION_1, "");
	make_lease(world, &session, "2001:db8:1::1");
	make_lease(world, &session, "2001:db8:1::2");
	make_lease(world, &session, "2001:db8:1::3");
	ask_create(world, &session, "2001:db8:1::4");
	expect_refusal(world, &session, TSP_STATUS_POOL_EXHAUSTED);
	assert_int_equal(leases_in(world, SRV_LEASE_ACTIVE), 3);
	close_session(world, &session);
}

/* D1: without ports only a whole address, with ports only a range. */
static void the_kind_of_address_follows_the_wish(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	struct tsp_msg msg = make_request(TSP_ACTION_CREATE, "2001:db8:1::1", false);
	struct lease lease;

	begin_session(&session, TSP_GENERATION_1, "");
	ask(world, &session, &msg);
	expect_stored(world, SRV_LEASE_PENDING, 0);
	lease = expect_tep_create(world, SRV_TEP_DONE);
	assert_true(lease_is_exclusive(&lease));
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	expect_answer(world, &session, TSP_STATUS_OK);

	/* The other kind for the same client: the first ends. */
	ask_create(world, &session, "2001:db8:1::1");
	expect_end(world);
	expect_stored(world, SRV_LEASE_PENDING, 0);
	lease = expect_tep_create(world, SRV_TEP_DONE);
	assert_false(lease_is_exclusive(&lease));
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	expect_answer(world, &session, TSP_STATUS_OK);

	msg = make_request(TSP_ACTION_CREATE, "2001:db8:1::2", false);
	ask(world, &session, &msg); /* the whole address rests */
	expect_refusal(world, &session, TSP_STATUS_POOL_EXHAUSTED);
	close_session(world, &session);
}

static void leases_of_one_address_are_limited_over_all_users(void **state)
{
	static const char *const users[] = {"", "alice"};
	struct world *world = *state;
	struct srv_session sessions[3];

	for (int i = 0; i < 2; i++) {
		begin_session(&sessions[i], TSP_GENERATION_1, users[i]);
		make_lease(world, &sessions[i], "2001:db8:1::1");
	}
	begin_session(&sessions[2], TSP_GENERATION_1, "bob");
	ask_create(world, &sessions[2], "2001:db8:1::1");
	expect_refusal(world, &sessions[2], TSP_STATUS_BUSY);
	for (int i = 0; i < 3; i++)
		close_session(world, &sessions[i]);
}

/* --- the same lease again ------------------------------------------------------------------------ */

static void a_repeated_create_waits_and_is_answered_from_the_one_lease(void **state)
{
	struct world *world = *state;
	struct srv_session one, other;
	struct lease first, second;

	begin_session(&one, TSP_GENERATION_1, "");
	begin_session(&other, TSP_GENERATION_1, "");
	ask_create(world, &one, "2001:db8:1::a");
	ask_create(world, &other, "2001:db8:1::a");
	expect_stored(world, SRV_LEASE_PENDING, 0);
	first = expect_tep_create(world, SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	expect_answer(world, &one, TSP_STATUS_OK);
	second = expect_tep_create(world, SRV_TEP_DONE); /* now a renewal */
	assert_true(port_range_equal(first.ranges[0], second.ranges[0]));
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	expect_answer(world, &other, TSP_STATUS_OK);
	expect_nothing(world);
	assert_int_equal(leases_in(world, SRV_LEASE_ACTIVE), 1);
	close_session(world, &one);
	close_session(world, &other);
}

static void a_waiting_session_may_go_away(void **state)
{
	struct world *world = *state;
	struct srv_session one, other;

	begin_session(&one, TSP_GENERATION_1, "");
	begin_session(&other, TSP_GENERATION_1, "");
	ask_create(world, &one, "2001:db8:1::a");
	ask_create(world, &other, "2001:db8:1::a");
	close_session(world, &other);
	memset(&other, 0xff, sizeof(other)); /* nobody may look at it */
	expect_stored(world, SRV_LEASE_PENDING, 0);
	expect_tep_create(world, SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	expect_answer(world, &one, TSP_STATUS_OK);
	expect_nothing(world);
	close_session(world, &one);
}

static void pipelined_requests_of_a_session_are_answered_in_order(void **state)
{
	struct tsp_msg bad = make_request(TSP_ACTION_CREATE, "fe80::1", true);
	struct world *world = *state;
	struct srv_session session;

	begin_session(&session, TSP_GENERATION_1, "");
	ask_create(world, &session, "2001:db8:1::1");
	ask(world, &session, &bad);
	ask_create(world, &session, "2001:db8:1::2");
	expect_stored(world, SRV_LEASE_PENDING, 0);
	expect_tep_create(world, SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	expect_answer(world, &session, TSP_STATUS_OK);
	expect_answer(world, &session, TSP_STATUS_BAD_V6);
	expect_stored(world, SRV_LEASE_PENDING, 0);
	close_session(world, &session); /* and frees what still waited */
}

static void too_many_waiting_requests_are_refused(void **state)
{
	struct world *world = *state;
	struct srv_session session;

	begin_session(&session, TSP_GENERATION_1, "");
	for (uint32_t i = 0; i < SRV_SESSION_WAITING_MAX; i++)
		ask_create(world, &session, "2001:db8:1::1");
	expect(world, PUT);
	expect_nothing(world);
	ask_create(world, &session, "2001:db8:1::1");
	expect_refusal(world, &session, TSP_STATUS_BUSY);
	close_session(world, &session);
}

/* --- renewal ------------------------------------------------------------------------------------- */

/* S1, R93: the TEP has the new end before the client, and a list in between does not take it back. */
static void a_renewal_reaches_the_tep_and_the_store_before_the_client(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	const struct srv_lease *stored;
	struct lease lease, renewed;

	begin_session(&session, TSP_GENERATION_1, "");
	lease = make_lease(world, &session, "2001:db8:1::a");
	pass_ms(world, LIFETIME_MS / 2);
	ask_renewal(world, &session, "2001:db8:1::a", &lease);
	stored = srv_lease_db_at(srv_engine_leases(world->engine), 0);
	assert_int_equal(
		srv_engine_announced(stored, stored->tep)->end_ms, world->now_ms + LIFETIME_MS);
	assert_int_equal(stored->lease.end_ms, lease.end_ms);
	renewed = expect_tep_create(world, SRV_TEP_DONE);
	assert_int_equal(renewed.end_ms, world->now_ms + LIFETIME_MS);
	assert_int_equal(srv_engine_announced(stored, stored->tep)->end_ms, renewed.end_ms);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	assert_int_equal(
		expect_answer(world, &session, TSP_STATUS_OK)->lifetime_s, LIFETIME_MS / 1000);
	pass_ms(world, LIFETIME_MS - 1);
	expect_nothing(world);
	assert_int_equal(counted(world, SRV_COUNT_LEASES_RENEWED), 1);
	close_session(world, &session);
}

/* The TEP may have the new end, and its answer is lost, or the store fails: it is told the old one. */
static void a_renewal_that_is_lost_leaves_the_old_end(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	struct lease lease;

	begin_session(&session, TSP_GENERATION_2, "");
	lease = make_lease(world, &session, "2001:db8:1::a");
	say(world, &session, TSP_ACTION_ACCEPT);
	pass_ms(world, LIFETIME_MS / 2);
	ask_renewal(world, &session, "2001:db8:1::a", &lease);
	expect_tep_create(world, SRV_TEP_LOST);
	expect_end_at_tep(world, lease.end_ms);
	expect_refusal(world, &session, TSP_STATUS_TEP_ERROR);
	ask_renewal(world, &session, "2001:db8:1::a", &lease);
	expect_tep_create(world, SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, -EIO);
	expect_end_at_tep(world, lease.end_ms);
	expect_refusal(world, &session, TSP_STATUS_BUSY);
	pass_ms(world, LIFETIME_MS / 2 - 1);
	expect_nothing(world);
	pass_ms(world, 1);
	expect_end(world);
	assert_int_equal(counted(world, SRV_COUNT_LEASES_EXPIRED), 1);
	close_session(world, &session);
}

/* R88, R94 */
static void a_renewal_that_the_tep_refuses_ends_the_lease(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	struct lease lease;

	begin_session(&session, TSP_GENERATION_1, "");
	lease = make_lease(world, &session, "2001:db8:1::a");
	ask_renewal(world, &session, "2001:db8:1::a", &lease);
	expect_tep_create(world, SRV_TEP_REFUSED);
	expect_end(world);
	expect_refusal(world, &session, TSP_STATUS_TEP_ERROR);
	close_session(world, &session);
}

/* R94: refused by policy, deleted at the TEP. */
static void a_renewal_that_policy_no_longer_allows_ends_the_lease(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	struct lease lease;

	begin_session(&session, TSP_GENERATION_1, "");
	lease = make_lease(world, &session, "2001:db8:1::a");
	addr_v6_prefix_parse("2001:db8:2::/48", &world->clients);
	ask_renewal(world, &session, "2001:db8:1::a", &lease);
	expect_end(world);
	expect_refusal(world, &session, TSP_STATUS_RENEWAL_REFUSED);
	close_session(world, &session);
}

/* R94, R106, S23: 308, and nobody else loses anything. */
static void a_renewal_of_what_another_holds_is_refused(void **state)
{
	struct world *world = *state;
	struct srv_session alice, bob;
	struct lease of_alice;

	begin_session(&alice, TSP_GENERATION_1, "alice");
	begin_session(&bob, TSP_GENERATION_1, "bob");
	of_alice = make_lease(world, &alice, "2001:db8:1::a");
	ask_renewal(world, &bob, "2001:db8:1::a", &of_alice);
	expect_refusal(world, &bob, TSP_STATUS_RENEWAL_REFUSED);
	make_lease(world, &bob, "2001:db8:1::a");
	ask_renewal(world, &bob, "2001:db8:1::a", &of_alice);
	expect_refusal(world, &bob, TSP_STATUS_RENEWAL_REFUSED);
	assert_int_equal(leases_in(world, SRV_LEASE_ACTIVE), 2);
	close_session(world, &alice);
	close_session(world, &bob);
}

#define engine_test(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		engine_test(a_create_is_stored_then_at_the_tep_then_stored_then_answered),
		engine_test(a_store_that_fails_leaves_nothing),
		engine_test(a_store_that_fails_keeps_no_client_from_releasing),
		engine_test(a_store_that_fails_after_the_tep_takes_the_binding_back),
		engine_test(a_refusal_of_the_tep_frees_the_range_at_once),
		engine_test(a_silent_tep_sends_the_range_to_quarantine),
		engine_test(an_empty_pool_is_said_so_and_forgets_no_holder),
		engine_test(the_kind_of_address_follows_the_wish),
		engine_test(leases_of_one_address_are_limited_over_all_users),
		engine_test(a_repeated_create_waits_and_is_answered_from_the_one_lease),
		engine_test(a_waiting_session_may_go_away),
		engine_test(pipelined_requests_of_a_session_are_answered_in_order),
		engine_test(too_many_waiting_requests_are_refused),
		engine_test(a_renewal_reaches_the_tep_and_the_store_before_the_client),
		engine_test(a_renewal_that_is_lost_leaves_the_old_end),
		engine_test(a_renewal_that_the_tep_refuses_ends_the_lease),
		engine_test(a_renewal_that_policy_no_longer_allows_ends_the_lease),
		engine_test(a_renewal_of_what_another_holds_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
