// SPDX-License-Identifier: BSD-3-Clause
/* Jobs: what takes several steps, each step the answer of the store or of a TEP. */
#include "server/engine_impl.h"

#include "common/log.h"

#include <errno.h>
#include <stdlib.h>

static const struct srv_engine_ops *ops_of(const struct srv_engine *engine)
{
	return engine->params.ops;
}

static struct srv_job *begin(struct srv_engine *engine, enum srv_job_kind kind,
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
	session->job = job;
	return job;
}

/* Nothing has come of it: lease and session are as they were. */
static void forget(struct srv_engine *engine, struct srv_job *job)
{
	job->lease->job = NULL;
	job->session->job = NULL;
	TAILQ_REMOVE(&engine->jobs, job, of_engine);
	free(job);
}

/* Frees the job, lets its session go on, and then those who waited for the lease. */
static void finish(struct srv_engine *engine, struct srv_job *job, int64_t now_ms)
{
	struct srv_session *session = job->session;
	struct srv_session *waiter;
	TAILQ_HEAD(, srv_session) waiters = TAILQ_HEAD_INITIALIZER(waiters);

	TAILQ_CONCAT(&waiters, &job->waiters, of_job);
	TAILQ_FOREACH(waiter, &waiters, of_job)
		waiter->awaited = NULL;
	TAILQ_REMOVE(&engine->jobs, job, of_engine);
	free(job);
	if (session != NULL) {
		session->job = NULL;
		srv_engine_next(engine, session, now_ms);
	}
	while ((waiter = TAILQ_FIRST(&waiters)) != NULL) {
		TAILQ_REMOVE(&waiters, waiter, of_job);
		srv_engine_retry(engine, waiter, now_ms);
	}
}

static void fail(struct srv_engine *engine, struct srv_job *job, enum tsp_status status)
{
	if (job->session != NULL)
		srv_engine_refuse(engine, job->session, status);
}

/* Success: the TEP's addresses just as it gave them (R90). */
static void succeed(struct srv_engine *engine, struct srv_job *job, int64_t now_ms)
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
	ops_of(engine)->answer(engine->params.arg, job->session, &msg);
}

static void log_lease(const struct srv_engine *engine, const struct srv_job *job, const char *what)
{
	const struct srv_lease *lease = job->lease;
	char text[LEASE_STRLEN];

	log_debug("lease %s: %s, user %s, pool %s, TEP %s", lease_format(&lease->lease, text), what,
		lease->user[0] != '\0' ? lease->user : "(anonymous)",
		srv_engine_pool_name(engine, lease), srv_engine_tep_name(engine, lease));
}

/* Asks a TEP for the lease as it shall be; the job must not be used afterwards. */
static void ask_tep(struct srv_engine *engine, struct srv_job *job, uint32_t tep, int64_t now_ms)
{
	job->step = SRV_STEP_TEP;
	job->tried[job->n_tried++] = tep;
	job->asked = job->lease->lease;
	job->asked.tep_v6 = engine->params.teps[tep].v6;
	job->asked.end_ms = now_ms + (int64_t)job->wish.lifetime_s * 1000;
	if (!ops_of(engine)->tep_create(engine->params.arg, tep, &job->asked, job))
		srv_engine_tep_answered(engine, job, SRV_TEP_LOST, NULL, now_ms);
}

static void record(struct srv_engine *engine, const struct srv_job *job,
	enum srv_record_event event, const char *reason)
{
	ops_of(engine)->record(engine->params.arg, job->lease, event, reason);
}

static uint32_t asked_tep(const struct srv_job *job)
{
	return job->tried[job->n_tried - 1];
}

/* The TEP that was asked has failed: another one, where the pool allows it. */
static uint32_t next_tep(const struct srv_engine *engine, const struct srv_job *job)
{
	const struct srv_engine_pool *pool = srv_lease_pool(engine, job->lease);

	if (!pool->another_tep || job->n_tried == SRV_TEP_TRIES_MAX)
		return SRV_TEP_NONE;
	return srv_tep_choose(engine, pool, &job->lease->lease.client_v6, job->tried, job->n_tried);
}

