// SPDX-License-Identifier: BSD-3-Clause
/*
 * The lease engine: each way through it as a test, and long walks at random. Every order of events:
 * engine_model_test.c.
 */
#include "engine_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static void gets_a_lease_and_accepts_it_when_the_host_is_configured(void **state)
{
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_2);
	rig_feed(&rig, CL_EVENT_START);
	assert_int_equal(rig_find(&rig, CL_ACTION_CONNECT)->generation, TSP_GENERATION_2);
	rig_feed(&rig, CL_EVENT_READY);
	assert_int_equal(rig_sent(&rig)->action, TSP_ACTION_CREATE);
	assert_true(rig_sent(&rig)->client.has_ports);
	assert_int_equal(rig_sent(&rig)->client.ports_count, 256);
	assert_int_equal(rig_sent(&rig)->client.n_v6, 1);
	assert_false(rig_sent(&rig)->client.has_v4);
	rig_feed_msg(&rig, rig_info());
	assert_non_null(rig_find(&rig, CL_ACTION_CONFIGURE));
	assert_null(rig_find(&rig, CL_ACTION_SEND));
	rig_feed(&rig, CL_EVENT_CONFIGURED);
	assert_int_equal(rig_sent(&rig)->action, TSP_ACTION_ACCEPT);
	assert_non_null(rig_find(&rig, CL_ACTION_CLOSE));
	assert_int_equal(rig.engine.lease.v4, 0xc6336407);
	assert_int_equal(rig.engine.lifetime_s, RIG_LIFETIME_S);
	assert_in_range(cl_engine_deadline(&rig.engine), RIG_T0 + RIG_LIFETIME_S * 468,
		RIG_T0 + RIG_LIFETIME_S * 500);
}

/*
 * R83: link-local and global address. R92: a renewal names the temporary address, here its ports
 * too.
 */
static void generation_1_keeps_the_session_and_names_what_it_renews(void **state)
{
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_1);
	rig_feed(&rig, CL_EVENT_START);
	rig_feed(&rig, CL_EVENT_READY);
	assert_int_equal(rig_sent(&rig)->client.n_v6, 2);
	assert_true(IN6_IS_ADDR_LINKLOCAL(&rig_sent(&rig)->client.v6[0]));
	rig_feed_msg(&rig, rig_info());
	rig_feed(&rig, CL_EVENT_CONFIGURED);
	assert_null(rig_find(&rig, CL_ACTION_SEND));
	assert_null(rig_find(&rig, CL_ACTION_CLOSE));
	rig_wait(&rig);
	assert_null(rig_find(&rig, CL_ACTION_CONNECT));
	assert_int_equal(rig_sent(&rig)->action, TSP_ACTION_CREATE);
	assert_int_equal(rig_sent(&rig)->client.v4, 0xc6336407);
	assert_int_equal(rig_sent(&rig)->client.ranges[0].first, 2048);
	rig_expect(&rig, CL_STATE_RENEWING);
}

/* R93: a granted renewal resets the timer and touches nothing on the host. */
static void renewal_extends_without_configuring(void **state)
{
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_2);
	rig_reach_bound(&rig);
	rig_wait(&rig);
	rig_expect(&rig, CL_STATE_RENEWING);
	assert_non_null(rig_find(&rig, CL_ACTION_CONNECT));
	rig_feed(&rig, CL_EVENT_READY);
	assert_false(rig_sent(&rig)->client.has_v4);
	rig_feed_msg(&rig, rig_info());
	assert_null(rig_find(&rig, CL_ACTION_CONFIGURE));
	assert_non_null(rig_find(&rig, CL_ACTION_RENEWED));
	assert_int_equal(rig_sent(&rig)->action, TSP_ACTION_ACCEPT);
	rig_expect(&rig, CL_STATE_BOUND);
	assert_int_equal(rig.engine.lease.end_ms, rig.now_ms + RIG_LIFETIME_S * 1000);
}

