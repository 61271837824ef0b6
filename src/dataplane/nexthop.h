// SPDX-License-Identifier: BSD-3-Clause
/*
 * Next hops: from a packet's outermost destination to a port and a link-layer address.
 *
 * An adjacency is one way out: a port, two MAC addresses and a state. A group is what a route leads to: one
 * adjacency or several (ECMP), among which the hash of a packet's flow chooses. With neighbor: static each
 * family has one group of one adjacency and no route is looked up. With neighbor: kernel the control thread mirrors the
 * host's routes and neighbours into tables whose next hops are groups. One writer (control), many readers.
 *
 * A group changes in place, slot by slot, so a neighbour's new address touches no route. An adjacency that a
 * reader can see never changes: another value is another adjacency, and the place of the old one is given out
 * again after a grace period, as is that of a group.
 */
#pragma once

#include "common/addr.h"
#include "dataplane/adjacency.h"

#include <rte_rcu_qsbr.h>
#include <stdbool.h>
#include <stdint.h>

struct dp_nexthops;

#define DP_GROUP_SLOTS 31

/* Every slot leads somewhere, also those behind the first n. */
struct dp_group {
	uint32_t
		n; /* slots that the hash chooses among; an adjacency of more weight has more of them */
	const struct dp_adjacency *slots[DP_GROUP_SLOTS];
} __rte_cache_aligned;

struct dp_nexthops_params {
	bool fib; /* false: neighbor: static */
	uint32_t max_adjacencies; /* with fib, like all that follows but the readers */
	uint32_t max_groups;
	uint32_t max_routes_v4;
	uint32_t max_routes_v6;
	uint32_t max_hosts; /* of each family, in addition: host routes to neighbours */
	uint32_t max_readers;
	int socket;
};

/* NULL + rte_errno. */
struct dp_nexthops *dp_nexthops_create(const struct dp_nexthops_params *params);
void dp_nexthops_destroy(struct dp_nexthops *nexthops);
struct rte_rcu_qsbr *dp_nexthops_qsbr(struct dp_nexthops *nexthops);

/* --- readers ------------------------------------------------------------------------------------- */

/* With neighbor: static, the one adjacency of each family; false: look up. */
bool dp_nexthops_static(const struct dp_nexthops *nexthops, const struct dp_adjacency **v4,
	const struct dp_adjacency **v6);
/* The group for each destination; never NULL. n up to 64. v4 in host order. */
void dp_nexthops_lookup_v4(const struct dp_nexthops *nexthops, const uint32_t *v4, uint32_t n,
	const struct dp_group **found);
/* addresses[i] points at 16 octets, usually inside the packet. */
void dp_nexthops_lookup_v6(const struct dp_nexthops *nexthops,
	const struct in6_addr *const *addresses, uint32_t n, const struct dp_group **found);

static inline bool dp_group_is_single(const struct dp_group *group)
{
	return __atomic_load_n(&group->n, __ATOMIC_RELAXED) == 1;
}

/* The adjacency for a flow with this hash, of which the upper bits count. */
static inline const struct dp_adjacency *dp_group_choose(
	const struct dp_group *group, uint32_t hash)
{
	uint64_t n = __atomic_load_n(&group->n, __ATOMIC_RELAXED);

	return __atomic_load_n(&group->slots[hash * n >> 32], __ATOMIC_ACQUIRE);
}

/* --- the writer: control thread -------------------------------------------------------------------- */

/* neighbor: static: all IPv4 (or IPv6) packets leave by this adjacency. */
void dp_nexthops_set_static_v4(struct dp_nexthops *nexthops, const struct dp_adjacency *adjacency);
void dp_nexthops_set_static_v6(struct dp_nexthops *nexthops, const struct dp_adjacency *adjacency);

/* A group for routes of one family; equal adjacencies share one place. Its number, or -ENOSPC. n: 1 to
 * DP_GROUP_SLOTS, else -EINVAL; a weight is told by repeating an adjacency. */
int dp_nexthops_group_add(struct dp_nexthops *nexthops, int family,
	const struct dp_adjacency *adjacencies, uint32_t n);
/* In place, for all routes at once. 0; or -ENOSPC, -EINVAL, and it is as it was. */
int dp_nexthops_group_set(struct dp_nexthops *nexthops, int group,
	const struct dp_adjacency *adjacencies, uint32_t n);
/* No route may lead to it any more. */
void dp_nexthops_group_remove(struct dp_nexthops *nexthops, int group);

/* Points a prefix at a group of its family. 0; -ENOSPC, and it is as it was; -EINVAL. */
int dp_nexthops_route_v4_set(
	struct dp_nexthops *nexthops, const struct addr_v4_prefix *prefix, int group);
int dp_nexthops_route_v6_set(
	struct dp_nexthops *nexthops, const struct addr_v6_prefix *prefix, int group);
/* 0, or -ENOENT. */
int dp_nexthops_route_v4_remove(struct dp_nexthops *nexthops, const struct addr_v4_prefix *prefix);
int dp_nexthops_route_v6_remove(struct dp_nexthops *nexthops, const struct addr_v6_prefix *prefix);
