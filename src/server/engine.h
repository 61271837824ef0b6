// SPDX-License-Identifier: BSD-3-Clause
/*
 * The engine: all that happens to a lease, in one place, without sockets, files or clocks.
 *
 * Events come in as calls (a message, a store's or a TEP's answer, a session's end, time); actions go
 * out through struct srv_engine_ops. What takes several steps is a job, one at a time for a lease:
 *
 *	create	range taken -> stored as pending -> created at the TEP -> stored as active -> answered
 *	renewal	created again at the TEP with the new end -> stored -> answered
 *	release	deleted at the TEP -> stored as resting -> answered
 *
 * The TEP comes before the client (R85), and what a client is told is durable and is what the TEP said
 * (R89, R90). Spec 004 sends nothing to the TEP on a renewal (R93); ours holds the end of each binding
 * itself (S1), so the new end has to reach it before the client may count on it.
 *
 * A lease goes through one TEP, of those that its pool names. One that fails may be replaced: a create goes
 * on with another, a renewal moves the lease (engine_tep.c). Others may hold copies of it (engine_copies.c). A
 * binding that may have been left behind at one that does not know of the end is waited out, so that no two TEPs
 * ever hold a range for two clients.
 *
 * A session's requests are worked on one after the other, so its answers keep their order. A
 * request about a lease with a job waits for that job, from whichever session: a repeated create is
 * answered from the one lease.
 *
 * One thread. Times are clock_boot_ms(). Actions never call back into the engine.
 */
#pragma once

#include "server/counters.h"
#include "server/deterministic.h"
#include "server/lease_db.h"
#include "server/pool_level.h"
#include "server/quota.h"
#include "server/record.h"
#include "server/request.h"
#include "server/store.h"
#include "tsp/tsp_msg.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define SRV_TICK_LEASES          128 /* ended in one go: a millisecond or two */
#define SRV_SESSION_REQUESTS_MAX 64 /* requests of one session, the first of which is worked on */
#define SRV_SESSION_WAITING_MAX  128 /* and what needs no answer in between */

struct srv_engine;
struct srv_job;
struct srv_waiting;

/*
 * Somebody who asks, as the engine sees him; his front end owns it: a connection of TSP, or, where a protocol has
 * none, one request and its answer.
 */
struct srv_session {
	/* How its front end sends; never called once the session is closed. */
	void (*answer)(struct srv_session *session, const struct tsp_msg *msg);
	bool is_single; /* the answer is the last word: nothing is accepted, pushed or told later */
	struct in6_addr peer;
	enum tsp_generation generation;
	uint32_t
		lifetime_unit_s; /* what a lifetime counts on its wire: 60 for minutes; 0: seconds */
	char user[SRV_USER_SIZE]; /* "" for ANONYMOUS */

	/* the engine's own, zero at the start */
	struct in6_addr client_v6; /* the tunnel end that it last spoke of */
	bool busy; /* the first of waiting is being worked on */
	uint32_t n_waiting;
	STAILQ_HEAD(, srv_waiting) waiting;
	LIST_HEAD(, srv_lease) leases; /* who hears of their end, or has to accept them */
	struct srv_job *job; /* that works on its request */
	struct srv_job *pushing; /* that makes a lease which it did not ask for */
	struct srv_job *awaited; /* the job that it waits for, of somebody else */
	TAILQ_ENTRY(srv_session) of_job;
};

/* A TEP that a pool's leases may go through. */
struct srv_pool_tep {
	uint32_t tep; /* number in teps */
	const struct addr_v6_prefix *clients; /* whom it serves (R37) */
	uint32_t n_clients; /* 0: all of the pool's */
};

struct srv_engine_pool {
	struct srv_pool *pool;
	uint32_t blocks_per_lease; /* for who asks for no number of ports; 0: one */
	bool is_deterministic; /* plan says who gets what; else it is by lot */
	struct srv_deterministic plan;
	enum srv_pool_level level; /* how full it was said to be */
	const char *name;
	const struct srv_pool_tep *teps;
	uint32_t n_teps;
	bool another_tep; /* when one fails, another is asked; else the client is refused */
	bool pushes_copies; /* all of teps hold its leases */
	bool answers_queries; /* those of teps that ask for a lease hold it, too */
	bool is_direct; /* its clients may ask about each other (R16) */
	struct addr_v4_prefix prefix; /* what they are told that they may ask about */
	const struct addr_v6_prefix *clients; /* who may lease from it */
	uint32_t n_clients;
};

