// SPDX-License-Identifier: BSD-3-Clause
/*
 * Which server the engine asks, and what it takes from one unasked (R29, R32, R58, R108).
 */
#include "engine_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* A rig with this many servers. */
static void begin(struct rig *rig, enum tsp_generation generation, uint32_t n_servers)
{
	rig_init(rig, generation);
	rig->engine.params.n_servers = n_servers;
}

static void expect_server(const struct rig *rig, uint32_t server)
{
	const struct cl_action *action = rig_find(rig, CL_ACTION_CONNECT);

	assert_non_null(action);
	assert_int_equal(action->target.server, server);
	assert_false(action->target.is_redirected);
}

static void expect_redirected(const struct rig *rig, const char *text)
{
	const struct cl_action *action = rig_find(rig, CL_ACTION_CONNECT);
	struct in6_addr v6 = rig_v6(text);

	assert_non_null(action);
	assert_true(action->target.is_redirected);
	assert_memory_equal(&action->target.v6, &v6, sizeof(v6));
}

static struct tsp_msg redirection(const char *first, const char *second)
{
	return (struct tsp_msg){
		.status = TSP_STATUS_BUSY,
		.code = 1530,
		.action = TSP_ACTION_LIST,
		.n_brokers = 3,
		.brokers = {{.v6 = rig_v6(first)}, {.is_v4 = true, .v4 = 1},
			{.v6 = rig_v6(second)}},
	};
}

static void every_server_is_asked_before_a_pause(void **state)
{
	struct rig rig;

	begin(&rig, TSP_GENERATION_2, 3);
	rig_feed(&rig, CL_EVENT_START);
	expect_server(&rig, 0);
	rig_feed_closed(&rig, TSP_CLOSE_CONNECT);
	expect_server(&rig, 1);
	rig_feed(&rig, CL_EVENT_READY);
	rig_feed_msg(&rig, rig_refusal(TSP_STATUS_BUSY, TSP_GENERATION_2));
	expect_server(&rig, 2);
	rig_wait(&rig);
	rig_expect(&rig, CL_STATE_BACKOFF);
	rig_wait(&rig);
	expect_server(&rig, 0);
}

/* A wrong password at one server makes the pause behind the round a long one. */
static void pause_is_the_longest_that_any_server_calls_for(void **state)
{
	struct rig rig;

	begin(&rig, TSP_GENERATION_2, 2);
	rig_feed(&rig, CL_EVENT_START);
	rig_feed_closed(&rig, TSP_CLOSE_AUTH);
	expect_server(&rig, 1);
	rig_feed_closed(&rig, TSP_CLOSE_CONNECT);
	rig_expect(&rig, CL_STATE_BACKOFF);
	assert_true(cl_engine_deadline(&rig.engine) - rig.now_ms >= 30000);
}

/* Each server is asked in the configured generation first. */
static void generation_is_that_of_each_server(void **state)
{
	struct rig rig;

	begin(&rig, TSP_GENERATION_2, 2);
	rig_feed(&rig, CL_EVENT_START);
	rig_feed_closed(&rig, TSP_CLOSE_VERSION);
	expect_server(&rig, 0);
	assert_int_equal(rig_find(&rig, CL_ACTION_CONNECT)->generation, TSP_GENERATION_1);
	rig_feed_closed(&rig, TSP_CLOSE_CONNECT);
	expect_server(&rig, 1);
	assert_int_equal(rig_find(&rig, CL_ACTION_CONNECT)->generation, TSP_GENERATION_2);
}

