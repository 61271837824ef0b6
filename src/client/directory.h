// SPDX-License-Identifier: BSD-3-Clause
/*
 * Asks the server who of its clients holds an address and port (R16, D2), for client/peers.h.
 *
 * Questions come from the packets; equal ones are asked once, some a second at most, and few at a
 * time. They go over a TSP connection of their own, which is made for the first of them and closed
 * when there have been none for a while: an idle client has neither connection nor timer.
 *
 * "Unknown" is asked again twice by itself, soon, since the other side may have to ask first (the
 * server tells nobody of a client that has not itself asked), then only for packets that come, ever
 * more seldom. A server that does not answer is left alone for a while, and what is known stays.
 *
 * Which addresses to ask about the configuration says, or the server: then that is the first question
 * under every lease, and again after each renewal.
 *
 * The server is trusted, its mistakes are not: an answer to another question, or one that leads
 * back to this host, is as good as "unknown".
 */
#pragma once

#include "client/peers.h"
#include "common/addr.h"
#include "common/lease.h"
#include "tsp/tsp_conn.h"

#include <stdbool.h>
#include <stdint.h>

#define CL_DIRECTORY_ANSWER_MAX_MS 300000 /* an answer is believed for no longer */

struct event_base;
struct cl_directory;

struct cl_directory_params {
	struct event_base *base;
	struct cl_peers *peers; /* borrowed, like all here */
	const struct tsp_auth *auth;
	struct ssl_ctx_st *tls; /* NULL: plain TCP */
	bool asks_where; /* the server says which addresses to ask about */
};

/* NULL + errno. */
struct cl_directory *cl_directory_create(const struct cl_directory_params *params);
/* NULL is allowed. */
void cl_directory_destroy(struct cl_directory *directory);

/*
 * The lease stands, or is renewed: server is who gave it, tls_name (borrowed) whom its certificate
 * is for. Another lease than before begins with an empty table. NULL directories are allowed here
 * and below.
 */
void cl_directory_start(struct cl_directory *directory, const struct addr_endpoint *server,
	const char *tls_name, const struct lease *lease);
/* The lease is gone: nothing is asked, and what was learnt is forgotten. */
void cl_directory_stop(struct cl_directory *directory);

/*
 * What an answer to a question says: true and *holder, until holder->end_ms, or false: nothing that
 * may be used. ours: our own lease.
 */
bool cl_directory_read(const struct tsp_msg *answer, const struct cl_peers_question *question,
	const struct lease *ours, int64_t now_ms, struct lease *holder);
