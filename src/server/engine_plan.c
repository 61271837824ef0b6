// SPDX-License-Identifier: BSD-3-Clause
/* Leases find their pools and TEPs: those from the store at the start, all of them after a reload. */
#include "server/engine_impl.h"

#include "common/log.h"

#include <errno.h>

/*
 * The pool that has the address. A lease of another kind than that pool's was made when the address was
 * another pool's: it holds what it touches until it ends, so that nobody else gets that.
 */
static uint16_t find_pool(const struct srv_engine *engine, const struct lease *lease)
{
	for (uint32_t i = 0; i < engine->params.n_pools; i++) {
		if (srv_pool_contains(engine->params.pools[i].pool, lease->v4))
			return i;
	}
	return SRV_POOL_NONE;
}

/* In the pool that has its address, the lease holds its range, resting or not. */
static void settle(struct srv_engine *engine, struct srv_lease *lease)
{
	struct srv_pool *pool;

	lease->pool = find_pool(engine, &lease->lease);
	if (lease->pool == SRV_POOL_NONE || lease->state == SRV_LEASE_FORMER)
		return;
	pool = srv_lease_pool(engine, lease)->pool;
	srv_pool_reserve(pool, &lease->lease);
	if (lease->state == SRV_LEASE_RESTING)
		srv_pool_rest(pool, &lease->lease);
}

/* Copies at TEPs that the pool has now. Returns those at which there was none of the lease. */
static uint64_t add_copies(struct srv_engine *engine, struct srv_lease *lease)
{
	uint64_t added = srv_copies_wanted(engine, lease) & ~lease->copies;

	if (lease->state != SRV_LEASE_ACTIVE || added == 0)
		return 0;
	srv_lease_db_set_copies(engine->db, lease, lease->copies | added);
	return added;
}

uint64_t srv_engine_set_plan(
	struct srv_engine *engine, const struct srv_engine_params *params, const uint16_t *pool_map)
{
	uint64_t gained = 0;
	uint32_t moved = 0;

	engine->params.teps = params->teps;
	engine->params.n_teps = params->n_teps;
	engine->params.pools = params->pools;
	engine->params.n_pools = params->n_pools;
	for (uint32_t slot = 0; slot < srv_lease_db_slots(engine->db); slot++) {
		struct srv_lease *lease = srv_lease_db_at(engine->db, slot);

		if (lease == NULL)
			continue;
		if (lease->pool != SRV_POOL_NONE && pool_map[lease->pool] != SRV_POOL_NONE) {
			lease->pool = pool_map[lease->pool];
		} else {
			settle(engine, lease);
			moved++;
		}
		gained |= add_copies(engine, lease);
	}
	if (moved > 0)
		log_info("pools: %u leases looked for their places anew, %u have none and live to "
			 "their ends",
			moved, srv_engine_homeless(engine));
	return gained;
}

uint32_t srv_engine_homeless(const struct srv_engine *engine)
{
	uint32_t n = 0;

	for (uint32_t slot = 0; slot < srv_lease_db_slots(engine->db); slot++) {
		const struct srv_lease *lease = srv_lease_db_at(engine->db, slot);

		n += lease != NULL && lease->pool == SRV_POOL_NONE &&
		     lease->state == SRV_LEASE_ACTIVE;
	}
	return n;
}

bool srv_engine_uses_tep(const struct srv_engine *engine, uint32_t tep)
{
	const struct srv_job *job;

	if (engine->params.teps[tep].n_leases > 0 ||
		srv_lease_db_count_at(engine->db, tep).kept > 0 ||
		srv_tep_may_know_old(engine, tep, engine->ticked_ms))
		return true;
	TAILQ_FOREACH(job, &engine->jobs, of_engine) {
		if (job->n_tried > 0 && srv_job_tep(job) == tep)
			return true;
		/* A move that is not stored yet: it may be taken back, and else the TEP has to hear of it. */
		if (job->kind == SRV_JOB_RENEW && job->tep_before == tep)
			return true;
	}
	return false;
}

/* --- leases from the store ----------------------------------------------------------------------- */

/*
 * A pending lease was never acknowledged, but its TEP may have installed it: it rests. So does one that
 * ended while nobody looked, for as long as it would have. Where there are several TEPs, one of them may have been asked
 * for a renewal just before the server stopped: what ended less than a lifetime ago waits for them, too
 * (srv_lease_may_stand).
 */
static enum srv_lease_state resumed_state(const struct srv_engine *engine, uint32_t n_teps,
	const struct srv_store_record *record, int64_t *until_ms, int64_t now_ms)
{
	int64_t quarantine_ms = (int64_t)engine->params.quarantine_s * 1000;
	int64_t lifetime_ms = (int64_t)engine->params.policy.lifetime_s * 1000;
	/* Should the clock have jumped: no longer than a binding that was left behind can live. */
	int64_t longest_ms = n_teps < 2 ? quarantine_ms : quarantine_ms + lifetime_ms;

	switch (record->state) {
	case SRV_LEASE_ACTIVE:
		if (*until_ms > now_ms)
			return SRV_LEASE_ACTIVE;
		*until_ms += quarantine_ms;
		break;
	case SRV_LEASE_PENDING:
		*until_ms = now_ms + quarantine_ms;
		break;
	default:
		if (*until_ms > now_ms + longest_ms)
			*until_ms = now_ms + longest_ms;
		break;
	}
	if (*until_ms > now_ms || (n_teps > 1 && *until_ms + lifetime_ms > now_ms))
		return SRV_LEASE_RESTING;
	return SRV_LEASE_FORMER;
}

int srv_engine_resume(struct srv_engine *engine, const struct srv_store_record *record,
	int64_t until_ms, int64_t now_ms)
{
	struct lease value = record->lease;
	uint16_t pool = find_pool(engine, &value);
	uint32_t n_teps = pool != SRV_POOL_NONE ? engine->params.pools[pool].n_teps
						: engine->params.n_teps;
	enum srv_lease_state state = resumed_state(engine, n_teps, record, &until_ms, now_ms);
	struct srv_lease *lease;

	value.end_ms = until_ms;
	value.stamp = (record->until_utc_ms + 999) / 1000;
	lease = srv_lease_db_add(
		engine->db, &value, state, record->user, SRV_POOL_NONE, record->id);
	if (lease == NULL)
		return -ENOMEM;
	settle(engine, lease);
	if (state == SRV_LEASE_FORMER)
		return 0;
	engine->resumed_id = srv_lease_db_last_id(engine->db);
	engine->resumed_ms = now_ms;
	srv_lease_set_tep(
		engine, lease, srv_tep_of_record(engine, srv_lease_pool(engine, lease), record));
	if (state == SRV_LEASE_ACTIVE)
		srv_lease_db_set_copies(engine->db, lease, srv_copies_wanted(engine, lease));
	srv_lease_db_set_due(engine->db, lease, until_ms);
	return 0;
}
