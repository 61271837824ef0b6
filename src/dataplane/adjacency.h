// SPDX-License-Identifier: BSD-3-Clause
/*
 * Adjacencies: values that do not change, equal ones in one place, counted by their users. The writer's side;
 * what readers see is a pointer to the value (nexthop.h).
 */
#pragma once

#include <rte_ether.h>
#include <rte_rcu_qsbr.h>
#include <stdint.h>

enum dp_adjacency_state {
	DP_ADJ_NO_ROUTE, /* drop no_route */
	DP_ADJ_RESOLVED, /* send */
	DP_ADJ_PENDING, /* a gateway whose MAC is not known yet: DP_RESOLVE */
	DP_ADJ_GLEAN, /* on-link prefix, host not known yet: DP_RESOLVE for the packet's destination */
	DP_ADJ_LOCAL, /* an address of this router: DP_PUNT */
};

struct dp_adjacency {
	struct rte_ether_addr dst_mac; /* the first 14 octets as in the Ethernet header */
	struct rte_ether_addr src_mac;
	rte_be16_t ether_type; /* written by dp_adjacencies_take */
	uint16_t port; /* DPDK port number */
	uint8_t state; /* enum dp_adjacency_state */
} __rte_aligned(32);

struct dp_adjacencies;

/* NULL + rte_errno. */
struct dp_adjacencies *dp_adjacencies_create(uint32_t max, struct rte_rcu_qsbr *qsbr, int socket);
/* NULL is allowed. */
void dp_adjacencies_destroy(struct dp_adjacencies *adjacencies);

/* The one without a route, which is always there. */
const struct dp_adjacency *dp_adjacencies_none(const struct dp_adjacencies *adjacencies);
/* The place of this value, with one user more; NULL: there is no room. */
const struct dp_adjacency *dp_adjacencies_take(struct dp_adjacencies *adjacencies,
	const struct dp_adjacency *value, rte_be16_t ether_type);
/* One user less; with the last one it may go after a grace period. */
void dp_adjacencies_release(
	struct dp_adjacencies *adjacencies, const struct dp_adjacency *adjacency);
