// SPDX-License-Identifier: BSD-3-Clause
/*
 * The TSP sessions of DSTM servers with this TEP.
 *
 * Only a configured server that authenticates may speak (R86). Each has at most one session: a newer one
 * takes the place of an older. Connections that have not authenticated yet are few, and the oldest gives way, so
 * that a flood of them cannot lock a server out for long.
 */
#pragma once

#include "common/addr.h"
#include "control/sync.h"

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct tep_sessions;

#define TEP_SERVERS_MAX 16

struct tep_server_params {
	const char *name;
	const char *password; /* NULL: only by EXTERNAL */
};

struct tep_sessions_params {
	struct event_base *base;
	struct addr_endpoint listen;
	const struct tep_server_params *servers; /* borrowed, with their strings */
	uint32_t n_servers; /* up to TEP_SERVERS_MAX */
	struct ssl_ctx_st *tls; /* borrowed; NULL: plain TCP */
	struct tep_sync sync;
	int64_t (*now_ms)(void *arg); /* the table's clock */
	void *now_arg;
};

/* What dstmctl shows of a server. */
struct tep_server_status {
	const char *name;
	bool connected;
	bool levelling;
	bool is_level; /* has told us all its bindings once */
	struct addr_endpoint peer; /* while connected */
	int64_t since_ms; /* boot clock: of the last change */
	struct tep_sync_counts counts;
	uint64_t digest; /* of what this server has announced */
	struct tep_sync_word word; /* and what it says of that; said_ms is its age here */
};

/* Listens. NULL + errno. */
struct tep_sessions *tep_sessions_create(const struct tep_sessions_params *params);
/* Closes all; bindings stay until their own ends. NULL is allowed. */
void tep_sessions_destroy(struct tep_sessions *sessions);

/* The endpoint it listens on, also when the kernel chose the port. 0 or -errno. */
int tep_sessions_endpoint(const struct tep_sessions *sessions, struct addr_endpoint *endpoint);

/* Who asks servers, and is told what comes of it; servers by their place in the parameters. */
struct tep_sessions_asker {
	/* An answer of this server; answers come in the order of the questions. False: nothing was asked. */
	bool (*answered)(void *arg, uint32_t server, const struct tsp_msg *answer);
	void (*lost)(void *arg, uint32_t server); /* its session has ended */
	void *arg;
};
/* asker is borrowed; NULL: nobody any more. */
void tep_sessions_set_asker(struct tep_sessions *sessions, const struct tep_sessions_asker *asker);

bool tep_sessions_is_connected(const struct tep_sessions *sessions, uint32_t server);
/* Asks the server who holds an address and port (R73). False: it cannot be asked now. */
bool tep_sessions_query(
	struct tep_sessions *sessions, uint32_t server, const struct dp_binding_key *key);
/* See tep_sync_take_answer. */
bool tep_sessions_take_answer(struct tep_sessions *sessions, uint32_t server,
	const struct dp_binding_key *key, const struct tsp_msg *answer);

/* Fills up to max rows; returns how many. */
uint32_t tep_sessions_status(
	const struct tep_sessions *sessions, struct tep_server_status *rows, uint32_t max);
