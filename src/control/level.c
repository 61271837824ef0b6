// SPDX-License-Identifier: BSD-3-Clause
#include "control/level.h"

#include <string.h>

#define SWEEP_SLICE \
	4096 /* bindings looked at in one go: a millisecond or two when all are removed */

bool tep_level_is_left_over(const struct tep_sync_server *server, const struct dp_binding *binding)
{
	uint32_t leaf = digest_leaf(rte_be_to_cpu_32(binding->v4_be));

	return !binding->is_static && binding->owner == server->owner &&
	       (int32_t)(binding->serial - server->listed[leaf]) < 0;
}

/* --- looking through the table ------------------------------------------------------------------- */

struct sweep {
	const struct tep_sync *sync;
	struct tep_sync_server *server;
};

static void sweep_one(void *arg, const struct dp_binding *binding)
{
	const struct port_range ports = {.first = binding->first, .last = binding->last};
	const struct sweep *sweep = arg;
	struct tep_sync_server *server = sweep->server;
	struct dp_bindings *table = sweep->sync->table;

	if (tep_level_is_left_over(server, binding)) {
		if (dp_bindings_remove(table, rte_be_to_cpu_32(binding->v4_be), ports) == 0)
			server->counts.levelled_out++;
	} else if (server->waking && binding->owner == server->owner) {
		dp_bindings_wake(table, binding);
	}
}

void tep_sync_sweep(const struct tep_sync *sync, struct tep_sync_server *server)
{
	struct sweep sweep = {.sync = sync, .server = server};

	if (dp_bindings_walk(sync->table, &server->cursor, SWEEP_SLICE, sweep_one, &sweep))
		return;
	server->cursor = 0;
	server->sweeping = server->sweep_again;
	server->sweep_again = false;
	server->waking &= server->sweeping;
}

/* From the start of the table; a look that is under way is followed by another one. */
static void begin_sweep(struct tep_sync_server *server)
{
	server->sweep_again = server->sweeping;
	server->sweeping = true;
}

/* --- lists --------------------------------------------------------------------------------------- */

static enum tsp_status begin(struct tep_sync_server *server, struct digest_node node)
{
	server->serial++;
	if (node.depth == 0) {
		server->levelling = true;
		server->begun_whole = server->serial;
	} else {
		server->begun[node.number] = server->serial;
	}
	return TSP_STATUS_OK;
}

/* What a session begins with is over. */
static void settle(struct tep_sync_server *server)
{
	server->is_new = false;
	server->is_comparing = false;
}

static enum tsp_status end_whole(const struct tep_sync *sync, struct tep_sync_server *server)
{
	bool was_sweeping = server->sweeping;

	if (!server->levelling)
		return TSP_STATUS_MALFORMED;
	settle(server);
	server->levelling = false;
	server->is_level = true;
	for (uint32_t i = 0; i < DIGEST_LEAVES; i++)
		server->listed[i] = server->begun_whole;
	begin_sweep(server);
	if (!was_sweeping)
		tep_sync_sweep(sync, server);
	return TSP_STATUS_OK;
}

/* Many may end in a row, so that the table is looked through later, for all of them. */
static enum tsp_status end_leaf(struct tep_sync_server *server, uint32_t leaf)
{
	if (server->begun[leaf] == 0)
		return TSP_STATUS_MALFORMED;
	server->listed[leaf] = server->begun[leaf];
	server->begun[leaf] = 0;
	server->counts.leaves_listed++;
	begin_sweep(server);
	return TSP_STATUS_OK;
}

/* What the server says about both tables, for those who look. */
static void take_word(struct tep_sync_server *server, const struct tsp_msg *request, int64_t now_ms)
{
	if (request->n_digests != 1)
		return;
	server->word = (struct tep_sync_word){
		.is_known = true,
		.digest = request->digests[0],
		.said_ms = now_ms,
		.differs = request->has_differs,
		.differs_s = request->differs_s,
	};
}

static enum tsp_status tell_digests(const struct tep_sync *sync, struct tep_sync_server *server,
	const struct tsp_msg *request, struct tsp_msg *answer)
{
	if (request->node.depth == DIGEST_DEPTH)
		return TSP_STATUS_MALFORMED;
	server->is_comparing = server->is_new;
	answer->node = request->node;
	answer->n_digests = DIGEST_FANOUT;
	digest_children(
		dp_bindings_digest(sync->table, server->owner), request->node, answer->digests);
	return TSP_STATUS_OK;
}

/* The first one in the life of this process confirms what it took over. */
static enum tsp_status become_level(struct tep_sync_server *server)
{
	settle(server);
	if (!server->is_level) {
		server->waking = true;
		begin_sweep(server);
	}
	server->is_level = true;
	return TSP_STATUS_OK;
}

enum tsp_status tep_level_list(const struct tep_sync *sync, struct tep_sync_server *server,
	const struct tsp_msg *request, int64_t now_ms, struct tsp_msg *answer)
{
	struct digest_node node = request->node;
	bool is_leaf = node.depth == DIGEST_DEPTH;

	if (request->sync == TSP_SYNC_DIGEST) {
		take_word(server, request, now_ms);
		return tell_digests(sync, server, request, answer);
	}
	if (request->sync == TSP_SYNC_LEVEL && node.depth == 0) {
		take_word(server, request, now_ms);
		return become_level(server);
	}
	if (request->sync == TSP_SYNC_BEGIN && (is_leaf || node.depth == 0))
		return begin(server, node);
	if (request->sync == TSP_SYNC_END && is_leaf)
		return end_leaf(server, node.number);
	if (request->sync == TSP_SYNC_END && node.depth == 0)
		return end_whole(sync, server);
	return TSP_STATUS_MALFORMED;
}

void tep_sync_session_starts(struct tep_sync_server *server)
{
	server->levelling = false;
	server->is_new = true;
	server->is_comparing = false;
	memset(server->begun, 0, sizeof(server->begun));
}
