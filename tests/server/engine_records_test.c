// SPDX-License-Identifier: BSD-3-Clause
/* Which changes of a lease are recorded, with which reason, and that nothing else is (S26, S28). */
#include "world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define CLIENT "2001:db8:1::17"

/* The records among the actions from index from on; NULL-reason puts are skipped. */
static void expect_records(const struct world *world, uint32_t from, uint32_t n,
	enum srv_record_event event, const char *reason)
{
	uint32_t found = 0;

	for (uint32_t i = from; i < world->n_actions; i++) {
		const struct action *action = &world->actions[i];

		if (action->type != PUT || action->reason == NULL)
			continue;
		found++;
		assert_int_equal(action->event, event);
		assert_string_equal(action->reason, reason);
	}
	assert_int_equal(found, n);
	assert_null(world->next_reason); /* each went with a put */
}

static struct world *with_lease(void **state, struct srv_session *session)
{
	struct world *world = *state;

	begin_session(session, TSP_GENERATION_1, "alice");
	make_lease(world, session, CLIENT);
	return world;
}

static void a_lease_is_recorded_once_it_stands_at_its_tep(void **state)
{
	struct srv_session session;
	struct world *world = with_lease(state, &session);

	expect_records(world, 0, 1, SRV_RECORD_ALLOCATED, SRV_REASON_REQUESTED);
	/* and with the put that makes it active, not with the first */
	assert_int_equal(world->actions[0].type, PUT);
	assert_null(world->actions[0].reason);
	close_session(world, &session);
}

static void a_lease_that_came_to_nothing_is_no_record(void **state)
{
	struct world *world = *state;
	struct srv_session session;

	begin_session(&session, TSP_GENERATION_1, "alice");
	ask_create(world, &session, CLIENT);
	expect_stored(world, SRV_LEASE_PENDING, 0);
	expect_tep_create(world, SRV_TEP_LOST);
	expect_records(world, 0, 0, SRV_RECORD_ALLOCATED, "");
	ask_create(world, &session, "2001:db8:1::18");
	expect_records(world, 0, 0, SRV_RECORD_ALLOCATED, "");
	close_session(world, &session);
}

static void a_renewal_is_told_from_a_change(void **state)
{
	struct srv_session session;
	struct world *world = with_lease(state, &session);
	uint32_t from = world->n_actions;

	ask_create(world, &session, CLIENT);
	expect_tep_create(world, SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	expect_answer(world, &session, TSP_STATUS_OK);
	expect_records(world, from, 1, SRV_RECORD_RENEWED, SRV_REASON_RENEWED);
	close_session(world, &session);
}

static void expiry_is_recorded_once(void **state)
{
	struct srv_session session;
	struct world *world = with_lease(state, &session);
	uint32_t from = world->n_actions;

	pass_ms(world, LIFETIME_MS);
	expect_records(world, from, 1, SRV_RECORD_RELEASED, SRV_REASON_EXPIRED);
	pass_ms(world, QUARANTINE_MS);
	expect_records(world, from, 1, SRV_RECORD_RELEASED, SRV_REASON_EXPIRED);
	close_session(world, &session);
}

static void a_release_is_recorded(void **state)
{
	struct srv_session session;
	struct world *world = with_lease(state, &session);
	struct tsp_msg msg = make_request(TSP_ACTION_DELETE, CLIENT, true);
	uint32_t from = world->n_actions;

	world->tep_states[0] = SRV_TEP_DOWN;
	ask(world, &session, &msg);
	expect_records(world, from, 1, SRV_RECORD_RELEASED, SRV_REASON_BY_CLIENT);
	close_session(world, &session);
}

static void what_a_generation_2_client_does_not_want_is_recorded(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	uint32_t from;

	begin_session(&session, TSP_GENERATION_2, "alice");
	make_lease(world, &session, CLIENT);
	from = world->n_actions;
	say(world, &session, TSP_ACTION_REJECT);
	expect_records(world, from, 1, SRV_RECORD_RELEASED, SRV_REASON_REJECTED);
	expect_end(world);

	make_lease(world, &session, "2001:db8:1::18");
	from = world->n_actions;
	close_session(world, &session);
	expect_records(world, from, 1, SRV_RECORD_RELEASED, SRV_REASON_NOT_ACCEPTED);
}

static void a_tep_that_ends_a_lease_is_the_reason(void **state)
{
	struct srv_session session;
	struct world *world = with_lease(state, &session);
	uint32_t from = world->n_actions;

	ask_create(world, &session, CLIENT);
	expect_tep_create(world, SRV_TEP_REFUSED);
	expect_records(world, from, 1, SRV_RECORD_RELEASED, SRV_REASON_TEP_REFUSED);
	close_session(world, &session);
}

/* What may have been recorded as begun is recorded as ended: the store took it, its recorder did not. */
static void a_lease_that_could_not_be_written_is_recorded_as_ended(void **state)
{
	struct world *world = *state;
	struct srv_session session;
	uint32_t from;

	begin_session(&session, TSP_GENERATION_1, "alice");
	ask_create(world, &session, CLIENT);
	expect_stored(world, SRV_LEASE_PENDING, 0);
	expect_tep_create(world, SRV_TEP_DONE);
	from = world->n_actions;
	expect_stored(world, SRV_LEASE_ACTIVE, -EIO);
	expect_records(world, from, 1, SRV_RECORD_RELEASED, SRV_REASON_NOT_STORED);
	close_session(world, &session);
}

static void a_quota_is_told(void **state)
{
	struct world *world = *state;
	struct srv_session sessions[3];
	static const char *const users[] = {"alice", "bob", "carol"};

	for (int i = 0; i < 2; i++) {
		begin_session(&sessions[i], TSP_GENERATION_1, users[i]);
		make_lease(world, &sessions[i], CLIENT);
	}
	assert_int_equal(world->over_quota, 0);
	begin_session(&sessions[2], TSP_GENERATION_1, users[2]);
	ask_create(world, &sessions[2], CLIENT);
	assert_int_equal(world->over_quota, 1);
	for (int i = 0; i < 3; i++)
		close_session(world, &sessions[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
		TEST(a_lease_is_recorded_once_it_stands_at_its_tep),
		TEST(a_lease_that_came_to_nothing_is_no_record),
		TEST(a_renewal_is_told_from_a_change),
		TEST(expiry_is_recorded_once),
		TEST(a_release_is_recorded),
		TEST(what_a_generation_2_client_does_not_want_is_recorded),
		TEST(a_tep_that_ends_a_lease_is_the_reason),
		TEST(a_lease_that_could_not_be_written_is_recorded_as_ended),
		TEST(a_quota_is_told),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
