// SPDX-License-Identifier: BSD-3-Clause
/*
 * The lease engine: when to ask for IPv4, when to renew it, when to give it up.
 *
 * A pure state machine: events in, actions out, time is an argument; no socket, no clock, no
 * memory. The caller carries out the actions of a step in their order and calls the next step with
 * what came of them. Two things are kept apart: the state (below) and whether a connection to the
 * server is open; a generation 1 session may stay open for the life of the lease (R102), a
 * generation 2 connection serves one request.
 *
 *	STOPPED --start--> CONNECTING --ready--> REQUESTING --info--> CONFIGURING
 *	CONFIGURING --configured--> BOUND --half the lifetime--> RENEWING --info--> BOUND
 *	any failure without a lease --> the next server; behind the last: BACKOFF --timer--> CONNECTING
 *	a failed renewal --> BOUND, tried again until the lease ends
 *	stop, with a lease --> RELEASING --answer or timer--> STOPPED
 *	start, on demand --> IDLE --demand--> CONNECTING; unused --> RELEASING --> IDLE
 *
 * A lease is renewed at the server that gave it; in the last eighth of its life any server of the
 * list will do. Whom an answer sends to other servers asks these next, a few times over, and then
 * goes on with the list.
 *
 * Invariants: outside STOPPED and IDLE the engine waits for a deadline; a lease is held exactly in
 * CONFIGURING, BOUND, RENEWING and RELEASING (there it may have ended, R52); the host is configured only with a lease that is
 * held, and no longer than to its end (R51).
 */
#pragma once

#include "tsp/tsp_conn.h"
#include "tsp/tsp_msg.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define CL_CONNECT_TIMEOUT_MS 35000 /* to connect and to authenticate */
#define CL_ANSWER_TIMEOUT_MS  15000 /* to be answered */
#define CL_RELEASE_TIMEOUT_MS 3000 /* to release, all in all */
#define CL_MORE_WAIT_MS       60000 /* before more ports are asked for again; doubles */
#define CL_MORE_WAIT_MAX_MS   3600000
#define CL_SUSPECT_MAX_MS     600000 /* between two questions for a silent tunnel */
#define CL_REDIRECTS_MAX      3 /* one behind the other */
#define CL_NO_SERVER          UINT32_MAX
#define CL_NEVER              INT64_MAX

enum cl_state {
	CL_STATE_STOPPED,
	CL_STATE_IDLE, /* on demand: no lease, and nobody wants one */
	CL_STATE_BACKOFF, /* waits before it connects again */
	CL_STATE_CONNECTING,
	CL_STATE_REQUESTING, /* the create is sent */
	CL_STATE_CONFIGURING, /* the host is being set up for the lease */
	CL_STATE_BOUND,
	CL_STATE_RENEWING, /* the lease stands while the server is asked to extend it */
	CL_STATE_RELEASING, /* the host is bare again, the server is told */
};

enum cl_event_type {
	CL_EVENT_START,
	CL_EVENT_STOP, /* release what is held and end */
	CL_EVENT_TIMER, /* cl_engine_deadline() has come; early calls do nothing */
	CL_EVENT_READY, /* the connection is authenticated */
	CL_EVENT_MESSAGE,
	CL_EVENT_CLOSED, /* the connection ended, or never began */
	CL_EVENT_CONFIGURED, /* the action CONFIGURE succeeded */
	CL_EVENT_FAILED, /* the action CONFIGURE failed */
	CL_EVENT_MOVED, /* the lease's tunnel end is gone; without a lease: other addresses came */
	CL_EVENT_UNBOUND, /* the TEP says that it has no such binding (S21) */
	CL_EVENT_DEMAND, /* an application wants IPv4 now (R12) */
	CL_EVENT_SHORT, /* the lease's ports have run out (R58) */
	CL_EVENT_SUSPECT, /* nothing comes back through the tunnel */
	CL_EVENT_RECONFIGURED, /* the server wants to be asked, and has proved that it is it (R36) */
};

struct cl_event {
	enum cl_event_type type;
	/* READY: the tunnel end at this host, the connection's own address; MESSAGE: another one from now on, or :: */
	struct in6_addr v6;
	bool has_link_local; /* READY */
	struct in6_addr link_local;
	const struct tsp_msg *msg; /* MESSAGE */
	enum tsp_close_reason reason; /* CLOSED */
	const char *why; /* CLOSED, FAILED: a sentence for the log, or NULL */
	int64_t used_ms; /* any: when an application last used the tunnel; 0: never */
};

