// SPDX-License-Identifier: BSD-3-Clause
/*
 * The inside of the engine, shared by its parts: who asks (engine.c), what is asked (engine_request.c), what the
 * client has (engine_holdings.c), what is done about it step by step (engine_job.c), what a lease goes through (engine_lease.c), which TEP it goes
 * through (engine_tep.c), and who else holds it (engine_copies.c). Nobody else includes this.
 */
#pragma once

#include "server/engine.h"

struct srv_engine {
	struct srv_engine_params params;
	struct srv_lease_db *db;
	TAILQ_HEAD(, srv_job) jobs; /* under way */
	bool is_stopping; /* sessions that close now did not mean to */
	uint64_t resumed_id; /* the highest id from the store ... */
	int64_t resumed_ms; /* ... and when that was read */
	int64_t ticked_ms; /* the last time that is known */
};

#define SRV_TEP_TRIES_MAX 3 /* TEPs that are asked for one request */

enum srv_job_kind {
	SRV_JOB_CREATE,
	SRV_JOB_RENEW,
	SRV_JOB_MORE,
	SRV_JOB_RELEASE,
};

enum srv_job_step {
	SRV_STEP_STORE_PENDING, /* create: before the TEP hears of it */
	SRV_STEP_TEP, /* the home; of a release: all */
	SRV_STEP_COPIES, /* the other TEPs */
	SRV_STEP_STORE, /* then the answer */
};

struct srv_job {
	enum srv_job_kind kind;
	enum srv_job_step step;
	struct srv_lease *lease;
	struct srv_session *session; /* whose request it is; NULL: gone, or none's */
	struct srv_session
		*pushed_to; /* create: who did not ask for it; NULL: gone, or it is a request */
	bool is_pushed;
	struct srv_wish wish;
	uint32_t tried[SRV_TEP_TRIES_MAX]; /* the TEPs asked so far, the last one is being asked */
	uint32_t n_tried;
	struct lease asked; /* what the TEP was asked for: the lease, once it agrees */
	bool is_lost; /* create: one of the TEPs did not answer */
	bool is_refused; /* renewal: by the TEP that the lease goes through */
	uint64_t refused; /* TEPs that would not be its home */
	uint64_t copies_asked; /* TEPs whose answers about a copy have not come yet */
	uint32_t n_awaited; /* copies, release: answers of TEPs that have not come yet */
	bool is_untold; /* release: a TEP may not have heard of it */
	struct lease before; /* renewal, more: what to go back to ... */
	uint32_t tep_before; /* ... and the TEP that the lease went through */
	int64_t rest_ms; /* release: until when the range rests */
	bool returned; /* create: the lease was this client's before */
	TAILQ_HEAD(, srv_session) waiters; /* sessions with a request about the same lease */
	TAILQ_ENTRY(srv_job) of_engine;
};

static inline void srv_engine_count(const struct srv_engine *engine, enum srv_counter counter)
{
	engine->params.counters->n[counter]++;
}

/* --- engine.c: sessions --- */

/* Answers the request that the session is at with an error. */
void srv_engine_refuse(
	struct srv_engine *engine, struct srv_session *session, enum tsp_status status);
/* Sends the client on to the other servers, whatever room there is. */
void srv_engine_redirect(struct srv_engine *engine, struct srv_session *session);
/* Sends a message to the session, with lifetimes as its wire has them. */
void srv_engine_send(
	struct srv_engine *engine, struct srv_session *session, const struct tsp_msg *msg);
/* The request that the session is at has been answered: the next one. */
void srv_engine_next(struct srv_engine *engine, struct srv_session *session, int64_t now_ms);
/* The session looks at the request that it is at again. */
void srv_engine_retry(struct srv_engine *engine, struct srv_session *session, int64_t now_ms);

static inline const struct srv_engine_ops *srv_engine_ops_of(const struct srv_engine *engine)
{
	return engine->params.ops;
}

/* --- engine_request.c --- */

/* True: a job will answer the request. */
bool srv_engine_handle(struct srv_engine *engine, struct srv_session *session,
	const struct tsp_msg *msg, int64_t now_ms);

