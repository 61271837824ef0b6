// SPDX-License-Identifier: BSD-3-Clause
/*
 * Leases on demand, and leases that come unasked while there is no demand (R12 to R14, R32, R102, R107).
 */
#include "engine_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define IDLE_S 20

static void begin(struct rig *rig, enum tsp_generation generation)
{
	rig_init(rig, generation);
	rig->engine.params.on_demand = true;
	rig->engine.params.idle_s = IDLE_S;
}

static void reach_bound(struct rig *rig)
{
	rig_feed(rig, CL_EVENT_START);
	rig_feed(rig, CL_EVENT_DEMAND);
	rig_feed(rig, CL_EVENT_READY);
	rig_feed_msg(rig, rig_info());
	rig_feed(rig, CL_EVENT_CONFIGURED);
	rig_expect(rig, CL_STATE_BOUND);
}

static void first_packet_asks(void **state)
{
	struct rig rig;

	begin(&rig, TSP_GENERATION_2);
	rig_feed(&rig, CL_EVENT_START);
	rig_expect(&rig, CL_STATE_IDLE);
	assert_non_null(rig_find(&rig, CL_ACTION_ARM));
	assert_null(rig_find(&rig, CL_ACTION_CONNECT));
	assert_int_equal(cl_engine_deadline(&rig.engine), CL_NEVER);
	rig_feed(&rig, CL_EVENT_DEMAND);
	rig_expect(&rig, CL_STATE_CONNECTING);
	assert_non_null(rig_find(&rig, CL_ACTION_CONNECT));
	rig_feed(&rig, CL_EVENT_DEMAND);
	assert_int_equal(rig.actions.n, 0);
}

/* Packets wait on while the server does not help; when nobody sends any more, nobody asks. */
static void asking_ends_with_the_demand(void **state)
{
	struct rig rig;

	begin(&rig, TSP_GENERATION_2);
	rig.engine.params.retry_max_s = 2;
	rig_feed(&rig, CL_EVENT_START);
	rig_feed(&rig, CL_EVENT_DEMAND);
	while (rig.now_ms < RIG_T0 + 4 * IDLE_S * 1000) {
		rig_feed(&rig, CL_EVENT_DEMAND);
		if (rig.engine.state == CL_STATE_CONNECTING)
			rig_feed_closed(&rig, TSP_CLOSE_CONNECT);
		else
			rig_wait(&rig);
		assert_true(rig.engine.state != CL_STATE_IDLE);
	}
	for (int i = 0; i < 100 && rig.engine.state != CL_STATE_IDLE; i++) {
		rig_wait(&rig);
		if (rig.engine.state == CL_STATE_CONNECTING)
			rig_feed_closed(&rig, TSP_CLOSE_CONNECT);
	}
	rig_expect(&rig, CL_STATE_IDLE);
	assert_non_null(rig_find(&rig, CL_ACTION_ARM));
	rig_feed(&rig, CL_EVENT_DEMAND);
	rig_expect(&rig, CL_STATE_CONNECTING);
}

static void unused_lease_is_given_back(void **state)
{
	struct rig rig;

	begin(&rig, TSP_GENERATION_2);
	reach_bound(&rig);
	assert_int_equal(cl_engine_deadline(&rig.engine), RIG_T0 + IDLE_S * 1000);
	/* Somebody has used it meanwhile: it is looked at again when that is long ago. */
	rig.now_ms += IDLE_S * 1000;
	rig_step(&rig, &(struct cl_event){.type = CL_EVENT_TIMER, .used_ms = RIG_T0 + 5000});
	rig_expect(&rig, CL_STATE_BOUND);
	assert_int_equal(cl_engine_deadline(&rig.engine), RIG_T0 + 5000 + IDLE_S * 1000);
	rig_wait(&rig);
	rig_expect(&rig, CL_STATE_RELEASING);
	assert_non_null(rig_find(&rig, CL_ACTION_ARM));
	rig_feed(&rig, CL_EVENT_READY);
	assert_int_equal(rig_sent(&rig)->action, TSP_ACTION_DELETE);
	rig_feed_msg(&rig, rig_info());
	rig_expect(&rig, CL_STATE_IDLE);
	assert_int_equal(cl_engine_deadline(&rig.engine), CL_NEVER);
}

