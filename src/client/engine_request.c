// SPDX-License-Identifier: BSD-3-Clause
#include "client/engine_impl.h"

/*
 * About how many ports to ask for beside those that are held: as many again (R58), as far as the
 * configuration goes.
 */
static uint32_t more_ports(const struct cl_engine *engine)
{
	uint32_t held = lease_ports(&engine->lease);

	return held * 2 <= engine->params.ports_max ? held : engine->params.ports_max - held;
}

/*
 * A renewal of generation 1 names what it holds (R92), one of generation 2 is a plain create, and so is
 * one to a server that did not give the lease. Who wants more ports names what it has in both.
 */
void cl_engine_send_create(struct cl_engine *engine)
{
	struct tsp_msg *msg = &cl_engine_act(engine, CL_ACTION_SEND)->msg;
	struct tsp_party *client = &msg->client;
	bool generation_1 = engine->generation == TSP_GENERATION_1;

	msg->action = TSP_ACTION_CREATE;
	msg->lifetime_s = engine->params.lifetime_s;
	msg->has_lifetime = msg->lifetime_s != 0;
	if (engine->asks_more ||
		(engine->has_lease && generation_1 && cl_engine_at_lease_target(engine)))
		tsp_party_from_lease(client, &engine->lease);
	client->present = true;
	client->n_v6 = 0;
	if (generation_1 && engine->has_link_local)
		client->v6[client->n_v6++] = engine->link_local; /* R83 */
	client->v6[client->n_v6++] = engine->v6;
	if (engine->params.exclusive)
		return;
	client->has_ports = true;
	if (engine->asks_more)
		client->ports_count = more_ports(engine);
	else if (client->n_ranges == 0)
		client->ports_count = engine->params.ports;
}

/* What names a lease: both ends and all it holds (R105). */
struct tsp_msg *cl_engine_send_lease(
	struct cl_engine *engine, enum tsp_action action, const struct lease *lease)
{
	struct tsp_msg *msg = &cl_engine_act(engine, CL_ACTION_SEND)->msg;

	msg->action = action;
	tsp_party_from_lease(&msg->client, lease);
	msg->server = (struct tsp_party){.present = true, .n_v6 = 1, .v6 = {lease->tep_v6}};
	return msg;
}

void cl_engine_send_status(struct cl_engine *engine, enum tsp_status status)
{
	cl_engine_act(engine, CL_ACTION_SEND)->msg.status = status;
}

void cl_engine_request(struct cl_engine *engine)
{
	int64_t patience_ms = engine->params.patience_ms;

	cl_engine_send_create(engine);
	cl_engine_enter(engine, engine->has_lease ? CL_STATE_RENEWING : CL_STATE_REQUESTING,
		patience_ms != 0 ? patience_ms : CL_ANSWER_TIMEOUT_MS);
}

void cl_engine_decline(struct cl_engine *engine, const struct lease *lease)
{
	if (engine->conn != CL_CONN_READY)
		return;
	if (engine->generation == TSP_GENERATION_2 || engine->params.declines)
		cl_engine_act(engine, CL_ACTION_SEND)->msg.action = TSP_ACTION_REJECT;
	else
		cl_engine_send_lease(engine, TSP_ACTION_DELETE, lease);
}
