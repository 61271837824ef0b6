// SPDX-License-Identifier: BSD-3-Clause
#include "client/engine.h"

#include "client/grant.h"

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
		.random = params->seed,
	};
}

int64_t cl_engine_deadline(const struct cl_engine *engine)
{
	bool ends = engine->has_lease && engine->state != CL_STATE_RELEASING;

	if (ends && engine->lease.end_ms < engine->deadline_ms)
		return engine->lease.end_ms;
	return engine->deadline_ms;
}

static bool state_holds_lease(enum cl_state state)
{
	return state == CL_STATE_CONFIGURING || state == CL_STATE_BOUND ||
	       state == CL_STATE_RENEWING || state == CL_STATE_RELEASING;
}

/* Every transition passes here. */
static void enter(struct cl_engine *engine, enum cl_state state, int64_t delay_ms)
{
	assert(state_holds_lease(state) == engine->has_lease);
	assert((state == CL_STATE_STOPPED || state == CL_STATE_IDLE) == (delay_ms == CL_NEVER));
	engine->state = state;
	engine->deadline_ms = delay_ms == CL_NEVER ? CL_NEVER : engine->now_ms + delay_ms;
}

static struct cl_action *act(struct cl_engine *engine, enum cl_action_type type)
{
	struct cl_action *action;

	assert(engine->out->n < CL_ACTIONS_MAX);
	action = &engine->out->items[engine->out->n++];
	*action = (struct cl_action){.type = type};
	return action;
}

__attribute__((format(printf, 2, 3))) static void report(
	struct cl_engine *engine, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(engine->report, sizeof(engine->report), format, args);
	va_end(args);
	act(engine, CL_ACTION_REPORT);
}

/* xorshift64: spreads retries, guards nothing. */
static uint64_t next_random(struct cl_engine *engine)
{
	uint64_t x = engine->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	engine->random = x;
	return x;
}

/*
 * Doubles from retry_min_s to retry_max_s, less up to a half, so that clients do not march in step.
 */
static int64_t backoff_ms(struct cl_engine *engine, bool longest)
{
	uint64_t delay_ms = (uint64_t)engine->params.retry_min_s * 1000;
	uint64_t max_ms = (uint64_t)engine->params.retry_max_s * 1000;

	for (uint32_t i = 0; i < engine->failures && delay_ms < max_ms; i++)
		delay_ms *= 2;
	if (longest || delay_ms > max_ms)
		delay_ms = max_ms;
	engine->failures++;
	return delay_ms - next_random(engine) % (delay_ms / 2 + 1);
}

static void connect_server(struct cl_engine *engine, enum cl_state state)
{
	act(engine, CL_ACTION_CONNECT)->generation = engine->generation;
	engine->conn = CL_CONN_OPENING;
	enter(engine, state, CL_CONNECT_TIMEOUT_MS);
}

static void disconnect(struct cl_engine *engine)
{
	if (engine->conn != CL_CONN_NONE)
		act(engine, CL_ACTION_CLOSE);
	engine->conn = CL_CONN_NONE;
}

/* The host goes bare before anything else happens: nothing is sent under an address given up. */
static void lose_lease(struct cl_engine *engine)
{
	act(engine, CL_ACTION_DECONFIGURE);
	if (engine->params.on_demand)
		act(engine, CL_ACTION_ARM);
	engine->has_lease = false;
}

/* An attempt is over. A lease that is held lives on to its end. */
static void retry_later(struct cl_engine *engine, bool longest)
{
	disconnect(engine);
	enter(engine, engine->has_lease ? CL_STATE_BOUND : CL_STATE_BACKOFF,
		backoff_ms(engine, longest));
}

static void finish(struct cl_engine *engine)
{
	disconnect(engine);
	engine->has_lease = false;
	act(engine, CL_ACTION_FINISHED);
	enter(engine, CL_STATE_STOPPED, CL_NEVER);
}

