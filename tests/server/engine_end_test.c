// SPDX-License-Identifier: BSD-3-Clause
/* How leases end and come back: release, expiry, quarantine, accept and reject, restart. */
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

/* --- release, expiry, quarantine ----------------------------------------------------------------- */

/* D8 */
static void a_release_is_deleted_at_the_tep_then_stored_then_answered(void **state)
{
	struct tsp_msg msg = make_request(TSP_ACTION_DELETE, "2001:db8:1::a", false);
	struct world *world = *state;
	struct srv_session session;
	struct action *delete;

	begin_session(&session, TSP_GENERATION_1, "");
	make_lease(world, &session, "2001:db8:1::a");
	ask(world, &session, &msg);
	delete = expect(world, TEP_DELETE);
	assert_non_null(delete->job);
	expect_nothing(world);
	srv_engine_tep_answered(
		world->engine, delete->job, delete->tep, SRV_TEP_LOST, NULL, world->now_ms);
	expect_stored(world, SRV_LEASE_RESTING, 0);
	assert_int_equal(expect_answer(world, &session, TSP_STATUS_OK)->action, TSP_ACTION_INFO);
	assert_int_equal(srv_pool_count(world->pools[0].pool).resting, 1);
	ask(world, &session, &msg);
	expect_refusal(world, &session, TSP_STATUS_RENEWAL_REFUSED);
	close_session(world, &session);
}

static void a_release_does_not_wait_for_a_tep_without_a_session(void **state)
{
	struct tsp_msg msg = make_request(TSP_ACTION_DELETE, "2001:db8:1::a", false);
	struct world *world = *state;
	struct srv_session session;

	begin_session(&session, TSP_GENERATION_2, "");
	make_lease(world, &session, "2001:db8:1::a");
	world->tep_states[0] = SRV_TEP_DOWN;
	ask(world, &session, &msg);
	expect(world, TEP_DELETE);
	expect_stored(world, SRV_LEASE_RESTING, 0);
	expect_answer(world, &session, TSP_STATUS_OK);
	close_session(world, &session);
	expect_nothing(world);
}

/* R78, R95, R96, R105 */
static void expiry_tells_the_tep_and_an_open_generation_1_session(void **state)
{
	struct world *world = *state;
	struct srv_session old, new;
	struct lease lease;
	struct action *told;

	begin_session(&old, TSP_GENERATION_1, "");
	begin_session(&new, TSP_GENERATION_2, "");
	lease = make_lease(world, &old, "2001:db8:1::1");
	pass_ms(world, 10);
	make_lease(world, &new, "2001:db8:1::2");
	say(world, &new, TSP_ACTION_ACCEPT);
	assert_int_equal(srv_engine_next_ms(world->engine), lease.end_ms);
	pass_ms(world, LIFETIME_MS - 10);
	told = expect(world, ANSWER);
	assert_ptr_equal(told->session, &old);
	assert_int_equal(told->msg.status, TSP_STATUS_NONE);
	assert_int_equal(told->msg.action, TSP_ACTION_DELETE);
	assert_int_equal(told->msg.client.v4, lease.v4);
	assert_int_equal(told->msg.server.v4, 0xc0000001);
	expect_end(world);
	pass_ms(world, 10);
	expect_end(world); /* generation 2 is not told */
	expect_nothing(world);
	close_session(world, &old);
	close_session(world, &new);
}

/* A million at once must not keep clients waiting: a slice, and the caller comes back for more. */
static void leases_that_end_together_end_in_slices(void **state)
{
	const uint32_t n = 2 * SRV_TICK_LEASES + 7;
	struct world *world = *state;
	int64_t end_ms = world->now_ms + 1000;

	for (uint32_t i = 0; i < n; i++) {
		struct srv_store_record record = {
			.id = i + 1,
			.state = SRV_LEASE_ACTIVE,
			.lease = {.v4 = 0xc6336407,
				.n_ranges = 1,
				.ranges = {{20000 + i, 20000 + i}},
				.tep_v6 = world->teps[0].v6},
		};

		record.lease.client_v6.s6_addr32[3] = i;
		assert_int_equal(
			srv_engine_resume(world->engine, &record, end_ms, world->now_ms), 0);
	}
	pass_ms(world, 1000);
	for (uint32_t ended = SRV_TICK_LEASES; ended < n; ended += SRV_TICK_LEASES) {
		assert_int_equal(leases_in(world, SRV_LEASE_RESTING), ended);
		assert_int_equal(world->n_actions, 2 * SRV_TICK_LEASES); /* delete and put */
		assert_int_equal(srv_engine_next_ms(world->engine), end_ms);
		world->n_actions = 0;
		pass_ms(world, 0);
	}
	assert_int_equal(leases_in(world, SRV_LEASE_RESTING), n);
	assert_int_equal(srv_engine_next_ms(world->engine), end_ms + QUARANTINE_MS);
	world->n_actions = 0;
}

