// SPDX-License-Identifier: BSD-3-Clause
/*
 * More ports for a lease, of the address that it has (R58): taken, stored, told to the TEP together with what it
 * had, stored with its new end, answered. The lease has the new ranges from the first step on, so that
 * nobody else gets them; whatever fails takes them from it again, and it goes on as it was.
 *
 * Besides those with copies only the lease's own TEP is asked: one that fails is a matter for a renewal.
 */
#include "server/engine_impl.h"

#include "common/log.h"

/* The lease with other ranges; it may move. NULL: out of memory. */
static struct srv_lease *set_ranges(
	struct srv_engine *engine, struct srv_lease *lease, const struct lease *value)
{
	struct srv_session *session = lease->session;
	struct srv_job *job = lease->job;
	struct srv_lease *now;

	srv_lease_attach(lease, NULL);
	now = srv_lease_db_set_ranges(engine->db, lease, value);
	if (now != NULL && job != NULL)
		job->lease = now;
	srv_lease_attach(now != NULL ? now : lease, session);
	return now;
}

/* Units of the lease's address besides those that it has; by a plan (RFC 7422) there are none. */
static bool take_more(const struct srv_engine_pool *pool, const struct srv_lease *lease,
	const struct srv_wish *wish, struct lease *extra)
{
	uint32_t n_units = srv_pool_units_for(pool->pool, wish->ports);

	*extra = lease->lease;
	return !pool->is_deterministic && lease->lease.n_ranges + n_units <= LEASE_RANGES_MAX &&
	       srv_pool_take_at(pool->pool, lease->lease.v4, n_units, extra) == 0;
}

static struct lease join(const struct lease *a, const struct lease *b)
{
	struct lease both = *a;

	for (uint32_t i = 0; i < b->n_ranges; i++)
		both.ranges[both.n_ranges++] = b->ranges[i];
	return both;
}

/* The job has the lease with all its ranges. False: out of memory. */
static bool begin(struct srv_engine *engine, struct srv_session *session, struct srv_lease *lease,
	const struct srv_wish *wish, const struct lease *extra)
{
	const struct lease before = lease->lease, both = join(&before, extra);
	struct srv_job *job = srv_job_begin(engine, SRV_JOB_MORE, session, lease);

	if (job == NULL)
		return false;
	job->wish = *wish;
	job->before = before;
	job->step = SRV_STEP_STORE_PENDING;
	if (set_ranges(engine, lease, &both) != NULL) {
		if (srv_engine_ops_of(engine)->put(
			    engine->params.arg, job->lease, before.end_ms, job)) {
			srv_lease_db_set_due(engine->db, job->lease, SRV_LEASE_NEVER);
			return true;
		}
		set_ranges(engine, job->lease, &before);
	}
	srv_job_forget(engine, job);
	return false;
}

bool srv_job_more(struct srv_engine *engine, struct srv_session *session, struct srv_lease *lease,
	const struct srv_wish *wish, enum tsp_status *why, int64_t now_ms)
{
	const struct srv_engine_pool *pool = srv_lease_pool(engine, lease);
	struct lease extra;

	*why = TSP_STATUS_POOL_EXHAUSTED;
	if (!take_more(pool, lease, wish, &extra))
		return false;
	srv_lease_forget_former(engine, &extra);
	if (begin(engine, session, lease, wish, &extra))
		return true;
	srv_pool_give(pool->pool, &extra);
	*why = TSP_STATUS_BUSY;
	return false;
}

/* --- taking it back ------------------------------------------------------------------------------ */

/* What the TEP may have of the ranges that came to nothing rests, as a lease of its own. */
static void rest_extra(struct srv_engine *engine, const struct srv_lease *lease,
	const struct lease *extra, uint64_t copies, int64_t now_ms)
{
	struct srv_lease *resting = srv_lease_db_add(
		engine->db, extra, SRV_LEASE_PENDING, lease->user, lease->pool, 0);

	if (resting == NULL)
		return log_err("lease: out of memory, ranges are lost until a restart");
	srv_lease_set_tep(engine, resting, lease->tep);
	srv_lease_db_set_copies(engine->db, resting, copies);
	/* It is younger than what TEPs were told of it. */
	for (; copies != 0; copies &= copies - 1) {
		if (srv_tep_is_down(engine, srv_tep_first(copies)))
			srv_lease_waits_for_stray(resting, extra->end_ms);
	}
	srv_lease_end(engine, resting, SRV_REASON_NOT_STORED, now_ms);
}

