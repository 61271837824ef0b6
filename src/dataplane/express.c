// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/express.h"

#include "dataplane/decap.h"
#include "dataplane/egress.h"
#include "dataplane/hairpin.h"
#include "dataplane/ipv4.h"
#include "dataplane/outer.h"
#include "dataplane/tunnel_mtu.h"

#define OUTER_LEN ((uint32_t)sizeof(struct rte_ipv6_hdr))

static inline void set_len(struct rte_mbuf *m, uint32_t len)
{
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
}

/* Its holder's own, to somewhere else, and only TTL and checksum change. */
static inline bool may_leave(const struct dp_ctx *ctx, const uint32_t *prefixes,
	const struct dp_pkt *p, const struct dp_binding *binding)
{
	uint32_t dst = rte_be_to_cpu_32(p->v4->dst_addr);

	return binding != NULL && dp_decap_is_holder(p->v6, binding) && !dp_v4_is_martian(dst) &&
	       !ipv4_ttl_is_spent(p->v4) && p->v4_len <= ctx->mtu_v4 &&
	       dp_decap_keeps_tos(ctx, p) &&
	       (prefixes == NULL || !dp_hairpin_is_near(ctx, prefixes, dst));
}

/* Out of tunnels by one way, or each by its group, in order. Returns those of the packets that left. */
static __rte_always_inline uint32_t leave(struct dp_ctx *ctx, struct dp_burst *burst,
	uint32_t packets, const struct dp_adjacency *one, const struct dp_group *const *groups)
{
	const uint32_t *prefixes = ctx->hairpin ? dp_bindings_prefixes(ctx->bindings) : NULL;
	const struct dp_adjacency copy = one != NULL ? *one : (struct dp_adjacency){0};
	const struct dp_adjacency *way = &copy;
	uint16_t port = ctx->ports[1];
	uint64_t bytes = 0;
	uint32_t left = 0, astray = 0;

	for (; packets != 0; packets &= packets - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(packets);
		struct dp_pkt *p = &burst->pkts[i];
		struct rte_mbuf *m = p->m;
		struct rte_ipv4_hdr *v4 = p->v4;
		uint32_t len = p->v4_len;

		if (one == NULL)
			way = dp_egress_choose_v4(*groups++, v4);
		if (unlikely(!may_leave(ctx, prefixes, p, burst->bindings[i]) ||
			     (one == NULL && way->state != DP_ADJ_RESOLVED)))
			continue;
		ipv4_decrement_ttl(v4);
		m->data_off += (uint16_t)OUTER_LEN;
		set_len(m, RTE_ETHER_HDR_LEN + len);
		dp_egress_send(p, m, (uint8_t *)v4 - RTE_ETHER_HDR_LEN, way);
		astray |= way->port ^ port;
		left |= packets & -packets;
		bytes += len;
	}
	burst->straight &= astray == 0;
	dp_count(&ctx->counters, DP_COUNT_DECAPSULATED, (uint32_t)__builtin_popcount(left), bytes);
	return left;
}

/* Fits into its holder's tunnel as it is. */
static inline bool may_enter(
	const struct dp_ctx *ctx, const struct dp_pkt *p, const struct dp_binding *binding)
{
	return binding != NULL && !ipv4_ttl_is_spent(p->v4) &&
	       p->v4_len + OUTER_LEN <= dp_tunnel_mtu(ctx, binding) &&
	       rte_pktmbuf_headroom(p->m) >= OUTER_LEN;
}