/* Questions of a TEP who holds a port; each is one of the three besides. */
struct srv_tep_queries {
	uint64_t asked;
	uint64_t answered;
	uint64_t unknown; /* nobody holds it, or the TEP may not know */
	uint64_t refused; /* too many within a second */
};

struct srv_engine_tep {
	const char *name;
	struct in6_addr v6; /* tunnel address to ask for */

	/* the engine's own, zero at the start */
	bool has_v4; /* from the TEP's answers */
	uint32_t v4;
	uint32_t n_leases; /* pending, active and resting ones that go through it */
	bool was_level; /* at least once: what it has is what it was told */
	uint64_t heard_id; /* when its session ended, no lease had a higher id */
	int64_t query_due_us; /* when all that it asked so far would be within the rate */
	struct srv_tep_queries queries;
};

/* The session with a TEP; a later state is the better one. */
enum srv_tep_state {
	SRV_TEP_DOWN,
	SRV_TEP_SYNCING, /* the list is on its way */
	SRV_TEP_CONNECTED, /* level */
};

/* Why a lease began, changed or ended: words of the records. */
#define SRV_REASON_REQUESTED    "requested"
#define SRV_REASON_RETURNED     "returned" /* the client had it before */
#define SRV_REASON_RENEWED      "renewed"
#define SRV_REASON_MORE_PORTS   "more-ports"
#define SRV_REASON_TEP_CHANGED  "tep-changed"
#define SRV_REASON_BY_CLIENT    "released-by-client"
#define SRV_REASON_EXPIRED      "expired"
#define SRV_REASON_REJECTED     "rejected-by-client"
#define SRV_REASON_NOT_ACCEPTED "not-accepted"
#define SRV_REASON_OPERATOR     "revoked-by-operator"
#define SRV_REASON_PUSHED       "pushed-by-operator"
#define SRV_REASON_POLICY       "revoked-by-policy"
#define SRV_REASON_TEP_REFUSED  "refused-by-tep"
#define SRV_REASON_NOT_STORED   "not-stored"
#define SRV_REASON_RECOVERED    "recovered" /* found missing at a start */

/* When a client is sent to other servers, instead of just being refused (R108). */
enum srv_redirect {
	SRV_REDIRECT_NEVER,
	SRV_REDIRECT_EXHAUSTED, /* no pool has room for it */
	SRV_REDIRECT_ALWAYS, /* that, and it has no lease here yet */
};

/* Where a client finds more ports when it asks for them (R58). */
enum srv_more_ports {
	SRV_MORE_PORTS_NEVER,
	SRV_MORE_PORTS_SAME_ADDRESS,
	SRV_MORE_PORTS_ANOTHER_ADDRESS, /* where its own has none left: a lease of its own */
};

enum srv_tep_result {
	SRV_TEP_DONE,
	SRV_TEP_REFUSED, /* it answered with an error: nothing was installed */
	SRV_TEP_LOST, /* no answer: it may have installed the binding or not */
};

struct srv_engine_ops {
	void (*answer)(void *arg, struct srv_session *session, const struct tsp_msg *msg);
	/*
	 * With a job, srv_engine_stored follows; without one nobody waits. until_ms: boot clock. False: out
	 * of memory, and nothing follows.
	 */
	bool (*put)(
		void *arg, const struct srv_lease *lease, int64_t until_ms, struct srv_job *job);
	void (*remove)(void *arg, uint64_t id);
	/* What is put between a true and a false is durable as a whole or not at all. */
	void (*together)(void *arg, bool on);
	/* A record of what the put that comes next makes durable. reason: a constant; SRV_REASON_... */
	void (*record)(void *arg, const struct srv_lease *lease, enum srv_record_event event,
		const char *reason);
	/* A request was refused for a quota; user: whose, "" for ANONYMOUS. */
	void (*over_quota)(void *arg, const struct in6_addr *client_v6, const char *user);
	/* The stamp of an end: the UTC second in which put will write it down. */
	uint32_t (*stamp)(void *arg, int64_t end_ms);
	enum srv_tep_state (*tep_state)(void *arg, uint32_t tep);
	/* srv_engine_tep_answered follows. False: out of memory, and nothing follows. */
	bool (*tep_create)(void *arg, uint32_t tep, const struct lease *lease, struct srv_job *job);
	/* False: it was not told, and nothing follows. Without a job nothing follows anyway. */
	bool (*tep_delete)(void *arg, uint32_t tep, const struct lease *lease, struct srv_job *job);
};

