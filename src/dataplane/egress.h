// SPDX-License-Identifier: BSD-3-Clause
/*
 * Last stage: the next hop of what decap and encap left, and the Ethernet header in front of it.
 *
 *	next hop known				-> DP_TX by m->port
 *	its MAC address not known yet		-> DP_RESOLVE: all there but both MAC addresses, which are zero
 *	an address of this router		-> DP_PUNT, addressed to the port's own MAC
 *	no route; or none of the above's host	-> DP_DROP
 */
#pragma once

#include "dataplane/flow_hash.h"
#include "dataplane/nexthop.h"
#include "dataplane/pkt_ctx.h"

/* Of several ways the one of the packet's flow. */
static inline const struct dp_adjacency *dp_egress_choose_v4(
	const struct dp_group *group, const struct rte_ipv4_hdr *v4)
{
	return likely(dp_group_is_single(group)) ? group->slots[0]
						 : dp_group_choose(group, dp_flow_hash_v4(v4));
}

static inline const struct dp_adjacency *dp_egress_choose_v6(
	const struct dp_group *group, const struct rte_ipv6_hdr *v6)
{
	return likely(dp_group_is_single(group)) ? group->slots[0]
						 : dp_group_choose(group, dp_flow_hash_v6(v6));
}

/* Into a tunnel: the same as dp_egress_choose_v6 for the packet that will be sent. */
static inline const struct dp_adjacency *dp_egress_choose_tunnel(const struct dp_group *group,
	const struct dp_binding *binding, const struct rte_ipv4_hdr *inner)
{
	if (likely(dp_group_is_single(group)))
		return group->slots[0];
	return dp_group_choose(
		group, dp_flow_hash_tunnel(binding->tep_v6.s6_addr, binding->client_v6.s6_addr,
			       inner, rte_be_to_cpu_16(inner->total_length)));
}

/* To the port of an adjacency that is resolved; the frame begins with room for the Ethernet header. */
static inline void dp_egress_send(
	struct dp_pkt *p, struct rte_mbuf *m, void *frame, const struct dp_adjacency *adjacency)
{
	p->verdict = DP_TX;
	m->port = adjacency->port;
	memcpy(frame, adjacency, RTE_ETHER_HDR_LEN);
}

void dp_egress(struct dp_ctx *ctx, struct dp_burst *burst);

/* One packet whose next hop is known. */
void dp_egress_depart(
	const struct dp_ctx *ctx, struct dp_pkt *p, const struct dp_adjacency *adjacency);
