// SPDX-License-Identifier: BSD-3-Clause
#include "engine_rig.h"

#include "common/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

struct in6_addr rig_v6(const char *text)
{
	struct in6_addr addr;

	assert_int_equal(addr_v6_parse(text, &addr), 0);
	return addr;
}

void rig_init(struct rig *rig, enum tsp_generation generation)
{
	struct cl_engine_params params = {
		.generation = generation,
		.n_servers = 1,
		.ports_max = 8192,
		.ports = 256,
		.retry_min_s = 1,
		.retry_max_s = 60,
		.seed = 42,
	};

	*rig = (struct rig){.now_ms = RIG_T0};
	cl_engine_init(&rig->engine, &params);
}

/* The answer of a server that grants 198.51.100.7, ports 2048-3071. */
struct tsp_msg rig_info(void)
{
	return (struct tsp_msg){
		.status = TSP_STATUS_OK,
		.code = 200,
		.action = TSP_ACTION_INFO,
		.has_lifetime = true,
		.lifetime_s = RIG_LIFETIME_S,
		.client = {.present = true,
			.has_v4 = true,
			.has_ports = true,
			.v4 = 0xc6336407,
			.n_v6 = 1,
			.v6 = {rig_v6("2001:db8:1::17")},
			.n_ranges = 1,
			.ranges = {{2048, 3071}}},
		.server = {.present = true,
			.has_v4 = true,
			.v4 = 0xc0000201,
			.n_v6 = 1,
			.v6 = {rig_v6("2001:db8::1")}},
	};
}

struct tsp_msg rig_refusal(enum tsp_status status, enum tsp_generation generation)
{
	return (struct tsp_msg){.status = status, .code = tsp_code(status, generation)};
}

struct tsp_msg rig_pushed_delete(void)
{
	struct tsp_msg msg = rig_info();

	msg.status = TSP_STATUS_NONE;
	msg.action = TSP_ACTION_DELETE;
	return msg;
}

/* What must hold after every step (the invariants of engine.h). */
static void check_invariants(struct rig *rig)
{
	const struct cl_engine *engine = &rig->engine;
	bool holds = engine->state == CL_STATE_CONFIGURING || engine->state == CL_STATE_BOUND ||
		     engine->state == CL_STATE_RENEWING || engine->state == CL_STATE_RELEASING;
	int64_t deadline_ms = cl_engine_deadline(engine);

	assert_int_equal(engine->has_lease, holds);
	if (engine->state != CL_STATE_IDLE || !engine->params.accept_push)
		assert_int_equal(deadline_ms == CL_NEVER,
			engine->state == CL_STATE_STOPPED || engine->state == CL_STATE_IDLE);
	if (engine->state == CL_STATE_STOPPED)
		assert_int_equal(engine->conn, CL_CONN_NONE);
	if (engine->state == CL_STATE_CONNECTING)
		assert_int_equal(engine->conn, CL_CONN_OPENING);
	if (engine->state == CL_STATE_REQUESTING)
		assert_int_equal(engine->conn, CL_CONN_READY);
	if (rig->configured) {
		assert_true(engine->has_lease);
		assert_true(engine->state != CL_STATE_RELEASING);
		assert_true(deadline_ms <= engine->lease.end_ms);
	}
}

/* Follows the actions as the session would: what is configured, and the order within a step. */
static void follow_actions(struct rig *rig)
{
	for (uint32_t i = 0; i < rig->actions.n; i++) {
		enum cl_action_type type = rig->actions.items[i].type;
		bool last = i + 1 == rig->actions.n;

		if (type == CL_ACTION_CONFIGURE)
			rig->configured = true;
		if (type == CL_ACTION_DECONFIGURE)
			rig->configured = false;
		if (type == CL_ACTION_CONNECT || type == CL_ACTION_CONFIGURE ||
			type == CL_ACTION_FINISHED)
			assert_true(last);
	}
}

void rig_step(struct rig *rig, const struct cl_event *event)
{
	cl_engine_step(&rig->engine, event, rig->now_ms, &rig->actions);
	follow_actions(rig);
	check_invariants(rig);
}

void rig_feed(struct rig *rig, enum cl_event_type type)
{
	rig_step(rig, &(struct cl_event){.type = type,
			      .v6 = rig_v6("2001:db8:1::17"),
			      .has_link_local = true,
			      .link_local = rig_v6("fe80::17"),
			      .reason = TSP_CLOSE_PEER,
			      .why = "end of stream"});
}

void rig_feed_closed(struct rig *rig, enum tsp_close_reason reason)
{
	rig_step(rig,
		&(struct cl_event){.type = CL_EVENT_CLOSED, .reason = reason, .why = "closed"});
}

void rig_feed_msg(struct rig *rig, struct tsp_msg msg)
{
	rig_step(rig, &(struct cl_event){.type = CL_EVENT_MESSAGE, .msg = &msg});
}

/* Lets time pass to the next deadline. */
void rig_wait(struct rig *rig)
{
	int64_t deadline_ms = cl_engine_deadline(&rig->engine);

	assert_true(deadline_ms != CL_NEVER);
	if (deadline_ms > rig->now_ms)
		rig->now_ms = deadline_ms;
	rig_feed(rig, CL_EVENT_TIMER);
}

const struct cl_action *rig_find(const struct rig *rig, enum cl_action_type type)
{
	for (uint32_t i = 0; i < rig->actions.n; i++) {
		if (rig->actions.items[i].type == type)
			return &rig->actions.items[i];
	}
	return NULL;
}

const struct tsp_msg *rig_sent(const struct rig *rig)
{
	const struct cl_action *action = rig_find(rig, CL_ACTION_SEND);

	assert_non_null(action);
	return &action->msg;
}

void rig_expect(const struct rig *rig, enum cl_state state)
{
	assert_string_equal(cl_state_name(rig->engine.state), cl_state_name(state));
}

void rig_reach_bound(struct rig *rig)
{
	rig_feed(rig, CL_EVENT_START);
	rig_feed(rig, CL_EVENT_READY);
	rig_feed_msg(rig, rig_info());
	rig_expect(rig, CL_STATE_CONFIGURING);
	rig_feed(rig, CL_EVENT_CONFIGURED);
	rig_expect(rig, CL_STATE_BOUND);
}