struct srv_engine_params {
	struct srv_policy policy;
	uint32_t quarantine_s;
	struct srv_quota *quota; /* borrowed */
	enum srv_more_ports more_ports;
	enum srv_redirect redirect;
	const struct in6_addr *brokers; /* borrowed; the other servers */
	uint32_t n_brokers; /* up to TSP_BROKERS_MAX */
	uint32_t confirm_s; /* how long a generation 2 client may take to accept */
	uint32_t tep_queries_per_s; /* of one TEP; 0: no limit */
	const struct srv_engine_pool *pools; /* borrowed, tried in this order */
	uint32_t n_pools;
	struct srv_engine_tep *teps; /* borrowed */
	uint32_t n_teps;
	const struct srv_engine_ops *ops;
	void *arg;
	struct srv_counters *counters;
};

/* NULL + errno. */
struct srv_engine *srv_engine_create(const struct srv_engine_params *params);
/* Ends no leases; sessions and jobs under way are forgotten. */
void srv_engine_destroy(struct srv_engine *engine);
/* Tells the quota of every lease that is held, after srv_quota_set_limits has asked for it. */
void srv_engine_count_holdings(struct srv_engine *engine);
/* After a reload: policy, quarantine, quota and redirection of params; the rest is not looked at. */
void srv_engine_set_limits(struct srv_engine *engine, const struct srv_engine_params *params);

/*
 * After a reload: other pools and TEPs. pool_map[number before] is a pool's number now, or SRV_POOL_NONE: its
 * leases go to the pool that has their address now, if any. TEPs keep their numbers. Returns the bits of those that
 * have to get level again, because leases have copies there that had none.
 */
uint64_t srv_engine_set_plan(struct srv_engine *engine, const struct srv_engine_params *params,
	const uint16_t *pool_map);
/* Active leases whose address is no pool's. */
uint32_t srv_engine_homeless(const struct srv_engine *engine);
/* True while a lease goes through the TEP or has a copy there, or a request is on its way to it. */
bool srv_engine_uses_tep(const struct srv_engine *engine, uint32_t tep);

/* Takes up a lease from the store, which ends (or rests) until until_ms. Returns 0 or -ENOMEM. */
int srv_engine_resume(struct srv_engine *engine, const struct srv_store_record *record,
	int64_t until_ms, int64_t now_ms);

void srv_session_init(struct srv_session *session);
void srv_engine_message(struct srv_engine *engine, struct srv_session *session,
	const struct tsp_msg *msg, int64_t now_ms);
/*
 * What a create of the session would give now. OK: lease; it is nobody's before it is asked for, with this range as its
 * hint. Else what the create would be refused with, and lease means nothing. Nothing changes, nobody is told.
 */
enum tsp_status srv_engine_offer(const struct srv_engine *engine, const struct srv_session *session,
	const struct tsp_msg *create, int64_t now_ms, struct lease *lease);
/* A pool of port ranges serves the client. */
bool srv_engine_shares(const struct srv_engine *engine, const struct in6_addr *client_v6);
/* The address is one of a pool's. */
bool srv_engine_has_address(const struct srv_engine *engine, uint32_t v4);
/*
 * The program ends, and with it all sessions: a client whose accept is still on its way keeps its lease.
 */
void srv_engine_stop(struct srv_engine *engine);
/* The session must not be used afterwards. */
void srv_engine_session_closed(
	struct srv_engine *engine, struct srv_session *session, int64_t now_ms);

