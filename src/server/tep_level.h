// SPDX-License-Identifier: BSD-3-Clause
/*
 * Getting level with a TEP: what it is asked and told so that its table becomes what ours says. No sockets, no clock.
 *
 * A walk goes down the tree of digests where they differ, all questions of it pipelined, and finds the leaves that
 * differ. An answer is compared with our digest as it is when it comes: by then every request that the TEP had
 * when it answered has been answered, too, so that the two tables differ by what is still on its way alone. Leaves
 * that such a change is about are not judged, unless the session has just begun; then a list too many is no harm.
 *
 * A list is about some leaves or about all. It begins with a mark for each, and goes on when these are answered: a
 * binding that was created just before is a lease that is known to be active then, and so is on the list. A TEP that
 * knows no digests, has nothing, or differs all over gets the whole list.
 */
#pragma once

#include "common/digest.h"
#include "server/tep_request.h"

#include <stdbool.h>
#include <stdint.h>

enum srv_level_step {
	SRV_LEVEL_IDLE,
	SRV_LEVEL_ASKING,
	SRV_LEVEL_BEGINNING, /* the marks of a list */
	SRV_LEVEL_LISTING,
	SRV_LEVEL_ENDING,
	SRV_LEVEL_CLOSING, /* the mark that all is level */
};

#define SRV_LEVEL_NODES (1 + DIGEST_FANOUT + DIGEST_FANOUT * DIGEST_FANOUT) /* above the leaves */

struct srv_tep_level {
	enum srv_level_step step;
	bool is_new; /* the TEP has not been level in this session yet */
	bool knows_digests; /* it has told one in this session */
	uint64_t theirs; /* its root, as last told */
	struct srv_leaves differing; /* that the walk has found */
	struct srv_leaves unclear; /* that differ, but with changes on their way */
	struct srv_leaves listed;
	bool is_whole; /* the list is about everything */
	uint32_t cursor; /* of the list */
	uint32_t n_leases; /* on it so far */

	/* Its own. */
	struct digest_node nodes[SRV_LEVEL_NODES]; /* to be asked about */
	uint32_t n_nodes;
	uint32_t next_node;
	uint32_t next_leaf; /* to be marked */
	uint32_t n_awaited; /* questions and marks that have not been answered */
};

enum srv_level_next {
	SRV_LEVEL_NOTHING, /* for now */
	SRV_LEVEL_REQUEST,
	SRV_LEVEL_LEASE, /* the next one of the list: srv_tep_level_list_ends when there is none */
};

enum srv_level_event {
	SRV_LEVEL_GOES_ON,
	SRV_LEVEL_WALKED, /* differing and unclear are what there is */
	SRV_LEVEL_UNKNOWN, /* it knows no digests */
	SRV_LEVEL_LISTED, /* the list has ended */
	SRV_LEVEL_CLOSED,
};

/* A walk from the root. is_new: of a session that has just begun. */
void srv_tep_level_walk(struct srv_tep_level *level, bool is_new);
/* A list of these leaves; NULL: of everything. */
void srv_tep_level_list(struct srv_tep_level *level, const struct srv_leaves *leaves);
void srv_tep_level_list_ends(struct srv_tep_level *level);
/* The mark that ends the levelling of a new session. */
void srv_tep_level_close(struct srv_tep_level *level);

/* Fills kind and node of what is to be sent next. */
enum srv_level_next srv_tep_level_next(
	struct srv_tep_level *level, struct srv_tep_request *request);
/*
 * The TEP has answered what srv_tep_level_next said. msg: NULL when it refused. ours: our digest of its table; busy:
 * leaves that changes on their way are about.
 */
enum srv_level_event srv_tep_level_answered(struct srv_tep_level *level,
	const struct srv_tep_request *request, const struct tsp_msg *msg, const struct digest *ours,
	const struct srv_leaves *busy);
