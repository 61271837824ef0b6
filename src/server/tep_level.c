// SPDX-License-Identifier: BSD-3-Clause
#include "server/tep_level.h"

#include <string.h>

static void ask_about(struct srv_tep_level *level, struct digest_node node)
{
	level->nodes[level->n_nodes++] = node;
}

void srv_tep_level_walk(struct srv_tep_level *level, bool is_new)
{
	bool knows_digests = !is_new && level->knows_digests;

	*level = (struct srv_tep_level){.step = SRV_LEVEL_ASKING,
		.is_new = is_new,
		.knows_digests = knows_digests,
		.theirs = level->theirs};
	ask_about(level, (struct digest_node){0});
}

void srv_tep_level_list(struct srv_tep_level *level, const struct srv_leaves *leaves)
{
	static const struct srv_leaves none;

	level->step = SRV_LEVEL_BEGINNING;
	level->is_whole = leaves == NULL;
	level->listed = leaves != NULL ? *leaves : none;
	level->next_leaf = 0;
	level->cursor = 0;
	level->n_leases = 0;
}

void srv_tep_level_list_ends(struct srv_tep_level *level)
{
	level->step = SRV_LEVEL_ENDING;
	level->next_leaf = 0;
}

void srv_tep_level_close(struct srv_tep_level *level)
{
	level->step = SRV_LEVEL_CLOSING;
	level->next_leaf = 0;
}

/* --- what comes next ----------------------------------------------------------------------------- */

/* The next node to put a mark on: all, or one leaf after the other. False: every one has its mark. */
static bool next_mark(struct srv_tep_level *level, struct digest_node *node)
{
	if (level->is_whole) {
		*node = (struct digest_node){0};
		return level->next_leaf++ == 0;
	}
	while (level->next_leaf < DIGEST_LEAVES) {
		uint32_t leaf = level->next_leaf++;

		if (!srv_leaves_has(&level->listed, leaf))
			continue;
		*node = (struct digest_node){.depth = DIGEST_DEPTH, .number = (uint16_t)leaf};
		return true;
	}
	return false;
}

static enum srv_level_next emit(struct srv_tep_level *level, struct srv_tep_request *request,
	enum srv_tep_request_kind kind)
{
	request->kind = kind;
	level->n_awaited++;
	return SRV_LEVEL_REQUEST;
}

enum srv_level_next srv_tep_level_next(struct srv_tep_level *level, struct srv_tep_request *request)
{
	switch (level->step) {
	case SRV_LEVEL_IDLE:
		return SRV_LEVEL_NOTHING;
	case SRV_LEVEL_ASKING:
		if (level->next_node == level->n_nodes)
			return SRV_LEVEL_NOTHING;
		request->node = level->nodes[level->next_node++];
		return emit(level, request, SRV_TEP_DIGEST);
	case SRV_LEVEL_BEGINNING:
		if (!next_mark(level, &request->node))
			return SRV_LEVEL_NOTHING;
		return emit(level, request, SRV_TEP_BEGIN);
	case SRV_LEVEL_LISTING:
		return SRV_LEVEL_LEASE;
	case SRV_LEVEL_ENDING:
		if (!next_mark(level, &request->node))
			return SRV_LEVEL_NOTHING;
		return emit(level, request, SRV_TEP_END);
	case SRV_LEVEL_CLOSING:
		if (level->next_leaf++ > 0)
			return SRV_LEVEL_NOTHING;
		request->node = (struct digest_node){0};
		return emit(level, request, SRV_TEP_LEVELLED);
	}
	return SRV_LEVEL_NOTHING;
}

/* --- answers ------------------------------------------------------------------------------------- */

static bool all_marked(struct srv_tep_level *level)
{
	struct digest_node node;
	uint32_t next_leaf = level->next_leaf;
	bool is_so = !next_mark(level, &node);

	level->next_leaf = next_leaf;
	return is_so;
}

static void judge_leaf(struct srv_tep_level *level, uint32_t leaf, const struct srv_leaves *busy)
{
	if (!level->is_new && srv_leaves_has(busy, leaf))
		srv_leaves_add(&level->unclear, leaf);
	else
		srv_leaves_add(&level->differing, leaf);
}

/* Where a child differs the walk goes on. */
static void compare(struct srv_tep_level *level, struct digest_node node, const uint64_t *theirs,
	const struct digest *ours, const struct srv_leaves *busy)
{
	uint64_t sums[DIGEST_FANOUT];

	digest_children(ours, node, sums);
	for (uint32_t i = 0; i < DIGEST_FANOUT; i++) {
		struct digest_node child = digest_child(node, i);

		if (sums[i] == theirs[i])
			continue;
		if (child.depth == DIGEST_DEPTH)
			judge_leaf(level, child.number, busy);
		else
			ask_about(level, child);
	}
}

static uint64_t sum_of(const uint64_t *sums)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < DIGEST_FANOUT; i++)
		sum += sums[i];
	return sum;
}

static enum srv_level_event take_digests(struct srv_tep_level *level, struct digest_node node,
	const struct tsp_msg *msg, const struct digest *ours, const struct srv_leaves *busy)
{
	static const uint64_t nothing[DIGEST_FANOUT];

	if (msg == NULL || msg->n_digests != DIGEST_FANOUT || ours == NULL) {
		level->knows_digests = false;
		return SRV_LEVEL_UNKNOWN;
	}
	level->knows_digests = true;
	if (node.depth == 0) {
		level->theirs = sum_of(msg->digests);
		if (level->is_new && memcmp(msg->digests, nothing, sizeof(nothing)) == 0 &&
			digest_root(ours) != 0) {
			memset(&level->differing, 0xff, sizeof(level->differing));
			return SRV_LEVEL_WALKED;
		}
	}
	compare(level, node, msg->digests, ours, busy);
	return level->n_awaited == 0 && level->next_node == level->n_nodes ? SRV_LEVEL_WALKED
									   : SRV_LEVEL_GOES_ON;
}

enum srv_level_event srv_tep_level_answered(struct srv_tep_level *level,
	const struct srv_tep_request *request, const struct tsp_msg *msg, const struct digest *ours,
	const struct srv_leaves *busy)
{
	level->n_awaited--;
	switch (level->step) {
	case SRV_LEVEL_ASKING:
		return take_digests(level, request->node, msg, ours, busy);
	case SRV_LEVEL_BEGINNING:
		if (level->n_awaited == 0 && all_marked(level))
			level->step = SRV_LEVEL_LISTING;
		return SRV_LEVEL_GOES_ON;
	case SRV_LEVEL_ENDING:
		if (level->n_awaited > 0 || !all_marked(level))
			return SRV_LEVEL_GOES_ON;
		level->step = SRV_LEVEL_IDLE;
		return SRV_LEVEL_LISTED;
	case SRV_LEVEL_CLOSING:
		level->step = SRV_LEVEL_IDLE;
		return SRV_LEVEL_CLOSED;
	case SRV_LEVEL_IDLE:
	case SRV_LEVEL_LISTING:
		break;
	}
	return SRV_LEVEL_GOES_ON;
}