void srv_engine_stored(struct srv_engine *engine, struct srv_job *job, int error, int64_t now_ms);
/* answer: the info of that TEP when DONE, else NULL. */
void srv_engine_tep_answered(struct srv_engine *engine, struct srv_job *job, uint32_t tep,
	enum srv_tep_result result, const struct tsp_msg *answer, int64_t now_ms);
/* True when what the job asks TEPs for are copies; NULL is no job. */
bool srv_engine_is_copying(const struct srv_job *job);
/* A TEP's session has ended (DOWN), or it has become level (CONNECTED). */
void srv_engine_tep_changed(struct srv_engine *engine, uint32_t tep, enum srv_tep_state state);
/* A delete that nobody waits for, and that the TEP may not have heard. */
void srv_engine_delete_lost(
	struct srv_engine *engine, uint32_t tep, const struct lease *lease, int64_t now_ms);
/* A create that nobody waits for, or a lease of the list, that the TEP will not have. */
void srv_engine_copy_refused(struct srv_engine *engine, uint32_t tep, const struct lease *lease);

/* When srv_engine_tick has to be called next; SRV_LEASE_NEVER. */
int64_t srv_engine_next_ms(const struct srv_engine *engine);
/* Ends what is due, at most SRV_TICK_LEASES; the others are due still. */
void srv_engine_tick(struct srv_engine *engine, int64_t now_ms);

/*
 * A TEP asks who holds an address and port (R72 to R74, D2). answer: the binding, of which the TEP has a copy from
 * then on; UNAVAILABLE: nobody, or a pool whose leases are not for that TEP; BUSY: it asks too fast.
 */
void srv_engine_query(struct srv_engine *engine, uint32_t tep, const struct tsp_msg *query,
	int64_t now_ms, struct tsp_msg *answer);

/*
 * A client asks the same, to send to the holder directly (R16). Only who holds a lease of a pool that allows it
 * hears of others, and only of such as ask themselves; then its own leases may be asked about, too.
 */
void srv_engine_query_by_client(const struct srv_engine *engine, const struct srv_session *session,
	const struct tsp_msg *query, int64_t now_ms, struct tsp_msg *answer);

/* For those who show or announce leases. */
const struct srv_lease_db *srv_engine_leases(const struct srv_engine *engine);

/*
 * Unsolicited, at the operator's word (R32): a lease for a generation 1 session, which is sent to it as a create;
 * its answer is its acceptance, and none in confirm_s undoes the lease. Returns 0: begun; -EBUSY: not while
 * it has a lease or a request under way; -EDQUOT: over its quota; -ENOSPC: no pool has room; -ENOMEM.
 */
int srv_engine_push_create(struct srv_engine *engine, struct srv_session *session,
	const struct srv_wish *wish, int64_t now_ms);
/*
 * Ends the active leases of a client, of any user; v4: only those of that address, 0: all. Those with a request under
 * way stay. Returns how many ended.
 */
uint32_t srv_engine_push_delete(
	struct srv_engine *engine, const struct in6_addr *client_v6, uint32_t v4, int64_t now_ms);

/* The names of what a lease is from and goes through, for those who read them; "" for none. */
const char *srv_engine_pool_name(const struct srv_engine *engine, const struct srv_lease *lease);
const char *srv_engine_tep_name(const struct srv_engine *engine, const struct srv_lease *lease);

/*
 * What a list for a TEP that is to hold the lease says of it: what that TEP is being asked for at the moment, if it
 * is, so that the list does not take a renewal back.
 */
const struct lease *srv_engine_announced(const struct srv_lease *lease, uint32_t tep);

/*
 * Calls visit for each lease about which TEPs may know more or less than we do, because something is being done with
 * it, or because it ends about now, which they notice themselves.
 */
void srv_engine_visit_unsettled(const struct srv_engine *engine, int64_t now_ms,
	void (*visit)(void *arg, const struct srv_lease *lease), void *arg);

/* Seconds to the end of a lease, begun ones counted: what clients and TEPs are told. */
uint32_t srv_lifetime_s(const struct lease *lease, int64_t now_ms);
