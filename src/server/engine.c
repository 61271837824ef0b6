// SPDX-License-Identifier: BSD-3-Clause
/* Sessions, their requests in turn, and their answers. */
#include "server/engine.h"

#include "server/engine_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A request in the queue of its session; the first one is being worked on. */
struct srv_waiting {
	STAILQ_ENTRY(srv_waiting) link;
	bool too_fast; /* beyond the rate of its source: refused when its turn comes */
	struct tsp_msg msg;
};

static void on_held(void *arg, const struct srv_lease *lease, bool is_held)
{
	struct srv_engine *engine = arg;

	if (is_held)
		srv_quota_hold(engine->params.quota, lease->user, &lease->lease);
	else
		srv_quota_free(engine->params.quota, lease->user, &lease->lease);
}

void srv_engine_count_holdings(struct srv_engine *engine)
{
	for (uint32_t slot = 0; slot < srv_lease_db_slots(engine->db); slot++) {
		const struct srv_lease *lease = srv_lease_db_at(engine->db, slot);

		if (lease != NULL && srv_lease_is_held(lease))
			on_held(engine, lease, true);
	}
}

struct srv_engine *srv_engine_create(const struct srv_engine_params *params)
{
	struct srv_engine *engine = calloc(1, sizeof(*engine));

	if (engine == NULL)
		return NULL;
	engine->params = *params;
	TAILQ_INIT(&engine->jobs);
	engine->db = srv_lease_db_create();
	if (engine->db == NULL) {
		free(engine);
		errno = ENOMEM;
		return NULL;
	}
	srv_lease_db_watch(engine->db, on_held, engine);
	return engine;
}

void srv_engine_destroy(struct srv_engine *engine)
{
	struct srv_job *job;

	if (engine == NULL)
		return;
	while ((job = TAILQ_FIRST(&engine->jobs)) != NULL) {
		TAILQ_REMOVE(&engine->jobs, job, of_engine);
		free(job);
	}
	srv_lease_db_destroy(engine->db);
	free(engine);
}

void srv_engine_set_limits(struct srv_engine *engine, const struct srv_engine_params *params)
{
	engine->params.policy = params->policy;
	engine->params.quarantine_s = params->quarantine_s;
	engine->params.more_ports = params->more_ports;
	engine->params.redirect = params->redirect;
	engine->params.tep_queries_per_s = params->tep_queries_per_s;
	engine->params.brokers = params->brokers;
	engine->params.n_brokers = params->n_brokers;
}

const struct srv_lease_db *srv_engine_leases(const struct srv_engine *engine)
{
	return engine->db;
}

/* --- answers ------------------------------------------------------------------------------------- */

static enum srv_counter counter_of(enum tsp_status status)
{
	switch (status) {
	case TSP_STATUS_POOL_EXHAUSTED:
		return SRV_COUNT_REFUSED_EXHAUSTED;
	case TSP_STATUS_TEP_ERROR:
		return SRV_COUNT_REFUSED_TEP;
	case TSP_STATUS_UNAVAILABLE:
	case TSP_STATUS_RENEWAL_REFUSED:
		return SRV_COUNT_REFUSED_UNAVAILABLE;
	case TSP_STATUS_BAD_V6:
		return SRV_COUNT_REFUSED_V6;
	case TSP_STATUS_BUSY:
		return SRV_COUNT_REFUSED_BUSY;
	default:
		return SRV_COUNT_REFUSED_OTHER;
	}
}

/* Lifetimes are rounded up to the unit of the session's wire. */
void srv_engine_send(
	struct srv_engine *engine, struct srv_session *session, const struct tsp_msg *msg)
{
	uint32_t unit_s = session->lifetime_unit_s;
	struct tsp_msg scaled;

	if (unit_s > 1 && msg->has_lifetime) {
		scaled = *msg;
		scaled.lifetime_s = (msg->lifetime_s + unit_s - 1) / unit_s;
		msg = &scaled;
	}
	engine->params.ops->answer(engine->params.arg, session, msg);
}

/* The other servers of the domain; their mere presence raises the code by 1000. */
static void list_brokers(struct srv_engine *engine, struct tsp_msg *msg)
{
	srv_engine_count(engine, SRV_COUNT_REDIRECTED);
	msg->action = TSP_ACTION_LIST;
	msg->n_brokers = engine->params.n_brokers;
	for (uint32_t i = 0; i < msg->n_brokers; i++)
		msg->brokers[i].v6 = engine->params.brokers[i];
}

void srv_engine_redirect(struct srv_engine *engine, struct srv_session *session)
{
	struct tsp_msg msg = {.status = TSP_STATUS_BUSY};

	srv_engine_count(engine, SRV_COUNT_REFUSED_BUSY);
	list_brokers(engine, &msg);
	srv_engine_send(engine, session, &msg);
}

