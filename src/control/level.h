// SPDX-License-Identifier: BSD-3-Clause
/*
 * How the table gets level with a server's: the inside of sync, for its own files only.
 *
 * A list is about the whole table or about one leaf of its digest, and leaves are listed independently of each other:
 * each remembers under which serial its list began and, once that has ended, what is older than it and so was not
 * named. "level" says that all the rest is equal: what a life before has left dormant wakes.
 */
#pragma once

#include "control/sync.h"

/* The last list of its leaf did not name it. */
bool tep_level_is_left_over(const struct tep_sync_server *server, const struct dp_binding *binding);

/* A list message: a mark, or a question for digests. Returns the status of the answer. */
enum tsp_status tep_level_list(const struct tep_sync *sync, struct tep_sync_server *server,
	const struct tsp_msg *request, int64_t now_ms, struct tsp_msg *answer);