static void renewal_with_other_values_configures_anew(void **state)
{
	struct tsp_msg other = rig_info();
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_2);
	rig_reach_bound(&rig);
	rig_wait(&rig);
	rig_feed(&rig, CL_EVENT_READY);
	other.client.ranges[0] = (struct port_range){4096, 5119};
	rig_feed_msg(&rig, other);
	assert_non_null(rig_find(&rig, CL_ACTION_CONFIGURE));
	assert_int_equal(rig.engine.lease.ranges[0].first, 4096);
}

/* R51: what is not renewed ends on time, and the server is asked again. */
static void lease_lives_to_its_end_and_not_beyond(void **state)
{
	unsigned int attempts = 0;
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_2);
	rig_reach_bound(&rig);
	while (rig.engine.has_lease) {
		assert_true(rig.now_ms <= RIG_T0 + RIG_LIFETIME_S * 1000);
		rig_wait(&rig);
		if (rig.engine.state == CL_STATE_RENEWING) {
			attempts++;
			rig_feed_closed(&rig, TSP_CLOSE_CONNECT);
		}
	}
	assert_int_equal(rig.now_ms, RIG_T0 + RIG_LIFETIME_S * 1000);
	assert_non_null(rig_find(&rig, CL_ACTION_DECONFIGURE));
	assert_non_null(rig_find(&rig, CL_ACTION_CONNECT));
	assert_in_range(attempts, 3, 12);
}

static void backoff_doubles_to_its_limit_with_jitter(void **state)
{
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_2);
	rig_feed(&rig, CL_EVENT_START);
	for (unsigned int i = 0; i < 12; i++) {
		int64_t longest_ms = i < 6 ? 1000 << i : 60000;
		int64_t delay_ms;

		rig_feed_closed(&rig, TSP_CLOSE_CONNECT);
		delay_ms = cl_engine_deadline(&rig.engine) - rig.now_ms;
		assert_in_range(delay_ms, longest_ms / 2, longest_ms);
		rig_expect(&rig, CL_STATE_BACKOFF);
		rig_wait(&rig);
		rig_expect(&rig, CL_STATE_CONNECTING);
	}
}

/*
 * Each code of the table in both generations, without a lease: nothing is held, the wait is right.
 */
static void refused_create_backs_off(void **state)
{
	static const struct {
		enum tsp_status status;
		bool longest;
	} cases[] = {
		{TSP_STATUS_AUTH_FAILED, true},
		{TSP_STATUS_BAD_VERSION, false},
		{TSP_STATUS_BAD_TUNNEL_TYPE, false},
		{TSP_STATUS_POOL_EXHAUSTED, false},
		{TSP_STATUS_TEP_ERROR, false},
		{TSP_STATUS_UNAVAILABLE, false},
		{TSP_STATUS_RENEWAL_REFUSED, false},
		{TSP_STATUS_BAD_V6, false},
		{TSP_STATUS_BAD_V4, false},
		{TSP_STATUS_MALFORMED, false},
		{TSP_STATUS_BUSY, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int generation = 1; generation <= 2; generation++) {
			int64_t delay_ms;
			struct rig rig;

			rig_init(&rig, generation);
			rig_feed(&rig, CL_EVENT_START);
			rig_feed(&rig, CL_EVENT_READY);
			rig_feed_msg(&rig, rig_refusal(cases[i].status, generation));
			rig_expect(&rig, CL_STATE_BACKOFF);
			assert_non_null(rig_find(&rig, CL_ACTION_CLOSE));
			assert_null(rig_find(&rig, CL_ACTION_CONFIGURE));
			delay_ms = cl_engine_deadline(&rig.engine) - rig.now_ms;
			assert_in_range(delay_ms, cases[i].longest ? 30000 : 500,
				cases[i].longest ? 60000 : 1000);
		}
	}
}