/* R29: the second server gave the lease and renews it; in the last eighth any may. */
static void lease_is_renewed_where_it_came_from(void **state)
{
	struct rig rig;
	uint32_t tries = 0;

	begin(&rig, TSP_GENERATION_2, 3);
	rig_feed(&rig, CL_EVENT_START);
	rig_feed_closed(&rig, TSP_CLOSE_CONNECT);
	rig_feed(&rig, CL_EVENT_READY);
	rig_feed_msg(&rig, rig_info());
	rig_feed(&rig, CL_EVENT_CONFIGURED);
	while (rig.now_ms < RIG_T0 + RIG_LIFETIME_S * 875) {
		rig_wait(&rig);
		if (rig.engine.state != CL_STATE_RENEWING)
			continue;
		expect_server(&rig, 1);
		tries++;
		rig_feed_closed(&rig, TSP_CLOSE_CONNECT);
		if (rig.now_ms < RIG_T0 + RIG_LIFETIME_S * 875)
			rig_expect(&rig, CL_STATE_BOUND);
	}
	assert_in_range(tries, 2, 8);
	expect_server(&rig, 0);
	rig_feed_closed(&rig, TSP_CLOSE_CONNECT);
	expect_server(&rig, 2);
	rig_feed(&rig, CL_EVENT_READY);
	rig_feed_msg(&rig, rig_info());
	rig_expect(&rig, CL_STATE_BOUND);
	rig_wait(&rig);
	expect_server(&rig, 2);
}

/* Another server does not know the lease, and that says nothing about it. */
static void word_of_another_server_ends_no_lease(void **state)
{
	struct rig rig;

	begin(&rig, TSP_GENERATION_1, 2);
	rig_reach_bound(&rig);
	rig_feed_closed(&rig, TSP_CLOSE_PEER);
	while (rig.now_ms < RIG_T0 + RIG_LIFETIME_S * 875) {
		rig_wait(&rig);
		if (rig.engine.state == CL_STATE_RENEWING)
			rig_feed_closed(&rig, TSP_CLOSE_CONNECT);
	}
	expect_server(&rig, 1);
	rig_feed(&rig, CL_EVENT_READY);
	assert_false(rig_sent(&rig)->client.has_v4);
	rig_feed_msg(&rig, rig_refusal(TSP_STATUS_UNAVAILABLE, TSP_GENERATION_1));
	rig_expect(&rig, CL_STATE_BOUND);
	assert_true(rig.configured);
}

/* S35: the IPv6 addresses of the list are asked in their order, then the own list goes on. */
static void redirection_comes_before_the_rest_of_the_list(void **state)
{
	struct rig rig;

	begin(&rig, TSP_GENERATION_2, 2);
	rig_feed(&rig, CL_EVENT_START);
	rig_feed(&rig, CL_EVENT_READY);
	rig_feed_msg(&rig, redirection("2001:db8:9::1", "2001:db8:9::2"));
	expect_redirected(&rig, "2001:db8:9::1");
	rig_feed_closed(&rig, TSP_CLOSE_CONNECT);
	expect_redirected(&rig, "2001:db8:9::2");
	rig_feed_closed(&rig, TSP_CLOSE_CONNECT);
	expect_server(&rig, 1);
	rig_feed_closed(&rig, TSP_CLOSE_CONNECT);
	rig_expect(&rig, CL_STATE_BACKOFF);
	rig_wait(&rig);
	expect_server(&rig, 0);
}

static void lease_of_a_redirection_is_renewed_and_released_there(void **state)
{
	struct rig rig;

	begin(&rig, TSP_GENERATION_2, 1);
	rig_feed(&rig, CL_EVENT_START);
	rig_feed(&rig, CL_EVENT_READY);
	rig_feed_msg(&rig, redirection("2001:db8:9::1", "2001:db8:9::2"));
	rig_feed(&rig, CL_EVENT_READY);
	rig_feed_msg(&rig, rig_info());
	rig_feed(&rig, CL_EVENT_CONFIGURED);
	rig_wait(&rig);
	expect_redirected(&rig, "2001:db8:9::1");
	rig_feed(&rig, CL_EVENT_READY);
	rig_feed_msg(&rig, rig_info());
	rig_feed(&rig, CL_EVENT_STOP);
	expect_redirected(&rig, "2001:db8:9::1");
}

static void circle_of_redirections_ends(void **state)
{
	uint32_t asked = 0;
	struct rig rig;

	begin(&rig, TSP_GENERATION_2, 2);
	rig_feed(&rig, CL_EVENT_START);
	while (rig.engine.state != CL_STATE_BACKOFF) {
		rig_feed(&rig, CL_EVENT_READY);
		rig_feed_msg(&rig, redirection("2001:db8:9::1", "2001:db8:9::2"));
		asked++;
	}
	assert_in_range(asked, 4, 16);
}

