// SPDX-License-Identifier: BSD-3-Clause
/*
 * What the server says: answers to what we asked, and requests of its own over an open session.
 */
#include "client/engine_impl.h"

#include "client/grant.h"

/* It grew by what was asked for, or it did not: when to ask again. */
static void note_more(struct cl_engine *engine, const struct lease *lease)
{
	if (lease->n_ranges <= engine->lease.n_ranges)
		return;
	engine->mores = 0;
	engine->more_ms = engine->now_ms;
}

static void take_lease(
	struct cl_engine *engine, const struct lease *lease, const struct tsp_msg *msg)
{
	bool differs = !engine->has_lease || cl_grant_differs(&engine->lease, lease);

	engine->is_offer = !engine->has_lease || engine->lease.v4 != lease->v4;
	if (engine->asks_more)
		note_more(engine, lease);
	cl_engine_hold(engine, lease, msg);
	if (differs) {
		cl_engine_enter(engine, CL_STATE_CONFIGURING, CL_ANSWER_TIMEOUT_MS);
		cl_engine_act(engine, CL_ACTION_CONFIGURE);
	} else {
		cl_engine_act(engine, CL_ACTION_RENEWED);
		cl_engine_bound(engine);
	}
}

/* A lease as it will be used, through a TEP that may have been set by hand. NULL, or why it cannot be. */
static const char *judge(const struct cl_engine *engine, struct lease *lease)
{
	if (engine->params.tep != NULL)
		lease->tep_v6 = *engine->params.tep;
	return cl_grant_fault(lease, &engine->v6, engine->params.exclusive);
}

static void take_info(struct cl_engine *engine, const struct tsp_msg *msg)
{
	struct lease lease;
	const char *fault;

	if (tsp_msg_to_lease(msg, engine->now_ms, &lease) != TSP_STATUS_NONE) {
		cl_engine_report(engine, "server: the info holds no whole lease");
		cl_engine_attempt_failed(engine, false);
		return;
	}
	fault = judge(engine, &lease);
	if (fault == NULL && engine->asks_more && lease.v4 != engine->lease.v4)
		fault = "more ports were asked for, another address was given";
	if (fault != NULL) {
		bool longest = !engine->asks_more;

		cl_engine_report(engine, "server: the lease is refused: %s", fault);
		cl_engine_decline(engine, &lease);
		cl_engine_attempt_failed(engine, longest);
		return;
	}
	take_lease(engine, &lease, msg);
}

/* Where any server will do, one may be named that does better. */
static bool is_redirection(const struct cl_engine *engine, const struct tsp_msg *msg)
{
	return msg->code >= 1000 && (!engine->has_lease || cl_engine_is_rebinding(engine));
}

static void take_refusal(struct cl_engine *engine, const struct tsp_msg *msg)
{
	const char *what = !engine->has_lease  ? "lease"
			   : engine->asks_more ? "more ports"
					       : "renewal";

	if (is_redirection(engine, msg) && cl_engine_redirect(engine, msg)) {
		cl_engine_report(engine, "server: others are named: %u %s", msg->code,
			tsp_status_text(msg->status));
		cl_engine_attempt_failed(engine, false);
		return;
	}
	cl_engine_report(
		engine, "server: %s refused: %u %s", what, msg->code, tsp_status_text(msg->status));
	if (engine->has_lease && cl_engine_at_lease_target(engine) &&
		cl_grant_is_ended_by(msg->status, engine->generation)) {
		cl_engine_lose(engine);
		engine->failures = 0;
	}
	cl_engine_attempt_failed(engine, msg->status == TSP_STATUS_AUTH_FAILED);
}

static void take_answer(struct cl_engine *engine, const struct tsp_msg *msg)
{
	bool ok = msg->status == TSP_STATUS_OK || msg->status == TSP_STATUS_NONE;

	if (engine->state == CL_STATE_RELEASING) {
		cl_engine_released(engine);
	} else if (engine->state != CL_STATE_REQUESTING && engine->state != CL_STATE_RENEWING) {
		cl_engine_report(engine, "server: an answer that nothing asked for is ignored");
	} else if (!ok) {
		take_refusal(engine, msg);
	} else if (msg->action == TSP_ACTION_INFO) {
		take_info(engine, msg);
	} else {
		cl_engine_report(engine, "server: the answer to create is no info");
		cl_engine_attempt_failed(engine, false);
	}
}

/* A lease that the server gives unasked, while there is none (R32). */
static void take_pushed_create(struct cl_engine *engine, const struct tsp_msg *msg)
{
	const char *fault = "it is not whole";
	struct lease lease;

	if (tsp_msg_to_lease(msg, engine->now_ms, &lease) == TSP_STATUS_NONE)
		fault = judge(engine, &lease);
	if (fault != NULL) {
		cl_engine_report(engine, "server: the lease given unasked is refused: %s", fault);
		cl_engine_send_status(engine, TSP_STATUS_UNAVAILABLE);
		return;
	}
	engine->is_pushed = true;
	take_lease(engine, &lease, msg);
}

/* What the server pushes is believed on this connection alone, which is authenticated (R107). */
static void take_pushed_delete(struct cl_engine *engine)
{
	if (engine->state == CL_STATE_RELEASING) {
		cl_engine_disconnect(engine); /* an answer is still on its way */
		cl_engine_released(engine);
		return;
	}
	cl_engine_report(engine, "server: the lease is deleted");
	cl_engine_lose(engine);
	cl_engine_send_lease(engine, TSP_ACTION_INFO, &engine->lease)->status = TSP_STATUS_OK;
	engine->failures = 0;
	if (engine->state != CL_STATE_BOUND)
		cl_engine_disconnect(engine); /* as above */
	if (cl_engine_is_in_use(engine))
		cl_engine_ask_later(engine, false);
	else
		cl_engine_rest(engine);
}

/* A request that the server pushed over the open session (R102). */
static void take_request(struct cl_engine *engine, const struct tsp_msg *msg)
{
	bool is_ours = engine->has_lease && cl_grant_is_named_by(&engine->lease, msg) &&
		       cl_engine_at_lease_target(engine);

	if (msg->action == TSP_ACTION_CREATE && engine->params.accept_push &&
		engine->state == CL_STATE_IDLE) {
		take_pushed_create(engine, msg);
	} else if (msg->action == TSP_ACTION_DELETE && is_ours) {
		take_pushed_delete(engine);
	} else {
		cl_engine_report(
			engine, "server: a request for a lease that is not held is refused");
		cl_engine_send_status(engine, TSP_STATUS_UNAVAILABLE);
	}
}

void cl_engine_take(struct cl_engine *engine, const struct tsp_msg *msg)
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