/* The TEP agreed: what it was asked for is the lease now. Its tunnel address is as it says itself (R90). */
static void take_over(
	struct srv_engine *engine, struct srv_job *job, const struct tsp_party *server)
{
	struct srv_engine_tep *tep = &engine->params.teps[asked_tep(job)];

	tep->has_v4 = server->has_v4;
	tep->v4 = server->v4;
	tsp_party_global_v6(server, &job->asked.tep_v6);
	job->lease->lease = job->asked;
	srv_lease_set_tep(engine, job->lease, asked_tep(job));
}

static void store_result(
	struct srv_engine *engine, struct srv_job *job, int64_t until_ms, int64_t now_ms)
{
	job->step = SRV_STEP_STORE;
	if (!ops_of(engine)->put(engine->params.arg, job->lease, until_ms, job))
		srv_engine_stored(engine, job, -ENOMEM, now_ms);
}

/* --- create -------------------------------------------------------------------------------------- */

bool srv_job_create(struct srv_engine *engine, struct srv_session *session, struct srv_lease *lease,
	const struct srv_wish *wish, bool returned, int64_t now_ms)
{
	struct srv_job *job = begin(engine, SRV_JOB_CREATE, session, lease);

	if (job == NULL)
		return false;
	job->wish = *wish;
	job->returned = returned;
	job->step = SRV_STEP_STORE_PENDING;
	lease->lease.end_ms = now_ms + (int64_t)wish->lifetime_s * 1000;
	if (ops_of(engine)->put(engine->params.arg, lease, lease->lease.end_ms, job))
		return true;
	forget(engine, job);
	return false;
}

/*
 * A create that came to nothing. The range is free again at once only if no TEP can have installed it
 * and nobody had it before; in all other cases it rests.
 */
static void create_fails(struct srv_engine *engine, struct srv_job *job, enum tsp_status status,
	bool maybe_installed, int64_t now_ms)
{
	struct srv_lease *lease = job->lease;

	lease->job = NULL;
	if (maybe_installed || job->returned)
		srv_lease_end(engine, lease, SRV_REASON_NOT_STORED, now_ms);
	else
		srv_lease_drop(engine, lease);
	job->lease = NULL;
	fail(engine, job, status);
	finish(engine, job, now_ms);
}

static void create_done(struct srv_engine *engine, struct srv_job *job, int64_t now_ms)
{
	struct srv_lease *lease = job->lease;
	bool to_generation_2 = job->session == NULL || job->session->generation == TSP_GENERATION_2;

	lease->job = NULL;
	lease->unconfirmed = to_generation_2;
	srv_lease_attach(lease, job->session);
	srv_lease_set_active_due(engine, lease, now_ms);
	log_lease(engine, job, job->returned ? "created again" : "created");
	srv_engine_count(engine, SRV_COUNT_LEASES_CREATED);
	if (job->returned)
		srv_engine_count(engine, SRV_COUNT_LEASES_RETURNED);
	succeed(engine, job, now_ms);
	finish(engine, job, now_ms);
}

/* The TEP has failed: on to the next one, or the lease comes to nothing. */
static void create_failed_at_tep(
	struct srv_engine *engine, struct srv_job *job, enum srv_tep_result result, int64_t now_ms)
{
	uint32_t tep = next_tep(engine, job);

	job->is_lost |= result == SRV_TEP_LOST;
	job->lease->lease.end_ms = job->asked.end_ms;
	if (tep == SRV_TEP_NONE)
		return create_fails(engine, job, TSP_STATUS_TEP_ERROR, job->is_lost, now_ms);
	if (result == SRV_TEP_LOST)
		srv_lease_leave_tep(engine, job->lease, asked_tep(job), job->asked.end_ms);
	srv_lease_set_tep(engine, job->lease, tep);
	ask_tep(engine, job, tep, now_ms);
}

static void create_at_tep(
	struct srv_engine *engine, struct srv_job *job, enum srv_tep_result result, int64_t now_ms)
{
	if (result != SRV_TEP_DONE)
		return create_failed_at_tep(engine, job, result, now_ms);
	srv_lease_db_set_state(engine->db, job->lease, SRV_LEASE_ACTIVE);
	record(engine, job, SRV_RECORD_ALLOCATED,
		job->returned ? SRV_REASON_RETURNED : SRV_REASON_REQUESTED);
	store_result(engine, job, job->lease->lease.end_ms, now_ms);
}