static void send_create(struct cl_engine *engine)
{
	struct tsp_msg *msg = &act(engine, CL_ACTION_SEND)->msg;
	struct tsp_party *client = &msg->client;
	bool generation_1 = engine->generation == TSP_GENERATION_1;

	msg->action = TSP_ACTION_CREATE;
	msg->lifetime_s = engine->params.lifetime_s;
	msg->has_lifetime = msg->lifetime_s != 0;
	/*
	 * A renewal of generation 1 names what it holds (R92), one of generation 2 is a plain
	 * create.
	 */
	if (engine->has_lease && generation_1)
		tsp_party_from_lease(client, &engine->lease);
	client->present = true;
	client->n_v6 = 0;
	if (generation_1 && engine->has_link_local)
		client->v6[client->n_v6++] = engine->link_local; /* R83 */
	client->v6[client->n_v6++] = engine->v6;
	if (!engine->params.exclusive) {
		client->has_ports = true;
		client->ports_count = client->n_ranges > 0 ? 0 : engine->params.ports;
	}
}

/* What names a lease: both ends and all it holds (R105). */
static struct tsp_msg *send_lease(
	struct cl_engine *engine, enum tsp_action action, const struct lease *lease)
{
	struct tsp_msg *msg = &act(engine, CL_ACTION_SEND)->msg;

	msg->action = action;
	tsp_party_from_lease(&msg->client, lease);
	msg->server = (struct tsp_party){.present = true, .n_v6 = 1, .v6 = {lease->tep_v6}};
	return msg;
}

static void send_status(struct cl_engine *engine, enum tsp_status status)
{
	act(engine, CL_ACTION_SEND)->msg.status = status;
}

static void request_lease(struct cl_engine *engine)
{
	send_create(engine);
	enter(engine, engine->has_lease ? CL_STATE_RENEWING : CL_STATE_REQUESTING,
		CL_ANSWER_TIMEOUT_MS);
}

/* The lease stands on both sides: rest until half of what is left. */
static void bound(struct cl_engine *engine)
{
	int64_t left_ms = engine->lease.end_ms - engine->now_ms;

	engine->failures = 0;
	if (engine->generation == TSP_GENERATION_2) {
		act(engine, CL_ACTION_SEND)->msg.action = TSP_ACTION_ACCEPT;
		disconnect(engine);
	}
	enter(engine, CL_STATE_BOUND, left_ms / 2);
}

static void renew(struct cl_engine *engine)
{
	if (engine->conn == CL_CONN_READY)
		request_lease(engine);
	else
		connect_server(engine, CL_STATE_RENEWING);
}

/* Undoes a grant that we cannot use, on the connection that brought it. */
static void decline(struct cl_engine *engine, const struct lease *lease)
{
	if (engine->conn != CL_CONN_READY)
		return;
	if (engine->generation == TSP_GENERATION_2)
		act(engine, CL_ACTION_SEND)->msg.action = TSP_ACTION_REJECT;
	else
		send_lease(engine, TSP_ACTION_DELETE, lease);
}

static void take_info(struct cl_engine *engine, const struct tsp_msg *msg)
{
	struct lease lease;
	const char *fault;
	bool configure;

	if (tsp_msg_to_lease(msg, engine->now_ms, &lease) != TSP_STATUS_NONE) {
		report(engine, "server: the info holds no whole lease");
		retry_later(engine, false);
		return;
	}
	fault = cl_grant_fault(&lease, &engine->v6, engine->params.exclusive);
	if (fault != NULL) {
		report(engine, "server: the lease is refused: %s", fault);
		decline(engine, &lease);
		retry_later(engine, true);
		return;
	}
	configure = !engine->has_lease || cl_grant_differs(&engine->lease, &lease);
	engine->has_lease = true;
	engine->lease = lease;
	engine->lifetime_s = lease_seconds_left(&lease, engine->now_ms);
	if (configure) {
		enter(engine, CL_STATE_CONFIGURING, CL_ANSWER_TIMEOUT_MS);
		act(engine, CL_ACTION_CONFIGURE);
	} else {
		act(engine, CL_ACTION_RENEWED);
		bound(engine);
	}
}

