// SPDX-License-Identifier: BSD-3-Clause
/*
 * Whom to ask, and when to ask again.
 *
 * A round is one attempt at every server that may help: without a lease the list in its order, each
 * followed by those that it redirects to; with a lease the server that gave it, and the others only
 * in the last part of its life. When a round has come to nothing there is a pause.
 */
#include "client/engine_impl.h"

void cl_engine_connect(struct cl_engine *engine, enum cl_state state)
{
	struct cl_action *action = cl_engine_act(engine, CL_ACTION_CONNECT);

	action->target = engine->target;
	action->generation = engine->generation;
	action->only_giver = engine->has_lease && cl_engine_at_lease_target(engine) &&
			     (state == CL_STATE_RELEASING || !cl_engine_is_rebinding(engine));
	engine->conn = CL_CONN_OPENING;
	cl_engine_enter(engine, state, CL_CONNECT_TIMEOUT_MS);
}

void cl_engine_disconnect(struct cl_engine *engine)
{
	if (engine->conn != CL_CONN_NONE)
		cl_engine_act(engine, CL_ACTION_CLOSE);
	engine->conn = CL_CONN_NONE;
}

/* How an attempt is called: by what it is for. */
static enum cl_state asking_state(const struct cl_engine *engine)
{
	if (engine->state == CL_STATE_IDLE)
		return CL_STATE_IDLE;
	return engine->has_lease ? CL_STATE_RENEWING : CL_STATE_CONNECTING;
}

static void choose(struct cl_engine *engine, struct cl_target target)
{
	engine->target = target;
	engine->generation = engine->params.generation;
}

void cl_engine_begin_round(struct cl_engine *engine, enum cl_state state)
{
	engine->round = (struct cl_round){0};
	choose(engine, (struct cl_target){0});
	if (engine->has_lease) {
		engine->target = engine->lease_target;
		engine->generation = engine->lease_generation;
	}
	engine->round.skip_server = engine->target.is_redirected ? CL_NO_SERVER
								 : engine->target.server;
	cl_engine_connect(engine, state);
}

static bool next_target(struct cl_engine *engine)
{
	struct cl_round *round = &engine->round;

	if (round->next_broker < round->n_brokers) {
		choose(engine, (struct cl_target){
				       .server = engine->target.server,
				       .is_redirected = true,
				       .v6 = round->brokers[round->next_broker++],
			       });
		return true;
	}
	if (engine->has_lease && !cl_engine_is_rebinding(engine))
		return false;
	round->redirects = 0;
	if (round->next_server == round->skip_server)
		round->next_server++;
	if (round->next_server >= engine->params.n_servers)
		return false;
	choose(engine, (struct cl_target){.server = round->next_server++});
	return true;
}

void cl_engine_attempt_failed(struct cl_engine *engine, bool longest)
{
	cl_engine_disconnect(engine);
	engine->round.longest = engine->round.longest || longest;
	if (next_target(engine))
		cl_engine_connect(engine, asking_state(engine));
	else if (engine->has_lease)
		cl_engine_renew_later(engine, engine->round.longest);
	else
		cl_engine_ask_later(engine, engine->round.longest);
}

void cl_engine_fall_back(struct cl_engine *engine)
{
	engine->generation = TSP_GENERATION_1;
	cl_engine_connect(engine, asking_state(engine));
}

bool cl_engine_redirect(struct cl_engine *engine, const struct tsp_msg *msg)
{
	struct cl_round *round = &engine->round;

	round->n_brokers = round->next_broker = 0;
	if (msg->n_brokers == 0 || round->redirects == CL_REDIRECTS_MAX)
		return false;
	for (uint32_t i = 0; i < msg->n_brokers; i++) {
		const struct tsp_broker *broker = &msg->brokers[i];

		if (!broker->is_v4 && addr_v6_is_global(&broker->v6))
			round->brokers[round->n_brokers++] = broker->v6;
	}
	round->redirects++;
	return round->n_brokers > 0;
}

bool cl_engine_at_lease_target(const struct cl_engine *engine)
{
	const struct cl_target *a = &engine->target, *b = &engine->lease_target;

	return a->server == b->server && a->is_redirected == b->is_redirected &&
	       addr_v6_equal(&a->v6, &b->v6);
}

void cl_engine_ask(struct cl_engine *engine)
{
	if (engine->conn == CL_CONN_READY && engine->generation == TSP_GENERATION_1) {
		cl_engine_request(engine);
		return;
	}
	cl_engine_disconnect(engine);
	cl_engine_begin_round(engine, CL_STATE_CONNECTING);
}

int64_t cl_engine_backoff_ms(struct cl_engine *engine, bool longest)
{
	int64_t max_ms = (int64_t)engine->params.retry_max_s * 1000;
	int64_t delay_ms = cl_engine_doubled(
		(int64_t)engine->params.retry_min_s * 1000, engine->failures, max_ms);

	if (longest)
		delay_ms = max_ms;
	if (engine->failures < 32)
		engine->failures++;
	return delay_ms - cl_engine_jitter(engine, delay_ms / 2 + 1);
}

void cl_engine_ask_later(struct cl_engine *engine, bool longest)
{
	int64_t delay_ms = cl_engine_backoff_ms(engine, longest);

	cl_engine_disconnect(engine);
	if (engine->state == CL_STATE_IDLE)
		cl_engine_enter(engine, CL_STATE_IDLE, delay_ms);
	else
		cl_engine_enter(engine, CL_STATE_BACKOFF, delay_ms);
}
