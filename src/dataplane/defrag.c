// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/defrag.h"

#include "dataplane/classify.h"
#include "dataplane/ipv4.h"
#include "dataplane/ipv6_ext.h"
#include "dataplane/reassembly.h"

#define V6_OFFSET_MASK 0xfff8
#define V6_MORE        1

static uint8_t v6_ecn(const struct rte_ipv6_hdr *v6)
{
	return (rte_be_to_cpu_32(v6->vtc_flow) >> 20) & DP_ECN_MASK;
}

static uint32_t distance(const struct dp_pkt *p, const void *at)
{
	return (uint32_t)((const uint8_t *)at - rte_pktmbuf_mtod(p->m, const uint8_t *));
}

/* Behind the headers that each fragment repeats; classify found them sound. */
static const void *fragment_header(const struct rte_ipv6_hdr *v6)
{
	struct dp_ext ext;

	dp_ext_walk(v6, rte_be_to_cpu_16(v6->payload_len), &ext);
	return (const uint8_t *)v6 + ext.end;
}

static struct dp_frag describe_v6(const struct dp_pkt *p)
{
	const struct rte_ipv6_fragment_ext *extension = fragment_header(p->v6);
	uint16_t data = rte_be_to_cpu_16(extension->frag_data);
	struct dp_frag frag = {
		.key.id = extension->id,
		.offset = data & V6_OFFSET_MASK,
		.len = (uint32_t)((const uint8_t *)(p->v6 + 1) +
				  rte_be_to_cpu_16(p->v6->payload_len) -
				  (const uint8_t *)(extension + 1)),
		.start = distance(p, extension + 1),
		.more = (data & V6_MORE) != 0,
		.ecn = v6_ecn(p->v6),
	};

	memcpy(frag.key.outer_src, p->v6->src_addr, sizeof(frag.key.outer_src));
	memcpy(frag.key.outer_dst, p->v6->dst_addr, sizeof(frag.key.outer_dst));
	return frag;
}

static struct dp_frag describe_v4(const struct dp_pkt *p)
{
	uint16_t flags = rte_be_to_cpu_16(p->v4->fragment_offset);
	struct dp_frag frag = {
		.key.src = p->v4->src_addr,
		.key.dst = p->v4->dst_addr,
		.key.id = p->v4->packet_id,
		.key.protocol = p->v4->next_proto_id,
		.offset = (uint32_t)(flags & RTE_IPV4_HDR_OFFSET_MASK) * 8,
		.len = p->v4_len - p->l4_offset,
		.start = distance(p, p->v4) + p->l4_offset,
		.more = (flags & RTE_IPV4_HDR_MF_FLAG) != 0,
		.df_len = (flags & RTE_IPV4_HDR_DF_FLAG) != 0 ? p->v4_len : 0,
		.ecn = p->v4->type_of_service & DP_ECN_MASK,
	};

	if (p->from_v6) {
		memcpy(frag.key.outer_src, p->v6->src_addr, sizeof(frag.key.outer_src));
		memcpy(frag.key.outer_dst, p->v6->dst_addr, sizeof(frag.key.outer_dst));
		frag.outer_ecn = v6_ecn(p->v6);
	}
	return frag;
}

/* Closes the gap that the fragment header leaves; the packet is no fragment any more. False: too long. */
static bool mend_v6(struct rte_mbuf *m, uint32_t start, uint32_t payload_len)
{
	const uint32_t gap = sizeof(struct rte_ipv6_fragment_ext);
	struct rte_ipv6_hdr *v6 = rte_pktmbuf_mtod_offset(
		m, struct rte_ipv6_hdr *, RTE_ETHER_HDR_LEN);
	uint32_t repeated = start - gap - RTE_ETHER_HDR_LEN - sizeof(*v6);
	struct dp_ext ext;

	if (repeated + payload_len > DP_DATAGRAM_MAX)
		return false;
	dp_ext_walk(v6, repeated + gap, &ext);
	((uint8_t *)v6)[ext.next_at] = ((uint8_t *)v6)[ext.end];
	v6->payload_len = rte_cpu_to_be_16((uint16_t)(repeated + payload_len));
	memmove(rte_pktmbuf_mtod_offset(m, uint8_t *, gap), rte_pktmbuf_mtod(m, uint8_t *),
		start - gap);
	rte_pktmbuf_adj(m, (uint16_t)gap);
	return true;
}

static void mark_v6(struct rte_ipv6_hdr *v6)
{
	v6->vtc_flow |= rte_cpu_to_be_32((uint32_t)DP_ECN_CE << 20);
}

/* The header around an IPv4 packet that is whole now; false: too long. */
static bool mend_outer(struct rte_mbuf *m, uint32_t v4_offset, const struct dp_whole *whole)
{
	struct rte_ipv6_hdr *v6 = rte_pktmbuf_mtod_offset(
		m, struct rte_ipv6_hdr *, RTE_ETHER_HDR_LEN);
	const struct rte_ipv4_hdr *v4 = rte_pktmbuf_mtod_offset(
		m, const struct rte_ipv4_hdr *, v4_offset);
	uint32_t len = (uint32_t)((const uint8_t *)v4 - (const uint8_t *)(v6 + 1)) +
		       rte_be_to_cpu_16(v4->total_length);

	if (len > DP_DATAGRAM_MAX)
		return false;
	v6->payload_len = rte_cpu_to_be_16((uint16_t)len);
	if (whole->outer_ce)
		mark_v6(v6);
	return true;
}

