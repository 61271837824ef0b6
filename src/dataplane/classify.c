// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/classify.h"

#include "dataplane/ipv4.h"
#include "dataplane/ipv4_options.h"
#include "dataplane/ipv6_ext.h"
#include "dataplane/plain.h"
#include "dataplane/tunnel_err.h"

static const uint8_t v4_reasons[IPV4_N_FAULTS] = {
	[IPV4_TRUNCATED] = DP_DROP_V4_TRUNCATED,
	[IPV4_BAD_VERSION] = DP_DROP_V4_BAD_VERSION,
	[IPV4_BAD_HEADER_LENGTH] = DP_DROP_V4_BAD_HEADER_LENGTH,
	[IPV4_BAD_LENGTH] = DP_DROP_V4_BAD_LENGTH,
	[IPV4_BAD_CHECKSUM] = DP_DROP_V4_BAD_CHECKSUM,
};

static const uint8_t inner_reasons[IPV4_N_FAULTS] = {
	[IPV4_TRUNCATED] = DP_DROP_INNER_TRUNCATED,
	[IPV4_BAD_VERSION] = DP_DROP_INNER_BAD_VERSION,
	[IPV4_BAD_HEADER_LENGTH] = DP_DROP_INNER_BAD_HEADER_LENGTH,
	[IPV4_BAD_LENGTH] = DP_DROP_INNER_BAD_LENGTH,
	[IPV4_BAD_CHECKSUM] = DP_DROP_INNER_BAD_CHECKSUM,
};

static const uint8_t ext_reasons[DP_EXT_N_FAULTS] = {
	[DP_EXT_MALFORMED] = DP_DROP_V6_EXT_MALFORMED,
	[DP_EXT_ORDER] = DP_DROP_V6_EXT_ORDER,
	[DP_EXT_TOO_LONG] = DP_DROP_V6_EXT_TOO_LONG,
	[DP_EXT_OPTION] = DP_DROP_V6_EXT_OPTION,
	[DP_EXT_ROUTING] = DP_DROP_V6_EXT_ROUTING,
	[DP_EXT_AH] = DP_DROP_V6_AH,
	[DP_EXT_ESP] = DP_DROP_V6_ESP,
};

static bool is_our_tunnel_address(const struct dp_ctx *ctx, const uint8_t *v6)
{
	for (uint32_t i = 0; i < ctx->n_tep_v6; i++)
		if (memcmp(&ctx->tep_v6[i], v6, sizeof(ctx->tep_v6[i])) == 0)
			return true;
	return false;
}

/* Keeps what later stages need of a sound IPv4 header; false: dropped. */
static inline bool take_v4(
	struct dp_pkt *p, struct rte_ipv4_hdr *v4, uint32_t room, const uint8_t *reasons)
{
	enum ipv4_fault fault = ipv4_check(v4, room);

	if (unlikely(fault != IPV4_SOUND)) {
		dp_pkt_drop(p, reasons[fault]);
		return false;
	}
	p->v4 = v4;
	p->v4_len = rte_be_to_cpu_16(v4->total_length);
	p->l4_offset = ipv4_header_len(v4);
	return true;
}

/* Where the sender wants it and not where its destination says? */
static inline bool is_source_routed(const struct dp_ctx *ctx, const struct dp_pkt *p)
{
	return unlikely(p->l4_offset != IPV4_HEADER_MIN) && !ctx->pass_source_routes &&
	       ipv4_has_source_route(p->v4);
}

/* What stands inside a tunnel packet. */
static inline void take_inner(
	const struct dp_ctx *ctx, struct dp_pkt *p, void *inner, uint32_t room)
{
	p->from_v6 = true;
	if (!take_v4(p, inner, room, inner_reasons))
		return;
	if (is_source_routed(ctx, p))
		dp_pkt_drop(p, DP_DROP_INNER_SOURCE_ROUTE);
	else if (unlikely(ipv4_is_fragment(p->v4)))
		p->verdict = DP_FRAGMENT;
}

static void refuse_tunnel(struct dp_pkt *p, enum dp_counter reason)
{
	p->from_v6 = true;
	dp_pkt_drop(p, reason);
}