static void expiry_tells_nobody_whose_session_is_gone(void **state)
{
	struct world *world = *state;
	struct srv_session session;

	begin_session(&session, TSP_GENERATION_1, "");
	make_lease(world, &session, "2001:db8:1::1");
	close_session(world, &session);
	pass_ms(world, LIFETIME_MS);
	expect_end(world);
	expect_nothing(world);
}

/* S23, S24: nobody else during quarantine; its holder at once; later too, until another has it. */
static void a_range_returns_to_its_former_holder(void **state)
{
	struct tsp_msg msg = make_request(TSP_ACTION_DELETE, "2001:db8:1::1", false);
	struct world *world = *state;
	struct srv_session session;
	struct lease first, again;

	begin_session(&session, TSP_GENERATION_1, "");
	first = make_lease(world, &session, "2001:db8:1::1");
	world->tep_states[0] = SRV_TEP_DOWN;
	for (int round = 0; round < 2; round++) {
		ask(world, &session, &msg);
		expect(world, TEP_DELETE);
		expect_stored(world, SRV_LEASE_RESTING, 0);
		expect_answer(world, &session, TSP_STATUS_OK);
		pass_ms(world, round == 0 ? 1000 : QUARANTINE_MS);
		again = make_lease(world, &session, "2001:db8:1::1");
		assert_int_equal(again.v4, first.v4);
		assert_true(port_range_equal(again.ranges[0], first.ranges[0]));
	}
	assert_int_equal(counted(world, SRV_COUNT_LEASES_RETURNED), 2);
	assert_int_equal(srv_pool_count(world->pools[0].pool).leased, 1);
	close_session(world, &session);
}

static void a_former_holder_is_forgotten_when_another_has_the_range(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	const struct tsp_msg *info;

	begin_session(&session, TSP_GENERATION_1, "");
	for (int i = 1; i <= 3; i++) {
		char client[32];

		snprintf(client, sizeof(client), "2001:db8:1::%d", i);
		make_lease(world, &session, client);
	}
	pass_ms(world, LIFETIME_MS);
	pass_ms(world, QUARANTINE_MS);
	world->n_seen = world->n_actions;
	assert_int_equal(leases_in(world, SRV_LEASE_FORMER), 3);
	ask_create(world, &session, "2001:db8:1::9");
	expect(world, REMOVE);
	expect_stored(world, SRV_LEASE_PENDING, 0);
	expect_tep_create(world, SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	info = expect_answer(world, &session, TSP_STATUS_OK);
	assert_int_equal(info->client.n_ranges, 1);
	assert_int_equal(leases_in(world, SRV_LEASE_FORMER), 2);
	close_session(world, &session);
}

/* A range that the client had before but that its TEP refuses rests; it was not free. */
static void a_return_that_fails_rests_again(void **state)
{
	struct world *world = *state;
	struct srv_session session;

	begin_session(&session, TSP_GENERATION_1, "");
	make_lease(world, &session, "2001:db8:1::1");
	pass_ms(world, LIFETIME_MS);
	world->n_seen = world->n_actions;
	ask_create(world, &session, "2001:db8:1::1");
	expect_stored(world, SRV_LEASE_PENDING, 0);
	expect_tep_create(world, SRV_TEP_REFUSED);
	expect_end(world);
	expect_refusal(world, &session, TSP_STATUS_TEP_ERROR);
	assert_int_equal(srv_pool_count(world->pools[0].pool).resting, 1);
	close_session(world, &session);
}

/* --- accept and reject --------------------------------------------------------------------------- */

enum end {
	ACCEPT_THEN_CLOSE,
	REJECT,
	CLOSE,
	WAIT,
	CLOSE_WHILE_PENDING
};

static const struct {
	enum end end;
	bool stays;
} ends[] = {
	{ACCEPT_THEN_CLOSE, true},
	{REJECT, false},
	{CLOSE, false},
	{WAIT, false},
	{CLOSE_WHILE_PENDING, false},
};

static void run_end(struct world *world, struct srv_session *session, enum end end)
{
	begin_session(session, TSP_GENERATION_2, "");
	if (end == CLOSE_WHILE_PENDING) {
		ask_create(world, session, "2001:db8:1::1");
		close_session(world, session);
		expect_stored(world, SRV_LEASE_PENDING, 0);
		expect_tep_create(world, SRV_TEP_DONE);
		expect_stored(world, SRV_LEASE_ACTIVE, 0);
		pass_ms(world, 29999);
		expect_nothing(world); /* it may still come back for it */
		pass_ms(world, 1);
		return;
	}
	make_lease(world, session, "2001:db8:1::1");
	if (end == ACCEPT_THEN_CLOSE)
		say(world, session, TSP_ACTION_ACCEPT);
	else if (end == REJECT)
		say(world, session, TSP_ACTION_REJECT);
	else if (end == WAIT)
		pass_ms(world, 30000);
	close_session(world, session);
}

/* A generation 2 client that does not accept its new lease does not keep it. */
static void a_new_lease_stays_only_when_it_is_accepted(void **state)
{
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct srv_session session;
		struct world *world;

		if (i > 0) {
			world_teardown(state);
			assert_int_equal(world_setup(state), 0);
		}
		world = *state;
		run_end(world, &session, ends[i].end);
		if (!ends[i].stays)
			expect_end(world);
		expect_nothing(world);
		assert_int_equal(leases_in(world, SRV_LEASE_ACTIVE), ends[i].stays);
		assert_int_equal(counted(world, SRV_COUNT_LEASES_UNDONE), !ends[i].stays);
		pass_ms(world, 60000);
		expect_nothing(world);
	}
}

