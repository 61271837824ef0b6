// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/lpm.h"

#include "dataplane/numbers.h"

#include <rte_malloc.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LEVELS_MAX 16

/* The table, or a node: what it holds, and from which bit of the address on. */
struct level {
	void *entries;
	uint8_t *lens;
	uint32_t from;
	uint32_t bits;
	uint32_t node; /* 0: the table */
	uint32_t index; /* of the entry that the way down led by */
};

/* What becomes of the entries of a prefix. */
struct change {
	uint32_t number;
	uint8_t len; /* that they have afterwards */
	uint8_t at_least, at_most; /* lengths of those that are changed */
};

static size_t entry_size(const struct dp_lpm *lpm)
{
	return lpm->family == AF_INET ? sizeof(uint16_t) : sizeof(uint32_t);
}

static uint32_t ext_of(const struct dp_lpm *lpm)
{
	return lpm->family == AF_INET ? DP_LPM_EXT_V4 : DP_LPM_EXT_V6;
}

static uint32_t root_bits(const struct dp_lpm *lpm)
{
	return lpm->family == AF_INET ? DP_LPM_ROOT_BITS_V4 : DP_LPM_ROOT_BITS_V6;
}

int dp_lpm_init(struct dp_lpm *lpm, const struct dp_lpm_params *params)
{
	size_t root, nodes;

	*lpm = (struct dp_lpm){.family = params->family, .max_nodes = params->max_nodes};
	root = (size_t)1 << root_bits(lpm);
	nodes = ((size_t)params->max_nodes + 1) * DP_LPM_NODE_ENTRIES;
	lpm->root_v4 = rte_zmalloc_socket(
		"dp_lpm_root", root * entry_size(lpm), RTE_CACHE_LINE_SIZE, params->socket);
	lpm->nodes_v4 = rte_zmalloc_socket(
		"dp_lpm_nodes", nodes * entry_size(lpm), RTE_CACHE_LINE_SIZE, params->socket);
	lpm->root_lens = calloc(root, 1);
	lpm->node_lens = calloc(nodes, 1);
	lpm->numbers = dp_numbers_create(params->max_nodes, params->qsbr);
	lpm->prefixes = dp_prefix_map_create(params->max_routes);
	if (lpm->root_v4 == NULL || lpm->nodes_v4 == NULL || lpm->root_lens == NULL ||
		lpm->node_lens == NULL || lpm->numbers == NULL || lpm->prefixes == NULL)
		return -ENOMEM;
	return 0;
}

void dp_lpm_clear(struct dp_lpm *lpm)
{
	dp_prefix_map_destroy(lpm->prefixes);
	dp_numbers_destroy(lpm->numbers);
	free(lpm->node_lens);
	free(lpm->root_lens);
	rte_free(lpm->nodes_v4);
	rte_free(lpm->root_v4);
	*lpm = (struct dp_lpm){0};
}

static uint32_t get(const struct dp_lpm *lpm, const struct level *level, uint32_t i)
{
	return lpm->family == AF_INET ? ((const uint16_t *)level->entries)[i]
				      : ((const uint32_t *)level->entries)[i];
}

static void put(const struct dp_lpm *lpm, const struct level *level, uint32_t i, uint32_t value)
{
	if (lpm->family == AF_INET)
		__atomic_store_n(
			&((uint16_t *)level->entries)[i], (uint16_t)value, __ATOMIC_RELEASE);
	else
		__atomic_store_n(&((uint32_t *)level->entries)[i], value, __ATOMIC_RELEASE);
}

static struct level root_of(const struct dp_lpm *lpm)
{
	return (struct level){
		.entries = lpm->root_v4, .lens = lpm->root_lens, .bits = root_bits(lpm)};
}

static struct level node_of(const struct dp_lpm *lpm, uint32_t node, uint32_t from)
{
	size_t first = (size_t)node << DP_LPM_NODE_BITS;

	return (struct level){
		.entries = (uint8_t *)lpm->nodes_v4 + first * entry_size(lpm),
		.lens = lpm->node_lens + first,
		.from = from,
		.bits = DP_LPM_NODE_BITS,
		.node = node,
	};
}

