// SPDX-License-Identifier: BSD-3-Clause
/*
 * A lease from its grant to its end.
 *
 * It is renewed at half of its life or a little before, at the server that gave it; from seven
 * eighths on any server will do; or at the times that the answer has named (R46). Between two
 * attempts passes half of what is left to the next of these times.
 */
#include "client/engine_impl.h"

#define REBIND_PART 8 /* of the lifetime: the last one */

static int64_t rebind_ms(const struct cl_engine *engine)
{
	if (engine->rebind_ms != 0)
		return engine->rebind_ms;
	return engine->lease.end_ms - (int64_t)engine->lifetime_s * 1000 / REBIND_PART;
}

static int64_t renew_ms(const struct cl_engine *engine)
{
	if (engine->renew_ms != 0)
		return engine->renew_ms;
	return engine->lease.end_ms - (int64_t)engine->lifetime_s * 1000 / 2;
}

bool cl_engine_is_rebinding(const struct cl_engine *engine)
{
	return engine->has_lease && engine->now_ms >= rebind_ms(engine);
}

bool cl_engine_is_in_use(const struct cl_engine *engine)
{
	if (!engine->params.on_demand || engine->params.idle_s == 0)
		return true;
	return engine->now_ms - engine->used_ms < (int64_t)engine->params.idle_s * 1000;
}

/* 0 stays 0, "not named"; what is never is not before the end. */
static int64_t moment(const struct cl_engine *engine, uint32_t in_s)
{
	int64_t when_ms = engine->now_ms + (int64_t)in_s * 1000;

	if (in_s == 0)
		return 0;
	return when_ms < engine->lease.end_ms ? when_ms : engine->lease.end_ms;
}

static void note_times(struct cl_engine *engine, const struct tsp_msg *msg)
{
	engine->renew_ms = moment(engine, msg->renew_s);
	engine->rebind_ms = moment(engine, msg->rebind_s);
	engine->preferred_ms = moment(engine, msg->preferred_s);
	if (rebind_ms(engine) < engine->renew_ms)
		engine->rebind_ms = engine->renew_ms;
}

void cl_engine_hold(struct cl_engine *engine, const struct lease *lease, const struct tsp_msg *msg)
{
	if (!engine->has_lease) {
		engine->lease_since_ms = engine->now_ms;
		engine->used_ms = engine->now_ms;
	}
	engine->has_lease = true;
	engine->lease = *lease;
	engine->lease_target = engine->target;
	engine->lease_generation = engine->generation;
	engine->lifetime_s = lease_seconds_left(lease, engine->now_ms);
	note_times(engine, msg);
}

void cl_engine_lose(struct cl_engine *engine)
{
	cl_engine_act(engine, CL_ACTION_DECONFIGURE);
	if (engine->params.on_demand)
		cl_engine_act(engine, CL_ACTION_ARM);
	engine->has_lease = false;
	engine->asks_more = false;
	engine->is_pushed = false;
}

/*
 * When the server has not said: leases that began in one moment, for a TEP that died, say, do not stay in
 * step.
 */
static int64_t until_renewal(struct cl_engine *engine)
{
	int64_t half_ms = (engine->lease.end_ms - engine->now_ms) / 2;

	if (engine->renew_ms != 0)
		return engine->renew_ms > engine->now_ms ? engine->renew_ms - engine->now_ms : 0;
	return half_ms - cl_engine_jitter(engine, half_ms / 16 + 1);
}

void cl_engine_bound(struct cl_engine *engine)
{
	engine->failures = 0;
	engine->asks_more = false;
	if (engine->is_pushed) {
		cl_engine_send_lease(engine, TSP_ACTION_INFO, &engine->lease)
			->status = TSP_STATUS_OK;
		engine->is_pushed = false;
	}
	if (engine->generation == TSP_GENERATION_2) {
		if (engine->conn == CL_CONN_READY)
			cl_engine_act(engine, CL_ACTION_SEND)->msg.action = TSP_ACTION_ACCEPT;
		cl_engine_disconnect(engine);
	}
	engine->idle_ms = CL_NEVER;
	if (engine->params.on_demand && engine->params.idle_s > 0)
		engine->idle_ms = engine->used_ms + (int64_t)engine->params.idle_s * 1000;
	cl_engine_enter(engine, CL_STATE_BOUND, until_renewal(engine));
}

void cl_engine_renew(struct cl_engine *engine)
{
	if (engine->conn == CL_CONN_READY)
		cl_engine_request(engine);
	else
		cl_engine_begin_round(engine, CL_STATE_RENEWING);
}

