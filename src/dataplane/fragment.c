// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/fragment.h"

#include "dataplane/forward.h"
#include "dataplane/ipv4.h"
#include "dataplane/tunnel_mtu.h"

#define OPTION_END    0
#define OPTION_NOP    1
#define OPTION_COPIED 0x80

/* How a packet is to be cut. */
struct cut {
	bool outer; /* into IPv6 fragments; else into IPv4 ones, in front of which the lead is repeated */
	uint32_t lead; /* octets before the header that is made anew for each fragment */
	uint32_t header_len; /* octets before the payload */
	uint32_t payload_len;
	uint32_t step; /* payload of every fragment but the last */
	uint32_t identification;
};

/* What one fragment carries. */
struct piece {
	uint32_t offset; /* in the payload */
	uint32_t len;
	bool more;
};

static struct cut cut_v6(struct dp_ctx *ctx, const struct rte_ipv6_hdr *v6, uint32_t mtu)
{
	const uint32_t headers = sizeof(*v6) + sizeof(struct rte_ipv6_fragment_ext);

	return (struct cut){
		.outer = true,
		.lead = RTE_ETHER_HDR_LEN,
		.header_len = RTE_ETHER_HDR_LEN + sizeof(*v6),
		.payload_len = rte_be_to_cpu_16(v6->payload_len),
		.step = (mtu - headers) & ~7U,
		.identification = dp_frag_ids_next(&ctx->frag_ids),
	};
}

/*
 * lead: up to the IPv4 header. A packet that forbids to be cut need not have an identification of use, so its
 * fragments get one of ours (RFC 6864 section 4.1).
 */
static struct cut cut_v4(
	struct dp_ctx *ctx, const struct rte_ipv4_hdr *v4, uint32_t lead, uint32_t mtu)
{
	uint32_t header_len = ipv4_header_len(v4);

	return (struct cut){
		.lead = lead,
		.header_len = lead + header_len,
		.payload_len = rte_be_to_cpu_16(v4->total_length) - header_len,
		.step = (mtu - header_len) & ~7U,
		.identification = ipv4_must_stay_whole(v4)
					  ? (uint16_t)dp_frag_ids_next(&ctx->frag_ids)
					  : v4->packet_id,
	};
}

static bool is_tunnel_packet(const struct rte_mbuf *m)
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);

	return ether->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV6);
}

/* Into a tunnel outside or inside, as configured. */
static struct cut plan(struct dp_ctx *ctx, const struct dp_pkt *p, uint32_t mtu)
{
	if (!is_tunnel_packet(p->m))
		return cut_v4(ctx, p->v4, RTE_ETHER_HDR_LEN, mtu);
	if (!ctx->fragment_inner)
		return cut_v6(ctx, p->v6, mtu);
	return cut_v4(
		ctx, p->v4, RTE_ETHER_HDR_LEN + ctx->tunnel_overhead, mtu - ctx->tunnel_overhead);
}

static void append(struct rte_mbuf *m, const void *octets, uint32_t len)
{
	memcpy(rte_pktmbuf_append(m, (uint16_t)len), octets, len);
}

static void append_payload(
	struct rte_mbuf *m, const struct rte_mbuf *whole, uint32_t offset, uint32_t len)
{
	char *to = rte_pktmbuf_append(m, (uint16_t)len);
	const void *from = rte_pktmbuf_read(whole, offset, len, to);

	if (from != to)
		memcpy(to, from, len);
}

static void write_v6(struct rte_mbuf *m, const struct rte_ipv6_hdr *whole,
	const struct piece *piece, uint32_t identification)
{
	const struct rte_ipv6_fragment_ext extension = {
		.next_header = whole->proto,
		.frag_data = rte_cpu_to_be_16((uint16_t)(piece->offset | piece->more)),
		.id = identification,
	};
	struct rte_ipv6_hdr v6 = *whole;

	v6.proto = IPPROTO_FRAGMENT;
	v6.payload_len = rte_cpu_to_be_16((uint16_t)(sizeof(extension) + piece->len));
	append(m, &v6, sizeof(v6));
	append(m, &extension, sizeof(extension));
}

/* The options that every fragment repeats (RFC 791 section 3.1), with padding; returns their length. */
static uint32_t copy_options(const uint8_t *from, uint32_t len, uint8_t *to)
{
	uint32_t copied = 0;

	for (uint32_t at = 0, size; at < len && from[at] != OPTION_END; at += size) {
		size = 1;
		if (from[at] == OPTION_NOP)
			continue;
		if (at + 1 >= len || from[at + 1] < 2 || from[at + 1] > len - at)
			break;
		size = from[at + 1];
		if ((from[at] & OPTION_COPIED) != 0) {
			memcpy(to + copied, from + at, size);
			copied += size;
		}
	}
	while (copied % 4 != 0)
		to[copied++] = OPTION_END;
	return copied;
}