static void take_refusal(struct cl_engine *engine, const struct tsp_msg *msg)
{
	report(engine, "server: %s refused: %u %s", engine->has_lease ? "renewal" : "lease",
		msg->code, tsp_status_text(msg->status));
	if (engine->has_lease && cl_grant_is_ended_by(msg->status, engine->generation)) {
		lose_lease(engine);
		engine->failures = 0;
	}
	retry_later(engine, msg->status == TSP_STATUS_AUTH_FAILED);
}

static void take_answer(struct cl_engine *engine, const struct tsp_msg *msg)
{
	bool ok = msg->status == TSP_STATUS_OK || msg->status == TSP_STATUS_NONE;

	if (engine->state == CL_STATE_RELEASING) {
		finish(engine);
	} else if (engine->state != CL_STATE_REQUESTING && engine->state != CL_STATE_RENEWING) {
		report(engine, "server: an answer that nothing asked for is ignored");
	} else if (!ok) {
		take_refusal(engine, msg);
	} else if (msg->action == TSP_ACTION_INFO) {
		take_info(engine, msg);
	} else {
		report(engine, "server: the answer to create is no info");
		retry_later(engine, false);
	}
}

/* A request that the server pushed over the open session (R102). */
static void take_request(struct cl_engine *engine, const struct tsp_msg *msg)
{
	bool is_ours = engine->has_lease && cl_grant_is_named_by(&engine->lease, msg);

	if (msg->action != TSP_ACTION_DELETE || !is_ours) {
		report(engine, "server: a request for a lease that is not held is refused");
		send_status(engine, TSP_STATUS_UNAVAILABLE);
		return;
	}
	if (engine->state == CL_STATE_RELEASING) {
		finish(engine);
		return;
	}
	report(engine, "server: the lease is deleted");
	lose_lease(engine);
	send_lease(engine, TSP_ACTION_INFO, &engine->lease)->status = TSP_STATUS_OK;
	engine->failures = 0;
	retry_later(engine, false);
}

static void on_message(struct cl_engine *engine, const struct tsp_msg *msg)
{
	if (engine->conn != CL_CONN_READY)
		return;
	switch (msg->action) {
	case TSP_ACTION_CREATE:
	case TSP_ACTION_DELETE:
	case TSP_ACTION_QUERY:
		take_request(engine, msg);
		break;
	default:
		take_answer(engine, msg);
		break;
	}
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
		send_lease(engine, TSP_ACTION_DELETE, &engine->lease);
		return;
	}
	if (engine->has_lease && !addr_v6_equal(&engine->v6, &engine->lease.client_v6)) {
		report(engine, "lease: given up: this host's IPv6 address changed");
		lose_lease(engine);
	}
	request_lease(engine);
}

static void on_closed(struct cl_engine *engine, const struct cl_event *event)
{
	bool version = event->reason == TSP_CLOSE_VERSION;

	if (engine->conn == CL_CONN_NONE)
		return;
	engine->conn = CL_CONN_NONE;
	switch (engine->state) {
	case CL_STATE_CONNECTING:
	case CL_STATE_REQUESTING:
	case CL_STATE_RENEWING:
		report(engine, "server: %s", event->why != NULL ? event->why : "connection closed");
		if (version && engine->generation == TSP_GENERATION_2) {
			engine->generation = TSP_GENERATION_1;
			connect_server(engine,
				engine->has_lease ? CL_STATE_RENEWING : CL_STATE_CONNECTING);
			break;
		}
		if (version)
			engine->generation = engine->params.generation;
		retry_later(engine, version || event->reason == TSP_CLOSE_AUTH);
		break;
	case CL_STATE_RELEASING:
		finish(engine);
		break;
	default: /* a lease does not need its connection */
		break;
	}
}

static void on_configured(struct cl_engine *engine)
{
	if (engine->state != CL_STATE_CONFIGURING)
		return;
	if (engine->generation == TSP_GENERATION_2 && engine->conn != CL_CONN_READY) {
		report(engine, "server: connection closed before the lease was accepted");
		lose_lease(engine);
		retry_later(engine, false);
		return;
	}
	bound(engine);
}

