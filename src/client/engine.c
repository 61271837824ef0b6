// SPDX-License-Identifier: BSD-3-Clause
#include "client/engine.h"

#include "client/engine_impl.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const state_names[] = {
	[CL_STATE_STOPPED] = "stopped",
	[CL_STATE_IDLE] = "idle",
	[CL_STATE_BACKOFF] = "backoff",
	[CL_STATE_CONNECTING] = "connecting",
	[CL_STATE_REQUESTING] = "requesting",
	[CL_STATE_CONFIGURING] = "configuring",
	[CL_STATE_BOUND] = "bound",
	[CL_STATE_RENEWING] = "renewing",
	[CL_STATE_RELEASING] = "releasing",
};

const char *cl_state_name(enum cl_state state)
{
	return state_names[state];
}

void cl_engine_init(struct cl_engine *engine, const struct cl_engine_params *params)
{
	*engine = (struct cl_engine){
		.params = *params,
		.state = CL_STATE_STOPPED,
		.generation = params->generation,
		.deadline_ms = CL_NEVER,
		.idle_ms = CL_NEVER,
		.random = params->seed,
	};
}

int64_t cl_engine_deadline(const struct cl_engine *engine)
{
	int64_t deadline_ms = engine->deadline_ms;

	if (engine->has_lease && engine->state != CL_STATE_RELEASING &&
		engine->lease.end_ms < deadline_ms)
		deadline_ms = engine->lease.end_ms;
	if (engine->state == CL_STATE_BOUND && engine->idle_ms < deadline_ms)
		deadline_ms = engine->idle_ms;
	return deadline_ms;
}

static bool state_holds_lease(enum cl_state state)
{
	return state == CL_STATE_CONFIGURING || state == CL_STATE_BOUND ||
	       state == CL_STATE_RENEWING || state == CL_STATE_RELEASING;
}

void cl_engine_enter(struct cl_engine *engine, enum cl_state state, int64_t delay_ms)
{
	bool waits_for_ever = delay_ms == CL_NEVER;

	assert(state_holds_lease(state) == engine->has_lease);
	assert(state != CL_STATE_STOPPED || waits_for_ever);
	assert(!waits_for_ever || state == CL_STATE_STOPPED || state == CL_STATE_IDLE);
	engine->state = state;
	engine->deadline_ms = waits_for_ever ? CL_NEVER : engine->now_ms + delay_ms;
}

struct cl_action *cl_engine_act(struct cl_engine *engine, enum cl_action_type type)
{
	struct cl_action *action;

	assert(engine->out->n < CL_ACTIONS_MAX);
	action = &engine->out->items[engine->out->n++];
	*action = (struct cl_action){.type = type};
	return action;
}

void cl_engine_report(struct cl_engine *engine, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(engine->report, sizeof(engine->report), format, args);
	va_end(args);
	cl_engine_act(engine, CL_ACTION_REPORT);
}

/* xorshift64: spreads retries, guards nothing. */
int64_t cl_engine_jitter(struct cl_engine *engine, int64_t below_ms)
{
	uint64_t x = engine->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	engine->random = x;
	return x % below_ms;
}

int64_t cl_engine_doubled(int64_t first_ms, uint32_t times, int64_t max_ms)
{
	for (; times > 0 && first_ms < max_ms; times--)
		first_ms *= 2;
	return first_ms < max_ms ? first_ms : max_ms;
}

static void on_ready(struct cl_engine *engine, const struct cl_event *event)
{
	if (engine->conn != CL_CONN_OPENING)
		return;
	engine->conn = CL_CONN_READY;
	engine->v6 = event->v6;
	engine->has_link_local = event->has_link_local;
	engine->link_local = event->link_local;
	if (engine->state == CL_STATE_RELEASING) {
		cl_engine_send_lease(engine, TSP_ACTION_DELETE, &engine->lease);
		return;
	}
	if (engine->state == CL_STATE_IDLE) {
		engine->failures = 0;
		cl_engine_enter(engine, CL_STATE_IDLE, CL_NEVER);
		return;
	}
	if (engine->has_lease && !addr_v6_equal(&engine->v6, &engine->lease.client_v6)) {
		cl_engine_report(engine, "lease: given up: this host's IPv6 address changed");
		cl_engine_lose(engine);
	}
	cl_engine_request(engine);
}