void cl_engine_renew_later(struct cl_engine *engine, bool longest)
{
	bool is_rebinding = cl_engine_is_rebinding(engine);
	int64_t next_ms = is_rebinding ? engine->lease.end_ms : rebind_ms(engine);
	int64_t wait_ms = (next_ms - engine->now_ms) / 2;
	int64_t backoff_ms = cl_engine_backoff_ms(engine, longest);

	wait_ms -= cl_engine_jitter(engine, wait_ms / 4 + 1);
	if (wait_ms < backoff_ms)
		wait_ms = backoff_ms;
	if (!is_rebinding && wait_ms > next_ms - engine->now_ms)
		wait_ms = next_ms - engine->now_ms;
	/* Who asked for more, or for a silent tunnel, is not in need of a renewal yet. */
	if (engine->now_ms < renew_ms(engine)) {
		wait_ms = renew_ms(engine) - engine->now_ms;
		engine->failures = 0;
	}
	engine->asks_more = false;
	cl_engine_enter(engine, CL_STATE_BOUND, wait_ms);
}

/* Once in a while, more seldom the more often it came to nothing (R58). */
void cl_engine_want_more(struct cl_engine *engine)
{
	if (engine->state != CL_STATE_BOUND || engine->now_ms < engine->more_ms ||
		engine->lease.n_ranges == LEASE_RANGES_MAX || cl_engine_is_rebinding(engine) ||
		lease_ports(&engine->lease) >= engine->params.ports_max)
		return;
	engine->more_ms = engine->now_ms +
			  cl_engine_doubled(CL_MORE_WAIT_MS, engine->mores, CL_MORE_WAIT_MAX_MS);
	if (engine->mores < 32)
		engine->mores++;
	engine->asks_more = true;
	cl_engine_renew(engine);
}

/*
 * The server knows whether the TEP is another one by now. All clients of a dead TEP suspect it at
 * once: each waits a moment of its own.
 */
void cl_engine_suspect(struct cl_engine *engine)
{
	int64_t step_ms = (int64_t)engine->params.retry_min_s * 1000;
	int64_t when_ms = engine->now_ms;

	if (engine->state != CL_STATE_BOUND)
		return;
	if (engine->now_ms - engine->suspect_ms > CL_SUSPECT_MAX_MS)
		engine->suspicions = 0;
	else if (engine->suspect_ms > when_ms)
		when_ms = engine->suspect_ms;
	when_ms += cl_engine_jitter(engine, step_ms);
	if (when_ms >= engine->deadline_ms)
		return;
	engine->suspect_ms = when_ms +
			     cl_engine_doubled(4 * step_ms, engine->suspicions, CL_SUSPECT_MAX_MS);
	if (engine->suspicions < 32)
		engine->suspicions++;
	cl_engine_report(engine, "tunnel: silent, the server is asked");
	cl_engine_enter(engine, CL_STATE_BOUND, when_ms - engine->now_ms);
}

void cl_engine_release(struct cl_engine *engine, bool is_stopping)
{
	cl_engine_act(engine, CL_ACTION_DECONFIGURE);
	if (!is_stopping && engine->params.on_demand)
		cl_engine_act(engine, CL_ACTION_ARM);
	engine->is_stopping = is_stopping;
	engine->is_wanted = false;
	engine->asks_more = false;
	engine->is_pushed = false;
	if (engine->conn != CL_CONN_NONE && !cl_engine_at_lease_target(engine))
		cl_engine_disconnect(engine);
	if (engine->conn == CL_CONN_READY)
		cl_engine_send_lease(engine, TSP_ACTION_DELETE, &engine->lease);
	cl_engine_enter(engine, CL_STATE_RELEASING, CL_RELEASE_TIMEOUT_MS);
	if (engine->conn != CL_CONN_NONE)
		return;
	engine->target = engine->lease_target;
	engine->generation = engine->lease_generation;
	cl_engine_connect(engine, CL_STATE_RELEASING);
	cl_engine_enter(engine, CL_STATE_RELEASING, CL_RELEASE_TIMEOUT_MS);
}

void cl_engine_released(struct cl_engine *engine)
{
	engine->has_lease = false;
	if (engine->is_stopping)
		cl_engine_finish(engine);
	else if (engine->is_wanted)
		cl_engine_ask(engine);
	else
		cl_engine_rest(engine);
}

void cl_engine_rest(struct cl_engine *engine)
{
	bool keep = engine->params.accept_push && engine->conn == CL_CONN_READY &&
		    engine->generation == TSP_GENERATION_1;

	if (!keep)
		cl_engine_disconnect(engine);
	cl_engine_enter(engine, CL_STATE_IDLE, CL_NEVER);
	if (engine->params.accept_push && !keep)
		cl_engine_begin_round(engine, CL_STATE_IDLE);
}

void cl_engine_finish(struct cl_engine *engine)
{
	cl_engine_disconnect(engine);
	engine->has_lease = false;
	cl_engine_act(engine, CL_ACTION_FINISHED);
	cl_engine_enter(engine, CL_STATE_STOPPED, CL_NEVER);
}
