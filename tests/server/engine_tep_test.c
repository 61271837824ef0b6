// SPDX-License-Identifier: BSD-3-Clause
/* Which TEP a lease goes through, and what becomes of it when that TEP fails (R37, R67). */
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

static struct addr_v6_prefix prefix_of(const char *text)
{
	struct addr_v6_prefix prefix;

	assert_int_equal(addr_v6_prefix_parse(text, &prefix), 0);
	return prefix;
}

/* The shared pool names n TEPs. */
static void use_teps(struct world *world, uint32_t n, bool another_tep)
{
	world->pools[0].n_teps = n;
	world->pools[0].another_tep = another_tep;
}

/* The TEP that is asked next has to be this one; it answers. */
static struct lease expect_asked(struct world *world, uint32_t tep, enum srv_tep_result result)
{
	struct lease lease;

	assert_int_equal(world->actions[world->n_seen].tep, tep);
	lease = expect_tep_create(world, result);
	assert_true(addr_v6_equal(&lease.tep_v6, &world->teps[tep].v6));
	return lease;
}

static void expect_deleted(struct world *world, uint32_t tep)
{
	struct action *delete = expect(world, TEP_DELETE);

	assert_null(delete->job);
	assert_int_equal(delete->tep, tep);
}

/* From create to info through a TEP. */
static struct lease make_lease_through(
	struct world *world, struct srv_session *session, const char *client, uint32_t tep)
{
	const struct tsp_msg *info;
	struct lease lease;

