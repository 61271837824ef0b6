// SPDX-License-Identifier: BSD-3-Clause
/* Leases whose pool is another after a reload or a restart, or none. */
#include "world.h"

#include "common/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define CLIENT "2001:db8:1::a"
#define V4     0xc6336407 /* of the shared pool */

/* The pools after a reload. */
struct plan {
	struct srv_engine_pool pools[2];
	uint32_t n;
};

static struct srv_pool *make_pool(uint32_t v4, uint8_t len, uint32_t block_size)
{
	struct addr_v4_prefix prefix = {v4, len};
	struct srv_pool *pool = srv_pool_create(&prefix, block_size);

	assert_non_null(pool);
	return pool;
}

/* The engine has other pools from now on; the old ones are gone, but for those that map keeps. */
static void change_pools(struct world *world, const struct plan *plan, const uint16_t map[2])
{
	const struct srv_engine_params params = {
		.pools = plan->pools,
		.n_pools = plan->n,
		.teps = world->teps,
		.n_teps = WORLD_TEPS,
	};

	srv_engine_set_plan(world->engine, &params, map);
	for (int i = 0; i < 2; i++) {
		if (map[i] == SRV_POOL_NONE)
			srv_pool_destroy(world->pools[i].pool);
		world->pools[i].pool = NULL;
	}
}

static void free_plan(struct plan *plan)
{
	for (uint32_t i = 0; i < plan->n; i++)
		srv_pool_destroy(plan->pools[i].pool);
}

/* R94: it lives to its end; a renewal of it is refused, and who just asks gets another one. */
static void a_lease_whose_pool_is_gone_lives_to_its_end_and_is_not_renewed(void **state)
{
	static const uint16_t map[] = {SRV_POOL_NONE, SRV_POOL_NONE};
	struct world *world = *state;
	struct plan plan = {.n = 1};
	struct srv_session session, named;
	struct lease lease;

	plan.pools[0] = world->pools[0];
	plan.pools[0].pool = make_pool(V4 + 1, 32, 16384);
	begin_session(&session, TSP_GENERATION_1, "");
	begin_session(&named, TSP_GENERATION_1, "alice");
	make_lease(world, &session, CLIENT);
	lease = make_lease(world, &named, CLIENT);
	pass_ms(world, 1000);
	change_pools(world, &plan, map);
	assert_int_equal(srv_engine_homeless(world->engine), 2);
	ask_renewal(world, &named, CLIENT, &lease);
	expect_end(world);
	expect_refusal(world, &named, TSP_STATUS_RENEWAL_REFUSED);
	assert_int_equal(make_lease(world, &named, CLIENT).v4, V4 + 1);
	pass_ms(world, LIFETIME_MS - 1000);
	assert_int_equal(expect(world, ANSWER)->msg.action, TSP_ACTION_DELETE);
	expect_end(world);
	pass_ms(world, QUARANTINE_MS);
	assert_int_equal(srv_engine_homeless(world->engine), 0);
	close_session(world, &session);
	close_session(world, &named);
	srv_engine_destroy(world->engine);
	world->engine = NULL;
	free_plan(&plan);
}

/* What a lease holds is nobody else's, however its address is cut now. */
static void a_lease_keeps_its_range_in_a_pool_that_is_cut_anew(void **state)
{
	static const uint16_t map[] = {SRV_POOL_NONE, SRV_POOL_NONE};
	static const struct {
		uint32_t block_size;
		bool is_renewed;
	} cuts[] = {{1024, true}, {32768, true}, {0, false}};

	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		struct plan plan = {.n = 1};
		struct srv_session session;
		struct srv_pool_counts counts;
		struct world *world;
		struct lease lease;

		world_teardown(state);
		assert_int_equal(world_setup(state), 0);
		world = *state;
		begin_session(&session, TSP_GENERATION_1, "");
		lease = make_lease(world, &session, CLIENT);
		plan.pools[0] = world->pools[0];
		plan.pools[0].pool = make_pool(V4, 32, cuts[i].block_size);
		change_pools(world, &plan, map);
		counts = srv_pool_count(plan.pools[0].pool);
		if (cuts[i].block_size == 32768) /* the lower half is never given out */
			assert_int_equal(counts.leased, lease.ranges[0].first >= 32768);
		else
			assert_int_equal(counts.leased, cuts[i].block_size == 1024 ? 16 : 1);
		ask_renewal(world, &session, CLIENT, &lease);
		if (cuts[i].is_renewed) {
			expect_tep_create(world, SRV_TEP_DONE);
			expect_stored(world, SRV_LEASE_ACTIVE, 0);
			expect_answer(world, &session, TSP_STATUS_OK);
		} else {
			expect_end(world);
			expect_refusal(world, &session, TSP_STATUS_RENEWAL_REFUSED);
		}
		close_session(world, &session);
		srv_engine_destroy(world->engine);
		world->engine = NULL;
		free_plan(&plan);
	}
}

