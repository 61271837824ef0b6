// SPDX-License-Identifier: BSD-3-Clause
/*
 * One lease on several TEPs (R67, R72, S33).
 *
 * A lease has a home, the TEP whose answer decides what becomes of it, and copies at other TEPs of its pool, where
 * the pool wants them: at all of them (push), or at those that asked for it (query). A copy is the same binding,
 * with the tunnel address that the client was told. The home is asked first; when it has agreed, the copies are,
 * all at once, and the client is answered when all have answered. A copy that is refused or lost takes nothing
 * from the lease. A TEP without a session is not asked: its copy is on the list when it gets level.
 *
 * A bit in lease->copies says both that the TEP ought to have the lease and that it may have it. Whoever may have
 * it hears of its end; while one that may have it cannot be told, the range rests until its binding has ended by
 * itself, so that no two TEPs ever hold a range for two clients. What copies there were before the server was
 * started is not written down, nor what was asked last: a TEP may have any of its pool's older leases until it has
 * got level, or they must have ended.
 */
#include "server/engine_impl.h"

#include "common/log.h"

static uint64_t teps_of(const struct srv_engine_pool *pool)
{
	uint64_t teps = 0;

	for (uint32_t i = 0; i < pool->n_teps; i++)
		teps |= srv_tep_bit(pool->teps[i].tep);
	return teps;
}

bool srv_pool_has_tep(const struct srv_engine_pool *pool, uint32_t tep)
{
	for (uint32_t i = 0; i < pool->n_teps; i++) {
		if (pool->teps[i].tep == tep)
			return true;
	}
	return false;
}

bool srv_pool_has_copies(const struct srv_engine_pool *pool)
{
	return pool->pushes_copies || pool->answers_queries;
}

uint64_t srv_copies_wanted(const struct srv_engine *engine, const struct srv_lease *lease)
{
	const struct srv_engine_pool *pool = srv_lease_pool(engine, lease);
	uint64_t others = teps_of(pool) & ~srv_tep_bit(lease->tep);

	if (pool->pushes_copies)
		return others;
	return pool->answers_queries ? lease->copies & others : 0;
}

void srv_lease_become_copy(const struct srv_engine *engine, struct srv_lease *lease, uint32_t tep)
{
	const struct srv_engine_pool *pool = srv_lease_pool(engine, lease);

	if (tep != SRV_TEP_NONE && tep != lease->tep && srv_pool_has_copies(pool))
		srv_lease_db_set_copies(
			engine->db, lease, lease->copies | (srv_tep_bit(tep) & teps_of(pool)));
}

/* --- telling ------------------------------------------------------------------------------------- */

static void say(const struct srv_lease *lease, const struct srv_engine *engine, uint32_t tep,
	const char *what)
{
	char text[LEASE_STRLEN];

	log_info("lease %s: its copy at TEP %s was %s", lease_format(&lease->lease, text),
		engine->params.teps[tep].name, what);
}

/* Of what began after its session had ended a TEP has never heard. */
static bool may_hold(const struct srv_engine *engine, const struct srv_lease *lease, uint32_t tep)
{
	return !srv_tep_is_down(engine, tep) || lease->id <= engine->params.teps[tep].heard_id ||
	       lease->id <= engine->resumed_id;
}

void srv_copies_leave(
	struct srv_engine *engine, struct srv_lease *lease, uint64_t teps, int64_t until_ms)
{
	for (uint64_t left = lease->copies & teps; left != 0; left &= left - 1) {
		uint32_t tep = srv_tep_first(left);

		if (may_hold(engine, lease, tep))
			srv_lease_leave_tep(engine, lease, tep, until_ms);
		srv_lease_db_set_copies(engine->db, lease, lease->copies & ~srv_tep_bit(tep));
	}
}

