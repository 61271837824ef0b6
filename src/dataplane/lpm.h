// SPDX-License-Identifier: BSD-3-Clause
/*
 * Longest prefix match: a table by the first bits of an address, and below it nodes by 8 bits each. An entry is
 * the number of what the address leads to, or a node that knows more.
 *
 *	IPv4	24 bits, entries of 2 octets: 32 MiB, one access, or two below /24 (DIR-24-8)
 *	IPv6	16 bits, entries of 4 octets: 256 KiB, an access more for each 8 bits
 *
 * One writer, many readers without a lock. A node is filled before an entry leads to it; when nothing in it is
 * longer than what leads to it, the entry takes its place, and the node is used again after a grace period. So a
 * reader finds either the old or the new way for every address, at any time, which the tables of DPDK
 * 22.11 do not promise: rte_fib clears nodes that it frees under its readers, and keeps a second tree of 128 octets and
 * more a route in huge pages; rte_lpm6 and rte_fib6 know no grace period either, and rte_fib6 loses nodes.
 *
 * For the writer the length of the prefix stands beside each entry, and all prefixes in a map, where it finds
 * what is left when one goes.
 */
#pragma once

#include "dataplane/prefix_map.h"

#include <netinet/in.h>
#include <rte_rcu_qsbr.h>
#include <stdint.h>

#define DP_LPM_ROOT_BITS_V4 24
#define DP_LPM_ROOT_BITS_V6 16
#define DP_LPM_NODE_BITS    8
#define DP_LPM_NODE_ENTRIES (1U << DP_LPM_NODE_BITS)

/* The uppermost bit says that the rest is the number of a node. */
#define DP_LPM_EXT_V4     0x8000U
#define DP_LPM_EXT_V6     0x80000000U
#define DP_LPM_NUMBERS_V4 0x7fffU /* the highest number, of nodes as well */

struct dp_lpm {
	union {
		uint16_t *root_v4;
		uint32_t *root_v6;
	};
	union {
		uint16_t *nodes_v4;
		uint32_t *nodes_v6;
	};
	/* The writer's own: */
	int family;
	uint32_t max_nodes;
	uint8_t *root_lens;
	uint8_t *node_lens;
	struct dp_numbers *numbers; /* of nodes */
	struct dp_prefix_map *prefixes;
};

struct dp_lpm_params {
	int family;
	uint32_t max_routes;
	uint32_t max_nodes; /* IPv4: DP_LPM_NUMBERS_V4 at most */
	struct rte_rcu_qsbr *qsbr;
	int socket;
};

/* 0 or -ENOMEM; then, too, dp_lpm_clear has to follow. */
int dp_lpm_init(struct dp_lpm *lpm, const struct dp_lpm_params *params);
void dp_lpm_clear(struct dp_lpm *lpm);

/* 0 or -ENOSPC, and everything is as it was. number is not 0; len is not 0 either. */
int dp_lpm_set(struct dp_lpm *lpm, dp_prefix_key key, uint32_t len, uint32_t number);
/* 0 or -ENOENT. */
int dp_lpm_remove(struct dp_lpm *lpm, dp_prefix_key key, uint32_t len);

static inline dp_prefix_key dp_lpm_key_v4(uint32_t v4)
{
	return (dp_prefix_key)v4 << 96;
}

static inline dp_prefix_key dp_lpm_key_v6(const struct in6_addr *v6)
{
	dp_prefix_key key = 0;

	for (uint32_t i = 0; i < sizeof(*v6); i++)
		key = key << 8 | v6->s6_addr[i];
	return key;
}

/* The number, or a node, by the first 24 bits ... */
static inline uint32_t dp_lpm_first_v4(const struct dp_lpm *lpm, uint32_t v4)
{
	return __atomic_load_n(&lpm->root_v4[v4 >> 8], __ATOMIC_ACQUIRE);
}

/* ... and the number. 0: no prefix. */
static inline uint32_t dp_lpm_second_v4(const struct dp_lpm *lpm, uint32_t v4, uint32_t first)
{
	if ((first & DP_LPM_EXT_V4) == 0)
		return first;
	return __atomic_load_n(&lpm->nodes_v4[(first & ~DP_LPM_EXT_V4) << DP_LPM_NODE_BITS |
					      (v4 & (DP_LPM_NODE_ENTRIES - 1))],
		__ATOMIC_RELAXED);
}

/* By the first 16 bits; then by the third octet and so on, until it is a number. */
static inline uint32_t dp_lpm_first_v6(const struct dp_lpm *lpm, const uint8_t *octets)
{
	return __atomic_load_n(&lpm->root_v6[octets[0] << 8 | octets[1]], __ATOMIC_ACQUIRE);
}

static inline uint32_t dp_lpm_next_v6(const struct dp_lpm *lpm, uint8_t octet, uint32_t entry)
{
	if ((entry & DP_LPM_EXT_V6) == 0)
		return entry;
	return __atomic_load_n(
		&lpm->nodes_v6[(size_t)(entry & ~DP_LPM_EXT_V6) << DP_LPM_NODE_BITS | octet],
		__ATOMIC_ACQUIRE);
}