/* Changes n entries, and all that is below them. */
static void fill(const struct dp_lpm *lpm, const struct level *level, uint32_t first, uint32_t n,
	const struct change *change)
{
	uint32_t ext = ext_of(lpm);

	for (uint32_t i = first; i < first + n; i++) {
		uint32_t entry = get(lpm, level, i);

		if ((entry & ext) != 0) {
			struct level below = node_of(lpm, entry & ~ext, level->from + level->bits);

			fill(lpm, &below, 0, DP_LPM_NODE_ENTRIES, change);
		} else if (level->lens[i] >= change->at_least &&
			   level->lens[i] <= change->at_most) {
			put(lpm, level, i, change->number);
			level->lens[i] = change->len;
		}
	}
}

/* The node that this entry leads to, or a new one that says the same as the entry did. 0: no room. */
static uint32_t take_node(struct dp_lpm *lpm, const struct level *level, uint32_t index)
{
	uint32_t entry = get(lpm, level, index), ext = ext_of(lpm), node;
	struct level below;

	if ((entry & ext) != 0)
		return entry & ~ext;
	node = dp_numbers_take(lpm->numbers);
	if (node == 0)
		return 0;
	below = node_of(lpm, node, level->from + level->bits);
	for (uint32_t i = 0; i < DP_LPM_NODE_ENTRIES; i++)
		put(lpm, &below, i, entry);
	memset(below.lens, level->lens[index], DP_LPM_NODE_ENTRIES);
	put(lpm, level, index, node | ext);
	return node;
}

/* Nothing in it is longer than what leads to it, so all of it is alike. */
static bool is_needless(const struct dp_lpm *lpm, const struct level *level)
{
	for (uint32_t i = 0; i < DP_LPM_NODE_ENTRIES; i++)
		if (level->lens[i] > level->from || (get(lpm, level, i) & ext_of(lpm)) != 0)
			return false;
	return true;
}

/* From the bottom of the way down: entries take the place of needless nodes. */
static void prune(struct dp_lpm *lpm, const struct level *levels, uint32_t n)
{
	for (uint32_t i = n; i > 1 && is_needless(lpm, &levels[i - 1]); i--) {
		const struct level *above = &levels[i - 2], *level = &levels[i - 1];

		above->lens[above->index] = level->lens[0];
		put(lpm, above, above->index, get(lpm, level, 0));
		dp_numbers_give_back(lpm->numbers, level->node);
	}
}

/* Goes down to where the prefix has entries of its own, and changes them. 0 or -ENOSPC. */
static int apply(struct dp_lpm *lpm, dp_prefix_key key, uint32_t len, const struct change *change)
{
	struct level levels[LEVELS_MAX];
	uint32_t n = 1;

	levels[0] = root_of(lpm);
	for (;; n++) {
		struct level *level = &levels[n - 1];
		uint32_t end = level->from + level->bits, node;

		level->index = (uint32_t)(key >> (128 - end)) & ((1U << level->bits) - 1);
		if (len <= end) {
			fill(lpm, level, level->index, 1U << (end - len), change);
			break;
		}
		node = take_node(lpm, level, level->index);
		if (node == 0) {
			prune(lpm, levels, n);
			return -ENOSPC;
		}
		levels[n] = node_of(lpm, node, end);
	}
	prune(lpm, levels, n);
	return 0;
}

int dp_lpm_set(struct dp_lpm *lpm, dp_prefix_key key, uint32_t len, uint32_t number)
{
	const struct change change = {
		.number = number, .len = (uint8_t)len, .at_most = (uint8_t)len};
	uint32_t known;
	int error;

	key = dp_prefix_mask(key, len);
	known = dp_prefix_map_get(lpm->prefixes, key, len);
	if (known == number)
		return 0;
	error = dp_prefix_map_set(lpm->prefixes, key, len, number);
	if (error != 0)
		return error;
	error = apply(lpm, key, len, &change);
	if (error != 0 && known == 0)
		dp_prefix_map_remove(lpm->prefixes, key, len);
	return error;
}

int dp_lpm_remove(struct dp_lpm *lpm, dp_prefix_key key, uint32_t len)
{
	struct change change = {.at_least = (uint8_t)len, .at_most = (uint8_t)len};
	uint32_t above_len;

	key = dp_prefix_mask(key, len);
	if (dp_prefix_map_get(lpm->prefixes, key, len) == 0)
		return -ENOENT;
	change.number = dp_prefix_map_above(lpm->prefixes, key, len, &above_len);
	change.len = (uint8_t)above_len;
	dp_prefix_map_remove(lpm->prefixes, key, len);
	/* Its nodes are there: nothing has to be taken. */
	return apply(lpm, key, len, &change);
}