/* The program ends between the answer and the client's word: the client counts on its lease, and keeps it. */
static void a_new_lease_outlives_the_server(void **state)
{
	struct world *world = *state;
	struct srv_session session;

	begin_session(&session, TSP_GENERATION_2, "");
	make_lease(world, &session, "2001:db8:1::1");
	srv_engine_stop(world->engine);
	close_session(world, &session);
	expect_nothing(world);
	assert_int_equal(leases_in(world, SRV_LEASE_ACTIVE), 1);
}

/* A renewed lease is not new: closing or rejecting does not undo it. */
static void a_renewed_lease_needs_no_accept(void **state)
{
	struct world *world = *state;
	struct srv_session first, second;

	begin_session(&first, TSP_GENERATION_2, "");
	make_lease(world, &first, "2001:db8:1::1");
	say(world, &first, TSP_ACTION_ACCEPT);
	close_session(world, &first);
	begin_session(&second, TSP_GENERATION_2, "");
	ask_create(world, &second, "2001:db8:1::1");
	expect_tep_create(world, SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	expect_answer(world, &second, TSP_STATUS_OK);
	say(world, &second, TSP_ACTION_REJECT);
	close_session(world, &second);
	expect_nothing(world);
	assert_int_equal(leases_in(world, SRV_LEASE_ACTIVE), 1);
}

/* A client that lost its connection and comes again before the time is up may still accept. */
static void a_second_connection_takes_over_what_is_to_be_accepted(void **state)
{
	struct world *world = *state;
	struct srv_session first, second;

	begin_session(&first, TSP_GENERATION_2, "");
	begin_session(&second, TSP_GENERATION_2, "");
	make_lease(world, &first, "2001:db8:1::1");
	ask_create(world, &second, "2001:db8:1::1");
	close_session(world, &first); /* in the middle of the second's request */
	expect_tep_create(world, SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	expect_answer(world, &second, TSP_STATUS_OK);
	say(world, &second, TSP_ACTION_ACCEPT);
	close_session(world, &second);
	expect_nothing(world);
	pass_ms(world, 60000);
	expect_nothing(world);
	assert_int_equal(leases_in(world, SRV_LEASE_ACTIVE), 1);
}

/* --- what clients may not say -------------------------------------------------------------------- */

static void actions_that_are_not_the_clients_are_refused_or_ignored(void **state)
{
	static const struct {
		enum tsp_action action;
		enum tsp_status status; /* NONE: no answer */
	} rows[] = {
		{TSP_ACTION_NONE, TSP_STATUS_NONE},
		{TSP_ACTION_INFO, TSP_STATUS_NONE},
		{TSP_ACTION_ACCEPT, TSP_STATUS_NONE},
		{TSP_ACTION_REJECT, TSP_STATUS_NONE},
		{TSP_ACTION_QUERY, TSP_STATUS_UNAVAILABLE},
		{TSP_ACTION_LIST, TSP_STATUS_MALFORMED},
	};
	struct world *world = *state;
	struct srv_session session;

	begin_session(&session, TSP_GENERATION_1, "");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		say(world, &session, rows[i].action);
		if (rows[i].status != TSP_STATUS_NONE)
			expect_answer(world, &session, rows[i].status);
		expect_nothing(world);
	}
	close_session(world, &session);
}

/* --- resumption ---------------------------------------------------------------------------------- */

static struct srv_store_record stored(enum srv_lease_state state, uint16_t first)
{
	struct srv_store_record record = {.id = 7,
		.state = state,
		.lease = {.v4 = 0xc6336407, .n_ranges = 1, .ranges = {{first, first + 16383}}}};

	addr_v6_parse("2001:db8:1::1", &record.lease.client_v6);
	addr_v6_parse("2001:db8::1", &record.lease.tep_v6);
	return record;
}

/* S24: also after the server lost its state; what a TEP may still hold is not given to others. */
static void stored_leases_are_taken_up_by_their_state_and_time(void **state)
{
	static const struct {
		enum srv_lease_state stored;
		int64_t left_ms;
		enum srv_lease_state expected;
		int64_t due_in_ms;
	} rows[] = {
		{SRV_LEASE_ACTIVE, 5000, SRV_LEASE_ACTIVE, 5000},
		{SRV_LEASE_ACTIVE, -5000, SRV_LEASE_RESTING, QUARANTINE_MS - 5000},
		{SRV_LEASE_ACTIVE, -QUARANTINE_MS, SRV_LEASE_FORMER, SRV_LEASE_NEVER},
		{SRV_LEASE_PENDING, 5000, SRV_LEASE_RESTING, QUARANTINE_MS},
		{SRV_LEASE_RESTING, 5000, SRV_LEASE_RESTING, 5000},
		{SRV_LEASE_RESTING, 10 * QUARANTINE_MS, SRV_LEASE_RESTING, QUARANTINE_MS},
		{SRV_LEASE_RESTING, 0, SRV_LEASE_FORMER, SRV_LEASE_NEVER},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct srv_store_record record = stored(rows[i].stored, 16384);
		struct srv_pool_counts counts;
		struct world *world;
		int64_t due_ms = rows[i].due_in_ms;

		world_teardown(state);
		assert_int_equal(world_setup(state), 0);
		world = *state;
		if (due_ms != SRV_LEASE_NEVER)
			due_ms += world->now_ms;
		assert_int_equal(srv_engine_resume(world->engine, &record,
					 world->now_ms + rows[i].left_ms, world->now_ms),
			0);
		assert_int_equal(leases_in(world, rows[i].expected), 1);
		assert_int_equal(srv_engine_next_ms(world->engine), due_ms);
		counts = srv_pool_count(world->pools[0].pool);
		assert_int_equal(counts.leased, rows[i].expected == SRV_LEASE_ACTIVE);
		assert_int_equal(counts.resting, rows[i].expected == SRV_LEASE_RESTING);
	}
}

#define engine_test(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		engine_test(a_release_is_deleted_at_the_tep_then_stored_then_answered),
		engine_test(a_release_does_not_wait_for_a_tep_without_a_session),
		engine_test(expiry_tells_the_tep_and_an_open_generation_1_session),
		engine_test(leases_that_end_together_end_in_slices),
		engine_test(expiry_tells_nobody_whose_session_is_gone),
		engine_test(a_range_returns_to_its_former_holder),
		engine_test(a_former_holder_is_forgotten_when_another_has_the_range),
		engine_test(a_return_that_fails_rests_again),
		engine_test(a_new_lease_stays_only_when_it_is_accepted),
		engine_test(a_new_lease_outlives_the_server),
		engine_test(a_renewed_lease_needs_no_accept),
		engine_test(a_second_connection_takes_over_what_is_to_be_accepted),
		engine_test(actions_that_are_not_the_clients_are_refused_or_ignored),
		engine_test(stored_leases_are_taken_up_by_their_state_and_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
