// SPDX-License-Identifier: BSD-3-Clause
/*
 * The lease engine under a protocol that names times, asks again by itself and tells of ends (R36, R46, R50, R52).
 */
#include "engine_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define PATIENCE_MS 600000

static void begin(struct rig *rig)
{
	rig_init(rig, TSP_GENERATION_1);
	rig->engine.params.patience_ms = PATIENCE_MS;
	rig->engine.params.declines = true;
	rig->engine.params.releases_at_end = true;
}

static void reach_bound(struct rig *rig, uint32_t renew_s, uint32_t rebind_s, uint32_t preferred_s)
{
	struct tsp_msg msg = rig_info();

	msg.renew_s = renew_s;
	msg.rebind_s = rebind_s;
	msg.preferred_s = preferred_s;
	rig_feed(rig, CL_EVENT_START);
	rig_feed(rig, CL_EVENT_READY);
	rig_feed_msg(rig, msg);
	rig_feed(rig, CL_EVENT_CONFIGURED);
	rig_expect(rig, CL_STATE_BOUND);
}

static void times_that_are_named_are_kept(void **state)
{
	struct rig rig;

	begin(&rig);
	reach_bound(&rig, 30, 60, 80);
	assert_int_equal(rig.engine.preferred_ms, RIG_T0 + 80000);
	rig_wait(&rig);
	assert_int_equal(rig.now_ms, RIG_T0 + 30000);
	rig_expect(&rig, CL_STATE_RENEWING);
	assert_false(cl_engine_deadline(&rig.engine) < RIG_T0 + RIG_LIFETIME_S * 1000);
	rig_feed_msg(&rig, rig_info()); /* which names none */
	rig_expect(&rig, CL_STATE_BOUND);
	assert_int_equal(rig.engine.preferred_ms, 0);
	assert_in_range(cl_engine_deadline(&rig.engine), rig.now_ms + 46000, rig.now_ms + 50000);
}

static void lease_that_is_never_renewed_lives_to_its_end(void **state)
{
	struct rig rig;

	begin(&rig);
	reach_bound(&rig, UINT32_MAX, UINT32_MAX, RIG_LIFETIME_S);
	rig_wait(&rig);
	assert_int_equal(rig.now_ms, RIG_T0 + RIG_LIFETIME_S * 1000);
	rig_expect(&rig, CL_STATE_RELEASING);
}

/* R52: the host is bare before the server hears of it, and a new lease is asked for behind that. */
static void end_of_the_lease_is_told_to_its_server(void **state)
{
	struct rig rig;

	begin(&rig);
	reach_bound(&rig, 30, 60, 100);
	rig_wait(&rig);
	rig_wait(&rig);
	rig_expect(&rig, CL_STATE_RELEASING);
	assert_int_equal(rig.actions.items[0].type, CL_ACTION_REPORT);
	assert_int_equal(rig.actions.items[1].type, CL_ACTION_DECONFIGURE);
	assert_int_equal(rig_sent(&rig)->action, TSP_ACTION_DELETE);
	assert_false(rig.configured);
	rig_feed_msg(&rig, (struct tsp_msg){.status = TSP_STATUS_OK});
	rig_expect(&rig, CL_STATE_REQUESTING);
	assert_int_equal(rig_sent(&rig)->action, TSP_ACTION_CREATE);
	assert_false(rig_sent(&rig)->client.has_v4);
}

/* The connection gives up in the moment of the end: another one carries the release. */
static void end_is_told_over_another_connection(void **state)
{
	struct rig rig;

	begin(&rig);
	reach_bound(&rig, 30, 60, 100);
	rig_wait(&rig);
	rig.now_ms = RIG_T0 + RIG_LIFETIME_S * 1000;
	rig_feed_closed(&rig, TSP_CLOSE_TIMEOUT);
	rig_expect(&rig, CL_STATE_RELEASING);
	assert_non_null(rig_find(&rig, CL_ACTION_CONNECT));
	rig_feed(&rig, CL_EVENT_READY);
	assert_int_equal(rig_sent(&rig)->action, TSP_ACTION_DELETE);
	rig_wait(&rig); /* nobody answers */
	rig_expect(&rig, CL_STATE_CONNECTING);
}

static void lease_that_cannot_be_configured_is_rejected(void **state)
{
	struct rig rig;

	begin(&rig);
	rig_feed(&rig, CL_EVENT_START);
	rig_feed(&rig, CL_EVENT_READY);
	rig_feed_msg(&rig, rig_info());
	rig_feed(&rig, CL_EVENT_FAILED);
	assert_int_equal(rig_sent(&rig)->action, TSP_ACTION_REJECT);
	rig_expect(&rig, CL_STATE_BACKOFF);
}

static void reconfigure_renews_a_lease_and_demands_one(void **state)
{
	struct rig rig;

	begin(&rig);
	reach_bound(&rig, 30, 60, 100);
	rig_feed(&rig, CL_EVENT_RECONFIGURED);
	rig_expect(&rig, CL_STATE_RENEWING);
	rig_feed(&rig, CL_EVENT_RECONFIGURED); /* it is being done */
	assert_int_equal(rig.actions.n, 0);
	begin(&rig);
	rig.engine.params.on_demand = rig.engine.params.accept_push = true;
	rig_feed(&rig, CL_EVENT_START);
	rig_feed(&rig, CL_EVENT_READY);
	rig_expect(&rig, CL_STATE_IDLE);
	rig_feed(&rig, CL_EVENT_RECONFIGURED);
	rig_expect(&rig, CL_STATE_REQUESTING);
	rig_feed_closed(&rig, TSP_CLOSE_TIMEOUT);
	rig_expect(&rig, CL_STATE_BACKOFF);
	rig_feed(&rig, CL_EVENT_RECONFIGURED);
	rig_expect(&rig, CL_STATE_CONNECTING);
}

/* A softwire container may choose another address of ours than the one that was told. */
static void answer_may_move_the_tunnel_end(void **state)
{
	struct tsp_msg msg = rig_info();
	struct rig rig;

	begin(&rig);
	rig_feed(&rig, CL_EVENT_START);
	rig_feed(&rig, CL_EVENT_READY);
	msg.client.v6[0] = rig_v6("2001:db8:1::99");
	rig_step(&rig,
		&(struct cl_event){
			.type = CL_EVENT_MESSAGE, .msg = &msg, .v6 = rig_v6("2001:db8:1::99")});
	rig_expect(&rig, CL_STATE_CONFIGURING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_that_are_named_are_kept),
		cmocka_unit_test(lease_that_is_never_renewed_lives_to_its_end),
		cmocka_unit_test(end_of_the_lease_is_told_to_its_server),
		cmocka_unit_test(end_is_told_over_another_connection),
		cmocka_unit_test(lease_that_cannot_be_configured_is_rejected),
		cmocka_unit_test(reconfigure_renews_a_lease_and_demands_one),
		cmocka_unit_test(answer_may_move_the_tunnel_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
