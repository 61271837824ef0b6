// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/egress.h"

/* Packets of one family on their way out, in the order of the burst. */
struct departures {
	uint32_t n;
	struct dp_pkt *pkts[DP_BURST];
	const struct dp_group *groups[DP_BURST];
};

/* Whatever is not simply sent. */
static void depart_otherwise(
	const struct dp_ctx *ctx, struct dp_pkt *p, const struct dp_adjacency *adjacency)
{
	struct rte_ether_hdr *ether = rte_pktmbuf_mtod(p->m, struct rte_ether_hdr *);
	struct rte_ether_addr mac = {0};

	switch (adjacency->state) {
	case DP_ADJ_PENDING:
	case DP_ADJ_GLEAN:
		if (ctx->punt == NULL) {
			dp_pkt_drop(p, DP_DROP_NO_NEXTHOP);
			return;
		}
		p->verdict = DP_RESOLVE;
		break;
	case DP_ADJ_LOCAL:
		mac = ctx->macs[adjacency->port == ctx->ports[0] ? 0 : 1];
		dp_pkt_to_host(ctx, p);
		break;
	default:
		dp_pkt_drop(p, DP_DROP_NO_ROUTE);
		return;
	}
	p->m->port = adjacency->port;
	*ether = (struct rte_ether_hdr){mac, mac, adjacency->ether_type};
}

static inline void depart(
	const struct dp_ctx *ctx, struct dp_pkt *p, const struct dp_adjacency *adjacency)
{
	if (unlikely(adjacency->state != DP_ADJ_RESOLVED)) {
		depart_otherwise(ctx, p, adjacency);
		return;
	}
	dp_egress_send(p, p->m, rte_pktmbuf_mtod(p->m, void *), adjacency);
}

void dp_egress_depart(
	const struct dp_ctx *ctx, struct dp_pkt *p, const struct dp_adjacency *adjacency)
{
	depart(ctx, p, adjacency);
}

static inline const struct dp_adjacency *choose(
	const struct dp_group *group, const struct dp_pkt *p)
{
	return p->to_v6 ? dp_egress_choose_v6(group, p->v6) : dp_egress_choose_v4(group, p->v4);
}

static inline void depart_all(const struct dp_ctx *ctx, const struct departures *out)
{
	for (uint32_t i = 0; i < out->n; i++)
		depart(ctx, out->pkts[i], choose(out->groups[i], out->pkts[i]));
}

static void depart_v4(const struct dp_ctx *ctx, struct departures *out)
{
	uint32_t addresses[DP_BURST];

	if (out->n == 0)
		return;
	for (uint32_t i = 0; i < out->n; i++)
		addresses[i] = rte_be_to_cpu_32(out->pkts[i]->v4->dst_addr);
	dp_nexthops_lookup_v4(ctx->nexthops, addresses, out->n, out->groups);
	depart_all(ctx, out);
}

static void depart_v6(const struct dp_ctx *ctx, struct departures *out)
{
	const struct in6_addr *addresses[DP_BURST];

	if (out->n == 0)
		return;
	for (uint32_t i = 0; i < out->n; i++)
		addresses[i] = (const struct in6_addr *)out->pkts[i]->v6->dst_addr;
	dp_nexthops_lookup_v6(ctx->nexthops, addresses, out->n, out->groups);
	depart_all(ctx, out);
}

/* neighbor: kernel. */
static void depart_by_routes(const struct dp_ctx *ctx, struct dp_burst *burst)
{
	struct departures v4, v6;

	v4.n = 0;
	v6.n = 0;
	for (uint32_t i = 0; i < burst->n; i++) {
		struct dp_pkt *p = &burst->pkts[i];

		if (p->verdict != DP_CONTINUE)
			continue;
		if (p->to_v6)
			v6.pkts[v6.n++] = p;
		else
			v4.pkts[v4.n++] = p;
	}
	depart_v4(ctx, &v4);
	depart_v6(ctx, &v6);
}

void dp_egress(struct dp_ctx *ctx, struct dp_burst *burst)
{
	const struct dp_adjacency *v4, *v6;

	if (!dp_nexthops_static(ctx->nexthops, &v4, &v6)) {
		depart_by_routes(ctx, burst);
		return;
	}
	for (uint32_t i = 0; i < burst->n; i++) {
		struct dp_pkt *p = &burst->pkts[i];

		if (likely(p->verdict == DP_CONTINUE))
			depart(ctx, p, p->to_v6 ? v6 : v4);
	}
}