/* R94: a refused renewal ends the lease; any other trouble leaves it until its end. */
static void refused_renewal_ends_the_lease_only_where_the_code_says_so(void **state)
{
	static const struct {
		enum tsp_status status;
		bool ends[3]; /* by generation */
	} cases[] = {
		{TSP_STATUS_AUTH_FAILED, {0, false, false}},
		{TSP_STATUS_POOL_EXHAUSTED, {0, false, false}},
		{TSP_STATUS_TEP_ERROR, {0, false, true}},
		{TSP_STATUS_UNAVAILABLE, {0, true, false}},
		{TSP_STATUS_RENEWAL_REFUSED, {0, true, true}},
		{TSP_STATUS_BAD_V6, {0, false, false}},
		{TSP_STATUS_BAD_V4, {0, true, false}},
		{TSP_STATUS_MALFORMED, {0, false, false}},
		{TSP_STATUS_BUSY, {0, false, false}},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int generation = 1; generation <= 2; generation++) {
			bool ends = cases[i].ends[generation];
			struct rig rig;

			rig_init(&rig, generation);
			rig_reach_bound(&rig);
			rig_wait(&rig);
			if (rig.engine.conn == CL_CONN_OPENING)
				rig_feed(&rig, CL_EVENT_READY);
			rig_feed_msg(&rig, rig_refusal(cases[i].status, generation));
			rig_expect(&rig, ends ? CL_STATE_BACKOFF : CL_STATE_BOUND);
			assert_int_equal(rig.configured, !ends);
		}
	}
}

static void refused_version_falls_back_to_generation_1_once(void **state)
{
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_2);
	rig_feed(&rig, CL_EVENT_START);
	rig_feed_closed(&rig, TSP_CLOSE_VERSION);
	rig_expect(&rig, CL_STATE_CONNECTING);
	assert_int_equal(rig_find(&rig, CL_ACTION_CONNECT)->generation, TSP_GENERATION_1);
	rig_feed_closed(&rig, TSP_CLOSE_VERSION);
	rig_expect(&rig, CL_STATE_BACKOFF);
	assert_true(cl_engine_deadline(&rig.engine) - rig.now_ms >= 30000);
	rig_wait(&rig);
	assert_int_equal(rig_find(&rig, CL_ACTION_CONNECT)->generation, TSP_GENERATION_2);
}

static void failed_authentication_waits_long(void **state)
{
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_2);
	rig_feed(&rig, CL_EVENT_START);
	rig_feed_closed(&rig, TSP_CLOSE_AUTH);
	rig_expect(&rig, CL_STATE_BACKOFF);
	assert_true(cl_engine_deadline(&rig.engine) - rig.now_ms >= 30000);
}

static void host_that_cannot_be_configured_gives_the_lease_back(void **state)
{
	struct rig rig;

	for (int generation = 1; generation <= 2; generation++) {
		rig_init(&rig, generation);
		rig_feed(&rig, CL_EVENT_START);
		rig_feed(&rig, CL_EVENT_READY);
		rig_feed_msg(&rig, rig_info());
		rig_feed(&rig, CL_EVENT_FAILED);
		rig_expect(&rig, CL_STATE_BACKOFF);
		assert_false(rig.configured);
		assert_int_equal(rig_sent(&rig)->action,
			generation == 2 ? TSP_ACTION_REJECT : TSP_ACTION_DELETE);
	}
}

