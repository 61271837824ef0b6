// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/forward.h"

#include "common/addr.h"
#include "dataplane/egress.h"
#include "dataplane/ipv4.h"
#include "dataplane/nexthop.h"

#define GOOD DP_N_DROPS /* no reason to drop */

/* Packets of one family, in the order of the burst. */
struct travellers {
	uint32_t n;
	uint32_t indices[DP_BURST];
	const struct dp_adjacency *adjacencies[DP_BURST];
	struct dp_adjacency links[DP_SIDES]; /* without routes, what they point to */
};

static uint32_t side_of(const struct dp_ctx *ctx, uint16_t port)
{
	return port == ctx->ports[0] ? 0 : 1;
}

/* --- which way -------------------------------------------------------------------------------------- */

/* neighbor: static: to the neighbour on the link of each side; false: there are routes. */
static bool find_links(
	const struct dp_ctx *ctx, bool is_v6, struct dp_adjacency links[static DP_SIDES])
{
	const struct dp_adjacency *v4, *v6;

	if (!dp_nexthops_static(ctx->nexthops, &v4, &v6))
		return false;
	links[0] = *v6;
	links[1] = *v4;
	links[0].ether_type = is_v6 ? v6->ether_type : v4->ether_type;
	links[1].ether_type = links[0].ether_type;
	return true;
}

static void find_across(
	const struct dp_ctx *ctx, const struct dp_burst *burst, struct travellers *travellers)
{
	for (uint32_t i = 0; i < travellers->n; i++) {
		const struct rte_mbuf *m = burst->pkts[travellers->indices[i]].m;

		travellers->adjacencies[i] = &travellers->links[!side_of(ctx, m->port)];
	}
}

static void find_v4(
	const struct dp_ctx *ctx, const struct dp_burst *burst, struct travellers *travellers)
{
	const struct dp_group *groups[DP_BURST];
	uint32_t addresses[DP_BURST];

	for (uint32_t i = 0; i < travellers->n; i++)
		addresses[i] = rte_be_to_cpu_32(burst->pkts[travellers->indices[i]].v4->dst_addr);
	dp_nexthops_lookup_v4(ctx->nexthops, addresses, travellers->n, groups);
	for (uint32_t i = 0; i < travellers->n; i++)
		travellers->adjacencies[i] = dp_egress_choose_v4(
			groups[i], burst->pkts[travellers->indices[i]].v4);
}

static void find_v6(
	const struct dp_ctx *ctx, const struct dp_burst *burst, struct travellers *travellers)
{
	const struct dp_group *groups[DP_BURST];
	const struct in6_addr *addresses[DP_BURST];

	for (uint32_t i = 0; i < travellers->n; i++)
		addresses[i] = (const void *)burst->pkts[travellers->indices[i]].v6->dst_addr;
	dp_nexthops_lookup_v6(ctx->nexthops, addresses, travellers->n, groups);
	for (uint32_t i = 0; i < travellers->n; i++)
		travellers->adjacencies[i] = dp_egress_choose_v6(
			groups[i], burst->pkts[travellers->indices[i]].v6);
}

/* --- whether ---------------------------------------------------------------------------------------- */

static bool is_confined_v4(uint32_t v4)
{
	return dp_v4_is_martian(v4) || v4 >> 16 == 0xa9fe; /* RFC 3927 section 7 */
}

/* By its addresses. */
static uint32_t judge_v4(const struct dp_ctx *ctx, const struct dp_pkt *p)
{
	uint32_t src = rte_be_to_cpu_32(p->v4->src_addr);

	if (is_confined_v4(src) || is_confined_v4(rte_be_to_cpu_32(p->v4->dst_addr)))
		return DP_DROP_FORWARD_V4_ADDRESS;
	if (dp_is_clients_v4(ctx, src))
		return DP_DROP_FORWARD_SPOOFED;
	return GOOD;
}

static uint32_t judge_v6(const struct dp_pkt *p)
{
	struct in6_addr ends[2]; /* headers lie at even addresses */

	memcpy(ends, p->v6->src_addr, sizeof(ends));
	if (!addr_v6_is_global(&ends[0]) || !addr_v6_is_global(&ends[1]))
		return DP_DROP_FORWARD_V6_ADDRESS;
	return GOOD;
}

/* By its way. */
static uint32_t judge_way(const struct dp_pkt *p, const struct dp_adjacency *adjacency)
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(p->m, const struct rte_ether_hdr *);

	if (adjacency->state == DP_ADJ_NO_ROUTE)
		return DP_DROP_NO_ROUTE;
	if (adjacency->state == DP_ADJ_RESOLVED && adjacency->port == p->m->port &&
		rte_is_same_ether_addr(&ether->src_addr, &adjacency->dst_mac))
		return DP_DROP_FORWARD_LOOP;
	return GOOD;
}

/* --- onwards ---------------------------------------------------------------------------------------- */

static void depart(
	struct dp_ctx *ctx, struct dp_pkt *p, const struct dp_adjacency *adjacency, uint32_t len)
{
	dp_pkt_set_len(p, RTE_ETHER_HDR_LEN + len, 0); /* without padding */
	dp_egress_depart(ctx, p, adjacency);
	if (p->verdict != DP_DROP)
		dp_count(&ctx->counters,
			p->v4 != NULL ? DP_COUNT_FORWARDED_V4 : DP_COUNT_FORWARDED_V6, 1, len);
}