static void on_closed(struct cl_engine *engine, const struct cl_event *event)
{
	bool was_ready = engine->conn == CL_CONN_READY;
	bool version = event->reason == TSP_CLOSE_VERSION;

	if (engine->conn == CL_CONN_NONE)
		return;
	engine->conn = CL_CONN_NONE;
	switch (engine->state) {
	case CL_STATE_IDLE:
	case CL_STATE_CONNECTING:
	case CL_STATE_REQUESTING:
	case CL_STATE_RENEWING:
		cl_engine_report(engine, "server: %s",
			event->why != NULL ? event->why : "connection closed");
		if (version && engine->generation == TSP_GENERATION_2) {
			cl_engine_fall_back(engine);
		} else if (was_ready && engine->state == CL_STATE_IDLE) {
			cl_engine_ask_later(engine, false);
		} else {
			cl_engine_attempt_failed(
				engine, version || event->reason == TSP_CLOSE_AUTH);
		}
		break;
	case CL_STATE_RELEASING:
		cl_engine_released(engine);
		break;
	default: /* a lease does not need its connection */
		break;
	}
}

static void on_failed(struct cl_engine *engine, const struct cl_event *event)
{
	bool was_pushed = engine->is_pushed;

	if (engine->state != CL_STATE_CONFIGURING)
		return;
	cl_engine_report(engine, "lease: given back: %s",
		event->why != NULL ? event->why : "the host could not be configured");
	cl_engine_lose(engine);
	if (was_pushed) {
		if (engine->conn == CL_CONN_READY)
			cl_engine_send_status(engine, TSP_STATUS_UNAVAILABLE);
		cl_engine_rest(engine);
	} else {
		cl_engine_decline(engine, &engine->lease);
		cl_engine_ask_later(engine, true);
	}
}

static void on_configured(struct cl_engine *engine)
{
	bool is_waited_for = engine->is_pushed ||
			     (engine->is_offer && engine->generation == TSP_GENERATION_2);

	if (engine->state != CL_STATE_CONFIGURING)
		return;
	if (!is_waited_for || engine->conn == CL_CONN_READY)
		cl_engine_bound(engine);
	else
		on_failed(engine,
			&(struct cl_event){.why = "connection closed before it was accepted"});
}

static void on_start(struct cl_engine *engine)
{
	if (engine->state != CL_STATE_STOPPED)
		return;
	if (engine->params.on_demand) {
		cl_engine_act(engine, CL_ACTION_ARM);
		cl_engine_rest(engine);
	} else {
		cl_engine_ask(engine);
	}
}

/* A second stop does not wait for the first. */
static void on_stop(struct cl_engine *engine)
{
	if (engine->state == CL_STATE_RELEASING && !engine->is_stopping) {
		cl_engine_act(engine, CL_ACTION_DECONFIGURE);
		engine->is_stopping = true;
	} else if (engine->has_lease && engine->state != CL_STATE_RELEASING) {
		cl_engine_release(engine, true);
	} else {
		cl_engine_act(engine, CL_ACTION_DECONFIGURE);
		cl_engine_finish(engine);
	}
}

static void on_demand(struct cl_engine *engine)
{
	engine->used_ms = engine->now_ms;
	if (engine->state == CL_STATE_RELEASING) {
		engine->is_wanted = true;
	} else if (engine->state == CL_STATE_IDLE) {
		if (engine->conn == CL_CONN_OPENING)
			cl_engine_enter(engine, CL_STATE_CONNECTING, CL_CONNECT_TIMEOUT_MS);
		else
			cl_engine_ask(engine);
	}
}

/* Without a lease that is a demand of the server's (R32, R36). */
static void on_reconfigured(struct cl_engine *engine)
{
	if (engine->state == CL_STATE_IDLE) {
		on_demand(engine);
	} else if (engine->state == CL_STATE_BOUND) {
		cl_engine_renew(engine);
	} else if (engine->state == CL_STATE_BACKOFF) {
		engine->failures = 0;
		cl_engine_ask(engine);
	}
}

static void on_moved(struct cl_engine *engine)
{
	switch (engine->state) {
	case CL_STATE_STOPPED:
	case CL_STATE_RELEASING:
		return;
	case CL_STATE_IDLE:
		cl_engine_disconnect(engine);
		cl_engine_rest(engine);
		return;
	default:
		break;
	}
	if (engine->has_lease) {
		cl_engine_report(engine, "lease: given up: this host's IPv6 address changed");
		cl_engine_lose(engine);
	}
	engine->failures = 0;
	cl_engine_disconnect(engine);
	cl_engine_ask(engine);
}

/* S21: if the TEP forgets one lease after the other, the pauses grow. */
static void on_unbound(struct cl_engine *engine)
{
	int64_t calm_ms = (int64_t)engine->params.retry_max_s * 1000;

	if (engine->state != CL_STATE_BOUND && engine->state != CL_STATE_RENEWING)
		return;
	cl_engine_report(engine, "lease: given up: the TEP does not know it");
	if (engine->now_ms - engine->lease_since_ms > calm_ms)
		engine->unbounds = 0;
	engine->failures = engine->unbounds;
	if (engine->unbounds < 32)
		engine->unbounds++;
	cl_engine_lose(engine);
	cl_engine_ask_later(engine, false);
}