/* What a server must not give us, one fault at a time. */
static void unusable_lease_is_refused(void **state)
{
	struct tsp_msg cases[9];
	size_t n = sizeof(cases) / sizeof(cases[0]);

	for (size_t i = 0; i < n; i++)
		cases[i] = rig_info();
	cases[0].client.v6[0] = rig_v6("2001:db8:1::18");
	cases[1].server.v6[0] = rig_v6("fe80::1");
	cases[2].server.v6[0] = rig_v6("2001:db8:1::17");
	cases[3].client.v4 = 0x7f000001;
	cases[4].client.v4 = 0xe0000001;
	cases[5].client.v4 = 0xa9fe0101;
	cases[6].client.n_ranges = 2;
	cases[6].client.ranges[1] = (struct port_range){3071, 4000};
	cases[7].client.ranges[0] = (struct port_range){0, 0};
	cases[8].client.n_ranges = 0;
	for (size_t i = 0; i < n; i++) {
		struct rig rig;

		rig_init(&rig, TSP_GENERATION_2);
		rig_feed(&rig, CL_EVENT_START);
		rig_feed(&rig, CL_EVENT_READY);
		rig_feed_msg(&rig, cases[i]);
		rig_expect(&rig, CL_STATE_BACKOFF);
		assert_null(rig_find(&rig, CL_ACTION_CONFIGURE));
		assert_true(rig.engine.report[0] != '\0');
	}
}

static void exclusive_address_is_demanded_or_welcome(void **state)
{
	struct tsp_msg whole = rig_info();
	struct rig rig;

	whole.client.has_ports = false;
	whole.client.n_ranges = 0;
	rig_init(&rig, TSP_GENERATION_2);
	rig_feed(&rig, CL_EVENT_START);
	rig_feed(&rig, CL_EVENT_READY);
	rig_feed_msg(&rig, whole);
	rig_expect(&rig, CL_STATE_CONFIGURING);
	assert_true(lease_is_exclusive(&rig.engine.lease));

	rig_init(&rig, TSP_GENERATION_2);
	rig.engine.params.exclusive = true;
	rig_feed(&rig, CL_EVENT_START);
	rig_feed(&rig, CL_EVENT_READY);
	assert_false(rig_sent(&rig)->client.has_ports);
	rig_feed_msg(&rig, rig_info());
	rig_expect(&rig, CL_STATE_BACKOFF);
	assert_int_equal(rig_sent(&rig)->action, TSP_ACTION_REJECT);
}

/* R95, R102: the server takes the lease back over the open session. */
static void pushed_delete_ends_the_lease(void **state)
{
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_1);
	rig_reach_bound(&rig);
	rig_feed_msg(&rig, rig_pushed_delete());
	assert_int_equal(rig_sent(&rig)->status, TSP_STATUS_OK);
	assert_false(rig.configured);
	rig_expect(&rig, CL_STATE_BACKOFF);
	rig_wait(&rig);
	rig_expect(&rig, CL_STATE_CONNECTING);
}

/* R32, R107: what the server pushes for a lease that is not ours changes nothing. */
static void pushed_request_for_another_lease_is_refused(void **state)
{
	struct tsp_msg msg = rig_pushed_delete();
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_1);
	rig_reach_bound(&rig);
	msg.client.v4++;
	rig_feed_msg(&rig, msg);
	assert_int_equal(rig_sent(&rig)->status, TSP_STATUS_UNAVAILABLE);
	rig_expect(&rig, CL_STATE_BOUND);
	msg = rig_pushed_delete();
	msg.client.ranges[0] = (struct port_range){4096, 5119};
	rig_feed_msg(&rig, msg);
	assert_int_equal(rig_sent(&rig)->status, TSP_STATUS_UNAVAILABLE);
	rig_expect(&rig, CL_STATE_BOUND);
	msg = rig_pushed_delete();
	msg.action = TSP_ACTION_CREATE;
	rig_feed_msg(&rig, msg);
	assert_int_equal(rig_sent(&rig)->status, TSP_STATUS_UNAVAILABLE);
	rig_expect(&rig, CL_STATE_BOUND);
	assert_true(rig.configured);
}

static void unasked_info_is_ignored(void **state)
{
	struct tsp_msg msg = rig_info();
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_1);
	rig_reach_bound(&rig);
	msg.client.v4++;
	rig_feed_msg(&rig, msg);
	rig_expect(&rig, CL_STATE_BOUND);
	assert_int_equal(rig.engine.lease.v4, 0xc6336407);
	assert_null(rig_find(&rig, CL_ACTION_CONFIGURE));
}