enum cl_action_type {
	CL_ACTION_CONNECT, /* open a connection to this server, of this generation */
	CL_ACTION_CLOSE, /* flush and close it; nothing more of it reaches the engine */
	CL_ACTION_SEND,
	CL_ACTION_ARM, /* the host holds packets and tells of the first: DEMAND */
	CL_ACTION_CONFIGURE, /* always the last of its step; answer with CONFIGURED or FAILED */
	CL_ACTION_RENEWED, /* the lease is the same, its end is another */
	CL_ACTION_DECONFIGURE,
	CL_ACTION_REPORT, /* engine->report is news for the log */
	CL_ACTION_FINISHED, /* stopped as asked */
};

/* Whom to connect to. */
struct cl_target {
	uint32_t server; /* a place in the list of the configuration */
	bool is_redirected; /* not that one, but the address that it has sent us to */
	struct in6_addr v6; /* with is_redirected */
};

struct cl_action {
	enum cl_action_type type;
	struct cl_target target; /* CONNECT */
	bool only_giver; /* CONNECT: of its addresses only the one that gave the lease */
	enum tsp_generation generation; /* CONNECT */
	struct tsp_msg msg; /* SEND */
};

#define CL_ACTIONS_MAX 8

struct cl_actions {
	uint32_t n;
	struct cl_action items[CL_ACTIONS_MAX];
};

struct cl_engine_params {
	enum tsp_generation generation;
	uint32_t n_servers; /* of the list; at least one */
	bool on_demand; /* ask for a lease when an application wants one (R12) */
	uint32_t idle_s; /* on demand: how long a lease may be unused; 0: for ever */
	bool accept_push; /* on demand: leases that the server gives unasked are welcome (R32) */
	bool exclusive; /* only a whole address will do */
	uint32_t ports; /* how many to ask for; 0: any number */
	uint32_t ports_max; /* no more are asked for than that (R58) */
	uint32_t lifetime_s; /* to ask for; 0: the server's */
	const struct in6_addr
		*tep; /* set by hand, whatever the server says (R18); NULL: the server's */
	uint32_t retry_min_s, retry_max_s;
	int64_t patience_ms; /* for an answer of a connection that asks again by itself; 0: of one that does not */
	bool declines; /* a lease that is not taken is rejected; else deleted */
	bool releases_at_end; /* the server is told that a lease has ended (R52) */
	uint64_t seed; /* of the jitter; not 0 */
};

/* One attempt at every server that may help. */
struct cl_round {
	uint32_t next_server; /* of the list */
	uint32_t skip_server; /* was the first of the round; CL_NO_SERVER: none */
	uint32_t redirects;
	uint32_t next_broker, n_brokers; /* where the last redirection led to */
	struct in6_addr brokers[TSP_BROKERS_MAX];
	bool longest; /* to wait as long as can be when all have failed */
};

struct cl_engine {
	struct cl_engine_params params;
	enum cl_state state;
	enum cl_conn_state {
		CL_CONN_NONE,
		CL_CONN_OPENING,
		CL_CONN_READY,
	} conn;
	enum tsp_generation generation; /* of the connection: params.generation, or 1 after a 302 */
	struct cl_target target; /* of the connection, or of the next */
	struct cl_round round;
	bool has_lease;
	struct lease lease; /* valid while has_lease */
	struct cl_target lease_target; /* who gave it ... */
	enum tsp_generation lease_generation; /* ... and how */
	uint32_t lifetime_s; /* as last granted */
	int64_t lease_since_ms;
	int64_t renew_ms, rebind_ms; /* when to ask, and when to ask anybody (R46); 0: not named */
	int64_t preferred_ms; /* until when it is to be chosen (R50); 0: not named */
	bool is_offer; /* CONFIGURING: the server takes it back unless we accept */
	bool is_pushed; /* CONFIGURING: the server waits for our answer */
	bool is_stopping; /* RELEASING: for good */
	bool is_wanted; /* RELEASING: there was a demand since */
	bool asks_more; /* RENEWING: for more ports */
	int64_t deadline_ms; /* of the state, CL_NEVER when stopped */
	int64_t idle_ms; /* BOUND: when to look whether the lease is used */
	int64_t used_ms; /* when an application last wanted IPv4 */
	int64_t more_ms; /* not to ask for more ports before */
	int64_t suspect_ms; /* not to ask about a silent tunnel before */
	uint32_t failures, mores, suspicions, unbounds; /* in a row */
	uint64_t random;
	struct in6_addr v6, link_local; /* of this connection */
	bool has_link_local;
	char report[256]; /* the last thing worth telling */
	int64_t now_ms; /* of the step that runs */
	struct cl_actions *out;
};

void cl_engine_init(struct cl_engine *engine, const struct cl_engine_params *params);

/* Takes one event; *actions is overwritten. now_ms is clock_boot_ms(). */
void cl_engine_step(struct cl_engine *engine, const struct cl_event *event, int64_t now_ms,
	struct cl_actions *actions);

/* When CL_EVENT_TIMER is due: boot clock, or CL_NEVER. */
int64_t cl_engine_deadline(const struct cl_engine *engine);

const char *cl_state_name(enum cl_state state);