/* A server that sends away who has a lease with it is an ordinary refusal before the last eighth. */
static void redirection_of_a_renewal_costs_no_lease(void **state)
{
	struct rig rig;

	begin(&rig, TSP_GENERATION_2, 1);
	rig_reach_bound(&rig);
	rig_wait(&rig);
	rig_feed(&rig, CL_EVENT_READY);
	rig_feed_msg(&rig, redirection("2001:db8:9::1", "2001:db8:9::2"));
	rig_expect(&rig, CL_STATE_BOUND);
	assert_null(rig_find(&rig, CL_ACTION_CONNECT));
	assert_true(rig.configured);
}

/* R58: all that is held is named, and as many ports again are asked for. */
static void more_ports_are_asked_for_once_in_a_while(void **state)
{
	struct tsp_msg more = rig_info();
	struct rig rig;

	more.client.ranges[more.client.n_ranges++] = (struct port_range){50000, 51023};
	for (int generation = 1; generation <= 2; generation++) {
		begin(&rig, generation, 1);
		rig_reach_bound(&rig);
		rig_feed(&rig, CL_EVENT_SHORT);
		if (rig.engine.conn == CL_CONN_OPENING)
			rig_feed(&rig, CL_EVENT_READY);
		assert_int_equal(rig_sent(&rig)->client.v4, 0xc6336407);
		assert_int_equal(rig_sent(&rig)->client.n_ranges, 1);
		assert_int_equal(rig_sent(&rig)->client.ports_count, 1024);
		rig_feed_msg(&rig, more);
		assert_non_null(rig_find(&rig, CL_ACTION_CONFIGURE));
		rig_feed(&rig, CL_EVENT_CONFIGURED);
		assert_int_equal(rig.engine.lease.n_ranges, 2);

		rig_feed(&rig, CL_EVENT_SHORT);
		if (rig.engine.conn == CL_CONN_OPENING)
			rig_feed(&rig, CL_EVENT_READY);
		assert_int_equal(rig_sent(&rig)->client.ports_count, 2048);
		rig_feed_msg(&rig, rig_refusal(TSP_STATUS_POOL_EXHAUSTED, generation));
		rig_expect(&rig, CL_STATE_BOUND);
		assert_int_equal(rig.engine.lease.n_ranges, 2);
		assert_int_equal(cl_engine_deadline(&rig.engine), RIG_T0 + RIG_LIFETIME_S * 500);
		rig_feed(&rig, CL_EVENT_SHORT);
		rig_expect(&rig, CL_STATE_BOUND);
		assert_int_equal(rig.actions.n, 0);
	}
}

static void more_ports_end_at_the_limits(void **state)
{
	struct rig rig;

	begin(&rig, TSP_GENERATION_2, 1);
	rig_reach_bound(&rig);
	rig.engine.params.ports_max = 1024;
	rig_feed(&rig, CL_EVENT_SHORT);
	rig_expect(&rig, CL_STATE_BOUND);
	rig.engine.params.ports_max = 1500;
	rig_feed(&rig, CL_EVENT_SHORT);
	rig_feed(&rig, CL_EVENT_READY);
	assert_int_equal(rig_sent(&rig)->client.ports_count, 476);
	rig_feed_msg(&rig, rig_info());
	rig_expect(&rig, CL_STATE_BOUND);
	rig.now_ms = rig.engine.more_ms;
	rig.engine.lease.n_ranges = LEASE_RANGES_MAX;
	rig_feed(&rig, CL_EVENT_SHORT);
	rig_expect(&rig, CL_STATE_BOUND);
}