static void lost_session_leaves_the_lease_alone(void **state)
{
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_1);
	rig_reach_bound(&rig);
	rig_feed_closed(&rig, TSP_CLOSE_PEER);
	rig_expect(&rig, CL_STATE_BOUND);
	rig_wait(&rig);
	assert_non_null(rig_find(&rig, CL_ACTION_CONNECT));
	rig_expect(&rig, CL_STATE_RENEWING);
}

static void stop_releases_first_the_host_then_the_lease(void **state)
{
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_2);
	rig_reach_bound(&rig);
	rig_feed(&rig, CL_EVENT_STOP);
	assert_false(rig.configured);
	rig_expect(&rig, CL_STATE_RELEASING);
	rig_feed(&rig, CL_EVENT_READY);
	assert_int_equal(rig_sent(&rig)->action, TSP_ACTION_DELETE);
	assert_int_equal(rig_sent(&rig)->client.v4, 0xc6336407);
	assert_int_equal(rig_sent(&rig)->client.ranges[0].last, 3071);
	rig_feed_msg(&rig, rig_info());
	assert_non_null(rig_find(&rig, CL_ACTION_FINISHED));
	rig_expect(&rig, CL_STATE_STOPPED);
}

static void stop_waits_three_seconds_and_no_longer(void **state)
{
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_2);
	rig_reach_bound(&rig);
	rig_feed(&rig, CL_EVENT_STOP);
	rig.now_ms += 2000;
	rig_feed(&rig, CL_EVENT_READY);
	rig_expect(&rig, CL_STATE_RELEASING);
	assert_int_equal(cl_engine_deadline(&rig.engine), RIG_T0 + CL_RELEASE_TIMEOUT_MS);
	rig_wait(&rig);
	assert_non_null(rig_find(&rig, CL_ACTION_FINISHED));
}

static void second_stop_does_not_wait(void **state)
{
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_1);
	rig_reach_bound(&rig);
	rig_feed(&rig, CL_EVENT_STOP);
	assert_int_equal(rig_sent(&rig)->action, TSP_ACTION_DELETE);
	rig_feed(&rig, CL_EVENT_STOP);
	assert_non_null(rig_find(&rig, CL_ACTION_FINISHED));
}

static void moved_host_asks_anew(void **state)
{
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_2);
	rig_reach_bound(&rig);
	rig_feed(&rig, CL_EVENT_MOVED);
	assert_false(rig.configured);
	rig_expect(&rig, CL_STATE_CONNECTING);
}

/* A renewal that leaves from another address is a request for another lease. */
static void renewal_from_another_address_gives_the_lease_up(void **state)
{
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_2);
	rig_reach_bound(&rig);
	rig_wait(&rig);
	rig_step(&rig, &(struct cl_event){.type = CL_EVENT_READY, .v6 = rig_v6("2001:db8:2::17")});
	assert_false(rig.configured);
	rig_expect(&rig, CL_STATE_REQUESTING);
	assert_int_equal(rig_sent(&rig)->action, TSP_ACTION_CREATE);
}

/* S21: the TEP's word ends the lease, and the next request waits. */
static void tep_without_binding_makes_the_client_ask_anew(void **state)
{
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_2);
	rig_reach_bound(&rig);
	rig_feed(&rig, CL_EVENT_UNBOUND);
	assert_false(rig.configured);
	rig_expect(&rig, CL_STATE_BACKOFF);
}

static void silent_server_is_left(void **state)
{
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_2);
	rig_feed(&rig, CL_EVENT_START);
	rig_wait(&rig);
	rig_expect(&rig, CL_STATE_BACKOFF);
	rig_wait(&rig);
	rig_feed(&rig, CL_EVENT_READY);
	rig_wait(&rig);
	rig_expect(&rig, CL_STATE_BACKOFF);
	assert_non_null(rig_find(&rig, CL_ACTION_CLOSE));
}

/* The moves of a walk: each event, each kind of message, time to the deadline or a bit. */
#define MOVES 23

