// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/defrag.h"

#include "dataplane/classify.h"
#include "dataplane/ipv4.h"
#include "dataplane/ipv6_ext.h"
#include "dataplane/plain.h"
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

static void describe_v6(const struct dp_pkt *p, struct dp_frag *frag)
{
	const struct rte_ipv6_fragment_ext *extension = fragment_header(p->v6);
	uint16_t data = rte_be_to_cpu_16(extension->frag_data);

	memcpy(frag->key.outer_src, p->v6->src_addr, sizeof(frag->key.outer_src));
	memcpy(frag->key.outer_dst, p->v6->dst_addr, sizeof(frag->key.outer_dst));
	frag->key.src = 0;
	frag->key.dst = 0;
	frag->key.id = extension->id;
	frag->key.protocol = 0;
	frag->offset = data & V6_OFFSET_MASK;
	frag->len = (uint32_t)((const uint8_t *)(p->v6 + 1) + rte_be_to_cpu_16(p->v6->payload_len) -
			       (const uint8_t *)(extension + 1));
	frag->start = distance(p, extension + 1);
	frag->more = (data & V6_MORE) != 0;
	frag->df_len = 0;
	frag->ecn = v6_ecn(p->v6);
	frag->outer_ecn = 0;
}

static void describe_v4(const struct dp_pkt *p, struct dp_frag *frag)
{
	uint16_t flags = rte_be_to_cpu_16(p->v4->fragment_offset);

	if (p->from_v6) {
		memcpy(frag->key.outer_src, p->v6->src_addr, sizeof(frag->key.outer_src));
		memcpy(frag->key.outer_dst, p->v6->dst_addr, sizeof(frag->key.outer_dst));
		frag->outer_ecn = v6_ecn(p->v6);
	} else {
		memset(frag->key.outer_src, 0, sizeof(frag->key.outer_src));
		memset(frag->key.outer_dst, 0, sizeof(frag->key.outer_dst));
		frag->outer_ecn = 0;
	}
	frag->key.src = p->v4->src_addr;
	frag->key.dst = p->v4->dst_addr;
	frag->key.id = p->v4->packet_id;
	frag->key.protocol = p->v4->next_proto_id;
	frag->offset = (uint32_t)(flags & RTE_IPV4_HDR_OFFSET_MASK) * 8;
	frag->len = p->v4_len - p->l4_offset;
	frag->start = distance(p, p->v4) + p->l4_offset;
	frag->more = (flags & RTE_IPV4_HDR_MF_FLAG) != 0;
	frag->df_len = (flags & RTE_IPV4_HDR_DF_FLAG) != 0 ? p->v4_len : 0;
	frag->ecn = p->v4->type_of_service & DP_ECN_MASK;
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

/* A packet that is whole now: most of them are plain ones, like most that came whole. */
static void classify_whole(struct dp_ctx *ctx, struct dp_burst *burst, uint32_t i)
{
	enum dp_plain kind = dp_plain_whole(ctx, &burst->pkts[i], &burst->keys[i]);

	if (unlikely(kind == DP_PLAIN_NOT)) {
		dp_classify_whole(ctx, &burst->pkts[i]);
		return;
	}
	burst->plain |= UINT32_C(1) << i;
	burst->plain_v4 |= (uint32_t)(kind == DP_PLAIN_V4) << i;
}

/* The packet is complete: makes its headers say so, and looks at what it is. */
static void go_on(struct dp_ctx *ctx, struct dp_burst *burst, uint32_t i, enum dp_frag_kind kind,
	const struct dp_whole *whole)
{
	bool ce = (whole->ecn_seen & 1 << DP_ECN_CE) != 0;
	struct dp_pkt *p = &burst->pkts[i];

	p->m = whole->m;
	if ((ce && (whole->ecn_seen & 1 << DP_ECN_NOT_ECT) != 0) || !mend(ctx, kind, whole, ce)) {
		dp_pkt_drop(p, dp_frag_drop(kind, DP_FRAG_MALFORMED));
		return;
	}
	classify_whole(ctx, burst, i);
}

/* A fragment of the burst, and where it belongs. */
struct pending {
	struct dp_frag frag;
	struct dp_frag_place place;
	enum dp_frag_kind kind;
};

static inline void look_at(
	const struct dp_ctx *ctx, const struct dp_pkt *p, struct pending *pending)
{
	if (p->v4 == NULL) {
		pending->kind = DP_FRAG_V6;
		describe_v6(p, &pending->frag);
	} else {
		pending->kind = p->from_v6 ? DP_FRAG_INNER : DP_FRAG_V4;
		describe_v4(p, &pending->frag);
	}
	pending->place = dp_reassembly_place(ctx->reassembly[pending->kind], &pending->frag.key);
}

static void defrag_one(
	struct dp_ctx *ctx, struct dp_burst *burst, uint32_t i, const struct pending *pending)
{
	const struct dp_frag *frag = &pending->frag;
	struct dp_pkt *p = &burst->pkts[i];
	enum dp_frag_fault fault;
	struct dp_whole whole;

	if (frag->offset == 0 && !frag->more) { /* RFC 6946: alone, whatever else has this number */
		mend_v6(p->m, frag->start, frag->len); /* what fitted before still does */
		classify_whole(ctx, burst, i);
		return;
	}
	switch (dp_reassembly_add(
		ctx, ctx->reassembly[pending->kind], frag, pending->place, p->m, &whole, &fault)) {
	case DP_FRAG_HELD:
		p->verdict = DP_HELD;
		burst->held |= UINT32_C(1) << i;
		burst->keys[i] = (struct dp_binding_key){0};
		break;
	case DP_FRAG_WHOLE:
		go_on(ctx, burst, i, pending->kind, &whole);
		break;
	default:
		dp_pkt_drop(p, dp_frag_drop(pending->kind, fault));
	}
}

/* Where each belongs is found for all before the first table is read. */
static __rte_noinline void defrag(struct dp_ctx *ctx, struct dp_burst *burst)
{
	struct pending pending[DP_BURST];
	uint32_t fragments = 0;

	for (uint32_t i = 0; i < burst->n; i++) {
		if (burst->pkts[i].verdict != DP_FRAGMENT)
			continue;
		look_at(ctx, &burst->pkts[i], &pending[i]);
		fragments |= UINT32_C(1) << i;
	}
	for (; fragments != 0; fragments &= fragments - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(fragments);

		defrag_one(ctx, burst, i, &pending[i]);
		if (unlikely(burst->pkts[i].verdict == DP_FRAGMENT)) { /* one in another */
			look_at(ctx, &burst->pkts[i], &pending[i]);
			defrag_one(ctx, burst, i, &pending[i]);
		}
	}
}

void dp_defrag(struct dp_ctx *ctx, struct dp_burst *burst)
{
	if (unlikely(burst->n_fragments != 0))
		defrag(ctx, burst);
}