static void packet_during_the_release_asks_behind_it(void **state)
{
	struct rig rig;

	begin(&rig, TSP_GENERATION_2);
	reach_bound(&rig);
	rig_wait(&rig);
	rig_expect(&rig, CL_STATE_RELEASING);
	rig_feed(&rig, CL_EVENT_DEMAND);
	rig_expect(&rig, CL_STATE_RELEASING);
	rig_feed(&rig, CL_EVENT_READY);
	rig_feed_msg(&rig, rig_info());
	rig_expect(&rig, CL_STATE_CONNECTING);
}

static void lease_that_never_idles_is_kept(void **state)
{
	struct rig rig;

	begin(&rig, TSP_GENERATION_2);
	rig.engine.params.idle_s = 0;
	reach_bound(&rig);
	assert_true(cl_engine_deadline(&rig.engine) > RIG_T0 + IDLE_S * 1000);
	rig_wait(&rig);
	rig_expect(&rig, CL_STATE_RENEWING);
}

/* What is lost while nobody uses it is not asked for again; what is used is. */
static void lost_lease_is_asked_for_only_if_it_is_used(void **state)
{
	for (int used = 0; used <= 1; used++) {
		struct rig rig;

		begin(&rig, TSP_GENERATION_2);
		reach_bound(&rig);
		rig.now_ms += RIG_LIFETIME_S * 1000;
		rig_step(&rig, &(struct cl_event){.type = CL_EVENT_TIMER,
				       .used_ms = used ? rig.now_ms - 1 : 0});
		rig_expect(&rig, used ? CL_STATE_CONNECTING : CL_STATE_IDLE);
		assert_non_null(rig_find(&rig, CL_ACTION_ARM));
	}
}

static void stop_ends_the_wait_for_a_demand(void **state)
{
	struct rig rig;

	begin(&rig, TSP_GENERATION_2);
	rig_feed(&rig, CL_EVENT_START);
	rig_feed(&rig, CL_EVENT_STOP);
	assert_non_null(rig_find(&rig, CL_ACTION_DECONFIGURE));
	rig_expect(&rig, CL_STATE_STOPPED);
}

static struct tsp_msg pushed_create(void)
{
	struct tsp_msg msg = rig_info();

	msg.status = TSP_STATUS_NONE;
	msg.action = TSP_ACTION_CREATE;
	return msg;
}

static void begin_push(struct rig *rig)
{
	begin(rig, TSP_GENERATION_1);
	rig->engine.params.accept_push = true;
	rig_feed(rig, CL_EVENT_START);
	assert_non_null(rig_find(rig, CL_ACTION_CONNECT));
	rig_expect(rig, CL_STATE_IDLE);
	rig_feed(rig, CL_EVENT_READY);
	rig_expect(rig, CL_STATE_IDLE);
	assert_int_equal(rig->actions.n, 0);
}

/* R32: accepted in words when the host is configured, not before. */
static void pushed_lease_is_taken(void **state)
{
	struct rig rig;

	begin_push(&rig);
	rig_feed_msg(&rig, pushed_create());
	rig_expect(&rig, CL_STATE_CONFIGURING);
	assert_null(rig_find(&rig, CL_ACTION_SEND));
	rig_feed(&rig, CL_EVENT_CONFIGURED);
	assert_int_equal(rig_sent(&rig)->status, TSP_STATUS_OK);
	assert_int_equal(rig_sent(&rig)->client.v4, 0xc6336407);
	rig_expect(&rig, CL_STATE_BOUND);
	rig_feed_msg(&rig, pushed_create());
	assert_int_equal(rig_sent(&rig)->status, TSP_STATUS_UNAVAILABLE);
	rig_expect(&rig, CL_STATE_BOUND);
}

