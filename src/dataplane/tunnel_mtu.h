// SPDX-License-Identifier: BSD-3-Clause
/*
 * How long an outer packet may be on its way to one client (S16, RFC 2473 section 6.7).
 *
 * It is the MTU of the IPv6 side less what the binding's record says: nothing; or what the configuration
 * knows (mtu_rules.h); or what an ICMPv6 "packet too big" about a packet of ours has told (tunnel_err.h decides whether
 * it is believed), for ten minutes, then the way is tried again (RFC 8201 section 4). Never under 1,280.
 *
 * The record is the place for it: every worker reads it for the packet anyway, so what one learns all know; there is
 * no table to fill, no entry to evict, and it goes with the binding. A client with several ranges is
 * learnt about range by range. Any worker may write, with plain atomic stores: whoever is last wins, and every
 * mixture of two writes is an MTU that ends.
 */
#pragma once

#include "dataplane/pkt_ctx.h"

#define DP_TUNNEL_MTU_MIN   1280 /* RFC 8200 section 5 */
#define DP_TUNNEL_MTU_AGE_S 600

static inline uint32_t dp_tunnel_mtu(const struct dp_ctx *ctx, const struct dp_binding *binding)
{
	return ctx->mtu_v6 - __atomic_load_n(&binding->mtu_less, __ATOMIC_RELAXED);
}

/* The MTU of the tunnel that packet i of the burst goes into. */
static inline uint32_t dp_tunnel_mtu_of(
	const struct dp_ctx *ctx, const struct dp_burst *burst, uint32_t i)
{
	return dp_tunnel_mtu(ctx, burst->pkts[i].from_v6 ? burst->targets[i] : burst->bindings[i]);
}

/*
 * The packet with its outer header is longer than dp_tunnel_mtu. False: it is dropped, since it may not be cut. Otherwise
 * p->cut says whether it has to be.
 */
bool dp_tunnel_mtu_admit(
	const struct dp_ctx *ctx, struct dp_pkt *p, const struct dp_binding *binding);

/* A router on the way to the client lets pass no more than mtu, which is at least 1,280. */
void dp_tunnel_mtu_learn(
	struct dp_ctx *ctx, const struct dp_binding *binding, uint32_t mtu, uint32_t octets);
