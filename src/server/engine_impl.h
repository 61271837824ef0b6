// SPDX-License-Identifier: BSD-3-Clause
/*
 * The inside of the engine, shared by its three parts: what is asked (engine.c), what is done about it step
 * by step (engine_job.c), and what a lease goes through (engine_lease.c). Nobody else includes this.
 */
#pragma once

#include "server/engine.h"

struct srv_engine {
	struct srv_engine_params params;
	struct srv_lease_db *db;
	TAILQ_HEAD(, srv_job) jobs; /* under way */
};

enum srv_job_kind {
	SRV_JOB_CREATE,
	SRV_JOB_RENEW,
	SRV_JOB_RELEASE,
};

enum srv_job_step {
	SRV_STEP_STORE_PENDING, /* create: before the TEP hears of it */
	SRV_STEP_TEP,
	SRV_STEP_STORE, /* then the answer */
};

struct srv_job {
	enum srv_job_kind kind;
	enum srv_job_step step;
	struct srv_lease *lease;
	struct srv_session *session; /* NULL: it is gone */
	struct srv_wish wish;
	int64_t old_end_ms; /* renewal: the end to go back to */
	struct in6_addr old_tep_v6; /* renewal: to see whether the TEP's address is another now */
	bool returned; /* create: the lease was this client's before */
	TAILQ_HEAD(, srv_session) waiters; /* sessions with a request about the same lease */
	TAILQ_ENTRY(srv_job) of_engine;
};

static inline void srv_engine_count(struct srv_engine *engine, enum srv_counter counter)
{
	engine->params.counters->n[counter]++;
}

/* --- engine.c: sessions --- */

/* Answers the request that the session is at with an error. */
void srv_engine_refuse(
	struct srv_engine *engine, struct srv_session *session, enum tsp_status status);
/* The request that the session is at has been answered: the next one. */
void srv_engine_next(struct srv_engine *engine, struct srv_session *session, int64_t now_ms);
/* The session looks at the request that it is at again. */
void srv_engine_retry(struct srv_engine *engine, struct srv_session *session, int64_t now_ms);

/* --- engine_job.c --- */

/* Each returns false when there is no memory for a job; nothing has changed then. */
bool srv_job_create(struct srv_engine *engine, struct srv_session *session, struct srv_lease *lease,
	const struct srv_wish *wish, bool returned, int64_t now_ms);
bool srv_job_renew(struct srv_engine *engine, struct srv_session *session, struct srv_lease *lease,
	const struct srv_wish *wish, int64_t now_ms);
bool srv_job_release(struct srv_engine *engine, struct srv_session *session,
	struct srv_lease *lease, int64_t now_ms);

/* --- engine_lease.c --- */

const struct srv_engine_pool *srv_lease_pool(
	const struct srv_engine *engine, const struct srv_lease *lease);
/* True when the pool may serve the wish: its kind of address, and its clients. */
bool srv_pool_serves(const struct srv_engine_pool *pool, const struct srv_wish *wish);

/* A pending lease from the first pool with room. NULL and why. */
struct srv_lease *srv_lease_new(struct srv_engine *engine, const struct srv_wish *wish,
	const char *user, enum tsp_status *why);
/* A resting or former lease becomes pending again; false when its range is no longer free. */
bool srv_lease_return(struct srv_engine *engine, struct srv_lease *lease);

/* Says which session hears of the lease's end; NULL: none. */
void srv_lease_attach(struct srv_lease *lease, struct srv_session *session);
/* Into quarantine, in memory; the caller sees to TEP, store and due time. */
void srv_lease_rest(struct srv_engine *engine, struct srv_lease *lease);
/*
 * Into quarantine for good: also at the TEP and in the store, and the time runs. A lease that was ever
 * answered is recorded as ended, for that reason.
 */
void srv_lease_end(
	struct srv_engine *engine, struct srv_lease *lease, const char *reason, int64_t now_ms);
/* Out of memory and store, its range free: it never came into being. */
void srv_lease_drop(struct srv_engine *engine, struct srv_lease *lease);
/* When an active lease is due: at its end, or when it should have been accepted. */
void srv_lease_set_active_due(struct srv_engine *engine, struct srv_lease *lease, int64_t now_ms);