/* --- engine_holdings.c --- */

/* What a client has, as far as a request cares. */
struct srv_client_leases {
	struct srv_lease *current; /* this user's active lease */
	struct srv_lease *previous; /* the best that it had, resting or former, for the wish */
	struct srv_job *job; /* under way for one of this user's leases */
	struct srv_holdings held; /* active and pending, of all users at the address */
};

struct srv_client_leases srv_client_look_up(
	const struct srv_engine *engine, const char *user, const struct srv_wish *wish);
/* True when quotas leave room for a lease more (S25): the one that it had, or one of the size that it asks for. */
bool srv_client_has_room(const struct srv_engine *engine, const char *user,
	const struct srv_wish *wish, const struct srv_client_leases *has);

/* --- engine_job.c --- */

/* A job for the lease; session: whose request it is, or NULL. NULL: out of memory. */
struct srv_job *srv_job_begin(struct srv_engine *engine, enum srv_job_kind kind,
	struct srv_session *session, struct srv_lease *lease);
/* Nothing has come of it: lease and session are as they were. */
void srv_job_forget(struct srv_engine *engine, struct srv_job *job);
/* Frees the job, lets its session go on, and then those who waited for the lease. */
void srv_job_finish(struct srv_engine *engine, struct srv_job *job, int64_t now_ms);
/* The answer, if somebody waits for it. */
void srv_job_fail(struct srv_engine *engine, struct srv_job *job, enum tsp_status status);
void srv_job_succeed(struct srv_engine *engine, struct srv_job *job, int64_t now_ms);
void srv_job_log(const struct srv_engine *engine, const struct srv_job *job, const char *what);
void srv_job_record(struct srv_engine *engine, const struct srv_job *job,
	enum srv_record_event event, const char *reason);

/* Asks a TEP for the lease as it shall be, or the store to keep it; the job must not be used afterwards. */
void srv_job_ask_tep(struct srv_engine *engine, struct srv_job *job, uint32_t tep, int64_t now_ms);
void srv_job_store(
	struct srv_engine *engine, struct srv_job *job, int64_t until_ms, int64_t now_ms);
/* True while the TEP is asked to be the home of the lease: what it will say is not known. */
bool srv_job_is_asking(const struct srv_lease *lease, uint32_t tep);
/* The TEP that was asked last. */
uint32_t srv_job_tep(const struct srv_job *job);
/* That one has failed: another one, where the pool allows it; SRV_TEP_NONE. */
uint32_t srv_job_next_tep(const struct srv_engine *engine, const struct srv_job *job);

/*
 * What jobs begin with. Each returns false when there is no memory for a job; nothing has changed
 * then. What they go on with has the answer of TEP or store.
 */

/* All copies have been asked for, and all TEPs have answered. */
void srv_job_copied(struct srv_engine *engine, struct srv_job *job, int64_t now_ms);

/* --- engine_create.c --- */

bool srv_job_create(struct srv_engine *engine, struct srv_session *session, struct srv_lease *lease,
	const struct srv_wish *wish, bool returned, int64_t now_ms);
/* One that nobody asked for; the lease is the session's when it accepts it. */
bool srv_job_push(struct srv_engine *engine, struct srv_session *session, struct srv_lease *lease,
	const struct srv_wish *wish, int64_t now_ms);
void srv_create_at_tep(
	struct srv_engine *engine, struct srv_job *job, enum srv_tep_result result, int64_t now_ms);
void srv_create_copied(struct srv_engine *engine, struct srv_job *job, int64_t now_ms);
void srv_create_stored(struct srv_engine *engine, struct srv_job *job, int error, int64_t now_ms);

/* --- engine_renew.c --- */

bool srv_job_renew(struct srv_engine *engine, struct srv_session *session, struct srv_lease *lease,
	const struct srv_wish *wish, uint32_t tep, int64_t now_ms);
void srv_renewal_at_tep(
	struct srv_engine *engine, struct srv_job *job, enum srv_tep_result result, int64_t now_ms);
