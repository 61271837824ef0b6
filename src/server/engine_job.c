// SPDX-License-Identifier: BSD-3-Clause
/* Jobs: what takes several steps, each step the answer of the store or of a TEP; the steps themselves. */
#include "server/engine_impl.h"

#include "common/log.h"

#include <errno.h>
#include <stdlib.h>

#define ABOUT_NOW_MS 1500 /* a TEP counts whole seconds */

struct srv_job *srv_job_begin(struct srv_engine *engine, enum srv_job_kind kind,
	struct srv_session *session, struct srv_lease *lease)
{
	struct srv_job *job = calloc(1, sizeof(*job));

	if (job == NULL)
		return NULL;
	job->kind = kind;
	job->session = session;
	job->lease = lease;
	TAILQ_INIT(&job->waiters);
	TAILQ_INSERT_TAIL(&engine->jobs, job, of_engine);
	lease->job = job;
	if (session != NULL)
		session->job = job;
	return job;
}

/* Nothing has come of it: lease and session are as they were. */
void srv_job_forget(struct srv_engine *engine, struct srv_job *job)
{
	job->lease->job = NULL;
	if (job->session != NULL)
		job->session->job = NULL;
	if (job->pushed_to != NULL)
		job->pushed_to->pushing = NULL;
	TAILQ_REMOVE(&engine->jobs, job, of_engine);
	free(job);
}

/* Frees the job, lets its session go on, and then those who waited for the lease. */
void srv_job_finish(struct srv_engine *engine, struct srv_job *job, int64_t now_ms)
{
	struct srv_session *session = job->session, *job_pushed_to = job->pushed_to;
	struct srv_session *waiter;
	TAILQ_HEAD(, srv_session) waiters = TAILQ_HEAD_INITIALIZER(waiters);

	TAILQ_CONCAT(&waiters, &job->waiters, of_job);
	TAILQ_FOREACH(waiter, &waiters, of_job)
		waiter->awaited = NULL;
	TAILQ_REMOVE(&engine->jobs, job, of_engine);
	free(job);
	if (job_pushed_to != NULL)
		job_pushed_to->pushing = NULL;
	if (session != NULL) {
		session->job = NULL;
		srv_engine_next(engine, session, now_ms);
	}
	while ((waiter = TAILQ_FIRST(&waiters)) != NULL) {
		TAILQ_REMOVE(&waiters, waiter, of_job);
		srv_engine_retry(engine, waiter, now_ms);
	}
}

void srv_job_fail(struct srv_engine *engine, struct srv_job *job, enum tsp_status status)
{
	if (job->session != NULL)
		srv_engine_refuse(engine, job->session, status);
}

/* Success: the TEP's addresses just as it gave them (R90). */
void srv_job_succeed(struct srv_engine *engine, struct srv_job *job, int64_t now_ms)
{
	const struct srv_lease *lease = job->lease;
	struct tsp_msg msg = {
		.status = TSP_STATUS_OK,
		.action = TSP_ACTION_INFO,
		.has_lifetime = job->kind != SRV_JOB_RELEASE,
		.lifetime_s = srv_lifetime_s(&lease->lease, now_ms),
		.wants_keepalive = job->wish.wants_keepalive,
		.server = srv_lease_server(engine, lease),
	};

	if (job->session == NULL)
		return;
	tsp_party_from_lease(&msg.client, &lease->lease);
	srv_engine_send(engine, job->session, &msg);
}

void srv_job_log(const struct srv_engine *engine, const struct srv_job *job, const char *what)
{
	const struct srv_lease *lease = job->lease;
	char text[LEASE_STRLEN];

	log_debug("lease %s: %s, user %s, pool %s, TEP %s", lease_format(&lease->lease, text), what,
		lease->user[0] != '\0' ? lease->user : "(anonymous)",
		srv_engine_pool_name(engine, lease), srv_engine_tep_name(engine, lease));
}

/* Asks a TEP for the lease as it shall be; the job must not be used afterwards. */
void srv_job_ask_tep(struct srv_engine *engine, struct srv_job *job, uint32_t tep, int64_t now_ms)
{
	job->step = SRV_STEP_TEP;
	job->tried[job->n_tried++] = tep;
	job->asked = job->lease->lease;
	job->asked.tep_v6 = engine->params.teps[tep].v6;
	job->asked.end_ms = now_ms + (int64_t)job->wish.lifetime_s * 1000;
	job->asked.stamp = srv_engine_ops_of(engine)->stamp(engine->params.arg, job->asked.end_ms);
	if (!srv_engine_ops_of(engine)->tep_create(engine->params.arg, tep, &job->asked, job))
		srv_engine_tep_answered(engine, job, tep, SRV_TEP_LOST, NULL, now_ms);
}

void srv_job_record(struct srv_engine *engine, const struct srv_job *job,
	enum srv_record_event event, const char *reason)
{
	srv_engine_ops_of(engine)->record(engine->params.arg, job->lease, event, reason);
}