	ask_create(world, session, client);
	expect_stored(world, SRV_LEASE_PENDING, 0);
	lease = expect_asked(world, tep, SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	info = expect_answer(world, session, TSP_STATUS_OK);
	assert_true(addr_v6_equal(&info->server.v6[0], &world->teps[tep].v6));
	return lease;
}

/* --- choice -------------------------------------------------------------------------------------- */

static void new_leases_are_spread_over_the_teps_that_are_up(void **state)
{
	struct world *world = *state;
	struct srv_session session;

	use_teps(world, 3, true);
	begin_session(&session, TSP_GENERATION_1, "");
	make_lease_through(world, &session, "2001:db8:1::1", 0);
	world->tep_states[1] = SRV_TEP_DOWN;
	make_lease_through(world, &session, "2001:db8:1::2", 2);
	world->tep_states[1] = SRV_TEP_SYNCING;
	make_lease_through(world, &session, "2001:db8:1::3", 0); /* level comes before syncing */
	assert_int_equal(world->teps[0].n_leases, 2);
	assert_int_equal(world->teps[1].n_leases, 0);
	close_session(world, &session);
}

/* R37: the longest prefix that holds the client, then health. */
static void the_tep_follows_the_clients_prefix(void **state)
{
	struct addr_v6_prefix wide, narrow;
	struct world *world = *state;
	struct srv_session session;

	wide = prefix_of("2001:db8:1::/48");
	narrow = prefix_of("2001:db8:1:1::/64");
	world->pool_teps[0].clients = &wide;
	world->pool_teps[1].clients = &narrow;
	world->pool_teps[0].n_clients = world->pool_teps[1].n_clients = 1;
	use_teps(world, 2, false);
	begin_session(&session, TSP_GENERATION_1, "");
	make_lease_through(world, &session, "2001:db8:1:1::1", 1);
	make_lease_through(world, &session, "2001:db8:1:2::1", 0);
	world->tep_states[1] = SRV_TEP_DOWN;
	make_lease_through(world, &session, "2001:db8:1:1::2", 1); /* kept to strictly */
	ask_create(world, &session, "2001:db8:2::1");
	expect_refusal(world, &session, TSP_STATUS_POOL_EXHAUSTED);
	close_session(world, &session);
}

static void another_tep_comes_before_the_longest_prefix_when_that_is_down(void **state)
{
	struct world *world = *state;
	struct addr_v6_prefix narrow;
	struct srv_session session;

	narrow = prefix_of("2001:db8:1::/64");
	world->pool_teps[1].clients = &narrow;
	world->pool_teps[1].n_clients = 1;
	use_teps(world, 2, true);
	begin_session(&session, TSP_GENERATION_1, "");
	make_lease_through(world, &session, "2001:db8:1::1", 1);
	world->tep_states[1] = SRV_TEP_DOWN;
	make_lease_through(world, &session, "2001:db8:1::2", 0);
	close_session(world, &session);
}

/* --- a create whose TEP fails -------------------------------------------------------------------- */

/* R88 */
static void a_silent_tep_is_replaced_and_its_binding_deleted(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	struct lease lease;

	use_teps(world, 2, true);
	begin_session(&session, TSP_GENERATION_1, "");
	ask_create(world, &session, CLIENT);
	expect_stored(world, SRV_LEASE_PENDING, 0);
	expect_asked(world, 0, SRV_TEP_LOST);
	expect_deleted(world, 0);
	lease = expect_asked(world, 1, SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	assert_true(addr_v6_equal(
		&expect_answer(world, &session, TSP_STATUS_OK)->server.v6[0], &lease.tep_v6));
	assert_int_equal(world->teps[0].n_leases, 0);
	assert_int_equal(world->teps[1].n_leases, 1);
	close_session(world, &session);
}

static void when_every_tep_fails_the_client_hears_it(void **state)
{
	struct world *world = *state;
	struct srv_session session;

	use_teps(world, 3, true);
	begin_session(&session, TSP_GENERATION_1, "");
	ask_create(world, &session, CLIENT);
	expect_stored(world, SRV_LEASE_PENDING, 0);
	expect_asked(world, 0, SRV_TEP_REFUSED);
	expect_asked(world, 1, SRV_TEP_REFUSED);
	expect_asked(world, 2, SRV_TEP_REFUSED);
	expect(world, REMOVE);
	expect_refusal(world, &session, TSP_STATUS_TEP_ERROR);
	assert_int_equal(srv_pool_count(world->pools[0].pool).free, 3);

	ask_create(world, &session, CLIENT);
	expect_stored(world, SRV_LEASE_PENDING, 0);
	expect_asked(world, 0, SRV_TEP_LOST);
	expect_deleted(world, 0);
	expect_asked(world, 1, SRV_TEP_REFUSED);
	expect_asked(world, 2, SRV_TEP_REFUSED);
	expect_end(world); /* it may stand at the first one: the range rests */
	expect_refusal(world, &session, TSP_STATUS_TEP_ERROR);
	close_session(world, &session);
}

static void without_the_policy_a_failing_tep_is_the_clients_loss(void **state)
{
	struct world *world = *state;
	struct srv_session session;

	use_teps(world, 2, false);
	begin_session(&session, TSP_GENERATION_1, "");
	ask_create(world, &session, CLIENT);
	expect_stored(world, SRV_LEASE_PENDING, 0);
	expect_asked(world, 0, SRV_TEP_REFUSED);
	expect(world, REMOVE);
	expect_refusal(world, &session, TSP_STATUS_TEP_ERROR);
	close_session(world, &session);
}

static void a_tep_that_cannot_be_asked_for_want_of_memory_leaves_nobody_waiting(void **state)
{
	struct world *world = *state;
	struct srv_session session;

	begin_session(&session, TSP_GENERATION_1, "");
	ask_create(world, &session, CLIENT);
	world->no_memory = true;
	expect_stored(world, SRV_LEASE_PENDING, 0);
	expect_end(world);
	expect_refusal(world, &session, TSP_STATUS_TEP_ERROR);
	close_session(world, &session);
}

/* --- a renewal whose TEP is gone ----------------------------------------------------------------- */

static void ask_again(struct world *world, struct srv_session *session, const struct lease *lease)
{
	pass_ms(world, LIFETIME_MS / 2);
	ask_renewal(world, session, CLIENT, lease);
}

static void a_renewal_moves_the_lease_from_a_tep_that_is_down(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	struct lease lease, moved;

	use_teps(world, 2, true);
	begin_session(&session, TSP_GENERATION_1, "");
	lease = make_lease_through(world, &session, CLIENT, 0);
	world->tep_states[0] = SRV_TEP_DOWN;
	ask_again(world, &session, &lease);
	moved = expect_asked(world, 1, SRV_TEP_DONE);
	assert_int_equal(moved.v4, lease.v4);
	assert_true(port_range_equal(moved.ranges[0], lease.ranges[0]));
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	expect_deleted(world, 0);
	assert_true(addr_v6_equal(
		&expect_answer(world, &session, TSP_STATUS_OK)->server.v6[0], &world->teps[1].v6));
	assert_int_equal(counted(world, SRV_COUNT_LEASES_MOVED), 1);
	close_session(world, &session);
}

/* Never two TEPs with two holders: the range waits for what the TEP out of reach may still have. */
static void a_range_rests_until_the_binding_that_was_left_behind_has_ended(void **state)
{
	struct tsp_msg msg = make_request(TSP_ACTION_DELETE, CLIENT, false);
	struct world *world = *state;
	struct srv_session session;
	struct action *put;
	struct lease lease;

	use_teps(world, 2, true);
	begin_session(&session, TSP_GENERATION_1, "");
	lease = make_lease_through(world, &session, CLIENT, 0);
	world->tep_states[0] = SRV_TEP_DOWN;
	ask_again(world, &session, &lease);
	expect_asked(world, 1, SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	expect_deleted(world, 0);
	expect_answer(world, &session, TSP_STATUS_OK);
	ask(world, &session, &msg);
	put = expect(world, TEP_DELETE);
	assert_int_equal(put->tep, 1);
	srv_engine_tep_answered(
		world->engine, put->job, put->tep, SRV_TEP_DONE, NULL, world->now_ms);
	put = expect(world, PUT);
	assert_int_equal(put->until_ms, lease.end_ms);
	srv_engine_stored(world->engine, put->job, 0, world->now_ms);
	expect_answer(world, &session, TSP_STATUS_OK);
	pass_ms(world, QUARANTINE_MS);
	assert_int_equal(srv_pool_count(world->pools[0].pool).resting, 1);
	pass_ms(world, lease.end_ms - world->now_ms);
	assert_int_equal(srv_pool_count(world->pools[0].pool).resting, 0);
	close_session(world, &session);
}

static void a_move_that_cannot_be_stored_is_taken_back(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	struct lease lease;

	use_teps(world, 2, true);
	begin_session(&session, TSP_GENERATION_1, "");
	lease = make_lease_through(world, &session, CLIENT, 0);
	world->tep_states[0] = SRV_TEP_DOWN;
	ask_again(world, &session, &lease);
	expect_asked(world, 1, SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, -EIO);
	expect_deleted(world, 1);
	expect_refusal(world, &session, TSP_STATUS_BUSY);
	assert_int_equal(world->teps[0].n_leases, 1);
	world->tep_states[0] = SRV_TEP_CONNECTED;
	ask_renewal(world, &session, CLIENT, &lease);
	expect_asked(world, 0, SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	expect_answer(world, &session, TSP_STATUS_OK);
	close_session(world, &session);
}

/* R88, R94 */
static void a_renewal_goes_on_to_another_tep_when_its_own_fails(void **state)
{
	static const enum srv_tep_result results[] = {SRV_TEP_LOST, SRV_TEP_REFUSED};
	struct world *world = *state;
	struct srv_session session;
	struct lease lease;

	use_teps(world, 2, true);
	begin_session(&session, TSP_GENERATION_1, "");
	lease = make_lease_through(world, &session, CLIENT, 0);
	for (uint32_t i = 0; i < 2; i++) {
		ask_again(world, &session, &lease);
		expect_asked(world, i, results[i]);
		expect_asked(world, 1 - i, SRV_TEP_DONE);
		expect_stored(world, SRV_LEASE_ACTIVE, 0);
		expect_deleted(world, i);
		expect_answer(world, &session, TSP_STATUS_OK);
	}
	close_session(world, &session);
}

static void a_renewal_waits_for_its_tep_where_policy_says_so(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	struct lease lease;

	use_teps(world, 2, false);
	begin_session(&session, TSP_GENERATION_1, "");
	lease = make_lease_through(world, &session, CLIENT, 0);
	world->tep_states[0] = SRV_TEP_DOWN;
	ask_again(world, &session, &lease);
	expect_asked(world, 0, SRV_TEP_LOST);
	expect_end_at_tep(world, lease.end_ms);
	expect_refusal(world, &session, TSP_STATUS_TEP_ERROR);
	assert_int_equal(leases_in(world, SRV_LEASE_ACTIVE), 1); /* to its old end */
	close_session(world, &session);
}

/* A TEP that the pool no longer names is not one that failed: leases leave it under either policy. */
static void a_renewal_leaves_a_tep_that_its_pool_no_longer_names(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	struct lease lease;

	begin_session(&session, TSP_GENERATION_1, "");
	lease = make_lease_through(world, &session, CLIENT, 0);
	world->pool_teps[0].tep = 2;
	ask_again(world, &session, &lease);
	expect_asked(world, 2, SRV_TEP_DONE);
	assert_true(srv_engine_uses_tep(world->engine, 0)); /* until it has heard of the move */
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	assert_false(srv_engine_uses_tep(world->engine, 0));
	expect_deleted(world, 0);
	expect_answer(world, &session, TSP_STATUS_OK);
	close_session(world, &session);
}

/* --- from the store ------------------------------------------------------------------------------ */

static void a_stored_lease_knows_its_tep_by_address(void **state)
{
	struct srv_store_record record = {.id = 1,
		.state = SRV_LEASE_ACTIVE,
		.lease = {.v4 = 0xc6336407, .n_ranges = 1, .ranges = {{16384, 32767}}}};
	struct world *world = *state;

	use_teps(world, 3, true);
	addr_v6_parse(CLIENT, &record.lease.client_v6);
	record.lease.tep_v6 = world->teps[2].v6;
	assert_int_equal(
		srv_engine_resume(world->engine, &record, world->now_ms + 1000, world->now_ms), 0);
	assert_int_equal(world->teps[2].n_leases, 1);
	record.id = 2;
	record.lease.ranges[0] = (struct port_range){32768, 49151};
	addr_v6_parse("2001:db8:ffff::1", &record.lease.tep_v6);
	assert_int_equal(
		srv_engine_resume(world->engine, &record, world->now_ms + 1000, world->now_ms), 0);
	assert_int_equal(
		srv_lease_db_holder(srv_engine_leases(world->engine), 0xc6336407, 32768)->tep,
		SRV_TEP_NONE);
}

#define tep_test(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		tep_test(new_leases_are_spread_over_the_teps_that_are_up),
		tep_test(the_tep_follows_the_clients_prefix),
		tep_test(another_tep_comes_before_the_longest_prefix_when_that_is_down),
		tep_test(a_silent_tep_is_replaced_and_its_binding_deleted),
		tep_test(when_every_tep_fails_the_client_hears_it),
		tep_test(without_the_policy_a_failing_tep_is_the_clients_loss),
		tep_test(a_tep_that_cannot_be_asked_for_want_of_memory_leaves_nobody_waiting),
		tep_test(a_renewal_moves_the_lease_from_a_tep_that_is_down),
		tep_test(a_range_rests_until_the_binding_that_was_left_behind_has_ended),
		tep_test(a_move_that_cannot_be_stored_is_taken_back),
		tep_test(a_renewal_goes_on_to_another_tep_when_its_own_fails),
		tep_test(a_renewal_waits_for_its_tep_where_policy_says_so),
		tep_test(a_renewal_leaves_a_tep_that_its_pool_no_longer_names),
		tep_test(a_stored_lease_knows_its_tep_by_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
