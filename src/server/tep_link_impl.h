// SPDX-License-Identifier: BSD-3-Clause
/*
 * The inside of the session with a TEP, shared by its parts: the session and its requests (tep_link.c), and how the
 * TEP gets level and stays so (tep_link_level.c). Nobody else includes this.
 */
#pragma once

#include "server/tep_compare.h"
#include "server/tep_level.h"
#include "server/tep_link.h"
#include "server/tep_request.h"
#include "tsp/tsp_conn.h"

#include <event2/event.h>

#define SRV_TEP_ERROR_SIZE 128

struct srv_tep_link {
	struct srv_tep_link_params params;
	struct tsp_auth auth;
	struct tsp_conn *conn; /* NULL: waiting to dial */
	enum srv_tep_state state;
	int64_t since_ms;
	struct event *dial; /* the next attempt */
	struct event *check; /* of the time that requests take, while there are any */
	struct event *more; /* of the list, after a pause */
	int64_t progress_ms; /* when the TEP last answered, or began to owe an answer */
	uint32_t attempts; /* since the TEP was last level */
	char last_error[SRV_TEP_ERROR_SIZE];

	struct srv_tep_requests
		unsent; /* creates and deletes, oldest first; without a session only creates */
	struct srv_tep_requests sent; /* in the order of their answers */
	uint32_t n_unsent;
	uint32_t n_sent;
	struct srv_tep_level level;
	struct srv_tep_compare compare;
	struct event *look; /* the next comparison of a TEP that is level */
	bool again; /* it is to become level anew, after what is under way */
	bool telling; /* goes through the requests: who is told may ask for more, which waits */
};

static inline void srv_tep_link_count(struct srv_tep_link *link, enum srv_counter counter)
{
	link->params.counters->n[counter]++;
}

/* --- tep_link.c --- */

void srv_tep_link_set_state(struct srv_tep_link *link, enum srv_tep_state state);
void srv_tep_link_set_timer(struct event *timer, int64_t delay_ms);
/* NULL: out of memory. */
struct srv_tep_request *srv_tep_link_new_request(struct srv_tep_link *link,
	enum srv_tep_request_kind kind, const struct lease *lease, void *token);
/* Sends what there is room for: new requests first, then more of the levelling. */
void srv_tep_link_pump(struct srv_tep_link *link);
/* From our side: the connection's later words are nothing to us. */
void srv_tep_link_hang_up(struct srv_tep_link *link, const char *why);

/* --- tep_link_level.c --- */

void srv_tep_link_begin_levelling(struct srv_tep_link *link);
/* NULL: not now. */
struct srv_tep_request *srv_tep_link_next_of_level(struct srv_tep_link *link);
/* msg: NULL when it refused. */
void srv_tep_link_level_answered(struct srv_tep_link *link, const struct srv_tep_request *request,
	const struct tsp_msg *msg);
/* The timer of link->look. */
void srv_tep_link_look(evutil_socket_t fd, short what, void *arg);
