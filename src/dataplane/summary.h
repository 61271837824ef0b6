// SPDX-License-Identifier: BSD-3-Clause
/*
 * What a frame says of itself at first sight, for those who watch packets: explain, filters, lists. It knows
 * nothing of bindings or verdicts, proves nothing, and never reads past the octets that it is given: what is
 * damaged, or cut off by a capture, is simply missing in the summary.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct dp_summary {
	uint16_t ether_type; /* host order, behind VLAN tags; 0: no whole Ethernet header */
	uint16_t vlan; /* the outermost tag's number; 0: none */
	bool has_v6;
	bool has_v4; /* alone, or in a tunnel */
	bool has_ports;
	bool has_icmp; /* ICMP, or ICMPv6 outside a tunnel */
	bool more; /* fragment that is not the last: of the IPv6 packet, or else of the IPv4 packet */
	uint8_t v6_next; /* behind the extension headers, as far as they can be seen */
	uint8_t hop_limit;
	uint8_t protocol; /* of the IPv4 packet */
	uint8_t ttl;
	uint8_t icmp_type, icmp_code;
	uint16_t icmp_id; /* of queries, as they use it */
	uint16_t src_port, dst_port; /* host order */
	uint32_t fragment_offset; /* octets; the fragment is none if it is 0 and more is not set */
	uint32_t v4_src, v4_dst; /* host order */
	struct in6_addr v6_src, v6_dst;
};

void dp_summary_read(struct dp_summary *summary, const uint8_t *frame, uint32_t len);

static inline bool dp_summary_is_fragment(const struct dp_summary *summary)
{
	return summary->more || summary->fragment_offset != 0;
}