/* A renewal may be for less time than was left. */
static int64_t longest_end(const struct srv_job *job)
{
	int64_t end_ms = job->lease->lease.end_ms;

	return job->before.end_ms > end_ms ? job->before.end_ms : end_ms;
}

/* A TEP that does not hear of the new end has the lease until the old one. */
static void may_keep(const struct srv_job *job)
{
	if (job->before.end_ms > job->lease->lease.end_ms)
		srv_lease_waits_for_stray(job->lease, job->before.end_ms);
}

bool srv_engine_is_copying(const struct srv_job *job)
{
	return job != NULL && job->step == SRV_STEP_COPIES;
}

static void answer_came(struct srv_engine *engine, struct srv_job *job, int64_t now_ms)
{
	if (--job->n_awaited == 0)
		srv_job_copied(engine, job, now_ms);
}

void srv_job_ask_copies(struct srv_engine *engine, struct srv_job *job, int64_t now_ms)
{
	struct srv_lease *lease = job->lease;
	uint64_t wanted = srv_copies_wanted(engine, lease) & ~job->refused;

	srv_copies_leave(engine, lease, ~wanted, longest_end(job));
	srv_lease_db_set_copies(engine->db, lease, wanted);
	job->step = SRV_STEP_COPIES;
	job->n_awaited = 1; /* ourselves, until all have been asked */
	for (; wanted != 0; wanted &= wanted - 1) {
		uint32_t tep = srv_tep_first(wanted);

		if (srv_tep_is_down(engine, tep)) {
			may_keep(job);
			continue;
		}
		srv_engine_count(engine, SRV_COUNT_COPIES);
		job->n_awaited++;
		job->copies_asked |= srv_tep_bit(tep);
		if (!srv_engine_ops_of(engine)->tep_create(
			    engine->params.arg, tep, &lease->lease, job))
			srv_copy_answered(engine, job, tep, SRV_TEP_LOST, now_ms);
	}
	answer_came(engine, job, now_ms);
}

/* One that refuses may still have what it agreed to before, or have taken the same from a list meanwhile. */
void srv_copy_answered(struct srv_engine *engine, struct srv_job *job, uint32_t tep,
	enum srv_tep_result result, int64_t now_ms)
{
	struct srv_lease *lease = job->lease;

	job->copies_asked &= ~srv_tep_bit(tep);
	if (result == SRV_TEP_LOST) {
		srv_engine_count(engine, SRV_COUNT_COPIES_LOST);
		say(lease, engine, tep, "not answered for");
		may_keep(job);
	} else if (result == SRV_TEP_REFUSED) {
		srv_engine_count(engine, SRV_COUNT_COPIES_REFUSED);
		say(lease, engine, tep, "refused");
		srv_copies_leave(engine, lease, srv_tep_bit(tep), longest_end(job));
	}
	answer_came(engine, job, now_ms);
}

void srv_copies_retell(const struct srv_engine *engine, const struct srv_lease *lease)
{
	for (uint64_t left = lease->copies; left != 0; left &= left - 1) {
		uint32_t tep = srv_tep_first(left);

		if (!srv_tep_is_down(engine, tep))
			srv_engine_ops_of(engine)->tep_create(
				engine->params.arg, tep, &lease->lease, NULL);
	}
}

/* --- ends ---------------------------------------------------------------------------------------- */

uint32_t srv_lease_delete(
	struct srv_engine *engine, struct srv_lease *lease, struct srv_job *job, bool *told)
{
	const struct srv_engine_ops *ops = engine->params.ops;
	bool all = lease->tep != SRV_TEP_NONE &&
		   ops->tep_delete(engine->params.arg, lease->tep, &lease->lease, job);
	uint32_t n = all;