/* The TEPs may have its other ranges until another end, sooner or later: they hear of the one that it has. */
static void retell(struct srv_engine *engine, struct srv_lease *lease, const struct srv_job *job)
{
	if (lease->tep != SRV_TEP_NONE)
		srv_engine_ops_of(engine)->tep_create(
			engine->params.arg, lease->tep, &lease->lease, NULL);
	if (job->step == SRV_STEP_STORE)
		srv_copies_retell(engine, lease);
	if (srv_lease_pool(engine, lease)->n_teps > 1 || lease->copies != 0)
		srv_lease_waits_for_stray(lease, job->asked.end_ms);
}

static void fails(struct srv_engine *engine, struct srv_job *job, enum tsp_status status,
	bool maybe_installed, int64_t now_ms)
{
	const struct srv_engine_ops *ops = srv_engine_ops_of(engine);
	uint64_t copies = job->step == SRV_STEP_STORE ? job->lease->copies : 0;
	struct lease extra = job->asked;
	struct srv_lease *lease;

	if (job->n_tried == 0)
		extra = job->lease->lease;
	extra.n_ranges -= job->before.n_ranges;
	for (uint32_t i = 0; i < extra.n_ranges; i++)
		extra.ranges[i] = extra.ranges[job->before.n_ranges + i];
	lease = set_ranges(engine, job->lease, &job->before);
	srv_lease_db_set_value(engine->db, lease, &job->before);
	lease->job = NULL;
	ops->together(engine->params.arg, true);
	if (maybe_installed) {
		rest_extra(engine, lease, &extra, copies, now_ms);
		retell(engine, lease, job);
	} else if (lease->pool != SRV_POOL_NONE) {
		srv_pool_give(srv_lease_pool(engine, lease)->pool, &extra);
	}
	srv_lease_set_active_due(engine, lease, now_ms);
	ops->put(engine->params.arg, lease, lease->lease.end_ms, NULL);
	ops->together(engine->params.arg, false);
	srv_job_fail(engine, job, status);
	srv_job_finish(engine, job, now_ms);
}

/* --- going on ------------------------------------------------------------------------------------ */

/* One that refuses may have taken the same from a list meanwhile; where others may get the ranges, they rest. */
void srv_more_at_tep(
	struct srv_engine *engine, struct srv_job *job, enum srv_tep_result result, int64_t now_ms)
{
	if (result != SRV_TEP_DONE)
		return fails(engine, job, TSP_STATUS_TEP_ERROR,
			result == SRV_TEP_LOST || srv_lease_pool(engine, job->lease)->n_teps > 1,
			now_ms);
	srv_job_ask_copies(engine, job, now_ms);
}

void srv_more_copied(struct srv_engine *engine, struct srv_job *job, int64_t now_ms)
{
	srv_job_record(engine, job, SRV_RECORD_CHANGED, SRV_REASON_MORE_PORTS);
	srv_job_store(engine, job, job->lease->lease.end_ms, now_ms);
}

static void done(struct srv_engine *engine, struct srv_job *job, int64_t now_ms)
{
	struct srv_lease *lease = job->lease;

	lease->job = NULL;
	srv_lease_set_active_due(engine, lease, now_ms);
	srv_job_log(engine, job, "has more ports");
	srv_engine_count(engine, SRV_COUNT_LEASES_GROWN);
	srv_job_succeed(engine, job, now_ms);
	srv_job_finish(engine, job, now_ms);
}

void srv_more_stored(struct srv_engine *engine, struct srv_job *job, int error, int64_t now_ms)
{
	if (error < 0)
		fails(engine, job, TSP_STATUS_BUSY, job->step == SRV_STEP_STORE, now_ms);
	else if (job->step == SRV_STEP_STORE_PENDING && job->lease->tep == SRV_TEP_NONE)
		fails(engine, job, TSP_STATUS_TEP_ERROR, false, now_ms);
	else if (job->step == SRV_STEP_STORE_PENDING)
		srv_job_ask_tep(engine, job, job->lease->tep, now_ms);
	else
		done(engine, job, now_ms);
}