/* A fragment that can be one of a tunnel packet, or of headers before it. Others are the host's to join. */
static void classify_v6_fragment(
	const struct dp_ctx *ctx, struct dp_pkt *p, const uint8_t *extension, uint32_t room)
{
	if (room < sizeof(struct rte_ipv6_fragment_ext)) {
		refuse_tunnel(p, DP_DROP_V6_FRAG_MALFORMED);
		return;
	}
	switch (extension[0]) {
	case IPPROTO_IPIP:
	case IPPROTO_DSTOPTS:
	case IPPROTO_ROUTING:
		p->verdict = DP_FRAGMENT;
		break;
	case IPPROTO_FRAGMENT:
	case IPPROTO_HOPOPTS:
		refuse_tunnel(p, DP_DROP_V6_EXT_ORDER);
		break;
	case IPPROTO_AH:
		refuse_tunnel(p, DP_DROP_V6_AH);
		break;
	case IPPROTO_ESP:
		refuse_tunnel(p, DP_DROP_V6_ESP);
		break;
	default:
		dp_pkt_to_host(ctx, p);
	}
}

/* IPv6 to a tunnel address of ours that does not begin with the packet inside. */
static void classify_not_tunnel(const struct dp_ctx *ctx, struct dp_pkt *p, uint32_t payload_len)
{
	uint8_t *behind;
	struct dp_ext ext;
	enum dp_ext_fault fault;
	uint32_t room;

	if (p->v6->proto == IPPROTO_ICMPV6 && ctx->icmp.relay &&
		dp_tunnel_err_quotes_tunnel(p->v6, payload_len)) {
		p->from_v6 = true;
		p->verdict = DP_RELAY;
		return;
	}
	fault = dp_ext_walk(p->v6, payload_len, &ext);
	if (fault != DP_EXT_SOUND) {
		refuse_tunnel(p, ext_reasons[fault]);
		return;
	}
	behind = (uint8_t *)p->v6 + ext.end;
	room = sizeof(*p->v6) + payload_len - ext.end;
	switch (ext.next) {
	case IPPROTO_IPIP:
		take_inner(ctx, p, behind, room);
		break;
	case IPPROTO_FRAGMENT:
		classify_v6_fragment(ctx, p, behind, room);
		break;
	default:
		dp_pkt_to_host(ctx, p);
	}
}

/* IPv6 to another address. What stays on the link is the host's in any case (ND, routing). */
static void classify_other_v6(const struct dp_ctx *ctx, struct dp_pkt *p)
{
	const uint8_t *dst = p->v6->dst_addr;
	bool stays = dst[0] == 0xff || (dst[0] == 0xfe && (dst[1] & 0xc0) == 0x80);

	if (ctx->forward.v6 && !stays)
		dp_pkt_forward(p);
	else
		dp_pkt_to_host(ctx, p);
}

static inline void classify_v6(const struct dp_ctx *ctx, struct dp_pkt *p, uint32_t room)
{
	struct rte_ipv6_hdr *v6 = rte_pktmbuf_mtod_offset(
		p->m, struct rte_ipv6_hdr *, RTE_ETHER_HDR_LEN);
	uint32_t payload_len;

	if (unlikely(room < sizeof(*v6))) {
		dp_pkt_drop(p, DP_DROP_V6_TRUNCATED);
		return;
	}
	if (unlikely((rte_be_to_cpu_32(v6->vtc_flow) >> 28) != 6)) {
		dp_pkt_drop(p, DP_DROP_V6_BAD_VERSION);
		return;
	}
	payload_len = rte_be_to_cpu_16(v6->payload_len);
	if (unlikely(payload_len > room - sizeof(*v6))) {
		dp_pkt_drop(p, DP_DROP_V6_BAD_LENGTH);
		return;
	}
	p->v6 = v6;
	if (unlikely(!is_our_tunnel_address(ctx, v6->dst_addr))) {
		classify_other_v6(ctx, p);
		return;
	}
	if (unlikely(v6->proto != IPPROTO_IPIP)) {
		classify_not_tunnel(ctx, p, payload_len);
		return;
	}
	take_inner(ctx, p, v6 + 1, payload_len);
}

static inline void classify_v4(const struct dp_ctx *ctx, struct dp_pkt *p, uint32_t room)
{
	struct rte_ipv4_hdr *v4 = rte_pktmbuf_mtod_offset(
		p->m, struct rte_ipv4_hdr *, RTE_ETHER_HDR_LEN);
	uint32_t dst;

	p->to_v6 = true;
	if (!take_v4(p, v4, room, v4_reasons))
		return;
	dst = rte_be_to_cpu_32(v4->dst_addr);
	if (is_source_routed(ctx, p))
		dp_pkt_drop(p, DP_DROP_V4_SOURCE_ROUTE);
	else if (unlikely(dst >> 24 >=
			  224)) /* multicast and broadcast: the router's own protocols */
		dp_pkt_to_host(ctx, p);
	else if (unlikely(dp_v4_is_martian(rte_be_to_cpu_32(v4->src_addr))))
		dp_pkt_drop(p, DP_DROP_V4_MARTIAN);
	else if (unlikely(ipv4_is_fragment(v4))) {
		if (dp_is_local_v4(ctx, dst))
			dp_pkt_to_host(ctx, p);
		else if (!dp_pkt_forward_v4(ctx, p, dst))
			p->verdict = DP_FRAGMENT;
	}
}

