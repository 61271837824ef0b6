// SPDX-License-Identifier: BSD-3-Clause
/* Front ends without connections: one request, one answer, and hints at what to give (R10, R69). */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define CONFIRM_MS 60000 /* longer than the engine waits for an accept */

static void begin_single(struct srv_session *session)
{
	begin_session(session, TSP_GENERATION_2, "");
	session->is_single = true;
}

static struct lease ask_with_hint(
	struct world *world, struct srv_session *session, uint32_t v4, struct port_range hint)
{
	struct tsp_msg msg = make_request(TSP_ACTION_CREATE, "2001:db8:1::a", true);
	struct lease lease;

	msg.has_hint = true;
	msg.hint_v4 = v4;
	msg.hint = hint;
	ask(world, session, &msg);
	expect_stored(world, SRV_LEASE_PENDING, 0);
	lease = expect_tep_create(world, SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	expect_answer(world, session, TSP_STATUS_OK);
	return lease;
}

static void its_lease_needs_no_accept_and_outlives_it(void **state)
{
	struct world *world = *state;
	struct srv_session session;

	begin_single(&session);
	make_lease(world, &session, "2001:db8:1::a");
	close_session(world, &session);
	expect_nothing(world);
	pass_ms(world, CONFIRM_MS);
	expect_nothing(world);
	assert_int_equal(leases_in(world, SRV_LEASE_ACTIVE), 1);
	pass_ms(world, LIFETIME_MS);
	expect_end(world);
	expect_nothing(world);
}

static void its_renewal_accepts_what_another_protocol_began(void **state)
{
	struct world *world = *state;
	struct srv_session session, single;

	begin_session(&session, TSP_GENERATION_2, "");
	make_lease(world, &session, "2001:db8:1::a");
	begin_single(&single);
	ask_create(world, &single, "2001:db8:1::a");
	expect_tep_create(world, SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	expect_answer(world, &single, TSP_STATUS_OK);
	close_session(world, &single);
	close_session(world, &session);
	pass_ms(world, CONFIRM_MS);
	expect_nothing(world);
	assert_int_equal(leases_in(world, SRV_LEASE_ACTIVE), 1);
}

/* Nobody was told of the lease: it is undone unless the client asks again in time. */
static void what_was_never_answered_is_undone(void **state)
{
	struct world *world = *state;
	struct srv_session session;

	begin_single(&session);
	ask_create(world, &session, "2001:db8:1::a");
	expect_stored(world, SRV_LEASE_PENDING, 0);
	close_session(world, &session);
	expect_tep_create(world, SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	expect_nothing(world);
	pass_ms(world, CONFIRM_MS);
	expect_end(world);
	expect_nothing(world);
}

static void a_hint_is_followed_where_it_is_free(void **state)
{
	struct world *world = *state;
	const struct srv_engine_pool *pool = &world->pools[0];
	struct srv_session session;
	struct lease other = {.v4 = 0}, lease;

	assert_int_equal(srv_pool_take(pool->pool, 1, &other), 0);
	srv_pool_give(pool->pool, &other);
	begin_single(&session);
	lease = ask_with_hint(world, &session, other.v4, other.ranges[0]);
	assert_int_equal(lease.v4, other.v4);
	assert_int_equal(lease.n_ranges, 1);
	assert_true(port_range_equal(lease.ranges[0], other.ranges[0]));
	close_session(world, &session);
}

static void a_hint_takes_nothing_from_anybody(void **state)
{
	struct world *world = *state;
	const struct srv_engine_pool *pool = &world->pools[0];
	struct srv_session session;
	struct lease other = {.v4 = 0}, lease;

	assert_int_equal(srv_pool_take(pool->pool, 1, &other), 0);
	begin_single(&session);
	lease = ask_with_hint(world, &session, other.v4, other.ranges[0]);
	assert_false(port_range_equal(lease.ranges[0], other.ranges[0]));
	close_session(world, &session);
	srv_pool_give(pool->pool, &other);
}

/* System ports, a whole address of a shared pool, a range upside down, an address of nobody's. */
static void a_hint_at_no_unit_is_no_hint(void **state)
{
	static const struct {
		uint32_t v4;
		struct port_range hint;
	} hints[] = {
		{0xc6336407, {0, 1023}},
		{0xc6336407, {0, 65535}},
		{0xc6336407, {40000, 1024}},
		{0xc6336407, {1024, 1024}},
		{0x08080808, {1024, 2047}},
		{0xffffffff, {65535, 65535}},
	};

	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
		struct srv_session session;
		struct world *world;
		struct lease lease;
		void *fresh;

		assert_int_equal(world_setup(&fresh), 0);
		world = fresh;
		begin_single(&session);
		lease = ask_with_hint(world, &session, hints[i].v4, hints[i].hint);
		assert_int_equal(lease.v4, 0xc6336407);
		assert_true(lease.ranges[0].first >= SRV_POOL_PORT_MIN);
		assert_false(lease_is_exclusive(&lease));
		close_session(world, &session);
		world_teardown(&fresh);
	}
}

#define single_test(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		single_test(its_lease_needs_no_accept_and_outlives_it),
		single_test(its_renewal_accepts_what_another_protocol_began),
		single_test(what_was_never_answered_is_undone),
		single_test(a_hint_is_followed_where_it_is_free),
		single_test(a_hint_takes_nothing_from_anybody),
		cmocka_unit_test(a_hint_at_no_unit_is_no_hint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