void srv_engine_refuse(
	struct srv_engine *engine, struct srv_session *session, enum tsp_status status)
{
	struct tsp_msg msg = {.status = status};

	srv_engine_count(engine, counter_of(status));
	if (status == TSP_STATUS_POOL_EXHAUSTED &&
		engine->params.redirect >= SRV_REDIRECT_EXHAUSTED)
		list_brokers(engine, &msg);
	srv_engine_send(engine, session, &msg);
}

/* --- sessions ------------------------------------------------------------------------------------ */

void srv_session_init(struct srv_session *session)
{
	memset(session, 0, sizeof(*session));
	STAILQ_INIT(&session->waiting);
	LIST_INIT(&session->leases);
}

static void pop(struct srv_session *session)
{
	struct srv_waiting *first = STAILQ_FIRST(&session->waiting);

	STAILQ_REMOVE_HEAD(&session->waiting, link);
	session->n_waiting--;
	free(first);
}

static void work(struct srv_engine *engine, struct srv_session *session, int64_t now_ms)
{
	while (!session->busy && !STAILQ_EMPTY(&session->waiting)) {
		const struct srv_waiting *first = STAILQ_FIRST(&session->waiting);

		session->busy = true;
		if (first->too_fast)
			srv_engine_refuse(engine, session, TSP_STATUS_BUSY);
		else if (srv_engine_handle(engine, session, &first->msg, now_ms))
			return;
		session->busy = false;
		pop(session);
	}
}

void srv_engine_next(struct srv_engine *engine, struct srv_session *session, int64_t now_ms)
{
	session->busy = false;
	pop(session);
	work(engine, session, now_ms);
}

void srv_engine_retry(struct srv_engine *engine, struct srv_session *session, int64_t now_ms)
{
	session->busy = false;
	work(engine, session, now_ms);
}

/* What needs no answer is dropped when there is too much of it, and takes no room from what does. */
static uint32_t waiting_max(const struct tsp_msg *msg)
{
	return tsp_msg_is_request(msg) ? SRV_SESSION_WAITING_MAX
				       : SRV_SESSION_WAITING_MAX - SRV_SESSION_REQUESTS_MAX;
}

/* Only what asks for work counts: an accept belongs to the create before it. */
static bool is_too_fast(struct srv_engine *engine, const struct srv_session *session,
	const struct tsp_msg *msg, int64_t now_ms)
{
	if (!tsp_msg_is_request(msg) ||
		srv_quota_request(engine->params.quota, session->user, &session->peer, now_ms))
		return false;
	srv_engine_count(engine, SRV_COUNT_OVER_RATE);
	return true;
}

/* From the unit of the session's wire to seconds; what is out of range is the longest there is. */
static void scale_lifetime(const struct srv_session *session, struct tsp_msg *msg)
{
	uint32_t unit_s = session->lifetime_unit_s;

	if (unit_s > 1)
		msg->lifetime_s = msg->lifetime_s < TSP_LIFETIME_MAX_S / unit_s
					  ? msg->lifetime_s * unit_s
					  : TSP_LIFETIME_MAX_S;
}

void srv_engine_message(struct srv_engine *engine, struct srv_session *session,
	const struct tsp_msg *msg, int64_t now_ms)
{
	struct srv_waiting *waiting;

	srv_engine_count(engine, SRV_COUNT_REQUESTS);
	waiting = session->n_waiting < waiting_max(msg) ? malloc(sizeof(*waiting)) : NULL;
	if (waiting == NULL && tsp_msg_is_request(msg))
		return srv_engine_refuse(engine, session, TSP_STATUS_BUSY);
	if (waiting == NULL)
		return;
	waiting->too_fast = is_too_fast(engine, session, msg, now_ms);
	waiting->msg = *msg;
	scale_lifetime(session, &waiting->msg);
	STAILQ_INSERT_TAIL(&session->waiting, waiting, link);
	session->n_waiting++;
	work(engine, session, now_ms);
}

void srv_engine_stop(struct srv_engine *engine)
{
	engine->is_stopping = true;
}

void srv_engine_session_closed(
	struct srv_engine *engine, struct srv_session *session, int64_t now_ms)
{
	struct srv_lease *lease;

	if (session->awaited != NULL)
		TAILQ_REMOVE(&session->awaited->waiters, session, of_job);
	if (session->job != NULL)
		session->job->session = NULL;
	if (session->pushing != NULL)
		session->pushing->pushed_to = NULL;
	while (!STAILQ_EMPTY(&session->waiting))
		pop(session);
	while ((lease = LIST_FIRST(&session->leases)) != NULL) {
		srv_lease_attach(lease, NULL);
		if (!lease->unconfirmed || lease->job != NULL || engine->is_stopping)
			continue;
		srv_engine_count(engine, SRV_COUNT_LEASES_UNDONE);
		srv_lease_end(engine, lease, SRV_REASON_NOT_ACCEPTED, now_ms);
	}
}