static void create_stored(struct srv_engine *engine, struct srv_job *job, int error, int64_t now_ms)
{
	if (error < 0)
		create_fails(engine, job, TSP_STATUS_BUSY, job->step == SRV_STEP_STORE, now_ms);
	else if (job->step == SRV_STEP_STORE_PENDING)
		ask_tep(engine, job, job->lease->tep, now_ms);
	else
		create_done(engine, job, now_ms);
}

/* --- renewal ------------------------------------------------------------------------------------- */

bool srv_job_renew(struct srv_engine *engine, struct srv_session *session, struct srv_lease *lease,
	const struct srv_wish *wish, uint32_t tep, int64_t now_ms)
{
	struct srv_job *job = begin(engine, SRV_JOB_RENEW, session, lease);

	if (job == NULL)
		return false;
	job->wish = *wish;
	job->before = lease->lease;
	job->tep_before = lease->tep;
	srv_lease_db_set_due(engine->db, lease, SRV_LEASE_NEVER);
	ask_tep(engine, job, tep, now_ms);
	return true;
}

/* The lease stays as it was. Its binding may end later at the TEP, which our delete takes care of. */
static void renewal_fails(
	struct srv_engine *engine, struct srv_job *job, enum tsp_status status, int64_t now_ms)
{
	struct srv_lease *lease = job->lease;

	lease->job = NULL;
	if (lease->tep != job->tep_before)
		srv_lease_leave_tep(engine, lease, lease->tep, job->asked.end_ms);
	srv_lease_set_tep(engine, lease, job->tep_before);
	lease->lease = job->before;
	srv_lease_set_active_due(engine, lease, now_ms);
	fail(engine, job, status);
	finish(engine, job, now_ms);
}

/* The TEP will not have it: the lease cannot go on, and nothing may be left there (R88, R94). */
static void renewal_refused_by_tep(struct srv_engine *engine, struct srv_job *job, int64_t now_ms)
{
	struct srv_lease *lease = job->lease;

	lease->job = NULL;
	log_lease(engine, job, "ended, its TEP refused the renewal");
	srv_engine_count(engine, SRV_COUNT_LEASES_REVOKED);
	srv_lease_end(engine, lease, SRV_REASON_TEP_REFUSED, now_ms);
	fail(engine, job, TSP_STATUS_TEP_ERROR);
	finish(engine, job, now_ms);
}

static void renewal_done(struct srv_engine *engine, struct srv_job *job, int64_t now_ms)
{
	struct srv_lease *lease = job->lease;
	bool is_generation_1 = job->session != NULL && job->session->generation == TSP_GENERATION_1;

	lease->job = NULL;
	if (lease->tep != job->tep_before) {
		log_lease(engine, job, "moved");
		srv_engine_count(engine, SRV_COUNT_LEASES_MOVED);
		srv_lease_leave_tep(engine, lease, job->tep_before, job->before.end_ms);
	}
	if (is_generation_1) {
		lease->unconfirmed = false;
		srv_lease_attach(lease, job->session);
	} else if (lease->unconfirmed) {
		srv_lease_attach(lease, job->session);
	}
	srv_lease_set_active_due(engine, lease, now_ms);
	srv_engine_count(engine, SRV_COUNT_LEASES_RENEWED);
	succeed(engine, job, now_ms);
	finish(engine, job, now_ms);
}

/*
 * The TEP has failed: on to the next one. The lease's own TEP may have the new end already; any other may
 * have the binding, which it must not keep.
 */
static void renewal_failed_at_tep(
	struct srv_engine *engine, struct srv_job *job, enum srv_tep_result result, int64_t now_ms)
{
	struct srv_lease *lease = job->lease;
	bool is_own = asked_tep(job) == lease->tep;
	uint32_t tep = next_tep(engine, job);

