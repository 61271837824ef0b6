// SPDX-License-Identifier: BSD-3-Clause
/*
 * The outer header as it is written in front of an IPv4 packet: ctx->tunnel_overhead octets, which are the
 * IPv6 header and, if one is configured, a destination options header with a tunnel encapsulation limit
 * (RFC 2473 section 4.1.1). Fragments are made of it later, and there the options belong to the
 * fragmentable part (RFC 8200 section 4.5): the first fragment has them, and the later ones do not.
 *
 * The flow label (RFC 6437, RFC 6438) is a constant, or a keyed hash of the inner addresses, protocol and
 * ports. Only whole packets are encapsulated, so all fragments of a packet have the label of their flow. 0 would say
 * that there is no label, so the hash is never 0.
 */
#pragma once

#include "dataplane/pkt_ctx.h"

#define DP_OUTER_LIMIT_LEN 8 /* of the header with the encapsulation limit */

/* Odd numbers without a pattern: fractions of the golden ratio and of the square root of 2. */
#define FLOW_MIX_1 UINT64_C(0x9e3779b97f4a7c15)
#define FLOW_MIX_2 UINT64_C(0x6a09e667f3bcc909)

/* 20 bits, not 0. */
static inline uint32_t dp_flow_label(const struct dp_pkt *p, uint64_t seed)
{
	uint64_t addresses, ports = 0, hash;
	uint32_t label;

	memcpy(&addresses, &p->v4->src_addr, sizeof(addresses));
	if (likely(p->v4->next_proto_id == IPPROTO_TCP || p->v4->next_proto_id == IPPROTO_UDP))
		memcpy(&ports, (const uint8_t *)p->v4 + p->l4_offset, 4);
	ports |= (uint64_t)p->v4->next_proto_id << 32;
	hash = (addresses ^ seed) * FLOW_MIX_1;
	hash = ((hash ^ hash >> 32) + ports) * FLOW_MIX_2;
	label = (uint32_t)((hash ^ hash >> 32) * FLOW_MIX_1 >> 44);
	return label != 0 ? label : 1;
}

/* The options header between the outer one and the packet inside. */
static inline void dp_outer_write_limit(struct rte_ipv6_hdr *v6, uint8_t limit)
{
	const uint8_t header[DP_OUTER_LIMIT_LEN] = {
		IPPROTO_IPIP, 0, /* of 8 octets */
		4, 1, limit, /* tunnel encapsulation limit */
		1, 1, 0, /* PadN */
	};

	memcpy(v6 + 1, header, sizeof(header));
	v6->proto = IPPROTO_DSTOPTS;
}

static inline void dp_outer_write_addresses(
	struct rte_ipv6_hdr *v6, const struct dp_binding *binding)
{
	memcpy(v6->src_addr, &binding->tep_v6, sizeof(v6->src_addr));
	memcpy(v6->dst_addr, &binding->client_v6, sizeof(v6->dst_addr));
}

/* The rest of the IPv6 header, if nothing stands between it and the packet inside. */
static inline void dp_outer_write_fields(struct rte_ipv6_hdr *v6, uint32_t tos, uint32_t label,
	uint32_t payload_len, uint8_t hop_limit)
{
	v6->vtc_flow = rte_cpu_to_be_32(6U << 28 | tos << 20 | label);
	v6->payload_len = rte_cpu_to_be_16((uint16_t)payload_len);
	v6->proto = IPPROTO_IPIP;
	v6->hop_limits = hop_limit;
}

/* All but the addresses, in front of p->v4. */
static inline struct rte_ipv6_hdr *dp_outer_write(const struct dp_ctx *ctx, const struct dp_pkt *p)
{
	struct rte_ipv6_hdr *v6 = (void *)((uint8_t *)p->v4 - ctx->tunnel_overhead);
	uint32_t tos = dp_dscp_outer(&ctx->dscp, p->v4->type_of_service);
	uint32_t label = ctx->flow_label;

	if (ctx->hash_flows)
		label = dp_flow_label(p, ctx->flow_seed);
	dp_outer_write_fields(
		v6, tos, label, p->v4_len + ctx->tunnel_overhead - sizeof(*v6), ctx->hop_limit);
	if (unlikely(ctx->tunnel_overhead != sizeof(*v6)))
		dp_outer_write_limit(v6, ctx->encapsulation_limit);
	return v6;
}