/* As a fragment, beyond the longest packet: its fragments would have no place. */
static bool is_beyond(const struct dp_pkt *p)
{
	uint32_t offset = rte_be_to_cpu_16(p->v4->fragment_offset) & RTE_IPV4_HDR_OFFSET_MASK;

	return offset * 8 + p->v4_len - p->l4_offset > UINT16_MAX;
}

static void onwards_v4(struct dp_ctx *ctx, struct dp_burst *burst, uint32_t i,
	const struct dp_adjacency *adjacency)
{
	struct dp_pkt *p = &burst->pkts[i];
	uint32_t mtu = dp_forward_mtu(ctx, adjacency->port, false);

	if (ipv4_ttl_is_spent(p->v4)) {
		dp_pkt_drop(p, DP_DROP_V4_TTL_EXPIRED);
		return;
	}
	p->cut = p->v4_len > mtu;
	if (p->cut && ipv4_must_stay_whole(p->v4)) {
		dp_pkt_drop(p, DP_DROP_FORWARD_V4_TOO_BIG);
		burst->mtus[i] = (uint16_t)mtu;
		return;
	}
	if (p->cut && is_beyond(p)) {
		dp_pkt_drop(p, DP_DROP_V4_FRAG_MALFORMED);
		return;
	}
	ipv4_decrement_ttl(p->v4);
	depart(ctx, p, adjacency, p->v4_len);
}

static void onwards_v6(struct dp_ctx *ctx, struct dp_burst *burst, uint32_t i,
	const struct dp_adjacency *adjacency)
{
	struct dp_pkt *p = &burst->pkts[i];
	uint32_t mtu = dp_forward_mtu(ctx, adjacency->port, true);
	uint32_t len = sizeof(*p->v6) + rte_be_to_cpu_16(p->v6->payload_len);

	if (p->v6->hop_limits <= 1) {
		dp_pkt_drop(p, DP_DROP_FORWARD_HOP_LIMIT);
		return;
	}
	if (len > mtu) {
		dp_pkt_drop(p, DP_DROP_FORWARD_V6_TOO_BIG);
		burst->mtus[i] = (uint16_t)mtu;
		return;
	}
	p->v6->hop_limits--;
	p->to_v6 = true;
	depart(ctx, p, adjacency, len);
}

/* What a router does with a packet whose way it knows. */
static void route(struct dp_ctx *ctx, struct dp_burst *burst, uint32_t i,
	const struct dp_adjacency *adjacency)
{
	struct dp_pkt *p = &burst->pkts[i];
	uint32_t reason;

	if (adjacency->state == DP_ADJ_LOCAL) {
		dp_pkt_to_host(ctx, p);
		return;
	}
	reason = p->v4 != NULL ? judge_v4(ctx, p) : judge_v6(p);
	if (reason == GOOD)
		reason = judge_way(p, adjacency);
	if (reason != GOOD)
		dp_pkt_drop(p, reason);
	else if (p->v4 != NULL)
		onwards_v4(ctx, burst, i, adjacency);
	else
		onwards_v6(ctx, burst, i, adjacency);
}

static void route_all(
	struct dp_ctx *ctx, struct dp_burst *burst, struct travellers *travellers, bool is_v6)
{
	if (travellers->n == 0)
		return;
	if (find_links(ctx, is_v6, travellers->links))
		find_across(ctx, burst, travellers);
	else if (is_v6)
		find_v6(ctx, burst, travellers);
	else
		find_v4(ctx, burst, travellers);
	for (uint32_t i = 0; i < travellers->n; i++)
		route(ctx, burst, travellers->indices[i], travellers->adjacencies[i]);
}

/* The host has routes, but does not know whose addresses those of clients are. */
static void give_to_host(const struct dp_ctx *ctx, struct dp_pkt *p)
{
	uint32_t reason = judge_v4(ctx, p);

	if (reason != GOOD)
		dp_pkt_drop(p, reason);
	else
		dp_pkt_to_host(ctx, p);
}

void dp_forward(struct dp_ctx *ctx, struct dp_burst *burst)
{
	struct travellers v4, v6;

	v4.n = 0;
	v6.n = 0;
	for (uint32_t i = 0; i < burst->n; i++) {
		struct dp_pkt *p = &burst->pkts[i];

		if (likely(p->verdict != DP_FORWARD))
			continue;
		if (p->v4 == NULL)
			v6.indices[v6.n++] = i;
		else if (ctx->forward.v4 == DP_FORWARD_HOST)
			give_to_host(ctx, p);
		else
			v4.indices[v4.n++] = i;
	}
	route_all(ctx, burst, &v4, false);
	route_all(ctx, burst, &v6, true);
}

void dp_forward_back(const struct dp_ctx *ctx, struct dp_pkt *p)
{
	struct dp_adjacency links[DP_SIDES];

	if (find_links(ctx, p->to_v6, links))
		dp_egress_depart(ctx, p, &links[side_of(ctx, p->m->port)]);
}
