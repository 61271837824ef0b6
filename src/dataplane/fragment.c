// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/fragment.h"

#include "dataplane/ipv4.h"

#define OPTION_END    0
#define OPTION_NOP    1
#define OPTION_COPIED 0x80

/* How a packet is to be cut. */
struct cut {
	uint32_t header_len; /* before the payload, from the Ethernet header on */
	uint32_t payload_len;
	uint32_t step; /* payload of every fragment but the last */
};

/* What one fragment carries. */
struct piece {
	uint32_t offset; /* in the payload */
	uint32_t len;
	bool more;
};

static struct cut cut_v6(const struct dp_ctx *ctx, const struct rte_ipv6_hdr *v6)
{
	const uint32_t headers = sizeof(*v6) + sizeof(struct rte_ipv6_fragment_ext);

	return (struct cut){
		.header_len = RTE_ETHER_HDR_LEN + sizeof(*v6),
		.payload_len = rte_be_to_cpu_16(v6->payload_len),
		.step = (ctx->mtu_v6 - headers) & ~7U,
	};
}

static struct cut cut_v4(const struct dp_ctx *ctx, const struct rte_ipv4_hdr *v4)
{
	uint32_t header_len = ipv4_header_len(v4);

	return (struct cut){
		.header_len = RTE_ETHER_HDR_LEN + header_len,
		.payload_len = rte_be_to_cpu_16(v4->total_length) - header_len,
		.step = (ctx->mtu_v4 - header_len) & ~7U,
	};
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

static void write_v4(
	struct rte_mbuf *m, const struct rte_ipv4_hdr *whole, const struct piece *piece)
{
	uint8_t header[IPV4_HEADER_MAX];
	struct rte_ipv4_hdr *v4 = (struct rte_ipv4_hdr *)header;
	uint32_t header_len = ipv4_header_len(whole);

	memcpy(header, whole, header_len);
	if (piece->offset != 0) {
		header_len = IPV4_HEADER_MIN + copy_options((const uint8_t *)(whole + 1),
						       header_len - IPV4_HEADER_MIN,
						       header + IPV4_HEADER_MIN);
		v4->version_ihl = (uint8_t)(RTE_IPV4_VHL_DEF & 0xf0) | (uint8_t)(header_len / 4);
	}
	v4->total_length = rte_cpu_to_be_16((uint16_t)(header_len + piece->len));
	v4->fragment_offset = rte_cpu_to_be_16(
		(uint16_t)(piece->offset / 8 | (piece->more ? RTE_IPV4_HDR_MF_FLAG : 0)));
	v4->hdr_checksum = 0;
	v4->hdr_checksum = (uint16_t)~rte_raw_cksum(header, header_len);
	append(m, header, header_len);
}

uint32_t dp_fragment(
	struct dp_ctx *ctx, const struct dp_pkt *p, struct rte_mbuf *out[static DP_FRAGMENTS_MAX])
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(p->m, const struct rte_ether_hdr *);
	const void *ip = ether + 1;
	bool is_v6 = ether->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV6);
	const struct cut cut = is_v6 ? cut_v6(ctx, ip) : cut_v4(ctx, ip);
	uint32_t n = (cut.payload_len + cut.step - 1) / cut.step;
	uint32_t identification = is_v6 ? dp_frag_ids_next(&ctx->frag_ids) : 0;
	uint64_t bytes = 0;

	if (n > DP_FRAGMENTS_MAX || rte_pktmbuf_alloc_bulk(p->m->pool, out, n) != 0)
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t offset = i * cut.step;
		const struct piece piece = {
			offset, RTE_MIN(cut.step, cut.payload_len - offset), i + 1 < n};

		append(out[i], ether, sizeof(*ether));
		if (is_v6)
			write_v6(out[i], ip, &piece, identification);
		else
			write_v4(out[i], ip, &piece);
		append_payload(out[i], p->m, cut.header_len + offset, piece.len);
		out[i]->port = p->m->port;
		bytes += out[i]->pkt_len;
	}
	dp_count(&ctx->counters, DP_COUNT_FRAGMENTS_MADE, n, bytes);
	dp_use_up(ctx, p->m, DP_COUNT_FRAGMENTED);
	return n;
}