static void write_v4(struct rte_mbuf *m, const struct rte_ipv4_hdr *whole,
	const struct piece *piece, uint32_t identification)
{
	uint8_t header[IPV4_HEADER_MAX];
	struct rte_ipv4_hdr *v4 = (struct rte_ipv4_hdr *)header;
	uint32_t header_len = ipv4_header_len(whole), flags;

	memcpy(header, whole, header_len);
	if (piece->offset != 0) {
		header_len = IPV4_HEADER_MIN + copy_options((const uint8_t *)(whole + 1),
						       header_len - IPV4_HEADER_MIN,
						       header + IPV4_HEADER_MIN);
		v4->version_ihl = (uint8_t)(RTE_IPV4_VHL_DEF & 0xf0) | (uint8_t)(header_len / 4);
	}
	v4->total_length = rte_cpu_to_be_16((uint16_t)(header_len + piece->len));
	v4->packet_id = (rte_be16_t)identification;
	/* The whole may be a fragment itself, which nobody here has joined (forward.h). */
	flags = rte_be_to_cpu_16(whole->fragment_offset) &
		(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK);
	if (piece->more)
		flags |= RTE_IPV4_HDR_MF_FLAG;
	v4->fragment_offset = rte_cpu_to_be_16((uint16_t)(flags + piece->offset / 8));
	v4->hdr_checksum = 0;
	v4->hdr_checksum = (uint16_t)~rte_raw_cksum(header, header_len);
	append(m, header, header_len);
}

/* The outer header in front of an inner fragment. */
static void set_outer_len(struct rte_mbuf *m)
{
	struct rte_ipv6_hdr *v6 = rte_pktmbuf_mtod_offset(
		m, struct rte_ipv6_hdr *, RTE_ETHER_HDR_LEN);

	v6->payload_len = rte_cpu_to_be_16(
		(uint16_t)(m->pkt_len - RTE_ETHER_HDR_LEN - sizeof(*v6)));
}

static void write_fragment(struct rte_mbuf *m, const struct rte_mbuf *whole, const struct cut *cut,
	const struct piece *piece)
{
	const uint8_t *frame = rte_pktmbuf_mtod(whole, const uint8_t *);
	const void *header = frame + cut->lead;

	append(m, frame, cut->lead);
	if (cut->outer)
		write_v6(m, header, piece, cut->identification);
	else
		write_v4(m, header, piece, cut->identification);
	append_payload(m, whole, cut->header_len + piece->offset, piece->len);
	if (!cut->outer && cut->lead != RTE_ETHER_HDR_LEN)
		set_outer_len(m);
	m->port = whole->port;
}

/* It fits, and was only in several buffers. */
static uint32_t copy_whole(struct rte_mbuf *whole, struct rte_mbuf **copy)
{
	*copy = rte_pktmbuf_copy(whole, whole->pool, 0, UINT32_MAX);
	if (*copy == NULL)
		return 0;
	rte_pktmbuf_free(whole);
	return 1;
}

/* Of the way that a packet leaves by. */
static uint32_t mtu_of(const struct dp_ctx *ctx, const struct dp_burst *burst, uint32_t index)
{
	const struct dp_pkt *p = &burst->pkts[index];

	if (is_tunnel_packet(p->m))
		return dp_tunnel_mtu_of(ctx, burst, index);
	return dp_pkt_is_plain(p) ? dp_forward_mtu(ctx, p->m->port, false) : ctx->mtu_v4;
}

uint32_t dp_fragment(struct dp_ctx *ctx, const struct dp_burst *burst, uint32_t index,
	struct rte_mbuf *out[static DP_FRAGMENTS_MAX])
{
	struct rte_mbuf *whole = burst->pkts[index].m;
	uint32_t mtu = mtu_of(ctx, burst, index);
	uint64_t bytes = 0;
	struct cut cut;
	uint32_t n;

	if (whole->pkt_len - RTE_ETHER_HDR_LEN <= mtu)
		return copy_whole(whole, out);
	cut = plan(ctx, &burst->pkts[index], mtu);
	n = (cut.payload_len + cut.step - 1) / cut.step;
	if (n > DP_FRAGMENTS_MAX || rte_pktmbuf_alloc_bulk(whole->pool, out, n) != 0)
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t offset = i * cut.step;
		const struct piece piece = {
			offset, RTE_MIN(cut.step, cut.payload_len - offset), i + 1 < n};

		write_fragment(out[i], whole, &cut, &piece);
		bytes += out[i]->pkt_len;
	}
	dp_count(&ctx->counters, DP_COUNT_FRAGMENTS_MADE, n, bytes);
	dp_use_up(ctx, whole, DP_COUNT_FRAGMENTED);
	return n;
}