	if (is_own && result == SRV_TEP_REFUSED)
		job->is_refused = true;
	else if (!is_own && result == SRV_TEP_LOST)
		srv_lease_leave_tep(engine, lease, asked_tep(job), job->asked.end_ms);
	else if (is_own && srv_lease_pool(engine, lease)->n_teps > 1)
		lease->stray_s = (job->asked.end_ms + 999) / 1000;
	if (tep != SRV_TEP_NONE)
		return ask_tep(engine, job, tep, now_ms);
	if (job->is_refused)
		return renewal_refused_by_tep(engine, job, now_ms);
	renewal_fails(engine, job, TSP_STATUS_TEP_ERROR, now_ms);
}

static void renewal_at_tep(
	struct srv_engine *engine, struct srv_job *job, enum srv_tep_result result, int64_t now_ms)
{
	if (result != SRV_TEP_DONE)
		return renewal_failed_at_tep(engine, job, result, now_ms);
	if (addr_v6_equal(&job->lease->lease.tep_v6, &job->before.tep_v6))
		record(engine, job, SRV_RECORD_RENEWED, SRV_REASON_RENEWED);
	else
		record(engine, job, SRV_RECORD_CHANGED, SRV_REASON_TEP_CHANGED);
	store_result(engine, job, job->lease->lease.end_ms, now_ms);
}

/* --- release ------------------------------------------------------------------------------------- */

static void release_at_tep(
	struct srv_engine *engine, struct srv_job *job, bool told, int64_t now_ms)
{
	record(engine, job, SRV_RECORD_RELEASED, SRV_REASON_BY_CLIENT);
	job->rest_ms = srv_lease_rest_until(engine, job->lease, told, now_ms);
	store_result(engine, job, job->rest_ms, now_ms);
}

bool srv_job_release(struct srv_engine *engine, struct srv_session *session,
	struct srv_lease *lease, int64_t now_ms)
{
	struct srv_job *job = begin(engine, SRV_JOB_RELEASE, session, lease);

	if (job == NULL)
		return false;
	job->step = SRV_STEP_TEP;
	srv_lease_rest(engine, lease);
	if (lease->tep == SRV_TEP_NONE ||
		!ops_of(engine)->tep_delete(engine->params.arg, lease->tep, &lease->lease, job))
		release_at_tep(engine, job, false, now_ms);
	return true;
}

/* Whatever the TEP said: without a session it gets level later, and the binding ends by itself. */
static void release_stored(
	struct srv_engine *engine, struct srv_job *job, int error, int64_t now_ms)
{
	struct srv_lease *lease = job->lease;

	lease->job = NULL;
	srv_lease_db_set_due(engine->db, lease, job->rest_ms);
	if (error < 0) {
		fail(engine, job, TSP_STATUS_BUSY);
	} else {
		log_lease(engine, job, "released");
		srv_engine_count(engine, SRV_COUNT_LEASES_RELEASED);
		succeed(engine, job, now_ms);
	}
	finish(engine, job, now_ms);
}

/* --- events -------------------------------------------------------------------------------------- */

void srv_engine_stored(struct srv_engine *engine, struct srv_job *job, int error, int64_t now_ms)
{
	switch (job->kind) {
	case SRV_JOB_CREATE:
		return create_stored(engine, job, error, now_ms);
	case SRV_JOB_RENEW:
		if (error < 0)
			return renewal_fails(engine, job, TSP_STATUS_BUSY, now_ms);
		return renewal_done(engine, job, now_ms);
	case SRV_JOB_RELEASE:
		return release_stored(engine, job, error, now_ms);
	}
}

void srv_engine_tep_answered(struct srv_engine *engine, struct srv_job *job,
	enum srv_tep_result result, const struct tsp_msg *answer, int64_t now_ms)
{
	if (result == SRV_TEP_DONE && answer != NULL && job->kind != SRV_JOB_RELEASE)
		take_over(engine, job, &answer->server);
	switch (job->kind) {
	case SRV_JOB_CREATE:
		return create_at_tep(engine, job, result, now_ms);
	case SRV_JOB_RENEW:
		return renewal_at_tep(engine, job, result, now_ms);
	case SRV_JOB_RELEASE:
		return release_at_tep(engine, job, result != SRV_TEP_LOST, now_ms);
	}
}