void srv_renewal_copied(struct srv_engine *engine, struct srv_job *job, int64_t now_ms);
void srv_renewal_stored(struct srv_engine *engine, struct srv_job *job, int error, int64_t now_ms);

/* --- engine_more.c --- */

/*
 * More ports of the lease's own address. False: there are none, or no TEP to ask or memory, and why says
 * which; nothing has changed then.
 */
bool srv_job_more(struct srv_engine *engine, struct srv_session *session, struct srv_lease *lease,
	const struct srv_wish *wish, enum tsp_status *why, int64_t now_ms);
void srv_more_at_tep(
	struct srv_engine *engine, struct srv_job *job, enum srv_tep_result result, int64_t now_ms);
void srv_more_copied(struct srv_engine *engine, struct srv_job *job, int64_t now_ms);
void srv_more_stored(struct srv_engine *engine, struct srv_job *job, int error, int64_t now_ms);

/* --- engine_release.c --- */

bool srv_job_release(struct srv_engine *engine, struct srv_session *session,
	struct srv_lease *lease, int64_t now_ms);
void srv_release_at_tep(struct srv_engine *engine, struct srv_job *job, uint32_t tep,
	enum srv_tep_result result, int64_t now_ms);
void srv_release_stored(struct srv_engine *engine, struct srv_job *job, int error, int64_t now_ms);

/* --- engine_tep.c --- */

/*
 * The best TEP of the pool for the client of the lease, of those that were not tried; where leases have copies,
 * one with the tunnel address that the client knows comes first. SRV_TEP_NONE: none serves it, or none is left.
 */
uint32_t srv_tep_choose(const struct srv_engine *engine, const struct srv_engine_pool *pool,
	const struct lease *lease, const uint32_t *tried, uint32_t n_tried);
/* The TEP to ask for a renewal: the lease's own as long as it can be, else another. */
uint32_t srv_tep_for_renewal(const struct srv_engine *engine, const struct srv_lease *lease);
/* The TEP of a lease from the store, by the name that stands there, or by the address. */
uint32_t srv_tep_of_record(const struct srv_engine *engine, const struct srv_engine_pool *pool,
	const struct srv_store_record *record);
bool srv_tep_is_down(const struct srv_engine *engine, uint32_t tep);
/* The lease goes through that TEP from now on; SRV_TEP_NONE: through none. */
void srv_lease_set_tep(struct srv_engine *engine, struct srv_lease *lease, uint32_t tep);
/* Deletes what may be installed at a TEP until until_ms; where it cannot be told, that is waited out. */
void srv_lease_leave_tep(
	struct srv_engine *engine, struct srv_lease *lease, uint32_t tep, int64_t until_ms);
/*
 * The lease goes through that TEP from now on; what the one before has until until_ms becomes a copy, or it is left as
 * above.
 */
void srv_lease_go_to_tep(
	struct srv_engine *engine, struct srv_lease *lease, uint32_t tep, int64_t until_ms);
/* Its range rests until then at least, when it has ended. */
void srv_lease_waits_for_stray(struct srv_lease *lease, int64_t until_ms);
/* Until when the range of a lease that ends now has to rest. told: all that may hold it got the delete. */
int64_t srv_lease_rest_until(
	const struct srv_engine *engine, struct srv_lease *lease, bool told, int64_t now_ms);
/* The other party of the lease: its TEP as it named itself. */
struct tsp_party srv_lease_server(const struct srv_engine *engine, const struct srv_lease *lease);

/* --- engine_copies.c --- */

bool srv_pool_has_copies(const struct srv_engine_pool *pool);
bool srv_pool_has_tep(const struct srv_engine_pool *pool, uint32_t tep);
/* The TEPs that are to have a copy of a lease which goes through the TEP that it goes through. */
uint64_t srv_copies_wanted(const struct srv_engine *engine, const struct srv_lease *lease);
/* The TEP was the home of the lease: it has a copy from now on, if the pool has any. */
void srv_lease_become_copy(const struct srv_engine *engine, struct srv_lease *lease, uint32_t tep);
/* These TEPs have no copy any more; what one may have until until_ms is deleted, or waited out. */
void srv_copies_leave(
	struct srv_engine *engine, struct srv_lease *lease, uint64_t teps, int64_t until_ms);