	for (uint64_t left = lease->copies; left != 0; left &= left - 1) {
		uint32_t tep = srv_tep_first(left);
		bool has_heard = !may_hold(engine, lease, tep);

		if (!has_heard && ops->tep_delete(engine->params.arg, tep, &lease->lease, job)) {
			has_heard = job == NULL;
			n++;
		} else if (!has_heard) {
			all = false;
		}
		if (has_heard)
			srv_lease_db_set_copies(
				engine->db, lease, lease->copies & ~srv_tep_bit(tep));
	}
	*told = all;
	return n;
}

void srv_engine_delete_lost(
	struct srv_engine *engine, uint32_t tep, const struct lease *value, int64_t now_ms)
{
	struct srv_lease *lease = srv_lease_db_holder(
		engine->db, value->v4, value->ranges[0].first);

	if (lease == NULL || value->end_ms <= now_ms ||
		!addr_v6_equal(&lease->lease.client_v6, &value->client_v6) ||
		(srv_lease_pool(engine, lease)->n_teps < 2 && lease->copies == 0))
		return;
	srv_lease_waits_for_stray(lease, value->end_ms);
	if (lease->state != SRV_LEASE_RESTING)
		return;
	if (lease->job != NULL && lease->job->rest_ms < value->end_ms)
		lease->job->rest_ms = value->end_ms;
	if (lease->job == NULL && lease->due_ms < value->end_ms) {
		srv_lease_db_set_due(engine->db, lease, value->end_ms);
		engine->params.ops->put(engine->params.arg, lease, value->end_ms, NULL);
	}
}

static bool is_of_no_pool(const struct srv_engine *engine, uint32_t tep)
{
	for (uint32_t i = 0; i < engine->params.n_pools; i++) {
		if (srv_pool_has_tep(&engine->params.pools[i], tep))
			return false;
	}
	return true;
}

bool srv_tep_may_know_old(const struct srv_engine *engine, uint32_t tep, int64_t now_ms)
{
	const struct srv_engine_tep *known = &engine->params.teps[tep];

	return engine->resumed_id > 0 && !known->was_level && known->name[0] != '\0' &&
	       now_ms < engine->resumed_ms + (int64_t)engine->params.policy.lifetime_s * 1000;
}

/* A TEP of its pool; or one that a reload took from a pool, which may have been this one. */
bool srv_lease_may_stand(
	const struct srv_engine *engine, const struct srv_lease *lease, int64_t now_ms)
{
	const struct srv_engine_pool *pool = srv_lease_pool(engine, lease);

	for (uint32_t i = 0; lease->id <= engine->resumed_id && i < engine->params.n_teps; i++) {
		if (srv_tep_may_know_old(engine, i, now_ms) &&
			((pool->n_teps > 1 && srv_pool_has_tep(pool, i)) ||
				is_of_no_pool(engine, i)))
			return true;
	}
	return false;
}

/* --- TEPs ---------------------------------------------------------------------------------------- */

void srv_engine_tep_changed(struct srv_engine *engine, uint32_t tep, enum srv_tep_state state)
{
	struct srv_engine_tep *known = &engine->params.teps[tep];

	if (state == SRV_TEP_CONNECTED)
		known->was_level = true;
	else if (state == SRV_TEP_DOWN)
		known->heard_id = srv_lease_db_last_id(engine->db);
}

/* One that has been asked again since says in a moment what holds. */
void srv_engine_copy_refused(struct srv_engine *engine, uint32_t tep, const struct lease *value)
{
	struct srv_lease *lease = srv_lease_db_holder(
		engine->db, value->v4, value->ranges[0].first);

	if (lease == NULL || (lease->copies & srv_tep_bit(tep)) == 0 ||
		!addr_v6_equal(&lease->lease.client_v6, &value->client_v6) ||
		(lease->job != NULL && (lease->job->copies_asked & srv_tep_bit(tep)) != 0) ||
		srv_job_is_asking(lease, tep))
		return;
	srv_engine_count(engine, SRV_COUNT_COPIES_REFUSED);
	srv_copies_leave(engine, lease, srv_tep_bit(tep), value->end_ms);
}