static void on_failed(struct cl_engine *engine, const struct cl_event *event)
{
	if (engine->state != CL_STATE_CONFIGURING)
		return;
	report(engine, "lease: given back: %s",
		event->why != NULL ? event->why : "the host could not be configured");
	lose_lease(engine);
	decline(engine, &engine->lease);
	retry_later(engine, true);
}

static void on_start(struct cl_engine *engine)
{
	if (engine->state != CL_STATE_STOPPED)
		return;
	if (engine->params.on_demand) {
		act(engine, CL_ACTION_ARM);
		enter(engine, CL_STATE_IDLE, CL_NEVER);
	} else {
		connect_server(engine, CL_STATE_CONNECTING);
	}
}

static void on_stop(struct cl_engine *engine)
{
	if (!engine->has_lease || engine->state == CL_STATE_RELEASING) {
		finish(engine);
		return;
	}
	act(engine, CL_ACTION_DECONFIGURE);
	if (engine->conn == CL_CONN_NONE)
		connect_server(engine, CL_STATE_RELEASING);
	else if (engine->conn == CL_CONN_READY)
		send_lease(engine, TSP_ACTION_DELETE, &engine->lease);
	enter(engine, CL_STATE_RELEASING, CL_RELEASE_TIMEOUT_MS);
}

static void on_moved(struct cl_engine *engine)
{
	if (engine->state == CL_STATE_STOPPED || engine->state == CL_STATE_IDLE ||
		engine->state == CL_STATE_RELEASING)
		return;
	if (engine->has_lease) {
		report(engine, "lease: given up: this host's IPv6 address changed");
		lose_lease(engine);
	}
	disconnect(engine);
	connect_server(engine, CL_STATE_CONNECTING);
}

static void on_unbound(struct cl_engine *engine)
{
	if (engine->state != CL_STATE_BOUND && engine->state != CL_STATE_RENEWING)
		return;
	report(engine, "lease: given up: the TEP does not know it");
	lose_lease(engine);
	retry_later(engine, false);
}

/* The lease ran out before it could be renewed (R51). */
static void expire(struct cl_engine *engine)
{
	report(engine, "lease: ended without renewal");
	lose_lease(engine);
	disconnect(engine);
	connect_server(engine, CL_STATE_CONNECTING);
}

static void on_deadline(struct cl_engine *engine)
{
	switch (engine->state) {
	case CL_STATE_STOPPED:
	case CL_STATE_IDLE:
		break;
	case CL_STATE_BACKOFF:
		connect_server(engine, CL_STATE_CONNECTING);
		break;
	case CL_STATE_CONNECTING:
	case CL_STATE_REQUESTING:
	case CL_STATE_RENEWING:
		report(engine, "server: %s",
			engine->conn == CL_CONN_READY ? "no answer in time"
						      : "no connection in time");
		retry_later(engine, false);
		break;
	case CL_STATE_CONFIGURING:
		on_failed(engine, &(struct cl_event){.why = "the host took too long"});
		break;
	case CL_STATE_BOUND:
		renew(engine);
		break;
	case CL_STATE_RELEASING:
		report(engine, "server: no answer to the release in time");
		finish(engine);
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
		if (engine->now_ms >= engine->deadline_ms)
			on_deadline(engine);
		break;
	case CL_EVENT_READY:
		on_ready(engine, event);
		break;
	case CL_EVENT_MESSAGE:
		on_message(engine, event->msg);
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
		if (engine->state == CL_STATE_IDLE)
			connect_server(engine, CL_STATE_CONNECTING);
		break;
	case CL_EVENT_SHORT:
	case CL_EVENT_SUSPECT:
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
	/*
	 * A lease that has ended takes no event but the end: what arrives with it is of its
	 * connection.
	 */
	if (ends && now_ms >= engine->lease.end_ms && event->type != CL_EVENT_STOP)
		expire(engine);
	else
		dispatch(engine, event);
	engine->out = NULL;
}