uint32_t srv_job_tep(const struct srv_job *job)
{
	return job->tried[job->n_tried - 1];
}

bool srv_job_is_asking(const struct srv_lease *lease, uint32_t tep)
{
	const struct srv_job *job = lease->job;

	return job != NULL && job->kind != SRV_JOB_RELEASE && job->step == SRV_STEP_TEP &&
	       srv_job_tep(job) == tep;
}

const struct lease *srv_engine_announced(const struct srv_lease *lease, uint32_t tep)
{
	const struct srv_job *job = lease->job;

	if (job == NULL || job->kind == SRV_JOB_RELEASE || job->step > SRV_STEP_TEP)
		return &lease->lease;
	if (srv_job_is_asking(lease, tep))
		return &job->asked;
	return job->kind == SRV_JOB_MORE ? &job->before : &lease->lease;
}

void srv_engine_visit_unsettled(const struct srv_engine *engine, int64_t now_ms,
	void (*visit)(void *arg, const struct srv_lease *lease), void *arg)
{
	const struct srv_job *job;

	TAILQ_FOREACH(job, &engine->jobs, of_engine) {
		if (job->lease != NULL)
			visit(arg, job->lease);
	}
	srv_lease_db_visit_due(engine->db, now_ms + ABOUT_NOW_MS, visit, arg);
}

/* The TEP that was asked has failed: another one, where the pool allows it. */
uint32_t srv_job_next_tep(const struct srv_engine *engine, const struct srv_job *job)
{
	const struct srv_engine_pool *pool = srv_lease_pool(engine, job->lease);

	if (!pool->another_tep || job->n_tried == SRV_TEP_TRIES_MAX)
		return SRV_TEP_NONE;
	return srv_tep_choose(engine, pool, &job->lease->lease, job->tried, job->n_tried);
}

/* The TEP agreed: what it was asked for is the lease now. Its tunnel address is as it says itself (R90). */
static void take_over(
	struct srv_engine *engine, struct srv_job *job, const struct tsp_party *server)
{
	struct srv_engine_tep *tep = &engine->params.teps[srv_job_tep(job)];

	tep->has_v4 = server->has_v4;
	tep->v4 = server->v4;
	tsp_party_global_v6(server, &job->asked.tep_v6);
	srv_lease_db_set_value(engine->db, job->lease, &job->asked);
	srv_lease_set_tep(engine, job->lease, srv_job_tep(job));
}

void srv_job_store(struct srv_engine *engine, struct srv_job *job, int64_t until_ms, int64_t now_ms)
{
	job->step = SRV_STEP_STORE;
	if (!srv_engine_ops_of(engine)->put(engine->params.arg, job->lease, until_ms, job))
		srv_engine_stored(engine, job, -ENOMEM, now_ms);
}

/* --- events -------------------------------------------------------------------------------------- */

void srv_engine_stored(struct srv_engine *engine, struct srv_job *job, int error, int64_t now_ms)
{
	switch (job->kind) {
	case SRV_JOB_CREATE:
		return srv_create_stored(engine, job, error, now_ms);
	case SRV_JOB_RENEW:
		return srv_renewal_stored(engine, job, error, now_ms);
	case SRV_JOB_MORE:
		return srv_more_stored(engine, job, error, now_ms);
	case SRV_JOB_RELEASE:
		return srv_release_stored(engine, job, error, now_ms);
	}
}

void srv_job_copied(struct srv_engine *engine, struct srv_job *job, int64_t now_ms)
{
	switch (job->kind) {
	case SRV_JOB_CREATE:
		return srv_create_copied(engine, job, now_ms);
	case SRV_JOB_RENEW:
		return srv_renewal_copied(engine, job, now_ms);
	case SRV_JOB_MORE:
		return srv_more_copied(engine, job, now_ms);
	case SRV_JOB_RELEASE:
		break;
	}
}

void srv_engine_tep_answered(struct srv_engine *engine, struct srv_job *job, uint32_t tep,
	enum srv_tep_result result, const struct tsp_msg *answer, int64_t now_ms)
{
	if (job->step == SRV_STEP_COPIES)
		return srv_copy_answered(engine, job, tep, result, now_ms);
	if (job->kind == SRV_JOB_RELEASE)
		return srv_release_at_tep(engine, job, tep, result, now_ms);
	if (result == SRV_TEP_DONE && answer != NULL)
		take_over(engine, job, &answer->server);
	else if (result == SRV_TEP_REFUSED)
		job->refused |= srv_tep_bit(tep);
	switch (job->kind) {
	case SRV_JOB_CREATE:
		return srv_create_at_tep(engine, job, result, now_ms);
	case SRV_JOB_RENEW:
		return srv_renewal_at_tep(engine, job, result, now_ms);
	case SRV_JOB_MORE:
		return srv_more_at_tep(engine, job, result, now_ms);
	case SRV_JOB_RELEASE:
		break;
	}
}
