// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/decap.h"

#include "dataplane/ipv4.h"

#define ECN_DROP 0x80 /* no ECN value: the packet must not go on */
#define ECN_ODD  0x40 /* beside the value: worth an operator's attention */

/* RFC 6040, figure 4: [inner][outer] -> what the packet carries on. */
static const uint8_t ecn_out[4][4] = {
	[DP_ECN_NOT_ECT] = {DP_ECN_NOT_ECT, DP_ECN_NOT_ECT | ECN_ODD, DP_ECN_NOT_ECT | ECN_ODD,
		ECN_DROP},
	[DP_ECN_ECT_1] = {DP_ECN_ECT_1, DP_ECN_ECT_1, DP_ECN_ECT_1 | ECN_ODD, DP_ECN_CE},
	[DP_ECN_ECT_0] = {DP_ECN_ECT_0, DP_ECN_ECT_1, DP_ECN_ECT_0, DP_ECN_CE},
	[DP_ECN_CE] = {DP_ECN_CE, DP_ECN_CE | ECN_ODD, DP_ECN_CE, DP_ECN_CE},
};

/* The holder check; true: the packet is the client's own. */
static inline bool is_holder(
	struct dp_pkt *p, const struct dp_binding_key *key, const struct dp_binding *binding)
{
	if (unlikely(binding == NULL)) {
		dp_pkt_drop(p, key->has_port ? DP_DROP_NO_BINDING_V6 : DP_DROP_NO_PORT_V6);
		return false;
	}
	if (likely(dp_decap_is_holder(p->v6, binding)))
		return true;
	dp_pkt_drop(p, dp_v6_diff(p->v6->src_addr, &binding->client_v6) != 0
			       ? DP_DROP_SPOOFED_CLIENT
			       : DP_DROP_WRONG_TEP);
	return false;
}

/* May it be forwarded to the IPv4 side? */
static inline bool is_forwardable(const struct dp_ctx *ctx, struct dp_pkt *p)
{
	if (unlikely(dp_v4_is_martian(rte_be_to_cpu_32(p->v4->dst_addr)))) {
		dp_pkt_drop(p, DP_DROP_INNER_MARTIAN);
		return false;
	}
	if (unlikely(ipv4_ttl_is_spent(p->v4))) {
		dp_pkt_drop(p, DP_DROP_INNER_TTL_EXPIRED);
		return false;
	}
	if (unlikely(p->v4_len > ctx->mtu_v4 && !p->to_v6)) {
		if (ipv4_must_stay_whole(p->v4)) {
			dp_pkt_drop(p, DP_DROP_TOO_BIG_V4);
			return false;
		}
		p->cut = true;
	}
	return true;
}

/* The TOS octet of what comes out; false: dropped. */
static bool merge_tos(struct dp_ctx *ctx, struct dp_pkt *p, uint8_t outer_tos, uint8_t *tos)
{
	uint8_t ecn = ecn_out[*tos & DP_ECN_MASK][outer_tos & DP_ECN_MASK];

	if (ecn & ECN_DROP) {
		dp_pkt_drop(p, DP_DROP_OUTER_CE);
		return false;
	}
	if (ecn & ECN_ODD)
		dp_count(&ctx->counters, DP_COUNT_ECN_ODD, 1, p->m->pkt_len);
	*tos = dp_dscp_inner(&ctx->dscp, outer_tos, *tos) | (ecn & DP_ECN_MASK);
	return true;
}

static inline void strip(struct dp_ctx *ctx, struct dp_pkt *p)
{
	struct rte_mbuf *m = p->m;
	uint8_t tos = p->v4->type_of_service;
	uint16_t data_off = (uint8_t *)p->v4 - RTE_ETHER_HDR_LEN - (uint8_t *)m->buf_addr;
	int32_t stripped = data_off - m->data_off;

	if (unlikely(!dp_decap_keeps_tos(ctx, p)) &&
		!merge_tos(ctx, p, dp_decap_outer_tos(p->v6), &tos))
		return;
	ipv4_forward(p->v4, tos);
	m->data_off = data_off;
	dp_pkt_set_len(p, RTE_ETHER_HDR_LEN + p->v4_len, -stripped);
}

void dp_decap(struct dp_ctx *ctx, struct dp_burst *burst)
{
	uint64_t packets = 0, bytes = 0;

	if (dp_burst_is_from_v4(burst))
		return;
	for (uint32_t i = 0; i < burst->n; i++) {
		struct dp_pkt *p = &burst->pkts[i];

		if (p->verdict != DP_CONTINUE || !p->from_v6)
			continue;
		if (!is_holder(p, &burst->keys[i], burst->bindings[i]) || !is_forwardable(ctx, p))
			continue;
		strip(ctx, p);
		if (likely(p->verdict == DP_CONTINUE)) {
			packets++;
			bytes += p->v4_len;
		}
	}
	dp_count(&ctx->counters, DP_COUNT_DECAPSULATED, packets, bytes);
}
