// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/encap.h"

#include "dataplane/ipv4.h"
#include "dataplane/outer.h"
#include "dataplane/tunnel_mtu.h"

/* What encap has no binding for: nobody holds the destination. */
static void refuse(const struct dp_ctx *ctx, struct dp_pkt *p, const struct dp_binding_key *key)
{
	if (p->from_v6)
		dp_pkt_drop(p, dp_bindings_has_v4(ctx->bindings, rte_be_to_cpu_32(p->v4->dst_addr))
				       ? DP_DROP_HAIRPIN_NO_BINDING
				       : DP_DROP_POOL_NO_BINDING);
	else
		dp_pkt_unclaimed(
			ctx, p, key->has_port ? DP_DROP_NO_BINDING_V4 : DP_DROP_NO_PORT_V4);
}

/* May it go into the tunnel? decap has looked at the TTL of what came out of another one. */
static inline bool is_forwardable(
	const struct dp_ctx *ctx, struct dp_pkt *p, const struct dp_binding *binding)
{
	if (unlikely(ipv4_ttl_is_spent(p->v4) && !p->from_v6)) {
		dp_pkt_drop(p, DP_DROP_V4_TTL_EXPIRED);
		return false;
	}
	if (unlikely(p->v4_len + ctx->tunnel_overhead > dp_tunnel_mtu(ctx, binding)) &&
		!dp_tunnel_mtu_admit(ctx, p, binding))
		return false;
	if (unlikely(rte_pktmbuf_headroom(p->m) < ctx->tunnel_overhead)) {
		dp_pkt_drop(p, DP_DROP_NO_HEADROOM);
		return false;
	}
	return true;
}

static inline void wrap(
	const struct dp_ctx *ctx, struct dp_pkt *p, const struct dp_binding *binding)
{
	uint16_t overhead = (uint16_t)ctx->tunnel_overhead;
	struct rte_ipv6_hdr *v6;

	if (likely(!p->from_v6))
		ipv4_decrement_ttl(p->v4);
	p->m->data_off -= overhead;
	dp_pkt_set_len(p, RTE_ETHER_HDR_LEN + overhead + p->v4_len, overhead);
	v6 = dp_outer_write(ctx, p);
	dp_outer_write_addresses(v6, binding);
	p->v6 = v6;
}

void dp_encap(struct dp_ctx *ctx, struct dp_burst *burst)
{
	uint64_t packets = 0, bytes = 0;

	for (uint32_t i = 0; i < burst->n; i++) {
		struct dp_pkt *p = &burst->pkts[i];
		const struct dp_binding *binding;

		if (p->verdict != DP_CONTINUE || !p->to_v6)
			continue;
		binding = unlikely(p->from_v6) ? burst->targets[i] : burst->bindings[i];
		if (unlikely(binding == NULL)) {
			refuse(ctx, p, &burst->keys[i]);
			continue;
		}
		if (!is_forwardable(ctx, p, binding))
			continue;
		wrap(ctx, p, binding);
		packets++;
		bytes += p->v4_len + ctx->tunnel_overhead;
		if (unlikely(p->from_v6))
			dp_count(&ctx->counters, DP_COUNT_HAIRPINNED, 1,
				p->v4_len + ctx->tunnel_overhead);
	}
	dp_count(&ctx->counters, DP_COUNT_ENCAPSULATED, packets, bytes);
}