/* Asks the other TEPs for the lease as it is now; srv_job_copied follows, and the job must not be used afterwards. */
void srv_job_ask_copies(struct srv_engine *engine, struct srv_job *job, int64_t now_ms);
void srv_copy_answered(struct srv_engine *engine, struct srv_job *job, uint32_t tep,
	enum srv_tep_result result, int64_t now_ms);
/* Those with copies hear of the lease as it is now, and nobody waits. */
void srv_copies_retell(const struct srv_engine *engine, const struct srv_lease *lease);
/* True while a TEP that has not been level since the start may have what was leased before. */
bool srv_tep_may_know_old(const struct srv_engine *engine, uint32_t tep, int64_t now_ms);
/*
 * True when a TEP that has not been level since the start may have the lease, from the time before. Then its range is
 * nobody's yet.
 */
bool srv_lease_may_stand(
	const struct srv_engine *engine, const struct srv_lease *lease, int64_t now_ms);
/*
 * Deletes the lease at all TEPs that may have it. Returns how many will answer the job, if there is one; told: every
 * one that may have it hears of it.
 */
uint32_t srv_lease_delete(
	struct srv_engine *engine, struct srv_lease *lease, struct srv_job *job, bool *told);

/* --- engine_lease.c --- */

/* The pool that has the lease's range; one that serves nobody, without units, when none has. */
const struct srv_engine_pool *srv_lease_pool(
	const struct srv_engine *engine, const struct srv_lease *lease);
/* True when its pool may give the lease to who wishes: it serves the client, and with that kind of address. */
bool srv_lease_is_served(const struct srv_engine *engine, const struct srv_lease *lease,
	const struct srv_wish *wish);
/* Somebody else has the ranges now: whoever had them before is forgotten (S23). */
void srv_lease_forget_former(struct srv_engine *engine, const struct lease *lease);
/* How many units of the pool a wish is for. */
uint32_t srv_pool_units_wished(const struct srv_engine_pool *pool, const struct srv_wish *wish);
/* True when the pool may serve the wish: its kind of address, and its clients. */
bool srv_pool_serves(const struct srv_engine_pool *pool, const struct srv_wish *wish);

/*
 * A free range of the first pool with room, which stays free. Returns the TEP for it; SRV_TEP_NONE: there
 * is none.
 */
uint32_t srv_lease_find(const struct srv_engine *engine, const struct srv_wish *wish,
	struct lease *value, uint32_t *pool_number);
/* A pending lease from the first pool with room. NULL and why. */
struct srv_lease *srv_lease_new(struct srv_engine *engine, const struct srv_wish *wish,
	const char *user, enum tsp_status *why);
/* The TEP for a resting or former lease, if its client could have it again; SRV_TEP_NONE. */
uint32_t srv_lease_can_return(const struct srv_engine *engine, const struct srv_lease *lease);
/* A resting or former lease becomes pending again; false when its range is no longer free. */
bool srv_lease_return(struct srv_engine *engine, struct srv_lease *lease);

/* The session is told that the lease has ended, if it is one that is told (R78, R95). */
void srv_lease_tell_end(struct srv_engine *engine, const struct srv_lease *lease);
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

/*
 * What the pool gives may be more than was asked for: only now is it known whether its quota lets the client
 * have it (S25). held: what its address had before.
 */
bool srv_lease_is_too_much(const struct srv_engine *engine, const struct lease *lease,
	const char *user, const struct srv_holdings *held);
/* What had been taken for a create that the store refused: the range is free or, where it was returned, rests again. */
void srv_lease_unbegin(
	struct srv_engine *engine, struct srv_lease *lease, bool returned, int64_t now_ms);
/* When an active lease is due: at its end, or when it should have been accepted. */
void srv_lease_set_active_due(struct srv_engine *engine, struct srv_lease *lease, int64_t now_ms);