static void a_pool_that_stays_keeps_its_units_under_another_number(void **state)
{
	static const uint16_t map[] = {1, 0};
	struct world *world = *state;
	struct srv_session session;
	struct plan plan = {.n = 2};
	struct lease lease;

	begin_session(&session, TSP_GENERATION_1, "");
	lease = make_lease(world, &session, CLIENT);
	plan.pools[0] = world->pools[1];
	plan.pools[1] = world->pools[0];
	change_pools(world, &plan, map);
	assert_int_equal(srv_pool_count(plan.pools[1].pool).leased, 1);
	ask_renewal(world, &session, CLIENT, &lease);
	expect_tep_create(world, SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	expect_answer(world, &session, TSP_STATUS_OK);
	close_session(world, &session);
	srv_engine_destroy(world->engine);
	world->engine = NULL;
	free_plan(&plan);
}

/* A job under way when its pool goes ends in order. */
static void a_create_that_is_under_way_ends_in_order_without_its_pool(void **state)
{
	static const uint16_t map[] = {SRV_POOL_NONE, 0};
	static const enum srv_tep_result results[] = {SRV_TEP_DONE, SRV_TEP_REFUSED, SRV_TEP_LOST};

	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		struct plan plan = {.n = 1};
		struct srv_session session;
		struct world *world;

		world_teardown(state);
		assert_int_equal(world_setup(state), 0);
		world = *state;
		plan.pools[0] = world->pools[1];
		begin_session(&session, TSP_GENERATION_1, "");
		ask_create(world, &session, CLIENT);
		change_pools(world, &plan, map);
		expect_stored(world, SRV_LEASE_PENDING, 0);
		expect_tep_create(world, results[i]);
		if (results[i] == SRV_TEP_DONE)
			expect_stored(world, SRV_LEASE_ACTIVE, 0);
		else if (results[i] == SRV_TEP_LOST)
			assert_int_equal(expect(world, TEP_DELETE)->tep, 0);
		if (results[i] == SRV_TEP_LOST)
			expect(world, PUT);
		else if (results[i] == SRV_TEP_REFUSED)
			expect(world, REMOVE);
		expect_answer(world, &session,
			results[i] == SRV_TEP_DONE ? TSP_STATUS_OK : TSP_STATUS_TEP_ERROR);
		close_session(world, &session);
		srv_engine_destroy(world->engine);
		world->engine = NULL;
		free_plan(&plan);
	}
}

static void a_stored_lease_that_no_pool_has_lives_to_its_end(void **state)
{
	struct srv_store_record record = {.id = 7,
		.state = SRV_LEASE_ACTIVE,
		.lease = {.v4 = V4 + 1, .n_ranges = 1, .ranges = {{16384, 32767}}}};
	struct world *world = *state;
	struct srv_session session;

	addr_v6_parse(CLIENT, &record.lease.client_v6);
	record.lease.tep_v6 = world->teps[0].v6;
	assert_int_equal(
		srv_engine_resume(world->engine, &record, world->now_ms + 1000, world->now_ms), 0);
	assert_int_equal(srv_engine_homeless(world->engine), 1);
	assert_true(srv_engine_uses_tep(world->engine, 0));
	for (uint32_t i = 0; i < WORLD_TEPS; i++)
		srv_engine_tep_changed(world->engine, i, SRV_TEP_CONNECTED);
	pass_ms(world, 1000);
	expect_end(world);
	pass_ms(world, QUARANTINE_MS);
	assert_false(srv_engine_uses_tep(world->engine, 0));
	begin_session(&session, TSP_GENERATION_1, "");
	ask_create(world, &session, CLIENT);
	assert_true(expect(world, PUT)->id > 7);
	close_session(world, &session);
}

#define plan_test(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		plan_test(a_lease_whose_pool_is_gone_lives_to_its_end_and_is_not_renewed),
		plan_test(a_lease_keeps_its_range_in_a_pool_that_is_cut_anew),
		plan_test(a_pool_that_stays_keeps_its_units_under_another_number),
		plan_test(a_create_that_is_under_way_ends_in_order_without_its_pool),
		plan_test(a_stored_lease_that_no_pool_has_lives_to_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