static inline void reset(struct dp_pkt *p)
{
	p->v4 = NULL;
	p->v6 = NULL;
	p->verdict = DP_CONTINUE;
	p->from_v6 = false;
	p->cut = false;
	p->to_v6 = false;
}

/* By what the Ethernet header announces. */
static inline void classify_payload(const struct dp_ctx *ctx, struct dp_pkt *p)
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(p->m, const struct rte_ether_hdr *);
	uint32_t room = p->m->pkt_len - RTE_ETHER_HDR_LEN;

	switch (ether->ether_type) {
	case RTE_BE16(RTE_ETHER_TYPE_IPV6):
		classify_v6(ctx, p, room);
		break;
	case RTE_BE16(RTE_ETHER_TYPE_IPV4):
		classify_v4(ctx, p, room);
		break;
	case RTE_BE16(RTE_ETHER_TYPE_VLAN):
	case RTE_BE16(RTE_ETHER_TYPE_QINQ):
		dp_pkt_drop(p, DP_DROP_VLAN);
		break;
	default:
		dp_pkt_to_host(ctx, p);
	}
}

static bool is_for_host(const struct dp_pkt *p)
{
	return p->verdict == DP_PUNT || (p->verdict == DP_DROP && p->reason == DP_DROP_NO_HOST);
}

/* Each router on the link has it: none forwards it, or answers. */
static void classify_group_mac(const struct dp_ctx *ctx, struct dp_pkt *p)
{
	classify_payload(ctx, p);
	if (!is_for_host(p))
		dp_pkt_drop(p, DP_DROP_GROUP_MAC);
}

static inline void classify_one(const struct dp_ctx *ctx, struct dp_pkt *p, uint32_t side)
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(p->m, const struct rte_ether_hdr *);

	reset(p);
	if (unlikely(p->m->data_len < RTE_ETHER_HDR_LEN)) {
		dp_pkt_drop(p, DP_DROP_FRAME_SHORT);
		return;
	}
	if (unlikely(p->m->nb_segs != 1) && !ctx->has_returned) { /* joined here, then */
		dp_pkt_drop(p, DP_DROP_FRAME_SEGMENTED);
		return;
	}
	if (likely(rte_is_same_ether_addr(&ether->dst_addr, &ctx->macs[side])))
		classify_payload(ctx, p);
	else if (rte_is_multicast_ether_addr(&ether->dst_addr))
		classify_group_mac(ctx, p);
	else
		dp_pkt_drop(p, DP_DROP_NOT_OUR_MAC);
}

void dp_classify_whole(const struct dp_ctx *ctx, struct dp_pkt *p)
{
	reset(p);
	classify_payload(ctx, p);
	/* One fragment header a packet (RFC 8200 section 4.1), or we might mend headers all day long. */
	if (p->verdict == DP_FRAGMENT && p->v4 == NULL)
		refuse_tunnel(p, DP_DROP_V6_EXT_ORDER);
}

/* The short way; returns a bit for each packet that has to go the long one. */
static inline uint32_t classify_plain(
	const struct dp_ctx *ctx, struct dp_burst *burst, uint32_t side)
{
	uint32_t plain = 0, plain_v4 = 0;

	for (uint32_t i = 0; i < burst->n; i++) {
		enum dp_plain kind = dp_plain(ctx, side, &burst->pkts[i], &burst->keys[i]);

		plain |= (uint32_t)(kind != DP_PLAIN_NOT) << i;
		plain_v4 |= (uint32_t)(kind == DP_PLAIN_V4) << i;
	}
	burst->plain = plain;
	burst->plain_v4 = plain_v4;
	return dp_burst_all(burst) & ~plain;
}

void dp_classify(struct dp_ctx *ctx, struct dp_burst *burst, uint32_t side)
{
	uint32_t others = classify_plain(ctx, burst, side);

	burst->n_fragments = 0;
	burst->held = 0;
	for (; unlikely(others != 0); others &= others - 1) {
		struct dp_pkt *p = &burst->pkts[__builtin_ctz(others)];

		classify_one(ctx, p, side);
		burst->n_fragments += p->verdict == DP_FRAGMENT;
	}
}
