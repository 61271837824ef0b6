// SPDX-License-Identifier: BSD-3-Clause
/* A release: deleted at all TEPs that have it, stored as resting, answered. */
#include "server/engine_impl.h"

static void at_teps(struct srv_engine *engine, struct srv_job *job, int64_t now_ms)
{
	srv_job_record(engine, job, SRV_RECORD_RELEASED, SRV_REASON_BY_CLIENT);
	job->rest_ms = srv_lease_rest_until(engine, job->lease, !job->is_untold, now_ms);
	srv_job_store(engine, job, job->rest_ms, now_ms);
}

void srv_release_at_tep(struct srv_engine *engine, struct srv_job *job, uint32_t tep,
	enum srv_tep_result result, int64_t now_ms)
{
	struct srv_lease *lease = job->lease;

	if (result == SRV_TEP_DONE)
		srv_lease_db_set_copies(engine->db, lease, lease->copies & ~srv_tep_bit(tep));
	else
		job->is_untold = true;
	if (--job->n_awaited == 0)
		at_teps(engine, job, now_ms);
}

bool srv_job_release(struct srv_engine *engine, struct srv_session *session,
	struct srv_lease *lease, int64_t now_ms)
{
	struct srv_job *job = srv_job_begin(engine, SRV_JOB_RELEASE, session, lease);
	bool told;

	if (job == NULL)
		return false;
	job->step = SRV_STEP_TEP;
	srv_lease_rest(engine, lease);
	job->n_awaited = srv_lease_delete(engine, lease, job, &told);
	job->is_untold = !told;
	if (job->n_awaited == 0)
		at_teps(engine, job, now_ms);
	return true;
}

/*
 * Whatever the TEP said: without a session it gets level later, and the binding ends by itself. A store that
 * cannot write does not keep a client from giving back: the range rests, and nobody gets it before that is written.
 */
void srv_release_stored(struct srv_engine *engine, struct srv_job *job, int error, int64_t now_ms)
{
	struct srv_lease *lease = job->lease;

	lease->job = NULL;
	srv_lease_db_set_due(engine->db, lease, job->rest_ms);
	if (error < 0) {
		srv_job_record(engine, job, SRV_RECORD_RELEASED, SRV_REASON_BY_CLIENT);
		srv_engine_ops_of(engine)->put(engine->params.arg, lease, job->rest_ms, NULL);
	}
	srv_job_log(engine, job, "released");
	srv_engine_count(engine, SRV_COUNT_LEASES_RELEASED);
	srv_job_succeed(engine, job, now_ms);
	srv_job_finish(engine, job, now_ms);
}
