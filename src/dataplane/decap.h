// SPDX-License-Identifier: BSD-3-Clause
/*
 * Out of the tunnel: the holder check, then the outer header is gone.
 *
 * The binding was found by the inner source address and port. The packet passes only if the outer source
 * is that binding's client and the outer destination its tunnel address (R54, R86, S2): this is what
 * keeps clients from speaking with each other's addresses. Then the tunnel counts as one hop for the
 * TTL (S9), DSCP is as configured (dscp.h, S14) and ECN the table of RFC 6040.
 *
 *	holder proven, header rewritten			-> DP_CONTINUE, to egress, or to encap with to_v6
 *	no binding, not the holder, wrong tunnel address,
 *	no unicast destination, TTL spent, DF and too big,
 *	congestion mark on a packet that has no ECN	-> DP_DROP
 */
#pragma once

#include "dataplane/pkt_ctx.h"

/* 0: the same address. */
static inline uint64_t dp_v6_diff(const uint8_t *a, const struct in6_addr *b)
{
	uint64_t x[2], y[2];

	memcpy(x, a, sizeof(x));
	memcpy(y, b, sizeof(y));
	return (x[0] ^ y[0]) | (x[1] ^ y[1]);
}

/* The holder check: both outer addresses are those of the binding. */
static inline bool dp_decap_is_holder(
	const struct rte_ipv6_hdr *v6, const struct dp_binding *binding)
{
	return (dp_v6_diff(v6->src_addr, &binding->client_v6) |
		       dp_v6_diff(v6->dst_addr, &binding->tep_v6)) == 0;
}

static inline uint8_t dp_decap_outer_tos(const struct rte_ipv6_hdr *v6)
{
	return (uint8_t)(rte_be_to_cpu_32(v6->vtc_flow) >> 20);
}

/* Neither DSCP nor ECN of the packet inside changes. */
static inline bool dp_decap_keeps_tos(const struct dp_ctx *ctx, const struct dp_pkt *p)
{
	return p->v4->type_of_service == dp_decap_outer_tos(p->v6) &&
	       dp_dscp_keeps_equal(&ctx->dscp);
}

void dp_decap(struct dp_ctx *ctx, struct dp_burst *burst);