/* Into tunnels. Copies of what all packets share: stores into packets do not make it read again. */
static __rte_always_inline uint32_t enter(struct dp_ctx *ctx, struct dp_burst *burst,
	uint32_t packets, const struct dp_adjacency *one, const struct dp_group *const *groups)
{
	const struct dp_adjacency copy = one != NULL ? *one : (struct dp_adjacency){0};
	const struct dp_adjacency *way = &copy;
	const struct dp_dscp dscp = ctx->dscp;
	const uint32_t flow_label = ctx->flow_label;
	const uint8_t hop_limit = ctx->hop_limit;
	const bool hash_flows = ctx->hash_flows;
	uint16_t port = ctx->ports[0];
	uint64_t bytes = 0;
	uint32_t left = 0, astray = 0;

	for (; packets != 0; packets &= packets - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(packets);
		const struct dp_binding *binding = burst->bindings[i];
		struct dp_pkt *p = &burst->pkts[i];
		struct rte_mbuf *m = p->m;
		struct rte_ipv4_hdr *v4 = p->v4;
		struct rte_ipv6_hdr *v6 = (void *)((uint8_t *)v4 - OUTER_LEN);
		uint32_t len = p->v4_len, tos = dp_dscp_outer(&dscp, v4->type_of_service);

		if (one == NULL)
			way = binding != NULL ? dp_egress_choose_tunnel(*groups++, binding, v4)
					      : NULL;
		if (unlikely(!may_enter(ctx, p, binding) ||
			     (one == NULL && way->state != DP_ADJ_RESOLVED)))
			continue;
		ipv4_decrement_ttl(v4);
		m->data_off -= (uint16_t)OUTER_LEN;
		set_len(m, RTE_ETHER_HDR_LEN + OUTER_LEN + len);
		p->v6 = v6;
		dp_egress_send(p, m, (uint8_t *)v6 - RTE_ETHER_HDR_LEN, way);
		dp_outer_write_fields(v6, tos,
			hash_flows ? dp_flow_label(p, ctx->flow_seed) : flow_label, len, hop_limit);
		dp_outer_write_addresses(v6, binding);
		astray |= way->port ^ port;
		left |= packets & -packets;
		bytes += OUTER_LEN + len;
	}
	burst->straight &= astray == 0;
	dp_count(&ctx->counters, DP_COUNT_ENCAPSULATED, (uint32_t)__builtin_popcount(left), bytes);
	return left;
}

/* neighbor: kernel. The whole burst is looked up, also what then stays for the stages. */
static uint32_t leave_by_routes(struct dp_ctx *ctx, struct dp_burst *burst, uint32_t packets)
{
	const struct dp_group *groups[DP_BURST];
	uint32_t addresses[DP_BURST], n = 0;

	for (uint32_t rest = packets; rest != 0; rest &= rest - 1)
		addresses[n++] = rte_be_to_cpu_32(burst->pkts[__builtin_ctz(rest)].v4->dst_addr);
	dp_nexthops_lookup_v4(ctx->nexthops, addresses, n, groups);
	return leave(ctx, burst, packets, NULL, groups);
}

static uint32_t enter_by_routes(struct dp_ctx *ctx, struct dp_burst *burst, uint32_t packets)
{
	const struct dp_group *groups[DP_BURST];
	const struct in6_addr *addresses[DP_BURST];
	uint32_t n = 0;

	for (uint32_t rest = packets; rest != 0; rest &= rest - 1) {
		const struct dp_binding *binding = burst->bindings[__builtin_ctz(rest)];

		if (likely(binding != NULL))
			addresses[n++] = &binding->client_v6;
	}
	dp_nexthops_lookup_v6(ctx->nexthops, addresses, n, groups);
	return enter(ctx, burst, packets, NULL, groups);
}

bool dp_express(struct dp_ctx *ctx, struct dp_burst *burst)
{
	uint32_t plain_v4 = burst->plain_v4, plain_v6 = burst->plain & ~plain_v4, left = 0;
	const struct dp_adjacency *v4, *v6;

	if (ctx->mss_clamp != 0 || ctx->tunnel_overhead != OUTER_LEN)
		return false;
	burst->straight = true;
	if (dp_nexthops_static(ctx->nexthops, &v4, &v6)) {
		if (plain_v6 != 0 && v4->state == DP_ADJ_RESOLVED)
			left |= leave(ctx, burst, plain_v6, v4, NULL);
		if (plain_v4 != 0 && v6->state == DP_ADJ_RESOLVED)
			left |= enter(ctx, burst, plain_v4, v6, NULL);
	} else {
		if (plain_v6 != 0)
			left |= leave_by_routes(ctx, burst, plain_v6);
		if (plain_v4 != 0)
			left |= enter_by_routes(ctx, burst, plain_v4);
	}
	return (left | burst->held) == dp_burst_all(burst);
}
