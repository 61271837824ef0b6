// SPDX-License-Identifier: BSD-3-Clause
/* A release: deleted at the TEP, stored as resting, answered. */
#include "server/engine_impl.h"

void srv_release_at_tep(struct srv_engine *engine, struct srv_job *job, bool told, int64_t now_ms)
{
	srv_job_record(engine, job, SRV_RECORD_RELEASED, SRV_REASON_BY_CLIENT);
	job->rest_ms = srv_lease_rest_until(engine, job->lease, told, now_ms);
	srv_job_store(engine, job, job->rest_ms, now_ms);
}

bool srv_job_release(struct srv_engine *engine, struct srv_session *session,
	struct srv_lease *lease, int64_t now_ms)
{
	struct srv_job *job = srv_job_begin(engine, SRV_JOB_RELEASE, session, lease);

	if (job == NULL)
		return false;
	job->step = SRV_STEP_TEP;
	srv_lease_rest(engine, lease);
	if (lease->tep == SRV_TEP_NONE || !srv_engine_ops_of(engine)->tep_delete(engine->params.arg,
						  lease->tep, &lease->lease, job))
		srv_release_at_tep(engine, job, false, now_ms);
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
