// SPDX-License-Identifier: BSD-3-Clause
/*
 * The short way through classify and l4_id, for what nearly every packet is: in one buffer, addressed to this
 * port, IPv6 to the first tunnel address with IPv4 right inside or IPv4 from outside, without options, not a fragment, sound,
 * UDP or TCP. Such a packet leaves here with its context and its key complete.
 *
 * dp_plain never refuses: DP_PLAIN_NOT says no more than that classify and l4_id have to look, and they decide the
 * same for a plain packet. All differences are gathered before one branch, since single ones cost as
 * much as what they compare.
 */
#pragma once

#include "dataplane/ipv4.h"
#include "dataplane/pkt_ctx.h"

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>

enum dp_plain {
	DP_PLAIN_NOT,
	DP_PLAIN_V6, /* out of a tunnel */
	DP_PLAIN_V4, /* from the IPv4 side */
};

/* IPv4 without options, and the ports behind it. */
struct plain_v4 {
	struct rte_ipv4_hdr ip;
	rte_be16_t src_port;
	rte_be16_t dst_port;
} __rte_packed;

struct plain_tunnel {
	struct rte_ipv6_hdr v6;
	struct plain_v4 inner;
} __rte_packed;

/* The least total length of a plain IPv4 packet by protocol: with a whole TCP or UDP header; others are not plain. */
#define PLAIN_NEVER UINT16_MAX
static inline uint32_t plain_len_min(uint8_t protocol)
{
	if (likely(protocol == IPPROTO_UDP))
		return IPV4_HEADER_MIN + 8;
	return protocol == IPPROTO_TCP ? IPV4_HEADER_MIN + 20 : PLAIN_NEVER;
}

static inline uint64_t plain_load64(const void *octets)
{
	uint64_t word;

	memcpy(&word, octets, sizeof(word));
	return word;
}

/* 0: the same address. */
static inline uint32_t plain_mac_diff(
	const struct rte_ether_addr *a, const struct rte_ether_addr *b)
{
	uint32_t a4, b4;
	uint16_t a2, b2;

	memcpy(&a4, &a->addr_bytes[0], sizeof(a4));
	memcpy(&b4, &b->addr_bytes[0], sizeof(b4));
	memcpy(&a2, &a->addr_bytes[4], sizeof(a2));
	memcpy(&b2, &b->addr_bytes[4], sizeof(b2));
	return (a4 ^ b4) | (uint32_t)(a2 ^ b2);
}

static inline uint64_t plain_v6_diff(const struct rte_ipv6_hdr *v6, const struct in6_addr *tep)
{
	uint64_t diff = (plain_load64(v6->dst_addr) ^ plain_load64(&tep->s6_addr[0])) |
			(plain_load64(&v6->dst_addr[8]) ^ plain_load64(&tep->s6_addr[8]));

	return diff |
	       ((v6->vtc_flow ^ RTE_BE32(UINT32_C(6) << 28)) & RTE_BE32(UINT32_C(15) << 28)) |
	       (v6->proto ^ IPPROTO_IPIP);
}

static inline struct dp_binding_key plain_key(rte_be32_t v4_be, rte_be16_t port_be)
{
	return (struct dp_binding_key){
		.v4 = rte_be_to_cpu_32(v4_be), .port = rte_be_to_cpu_16(port_be), .has_port = true};
}

/* Fills in what there is to know of an IPv4 packet in room octets. */
static inline bool plain_take_v4(struct dp_pkt *p, struct plain_v4 *v4, uint32_t room)
{
	uint32_t len = rte_be_to_cpu_16(v4->ip.total_length);
	uint32_t diff = v4->ip.version_ihl ^ RTE_IPV4_VHL_DEF;

	diff |= v4->ip.fragment_offset & RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK);
	if (unlikely(diff != 0 || len > room || len < plain_len_min(v4->ip.next_proto_id) ||
		     !ipv4_plain_checksum_ok(&v4->ip)))
		return false;
	p->v4 = &v4->ip;
	p->v4_len = (uint16_t)len;
	p->l4_offset = IPV4_HEADER_MIN;
	p->verdict = DP_CONTINUE;
	p->cut = false;
	return true;
}

static inline bool plain_from_v6(const struct dp_ctx *ctx, struct plain_tunnel *tunnel,
	uint32_t room, struct dp_pkt *p, struct dp_binding_key *key)
{
	struct plain_v4 *v4 = &tunnel->inner;
	uint32_t payload_len;

	if (unlikely(room < sizeof(*tunnel) || plain_v6_diff(&tunnel->v6, &ctx->tep_v6[0]) != 0))
		return false;
	payload_len = rte_be_to_cpu_16(tunnel->v6.payload_len);
	if (unlikely(payload_len > room - sizeof(tunnel->v6) || !plain_take_v4(p, v4, payload_len)))
		return false;
	p->v6 = &tunnel->v6;
	p->from_v6 = true;
	p->to_v6 = false;
	*key = plain_key(v4->ip.src_addr, v4->src_port);
	return true;
}

static inline bool plain_from_v4(
	struct plain_v4 *v4, uint32_t room, struct dp_pkt *p, struct dp_binding_key *key)
{
	if (unlikely(room < sizeof(*v4) || !plain_take_v4(p, v4, room)))
		return false;
	*key = plain_key(v4->ip.dst_addr, v4->dst_port);
	if (unlikely(key->v4 >> 24 >= 224 || dp_v4_is_martian(rte_be_to_cpu_32(v4->ip.src_addr))))
		return false;
	p->v6 = NULL;
	p->from_v6 = false;
	p->to_v6 = true;
	return true;
}

/* By what the Ethernet header announces; the frame's addresses aside. */
static inline enum dp_plain plain_payload(
	const struct dp_ctx *ctx, struct dp_pkt *p, struct dp_binding_key *key)
{
	struct rte_ether_hdr *ether = rte_pktmbuf_mtod(p->m, struct rte_ether_hdr *);
	uint32_t room = p->m->pkt_len - RTE_ETHER_HDR_LEN;
	void *payload = ether + 1;

	if (ether->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV6))
		return plain_from_v6(ctx, payload, room, p, key) ? DP_PLAIN_V6 : DP_PLAIN_NOT;
	if (likely(ether->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV4)))
		return plain_from_v4(payload, room, p, key) ? DP_PLAIN_V4 : DP_PLAIN_NOT;
	return DP_PLAIN_NOT;
}

static inline enum dp_plain dp_plain(
	const struct dp_ctx *ctx, uint32_t side, struct dp_pkt *p, struct dp_binding_key *key)
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(p->m, const struct rte_ether_hdr *);

	if (unlikely(p->m->nb_segs != 1 || p->m->pkt_len < RTE_ETHER_HDR_LEN ||
		     plain_mac_diff(&ether->dst_addr, &ctx->macs[side]) != 0))
		return DP_PLAIN_NOT;
	return plain_payload(ctx, p, key);
}

/* The same for a packet that was joined, whose addresses have been looked at when its pieces came. */
static inline enum dp_plain dp_plain_whole(
	const struct dp_ctx *ctx, struct dp_pkt *p, struct dp_binding_key *key)
{
	return likely(p->m->nb_segs == 1) ? plain_payload(ctx, p, key) : DP_PLAIN_NOT;
}