static void move(struct rig *rig, unsigned int which)
{
	struct tsp_msg other = rig_info();

	other.client.v4++;
	switch (which) {
	case 0:
		rig_wait(rig);
		break;
	case 1:
		rig_feed_msg(rig, rig_info());
		break;
	case 2:
		rig_feed_msg(rig, other);
		break;
	case 3:
		rig_feed_msg(rig, rig_pushed_delete());
		break;
	case 4:
		rig_feed_msg(rig, rig_refusal(TSP_STATUS_BUSY, TSP_GENERATION_2));
		break;
	case 5:
		rig_feed_msg(rig, rig_refusal(TSP_STATUS_RENEWAL_REFUSED, TSP_GENERATION_2));
		break;
	case 6:
		rig_feed_msg(rig, rig_refusal(TSP_STATUS_AUTH_FAILED, TSP_GENERATION_2));
		break;
	case 7:
		rig_feed_closed(rig, TSP_CLOSE_VERSION);
		break;
	case 8:
		rig_feed_closed(rig, TSP_CLOSE_PEER);
		break;
	case 9:
		rig_feed_closed(rig, TSP_CLOSE_AUTH);
		break;
	case 10:
		rig->now_ms += RIG_LIFETIME_S * 1000;
		rig_feed(rig, CL_EVENT_READY);
		break;
	default: /* START .. UNBOUND, MESSAGE apart */
		which -= 11;
		rig_feed(rig, which < CL_EVENT_MESSAGE ? which : which + 1);
		break;
	}
}

static void invariants_hold_on_long_walks(void **state)
{
	unsigned int seed = time(NULL);

	print_message("seed %u\n", seed);
	srandom(seed);
	for (unsigned int walk = 0; walk < 300; walk++) {
		struct rig rig;

		rig_init(&rig, 1 + walk % 2);
		for (unsigned int i = 0; i < 300; i++) {
			unsigned int which = random() % MOVES;

			if (rig.engine.state == CL_STATE_STOPPED)
				rig_feed(&rig, CL_EVENT_START);
			move(&rig, which);
			rig.now_ms += random() % 3000;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gets_a_lease_and_accepts_it_when_the_host_is_configured),
		cmocka_unit_test(generation_1_keeps_the_session_and_names_what_it_renews),
		cmocka_unit_test(renewal_extends_without_configuring),
		cmocka_unit_test(renewal_with_other_values_configures_anew),
		cmocka_unit_test(lease_lives_to_its_end_and_not_beyond),
		cmocka_unit_test(backoff_doubles_to_its_limit_with_jitter),
		cmocka_unit_test(refused_create_backs_off),
		cmocka_unit_test(refused_renewal_ends_the_lease_only_where_the_code_says_so),
		cmocka_unit_test(refused_version_falls_back_to_generation_1_once),
		cmocka_unit_test(failed_authentication_waits_long),
		cmocka_unit_test(host_that_cannot_be_configured_gives_the_lease_back),
		cmocka_unit_test(unusable_lease_is_refused),
		cmocka_unit_test(exclusive_address_is_demanded_or_welcome),
		cmocka_unit_test(pushed_delete_ends_the_lease),
		cmocka_unit_test(pushed_request_for_another_lease_is_refused),
		cmocka_unit_test(unasked_info_is_ignored),
		cmocka_unit_test(lost_session_leaves_the_lease_alone),
		cmocka_unit_test(stop_releases_first_the_host_then_the_lease),
		cmocka_unit_test(stop_waits_three_seconds_and_no_longer),
		cmocka_unit_test(second_stop_does_not_wait),
		cmocka_unit_test(moved_host_asks_anew),
		cmocka_unit_test(renewal_from_another_address_gives_the_lease_up),
		cmocka_unit_test(tep_without_binding_makes_the_client_ask_anew),
		cmocka_unit_test(silent_server_is_left),
		cmocka_unit_test(invariants_hold_on_long_walks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