/* The lease ran out before it could be renewed (R51, R52). */
static void expire(struct cl_engine *engine)
{
	cl_engine_report(engine, "lease: ended without renewal");
	if (engine->params.releases_at_end) {
		cl_engine_release(engine, false);
		engine->is_wanted = cl_engine_is_in_use(engine);
		return;
	}
	cl_engine_lose(engine);
	cl_engine_disconnect(engine);
	if (cl_engine_is_in_use(engine))
		cl_engine_ask(engine);
	else
		cl_engine_rest(engine);
}

static void on_bound_timer(struct cl_engine *engine)
{
	if (engine->now_ms >= engine->idle_ms) {
		if (!cl_engine_is_in_use(engine)) {
			cl_engine_release(engine, false);
			return;
		}
		engine->idle_ms = engine->used_ms + (int64_t)engine->params.idle_s * 1000;
	}
	if (engine->now_ms >= engine->deadline_ms)
		cl_engine_renew(engine);
}

static void on_idle_timer(struct cl_engine *engine)
{
	if (engine->conn == CL_CONN_NONE)
		cl_engine_rest(engine);
	else
		cl_engine_attempt_failed(engine, false);
}

static void on_backoff_timer(struct cl_engine *engine)
{
	if (cl_engine_is_in_use(engine)) {
		cl_engine_ask(engine);
		return;
	}
	cl_engine_act(engine, CL_ACTION_ARM);
	cl_engine_rest(engine);
}

static void on_timer(struct cl_engine *engine)
{
	if (engine->now_ms < cl_engine_deadline(engine))
		return;
	switch (engine->state) {
	case CL_STATE_STOPPED:
		break;
	case CL_STATE_IDLE:
		on_idle_timer(engine);
		break;
	case CL_STATE_BACKOFF:
		on_backoff_timer(engine);
		break;
	case CL_STATE_CONNECTING:
	case CL_STATE_REQUESTING:
	case CL_STATE_RENEWING:
		cl_engine_report(engine, "server: %s",
			engine->conn == CL_CONN_READY ? "no answer in time"
						      : "no connection in time");
		cl_engine_attempt_failed(engine, false);
		break;
	case CL_STATE_CONFIGURING:
		on_failed(engine, &(struct cl_event){.why = "the host took too long"});
		break;
	case CL_STATE_BOUND:
		on_bound_timer(engine);
		break;
	case CL_STATE_RELEASING:
		cl_engine_report(engine, "server: no answer to the release in time");
		/* What it answers later is no answer to a create. */
		cl_engine_disconnect(engine);
		cl_engine_released(engine);
		break;
	}
}

static void dispatch(struct cl_engine *engine, const struct cl_event *event)
{
	switch (event->type) {
	case CL_EVENT_START:
		on_start(engine);
		break;
	case CL_EVENT_STOP:
		on_stop(engine);
		break;
	case CL_EVENT_TIMER:
		on_timer(engine);
		break;
	case CL_EVENT_READY:
		on_ready(engine, event);
		break;
	case CL_EVENT_MESSAGE:
		if (!IN6_IS_ADDR_UNSPECIFIED(&event->v6))
			engine->v6 = event->v6;
		cl_engine_take(engine, event->msg);
		break;
	case CL_EVENT_CLOSED:
		on_closed(engine, event);
		break;
	case CL_EVENT_CONFIGURED:
		on_configured(engine);
		break;
	case CL_EVENT_FAILED:
		on_failed(engine, event);
		break;
	case CL_EVENT_MOVED:
		on_moved(engine);
		break;
	case CL_EVENT_UNBOUND:
		on_unbound(engine);
		break;
	case CL_EVENT_DEMAND:
		on_demand(engine);
		break;
	case CL_EVENT_SHORT:
		cl_engine_want_more(engine);
		break;
	case CL_EVENT_SUSPECT:
		cl_engine_suspect(engine);
		break;
	case CL_EVENT_RECONFIGURED:
		on_reconfigured(engine);
		break;
	}
}

void cl_engine_step(struct cl_engine *engine, const struct cl_event *event, int64_t now_ms,
	struct cl_actions *actions)
{
	bool ends = engine->has_lease && engine->state != CL_STATE_RELEASING;

	actions->n = 0;
	engine->out = actions;
	engine->now_ms = now_ms;
	if (event->used_ms > engine->used_ms)
		engine->used_ms = event->used_ms < now_ms ? event->used_ms : now_ms;
	/*
	 * A lease that has ended takes no event but the end: what arrives with it is of its
	 * connection.
	 */
	if (ends && now_ms >= engine->lease.end_ms && event->type != CL_EVENT_STOP) {
		if (event->type == CL_EVENT_CLOSED)
			engine->conn = CL_CONN_NONE;
		expire(engine);
	} else {
		dispatch(engine, event);
	}
	engine->out = NULL;
}