static void more_ports_of_another_address_are_given_back(void **state)
{
	struct tsp_msg other = rig_info();
	struct rig rig;

	other.client.v4++;
	for (int generation = 1; generation <= 2; generation++) {
		begin(&rig, generation, 1);
		rig_reach_bound(&rig);
		rig_feed(&rig, CL_EVENT_SHORT);
		if (rig.engine.conn == CL_CONN_OPENING)
			rig_feed(&rig, CL_EVENT_READY);
		rig_feed_msg(&rig, other);
		assert_int_equal(rig_sent(&rig)->action,
			generation == 2 ? TSP_ACTION_REJECT : TSP_ACTION_DELETE);
		if (generation == 1)
			assert_int_equal(rig_sent(&rig)->client.v4, 0xc6336408);
		rig_expect(&rig, CL_STATE_BOUND);
		assert_int_equal(rig.engine.lease.v4, 0xc6336407);
		assert_null(rig_find(&rig, CL_ACTION_CONFIGURE));
	}
}

/* A silent tunnel: the server is asked soon, ever more seldom, and the lease stands. */
static void silent_tunnel_makes_the_server_be_asked(void **state)
{
	int64_t last_ms = 0, pause_ms = 0;
	struct tsp_msg moved = rig_info();
	struct rig rig;

	begin(&rig, TSP_GENERATION_2, 1);
	rig_reach_bound(&rig);
	for (int i = 0; i < 3; i++) {
		rig_feed(&rig, CL_EVENT_SUSPECT);
		rig_expect(&rig, CL_STATE_BOUND);
		rig_feed(&rig, CL_EVENT_SUSPECT);
		rig_wait(&rig);
		rig_expect(&rig, CL_STATE_RENEWING);
		assert_true(rig.configured);
		if (i > 0)
			assert_true(rig.now_ms - last_ms > pause_ms);
		pause_ms = i > 0 ? rig.now_ms - last_ms : 0;
		last_ms = rig.now_ms;
		rig_feed(&rig, CL_EVENT_READY);
		if (i == 2)
			moved.server.v6[0] = rig_v6("2001:db8::2");
		rig_feed_msg(&rig, moved);
	}
	assert_non_null(rig_find(&rig, CL_ACTION_CONFIGURE));
	assert_true(pause_ms > 4000);
}

/* S21: a TEP that forgets one lease after the other is asked less and less. */
static void tep_that_forgets_again_and_again_slows_us_down(void **state)
{
	struct rig rig;

	begin(&rig, TSP_GENERATION_2, 1);
	rig_reach_bound(&rig);
	for (int i = 0; i < 5; i++) {
		int64_t pause_ms;

		rig_feed(&rig, CL_EVENT_UNBOUND);
		rig_expect(&rig, CL_STATE_BACKOFF);
		pause_ms = cl_engine_deadline(&rig.engine) - rig.now_ms;
		assert_in_range(pause_ms, 500 << i, 1000 << i);
		rig_wait(&rig);
		rig_feed(&rig, CL_EVENT_READY);
		rig_feed_msg(&rig, rig_info());
		rig_feed(&rig, CL_EVENT_CONFIGURED);
	}
	rig.now_ms += 61000;
	rig_feed(&rig, CL_EVENT_UNBOUND);
	assert_true(cl_engine_deadline(&rig.engine) - rig.now_ms <= 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_server_is_asked_before_a_pause),
		cmocka_unit_test(pause_is_the_longest_that_any_server_calls_for),
		cmocka_unit_test(generation_is_that_of_each_server),
		cmocka_unit_test(lease_is_renewed_where_it_came_from),
		cmocka_unit_test(word_of_another_server_ends_no_lease),
		cmocka_unit_test(redirection_comes_before_the_rest_of_the_list),
		cmocka_unit_test(lease_of_a_redirection_is_renewed_and_released_there),
		cmocka_unit_test(circle_of_redirections_ends),
		cmocka_unit_test(redirection_of_a_renewal_costs_no_lease),
		cmocka_unit_test(more_ports_are_asked_for_once_in_a_while),
		cmocka_unit_test(more_ports_end_at_the_limits),
		cmocka_unit_test(more_ports_of_another_address_are_given_back),
		cmocka_unit_test(silent_tunnel_makes_the_server_be_asked),
		cmocka_unit_test(tep_that_forgets_again_and_again_slows_us_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
