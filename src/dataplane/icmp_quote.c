// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/icmp_quote.h"

#include "common/icmp.h"
#include "dataplane/ipv4.h"

#include <netinet/in.h>

#define ICMP_HEADER_LEN 8
#define QUOTED_L4_MIN   8 /* what RFC 792 promises of the quoted payload */
#define ICMP_ID_OFFSET  4

static uint16_t load_be16(const uint8_t *octets)
{
	return (uint16_t)(octets[0] << 8 | octets[1]);
}

/* The port of the quoted transport header, of which at least QUOTED_L4_MIN octets are there. */
static bool read_port(
	const uint8_t *l4, uint8_t protocol, bool take_source, struct dp_icmp_quote *quote)
{
	quote->has_port = true;
	switch (protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		quote->port = load_be16(l4 + (take_source ? 0 : 2));
		return true;
	case IPPROTO_ICMP: /* an error never answers an error */
		quote->port = load_be16(l4 + ICMP_ID_OFFSET);
		return icmp_is_query(l4[0]);
	default:
		quote->port = 0;
		quote->has_port = false;
		return true;
	}
}

bool dp_icmp_quote_read(
	const uint8_t *icmp, uint32_t len, bool take_source, struct dp_icmp_quote *quote)
{
	const struct rte_ipv4_hdr *v4 = (const struct rte_ipv4_hdr *)(icmp + ICMP_HEADER_LEN);
	uint32_t room = len - ICMP_HEADER_LEN;
	uint32_t header_len;

	if (len < ICMP_HEADER_LEN + IPV4_HEADER_MIN + QUOTED_L4_MIN)
		return false;
	if (rte_raw_cksum(icmp, len) != UINT16_MAX)
		return false;
	header_len = ipv4_header_len(v4);
	if (v4->version_ihl >> 4 != 4 || header_len < IPV4_HEADER_MIN ||
		header_len + QUOTED_L4_MIN > room ||
		header_len + QUOTED_L4_MIN > rte_be_to_cpu_16(v4->total_length))
		return false;
	if (!ipv4_checksum_ok(v4, header_len))
		return false;
	if ((v4->fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK)) != 0)
		return false;
	quote->v4 = rte_be_to_cpu_32(take_source ? v4->src_addr : v4->dst_addr);
	return read_port((const uint8_t *)v4 + header_len, v4->next_proto_id, take_source, quote);
}