static void pushed_lease_that_is_of_no_use_is_refused(void **state)
{
	struct tsp_msg cases[5];
	struct rig rig;

	for (size_t i = 0; i < 5; i++)
		cases[i] = pushed_create();
	cases[0].client.v6[0] = rig_v6("2001:db8:1::18");
	cases[1].client.v4 = 0x7f000001;
	cases[2].client.has_v4 = false;
	cases[3].server.v6[0] = rig_v6("fe80::1");
	cases[4].server.present = false;
	cases[4].server.n_v6 = 0;
	begin_push(&rig);
	for (size_t i = 0; i < 5; i++) {
		rig_feed_msg(&rig, cases[i]);
		assert_true(rig_sent(&rig)->status > TSP_STATUS_OK);
		rig_expect(&rig, CL_STATE_IDLE);
		assert_false(rig.configured);
	}
	rig_feed_msg(&rig, pushed_create());
	rig_feed(&rig, CL_EVENT_FAILED);
	assert_true(rig_sent(&rig)->status > TSP_STATUS_OK);
	rig_expect(&rig, CL_STATE_IDLE);
	assert_int_equal(rig.engine.conn, CL_CONN_READY);
}

/* R107: what was not asked to be open to pushes takes none. */
static void push_without_consent_is_refused(void **state)
{
	struct rig rig;

	rig_init(&rig, TSP_GENERATION_1);
	rig_feed(&rig, CL_EVENT_START);
	rig_feed(&rig, CL_EVENT_READY);
	rig_feed_msg(&rig, pushed_create());
	assert_int_equal(rig_sent(&rig)->status, TSP_STATUS_UNAVAILABLE);
	rig_expect(&rig, CL_STATE_REQUESTING);
}

static void session_for_pushes_is_opened_again(void **state)
{
	struct rig rig;

	begin_push(&rig);
	rig_feed_closed(&rig, TSP_CLOSE_PEER);
	rig_expect(&rig, CL_STATE_IDLE);
	assert_null(rig_find(&rig, CL_ACTION_CONNECT));
	rig_wait(&rig);
	assert_non_null(rig_find(&rig, CL_ACTION_CONNECT));
	rig_wait(&rig);
	rig_expect(&rig, CL_STATE_IDLE);
	assert_int_equal(rig.engine.conn, CL_CONN_NONE);
	rig_wait(&rig);
	rig_feed(&rig, CL_EVENT_DEMAND);
	rig_expect(&rig, CL_STATE_CONNECTING);
	rig_feed(&rig, CL_EVENT_READY);
	rig_expect(&rig, CL_STATE_REQUESTING);
}

/* The open session serves an own demand, too, and stays open behind the release. */
static void session_for_pushes_serves_demands(void **state)
{
	struct rig rig;

	begin_push(&rig);
	rig_feed(&rig, CL_EVENT_DEMAND);
	rig_expect(&rig, CL_STATE_REQUESTING);
	rig_feed_msg(&rig, rig_info());
	rig_feed(&rig, CL_EVENT_CONFIGURED);
	rig_wait(&rig);
	rig_expect(&rig, CL_STATE_RELEASING);
	assert_int_equal(rig_sent(&rig)->action, TSP_ACTION_DELETE);
	rig_feed_msg(&rig, rig_info());
	rig_expect(&rig, CL_STATE_IDLE);
	assert_int_equal(rig.engine.conn, CL_CONN_READY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_packet_asks),
		cmocka_unit_test(asking_ends_with_the_demand),
		cmocka_unit_test(unused_lease_is_given_back),
		cmocka_unit_test(packet_during_the_release_asks_behind_it),
		cmocka_unit_test(lease_that_never_idles_is_kept),
		cmocka_unit_test(lost_lease_is_asked_for_only_if_it_is_used),
		cmocka_unit_test(stop_ends_the_wait_for_a_demand),
		cmocka_unit_test(pushed_lease_is_taken),
		cmocka_unit_test(pushed_lease_that_is_of_no_use_is_refused),
		cmocka_unit_test(push_without_consent_is_refused),
		cmocka_unit_test(session_for_pushes_is_opened_again),
		cmocka_unit_test(session_for_pushes_serves_demands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
