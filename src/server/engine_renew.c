// SPDX-License-Identifier: BSD-3-Clause
/* A renewal: created again at its TEP, or at another, stored, answered. */
#include "server/engine_impl.h"

bool srv_job_renew(struct srv_engine *engine, struct srv_session *session, struct srv_lease *lease,
	const struct srv_wish *wish, uint32_t tep, int64_t now_ms)
{
	struct srv_job *job = srv_job_begin(engine, SRV_JOB_RENEW, session, lease);

	if (job == NULL)
		return false;
	job->wish = *wish;
	job->before = lease->lease;
	job->tep_before = lease->tep;
	srv_lease_db_set_due(engine->db, lease, SRV_LEASE_NEVER);
	srv_job_ask_tep(engine, job, tep, now_ms);
	return true;
}

static bool was_asked(const struct srv_job *job, uint32_t tep)
{
	for (uint32_t i = 0; i < job->n_tried; i++) {
		if (job->tried[i] == tep)
			return true;
	}
	return false;
}

/*
 * The lease stays as it was. TEPs may have heard of another end, sooner or later: they hear of the old one. One
 * with a copy that does not hear of it has the range for longer.
 */
static void renewal_fails(
	struct srv_engine *engine, struct srv_job *job, enum tsp_status status, int64_t now_ms)
{
	struct srv_lease *lease = job->lease;

	lease->job = NULL;
	srv_lease_go_to_tep(engine, lease, job->tep_before, job->asked.end_ms);
	srv_lease_db_set_value(engine->db, lease, &job->before);
	if (was_asked(job, lease->tep) || (lease->copies != 0 && lease->tep != SRV_TEP_NONE))
		srv_engine_ops_of(engine)->tep_create(
			engine->params.arg, lease->tep, &lease->lease, NULL);
	srv_copies_retell(engine, lease);
	if (srv_lease_pool(engine, lease)->n_teps > 1 || lease->copies != 0)
		srv_lease_waits_for_stray(lease, job->asked.end_ms);
	srv_lease_set_active_due(engine, lease, now_ms);
	srv_job_fail(engine, job, status);
	srv_job_finish(engine, job, now_ms);
}

/* The TEP will not have it: the lease cannot go on, and nothing may be left there (R88, R94). */
static void renewal_refused_by_tep(struct srv_engine *engine, struct srv_job *job, int64_t now_ms)
{
	struct srv_lease *lease = job->lease;

	lease->job = NULL;
	srv_job_log(engine, job, "ended, its TEP refused the renewal");
	srv_engine_count(engine, SRV_COUNT_LEASES_REVOKED);
	srv_lease_end(engine, lease, SRV_REASON_TEP_REFUSED, now_ms);
	srv_job_fail(engine, job, TSP_STATUS_TEP_ERROR);
	srv_job_finish(engine, job, now_ms);
}

static void renewal_done(struct srv_engine *engine, struct srv_job *job, int64_t now_ms)
{
	struct srv_lease *lease = job->lease;
	struct srv_session *session = job->session;

	lease->job = NULL;
	if (lease->tep != job->tep_before) {
		srv_job_log(engine, job, "moved");
		srv_engine_count(engine, SRV_COUNT_LEASES_MOVED);
		if (!srv_lease_is_at(lease, job->tep_before))
			srv_lease_leave_tep(engine, lease, job->tep_before, job->before.end_ms);
	}
	if (session != NULL && session->is_single) {
		lease->unconfirmed = false;
	} else if (session != NULL && session->generation == TSP_GENERATION_1) {
		lease->unconfirmed = false;
		srv_lease_attach(lease, session);
	} else if (lease->unconfirmed) {
		srv_lease_attach(lease, session);
	}
	srv_lease_set_active_due(engine, lease, now_ms);
	srv_engine_count(engine, SRV_COUNT_LEASES_RENEWED);
	srv_job_succeed(engine, job, now_ms);
	srv_job_finish(engine, job, now_ms);
}

/*
 * The TEP has failed: on to the next one. The lease's own TEP may have the new end already; any other may
 * have the binding, which it must not keep.
 */
static void renewal_failed_at_tep(
	struct srv_engine *engine, struct srv_job *job, enum srv_tep_result result, int64_t now_ms)
{
	struct srv_lease *lease = job->lease;
	bool is_own = srv_job_tep(job) == lease->tep;
	uint32_t tep = srv_job_next_tep(engine, job);

	if (is_own && result == SRV_TEP_REFUSED)
		job->is_refused = true;
	else if (!is_own && result == SRV_TEP_LOST)
		srv_lease_leave_tep(engine, lease, srv_job_tep(job), job->asked.end_ms);
	else if (is_own && srv_lease_pool(engine, lease)->n_teps > 1)
		srv_lease_waits_for_stray(lease, job->asked.end_ms);
	if (tep != SRV_TEP_NONE)
		return srv_job_ask_tep(engine, job, tep, now_ms);
	if (job->is_refused)
		return renewal_refused_by_tep(engine, job, now_ms);
	renewal_fails(engine, job, TSP_STATUS_TEP_ERROR, now_ms);
}

void srv_renewal_at_tep(
	struct srv_engine *engine, struct srv_job *job, enum srv_tep_result result, int64_t now_ms)
{
	if (result != SRV_TEP_DONE)
		return renewal_failed_at_tep(engine, job, result, now_ms);
	if ((job->refused & srv_tep_bit(job->tep_before)) == 0)
		srv_lease_become_copy(engine, job->lease, job->tep_before);
	srv_job_ask_copies(engine, job, now_ms);
}

void srv_renewal_copied(struct srv_engine *engine, struct srv_job *job, int64_t now_ms)
{
	if (addr_v6_equal(&job->lease->lease.tep_v6, &job->before.tep_v6))
		srv_job_record(engine, job, SRV_RECORD_RENEWED, SRV_REASON_RENEWED);
	else
		srv_job_record(engine, job, SRV_RECORD_CHANGED, SRV_REASON_TEP_CHANGED);
	srv_job_store(engine, job, job->lease->lease.end_ms, now_ms);
}

void srv_renewal_stored(struct srv_engine *engine, struct srv_job *job, int error, int64_t now_ms)
{
	if (error < 0)
		return renewal_fails(engine, job, TSP_STATUS_BUSY, now_ms);
	renewal_done(engine, job, now_ms);
}