/*
 * DF on any fragment is the whole packet's (RFC 791, RFC 6864 section 4.2). But not where that would forbid to cut again
 * what came in pieces that each fit: their sender has done all that it could be told to do.
 */
static bool must_stay_whole(const struct dp_ctx *ctx, const struct dp_whole *whole, uint32_t len)
{
	uint32_t fits = RTE_MIN(ctx->mtu_v6 - ctx->tunnel_overhead, ctx->mtu_v4);

	return whole->df_len != 0 && (len <= fits || whole->df_len > fits);
}

/* The IPv4 header of a whole packet; false: too long. */
static bool mend_v4(const struct dp_ctx *ctx, struct rte_mbuf *m, uint32_t offset,
	const struct dp_whole *whole, bool ce)
{
	struct rte_ipv4_hdr *v4 = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, offset);
	uint32_t header_len = ipv4_header_len(v4);
	uint32_t len = header_len + whole->payload_len;

	if (len > DP_DATAGRAM_MAX)
		return false;
	v4->total_length = rte_cpu_to_be_16((uint16_t)len);
	v4->fragment_offset = must_stay_whole(ctx, whole, len) ? RTE_BE16(RTE_IPV4_HDR_DF_FLAG) : 0;
	if (ce)
		v4->type_of_service |= DP_ECN_CE;
	v4->hdr_checksum = 0;
	v4->hdr_checksum = (uint16_t)~rte_raw_cksum(v4, header_len);
	return true;
}

/* Where the first fragment's IPv4 header is: those of one packet may come behind different outer headers. */
static uint32_t v4_offset(const struct rte_mbuf *m, enum dp_frag_kind kind)
{
	const struct rte_ipv6_hdr *v6 = rte_pktmbuf_mtod_offset(
		m, const struct rte_ipv6_hdr *, RTE_ETHER_HDR_LEN);
	struct dp_ext ext;

	if (kind == DP_FRAG_V4)
		return RTE_ETHER_HDR_LEN;
	dp_ext_walk(v6, rte_be_to_cpu_16(v6->payload_len), &ext);
	return RTE_ETHER_HDR_LEN + ext.end;
}

static bool mend(
	const struct dp_ctx *ctx, enum dp_frag_kind kind, const struct dp_whole *whole, bool ce)
{
	struct rte_mbuf *m = whole->m;
	uint32_t offset;

	if (kind == DP_FRAG_V6) {
		if (!mend_v6(m, whole->start, whole->payload_len))
			return false;
		if (ce)
			mark_v6(rte_pktmbuf_mtod_offset(
				m, struct rte_ipv6_hdr *, RTE_ETHER_HDR_LEN));
		return true;
	}
	offset = v4_offset(m, kind);
	return mend_v4(ctx, m, offset, whole, ce) &&
	       (kind == DP_FRAG_V4 || mend_outer(m, offset, whole));
}

/* The packet is complete: makes its headers say so, and lets classify decide what it is. */
static void go_on(
	struct dp_ctx *ctx, struct dp_pkt *p, enum dp_frag_kind kind, const struct dp_whole *whole)
{
	bool ce = (whole->ecn_seen & 1 << DP_ECN_CE) != 0;

	p->m = whole->m;
	if (ce && (whole->ecn_seen & 1 << DP_ECN_NOT_ECT) != 0) {
		dp_pkt_drop(p, dp_frag_drop(kind, DP_FRAG_MALFORMED));
		return;
	}
	if (!mend(ctx, kind, whole, ce)) {
		dp_pkt_drop(p, dp_frag_drop(kind, DP_FRAG_MALFORMED));
		return;
	}
	dp_classify_whole(ctx, p);
}

static void defrag_one(struct dp_ctx *ctx, struct dp_pkt *p)
{
	enum dp_frag_kind kind = p->v4 == NULL ? DP_FRAG_V6
				 : p->from_v6  ? DP_FRAG_INNER
					       : DP_FRAG_V4;
	struct dp_frag frag = kind == DP_FRAG_V6 ? describe_v6(p) : describe_v4(p);
	enum dp_frag_fault fault;
	struct dp_whole whole;

	if (frag.offset == 0 && !frag.more) { /* RFC 6946: alone, whatever else has this number */
		mend_v6(p->m, frag.start, frag.len); /* what fitted before still does */
		dp_classify_whole(ctx, p);
		return;
	}
	switch (dp_reassembly_add(ctx, ctx->reassembly[kind], &frag, p->m, &whole, &fault)) {
	case DP_FRAG_HELD:
		p->verdict = DP_HELD;
		break;
	case DP_FRAG_WHOLE:
		go_on(ctx, p, kind, &whole);
		break;
	default:
		dp_pkt_drop(p, dp_frag_drop(kind, fault));
	}
}

void dp_defrag(struct dp_ctx *ctx, struct dp_burst *burst)
{
	if (likely(burst->n_fragments == 0))
		return;
	for (uint32_t i = 0; i < burst->n; i++)
		while (burst->pkts[i].verdict == DP_FRAGMENT) /* twice: fragments in fragments */
			defrag_one(ctx, &burst->pkts[i]);
}
