// SPDX-License-Identifier: BSD-3-Clause
/*
 * Next hops: from a packet's outermost destination to a port and a link-layer address.
 *
 * An adjacency is one way out: a port, two MAC addresses and a state. With neighbor: static each port has
 * one adjacency and no route is looked up. With neighbor: kernel the control thread mirrors the host's routes
 * and neighbours into rte_fib and rte_lpm6, whose next hops are adjacency numbers. One writer (control),
 * many readers. An adjacency that a reader can see never changes: another value is another number, the routes
 * move over, and the old number is given out again after a grace period.
 */
#pragma once

#include "common/addr.h"

#include <rte_ether.h>
#include <rte_rcu_qsbr.h>
#include <stdbool.h>
#include <stdint.h>

struct dp_nexthops;

enum dp_adjacency_state {
	DP_ADJ_NO_ROUTE, /* drop no_route; adjacency 0 is this one */
	DP_ADJ_RESOLVED, /* send */
	DP_ADJ_PENDING, /* a gateway whose MAC is not known yet: DP_RESOLVE */
	DP_ADJ_GLEAN, /* on-link prefix, host not known yet: DP_RESOLVE for the packet's destination */
	DP_ADJ_LOCAL, /* an address of this router: DP_PUNT */
};

struct dp_adjacency {
	struct rte_ether_addr dst_mac; /* the first 14 octets as in the Ethernet header */
	struct rte_ether_addr src_mac;
	rte_be16_t ether_type; /* written by dp_nexthops_*: that of the family */
	uint16_t port; /* DPDK port number */
	uint8_t state; /* enum dp_adjacency_state */
} __rte_aligned(32);

struct dp_nexthops_params {
	bool fib; /* false: neighbor: static */
	uint32_t max_adjacencies; /* with fib */
	uint32_t max_routes; /* with fib, per family */
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
/* The adjacency for each destination; never NULL. n up to 64. v4 in host order. */
void dp_nexthops_lookup_v4(const struct dp_nexthops *nexthops, const uint32_t *v4, uint32_t n,
	const struct dp_adjacency **found);
/* addresses[i] points at 16 octets, usually inside the packet. */
void dp_nexthops_lookup_v6(const struct dp_nexthops *nexthops,
	const struct in6_addr *const *addresses, uint32_t n, const struct dp_adjacency **found);

/* --- the writer: control thread -------------------------------------------------------------------- */

/* neighbor: static: all IPv4 (or IPv6) packets leave by this adjacency. */
void dp_nexthops_set_static_v4(struct dp_nexthops *nexthops, const struct dp_adjacency *adjacency);
void dp_nexthops_set_static_v6(struct dp_nexthops *nexthops, const struct dp_adjacency *adjacency);

/* Points a prefix at an adjacency value (equal values share one number). 0, -ENOSPC, -ENOMEM,
 * -EINVAL (an IPv4 prefix other than the default that reaches 255.255.255.255). */
int dp_nexthops_route_v4_set(struct dp_nexthops *nexthops, const struct addr_v4_prefix *prefix,
	const struct dp_adjacency *adjacency);
int dp_nexthops_route_v6_set(struct dp_nexthops *nexthops, const struct addr_v6_prefix *prefix,
	const struct dp_adjacency *adjacency);
/* 0, or -ENOENT. */
int dp_nexthops_route_v4_remove(struct dp_nexthops *nexthops, const struct addr_v4_prefix *prefix);
int dp_nexthops_route_v6_remove(struct dp_nexthops *nexthops, const struct addr_v6_prefix *prefix);
