// SPDX-License-Identifier: BSD-3-Clause
/* A new lease: stored as pending, created at a TEP, stored as active, answered or pushed. */
#include "server/engine_impl.h"

#include <errno.h>

/* Stores the lease as pending. False: out of memory, and there is no job any more. */
static bool begin_create(
	struct srv_engine *engine, struct srv_job *job, const struct srv_wish *wish, int64_t now_ms)
{
	struct srv_lease *lease = job->lease;

	job->wish = *wish;
	job->step = SRV_STEP_STORE_PENDING;
	lease->lease.end_ms = now_ms + (int64_t)wish->lifetime_s * 1000;
	if (srv_engine_ops_of(engine)->put(engine->params.arg, lease, lease->lease.end_ms, job))
		return true;
	srv_job_forget(engine, job);
	return false;
}

bool srv_job_create(struct srv_engine *engine, struct srv_session *session, struct srv_lease *lease,
	const struct srv_wish *wish, bool returned, int64_t now_ms)
{
	struct srv_job *job = srv_job_begin(engine, SRV_JOB_CREATE, session, lease);

	if (job == NULL)
		return false;
	job->returned = returned;
	return begin_create(engine, job, wish, now_ms);
}

bool srv_job_push(struct srv_engine *engine, struct srv_session *session, struct srv_lease *lease,
	const struct srv_wish *wish, int64_t now_ms)
{
	struct srv_job *job = srv_job_begin(engine, SRV_JOB_CREATE, NULL, lease);

	if (job == NULL)
		return false;
	job->is_pushed = true;
	job->pushed_to = session;
	session->pushing = job;
	return begin_create(engine, job, wish, now_ms);
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
	srv_job_fail(engine, job, status);
	srv_job_finish(engine, job, now_ms);
}

/* Nothing was written, so nothing is: while a disk is full, a thousand clients may try again every second. */
static void create_not_begun(struct srv_engine *engine, struct srv_job *job, int64_t now_ms)
{
	job->lease->job = NULL;
	srv_lease_unbegin(engine, job->lease, job->returned, now_ms);
	job->lease = NULL;
	srv_job_fail(engine, job, TSP_STATUS_BUSY);
	srv_job_finish(engine, job, now_ms);
}

/* Stored and at the TEP: the client hears of it, unless it has left. */
static void push_done(struct srv_engine *engine, struct srv_job *job, int64_t now_ms)
{
	struct srv_lease *lease = job->lease;
	struct tsp_msg msg = {
		.action = TSP_ACTION_CREATE,
		.has_lifetime = true,
		.lifetime_s = srv_lifetime_s(&lease->lease, now_ms),
		.server = srv_lease_server(engine, lease),
	};

	lease->job = NULL;
	if (job->pushed_to == NULL) {
		srv_engine_count(engine, SRV_COUNT_LEASES_UNDONE);
		srv_lease_end(engine, lease, SRV_REASON_NOT_ACCEPTED, now_ms);
		return srv_job_finish(engine, job, now_ms);
	}
	lease->unconfirmed = true;
	srv_lease_attach(lease, job->pushed_to);
	srv_lease_set_active_due(engine, lease, now_ms);
	srv_job_log(engine, job, "pushed");
	srv_engine_count(engine, SRV_COUNT_LEASES_PUSHED);
	tsp_party_from_lease(&msg.client, &lease->lease);
	srv_engine_send(engine, job->pushed_to, &msg);
	srv_job_finish(engine, job, now_ms);
}

static void create_done(struct srv_engine *engine, struct srv_job *job, int64_t now_ms)
{
	struct srv_lease *lease = job->lease;
	struct srv_session *session = job->session;
	bool is_single = session != NULL && session->is_single;

	if (job->is_pushed)
		return push_done(engine, job, now_ms);
	lease->job = NULL;
	lease->unconfirmed = session == NULL ||
			     (!is_single && session->generation == TSP_GENERATION_2);
	srv_lease_attach(lease, is_single ? NULL : session);
	srv_lease_set_active_due(engine, lease, now_ms);
	srv_job_log(engine, job, job->returned ? "created again" : "created");
	srv_engine_count(engine, SRV_COUNT_LEASES_CREATED);
	if (job->returned)
		srv_engine_count(engine, SRV_COUNT_LEASES_RETURNED);
	srv_job_succeed(engine, job, now_ms);
	srv_job_finish(engine, job, now_ms);
}

/* The TEP has failed: on to the next one, or the lease comes to nothing. */
static void create_failed_at_tep(
	struct srv_engine *engine, struct srv_job *job, enum srv_tep_result result, int64_t now_ms)
{
	uint32_t tep = srv_job_next_tep(engine, job);

	job->is_lost |= result == SRV_TEP_LOST;
	job->lease->lease.end_ms = job->asked.end_ms;
	if (tep == SRV_TEP_NONE)
		return create_fails(engine, job, TSP_STATUS_TEP_ERROR, job->is_lost, now_ms);
	if (result == SRV_TEP_LOST)
		srv_lease_leave_tep(engine, job->lease, srv_job_tep(job), job->asked.end_ms);
	srv_lease_set_tep(engine, job->lease, tep);
	srv_job_ask_tep(engine, job, tep, now_ms);
}

void srv_create_at_tep(
	struct srv_engine *engine, struct srv_job *job, enum srv_tep_result result, int64_t now_ms)
{
	if (result != SRV_TEP_DONE)
		return create_failed_at_tep(engine, job, result, now_ms);
	srv_lease_db_set_state(engine->db, job->lease, SRV_LEASE_ACTIVE);
	srv_job_ask_copies(engine, job, now_ms);
}

void srv_create_copied(struct srv_engine *engine, struct srv_job *job, int64_t now_ms)
{
	srv_job_record(engine, job, SRV_RECORD_ALLOCATED,
		job->is_pushed  ? SRV_REASON_PUSHED
		: job->returned ? SRV_REASON_RETURNED
				: SRV_REASON_REQUESTED);
	srv_job_store(engine, job, job->lease->lease.end_ms, now_ms);
}

void srv_create_stored(struct srv_engine *engine, struct srv_job *job, int error, int64_t now_ms)
{
	if (error < 0 && job->step == SRV_STEP_STORE_PENDING && error != -ECANCELED)
		create_not_begun(engine, job, now_ms);
	else if (error < 0)
		create_fails(engine, job, TSP_STATUS_BUSY, job->step == SRV_STEP_STORE, now_ms);
	else if (job->step == SRV_STEP_STORE_PENDING)
		srv_job_ask_tep(engine, job, job->lease->tep, now_ms);
	else
		create_done(engine, job, now_ms);
}
