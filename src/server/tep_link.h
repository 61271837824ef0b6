// SPDX-License-Identifier: BSD-3-Clause
/*
 * The server's session with one TEP: dialled, kept, and brought level after each start.
 *
 * Requests are pipelined; the answers come back in their order, so the first that was sent is the one
 * that is answered. While there is no session a create waits for the next one. Who waits for a request
 * hears after timeout_s that it is lost; the session is given up when the TEP has answered nothing at
 * all for that long.
 *
 * Creates and deletes reach the TEP in the order in which they were asked for. A window of them is on its way at
 * once; the others wait here, and whoever could ask for any number looks at the backlog first.
 *
 * After connecting, the TEP is asked for digests of its table, and what differs is listed: "list sync=begin", every
 * live lease as a create, and "list sync=end"; what it held there and did not hear of, it drops. The list is sent
 * piece by piece as the output drains; new requests go in between. A delete for a TEP without a session is not kept:
 * it will not be on the list. Later the digests are looked at every compare_s (tep_level.h, tep_compare.h).
 *
 * One thread.
 */
#pragma once

#include "common/addr.h"
#include "common/lease.h"
#include "server/counters.h"
#include "server/engine.h"
#include "server/tep_compare.h"

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct tsp_parser;
struct srv_tep_link;

/* What the next step through the list has come to. */
enum srv_tep_list {
	SRV_TEP_LIST_LEASE,
	SRV_TEP_LIST_PAUSE, /* none so far, but much was looked at: more when the event loop has turned */
	SRV_TEP_LIST_END,
};

struct srv_tep_link_ops {
	/* The answer to a request with a token. answer is NULL unless result is DONE. */
	void (*answered)(void *arg, uint32_t tep, void *token, enum srv_tep_result result,
		const struct tsp_msg *answer);
	/* Its session has ended (DOWN), or it has become level (CONNECTED). */
	void (*changed)(void *arg, uint32_t tep, enum srv_tep_state state);
	/* It did not answer this delete without a token in time, or before its session ended. */
	void (*delete_lost)(void *arg, uint32_t tep, const struct lease *lease);
	/* It will not have this, which was on the list or had no token. */
	void (*create_refused)(void *arg, uint32_t tep, const struct lease *lease);
	/*
	 * The list: the next live lease of this TEP, in one of the leaves unless that is NULL, at or behind
	 * *cursor, which starts at 0 and is moved on.
	 */
	enum srv_tep_list (*next_lease)(void *arg, uint32_t tep, const struct srv_leaves *leaves,
		uint32_t *cursor, struct lease *lease);
	/* The digest of what that list would say now; NULL: there is none. */
	const struct digest *(*digest)(void *arg, uint32_t tep);
	/* Adds the leaves of leases whose state a TEP may know better or worse than we do. */
	void (*unsettled)(void *arg, struct srv_leaves *leaves);
	/* The TEP asks who holds an address; the answer is sent at once. */
	void (*query)(void *arg, uint32_t tep, const struct tsp_msg *query, struct tsp_msg *answer);
};

struct srv_tep_link_params {
	struct event_base *base;
	struct tsp_parser *parser; /* who reads its answers */
	const char *name; /* strings are borrowed */
	struct addr_endpoint control;
	const char *user;
	const char *password; /* NULL: EXTERNAL, by our certificate */
	const char *tls_name; /* whom the TEP's certificate is for; NULL: no TLS */
	struct ssl_ctx_st **tls; /* borrowed; for every dial, as it is then */
	uint32_t timeout_s;
	uint32_t compare_s; /* between two looks at its digest; 0: none */
	uint32_t tep; /* its number, for next_lease and query */
	const struct srv_tep_link_ops *ops;
	void *arg;
	struct srv_counters *counters;
};

struct srv_tep_status {
	enum srv_tep_state state;
	int64_t since_ms; /* clock_boot_ms() of the last change */
	const char *last_error; /* "" when there was none since the last connection */
	const struct srv_tep_compare *compare; /* borrowed */
};

/* Dials at once. NULL + errno. */
struct srv_tep_link *srv_tep_link_create(const struct srv_tep_link_params *params);
/* Closes the session; requests are forgotten. NULL is allowed. */
void srv_tep_link_destroy(struct srv_tep_link *link);

/* Brings a TEP level again that is, or after the list that is on its way: other leases are to stand there. */
void srv_tep_link_level(struct srv_tep_link *link);

/* Everybody who waits for an answer hears now that it is lost: before the end of a link alone. */
void srv_tep_link_lose(struct srv_tep_link *link);
uint32_t srv_tep_link_timeout_s(const struct srv_tep_link *link);
/* After a reload; from the next look on. */
void srv_tep_link_set_compare_s(struct srv_tep_link *link, uint32_t compare_s);

/*
 * answered() follows, never from inside, if there is a token; without one and without a session the list will say it.
 * False: out of memory, or that, and nothing follows. When the session ends, a create waits for the next one, and a copy
 * is lost: nobody has to wait for what the next list brings.
 */
bool srv_tep_link_create_binding(
	struct srv_tep_link *link, const struct lease *lease, bool is_copy, void *token);
/* With a NULL token nobody hears of the answer. False: no session, nothing will be sent. */
bool srv_tep_link_delete_binding(struct srv_tep_link *link, const struct lease *lease, void *token);

/* Requests that the TEP has not answered yet, the list aside. */
uint32_t srv_tep_link_backlog(const struct srv_tep_link *link);

struct srv_tep_status srv_tep_link_status(const struct srv_tep_link *link);
