// SPDX-License-Identifier: BSD-3-Clause
/*
 * IPv6 extension headers between the outer header and the packet inside (RFC 8200 section 4, RFC 2473 section 5).
 *
 *	hop-by-hop options	only right behind the IPv6 header
 *	destination options	anywhere, any number of times; the tunnel encapsulation limit is one
 *	routing header		of any type, with no segments left
 *	fragment header		ends the walk: what follows is another packet's part
 *
 * Options that we do not know are skipped if their type allows that; we know none beside those. A chain
 * is bounded, so that everything which later stages read lies in a joined packet's first buffer
 * (DP_CONTIGUOUS), and nobody can make us walk for long. AH and ESP are refused: there is nobody to check
 * or open them.
 */
#pragma once

#include <netinet/in.h>
#include <rte_branch_prediction.h>
#include <rte_ip.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DP_EXT_HEADERS_MAX 8
#define DP_EXT_OCTETS_MAX  512

enum dp_ext_fault {
	DP_EXT_SOUND,
	DP_EXT_MALFORMED, /* goes beyond the packet, or an option beyond its header */
	DP_EXT_ORDER, /* hop-by-hop options that are not first */
	DP_EXT_TOO_LONG, /* more headers or octets than we walk */
	DP_EXT_OPTION, /* an option that is not to be skipped */
	DP_EXT_ROUTING, /* segments left */
	DP_EXT_AH,
	DP_EXT_ESP,
	DP_EXT_N_FAULTS,
};

/* Offsets are in octets from the IPv6 header on. */
struct dp_ext {
	uint8_t next; /* protocol of what follows the chain */
	uint16_t next_at; /* the octet that names it */
	uint16_t end; /* where it begins; or the header at fault */
	uint16_t fault_at; /* the octet at fault */
};

/* dp_ext_walk, for packets that may begin with any header. */
enum dp_ext_fault dp_ext_walk_chain(
	const struct rte_ipv6_hdr *v6, uint32_t payload_len, struct dp_ext *ext);

/*
 * Walks the headers of a packet whose payload is payload_len octets. With 0 ext->next is no header to skip.
 * Nearly every packet has none, or begins with a fragment header.
 */
static inline enum dp_ext_fault dp_ext_walk(
	const struct rte_ipv6_hdr *v6, uint32_t payload_len, struct dp_ext *ext)
{
	if (unlikely(v6->proto != IPPROTO_FRAGMENT && v6->proto != IPPROTO_IPIP))
		return dp_ext_walk_chain(v6, payload_len, ext);
	*ext = (struct dp_ext){v6->proto, offsetof(struct rte_ipv6_hdr, proto), sizeof(*v6), 0};
	return DP_EXT_SOUND;
}

/*
 * May a packet that is not ours to check, whatever headers and fragments it consists of, be an ICMPv6 error or
 * redirect, or a part of one? None of these is ever answered (RFC 4443 section 2.4 (e)).
 */
bool dp_ext_may_be_error(const struct rte_ipv6_hdr *v6, uint32_t payload_len);

/* ICMPv6 parameter problem, code and pointer. */
struct dp_ext_problem {
	uint8_t code;
	uint16_t pointer;
};

/* Is its sender to be told about a packet that was refused (RFC 8200 sections 4, 4.2 and 4.4)? */
bool dp_ext_problem(
	const struct rte_ipv6_hdr *v6, uint32_t payload_len, struct dp_ext_problem *problem);
