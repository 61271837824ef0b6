// SPDX-License-Identifier: BSD-3-Clause
/*
 * A hash of the flow that a packet belongs to, for the choice among next hops of one route: its addresses,
 * protocol and ports. A packet that is a fragment has the hash of its addresses alone, as has one whose ports are not
 * within reach; so has every packet of the two addresses and a protocol without ports.
 *
 *	tunnel packet	the packet inside, and the outer addresses
 *	other IPv6	RFC 6438: the flow label, and the ports where they follow the header
 *
 * All headers that are looked at are in the first buffer, whole and checked by classify or written by encap.
 */
#pragma once

#include "dataplane/ipv4.h"

#include <rte_ip.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

/* Odd numbers without a pattern: fractions of the golden ratio and of the square root of 2. */
#define DP_FLOW_MIX_1 UINT64_C(0x9e3779b97f4a7c15)
#define DP_FLOW_MIX_2 UINT64_C(0x6a09e667f3bcc909)

static inline uint64_t dp_flow_mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * DP_FLOW_MIX_1;
	return (hash ^ hash >> 32) * DP_FLOW_MIX_2;
}

static inline uint32_t dp_flow_finish(uint64_t hash)
{
	return (uint32_t)((hash ^ hash >> 29) * DP_FLOW_MIX_1 >> 32);
}

/* The ports' place in a protocol that has some within a packet of this many octets of payload; else 0. */
static inline uint64_t dp_flow_ports(uint8_t protocol, const void *l4, uint32_t len)
{
	uint32_t ports = 0;

	if ((protocol == IPPROTO_TCP || protocol == IPPROTO_UDP) && len >= sizeof(ports))
		memcpy(&ports, l4, sizeof(ports));
	return (uint64_t)protocol << 32 | ports;
}

/* room: octets that there are from its header on. */
static inline uint64_t dp_flow_of_v4(const struct rte_ipv4_hdr *v4, uint32_t room)
{
	uint32_t header = ipv4_header_len(v4), len = rte_be_to_cpu_16(v4->total_length);
	uint64_t addresses, hash;

	memcpy(&addresses, &v4->src_addr, sizeof(addresses));
	hash = dp_flow_mix(0, addresses);
	len = RTE_MIN(len, room);
	if (ipv4_is_fragment(v4) || len < header)
		return hash;
	return dp_flow_mix(
		hash, dp_flow_ports(v4->next_proto_id, (const uint8_t *)v4 + header, len - header));
}

/* 32 bits, of which the upper ones are as good as the lower ones. */
static inline uint32_t dp_flow_hash_v4(const struct rte_ipv4_hdr *v4)
{
	return dp_flow_finish(dp_flow_of_v4(v4, rte_be_to_cpu_16(v4->total_length)));
}

/*
 * The packet inside a tunnel packet, behind options that encap may have written (outer.h); else NULL. What is no
 * packet of ours is checked by nobody: room says how far it goes.
 */
static inline const struct rte_ipv4_hdr *dp_flow_inner(
	const struct rte_ipv6_hdr *v6, uint32_t *room)
{
	const uint8_t *options = (const uint8_t *)(v6 + 1);
	uint32_t len = rte_be_to_cpu_16(v6->payload_len);

	*room = v6->proto == IPPROTO_IPIP ? len : len - 8;
	if (v6->proto == IPPROTO_IPIP && len >= sizeof(struct rte_ipv4_hdr))
		return (const struct rte_ipv4_hdr *)options;
	if (v6->proto == IPPROTO_DSTOPTS && len >= 8 + sizeof(struct rte_ipv4_hdr) &&
		options[0] == IPPROTO_IPIP && options[1] == 0)
		return (const struct rte_ipv4_hdr *)(options + 8);
	return NULL;
}

static inline uint64_t dp_flow_of_v6(const uint8_t *src, const uint8_t *dst)
{
	uint64_t words[4], hash = 0;

	memcpy(words, src, 16);
	memcpy(words + 2, dst, 16);
	for (uint32_t i = 0; i < 4; i++)
		hash = dp_flow_mix(hash, words[i]);
	return hash;
}

/* By the outer addresses, and the packet inside. */
static inline uint32_t dp_flow_hash_tunnel(
	const uint8_t *src, const uint8_t *dst, const struct rte_ipv4_hdr *inner, uint32_t room)
{
	return dp_flow_finish(dp_flow_of_v6(src, dst) ^ dp_flow_of_v4(inner, room));
}

static inline uint32_t dp_flow_hash_v6(const struct rte_ipv6_hdr *v6)
{
	uint32_t room;
	const struct rte_ipv4_hdr *inner = dp_flow_inner(v6, &room);
	uint64_t hash;

	if (inner != NULL)
		return dp_flow_hash_tunnel(v6->src_addr, v6->dst_addr, inner, room);
	hash = dp_flow_of_v6(v6->src_addr, v6->dst_addr);
	hash = dp_flow_mix(hash, rte_be_to_cpu_32(v6->vtc_flow) & 0xfffff);
	return dp_flow_finish(dp_flow_mix(
		hash, dp_flow_ports(v6->proto, v6 + 1, rte_be_to_cpu_16(v6->payload_len))));
}
