// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/summary.h"

#include <rte_ether.h>
#include <rte_ip.h>
#include <string.h>

#define EXTENSIONS_MAX 8
#define V4_OFFSET      0x1fff
#define V4_MORE        0x2000

/* What is left of a frame. */
struct rest {
	const uint8_t *at;
	uint32_t len;
};

static uint16_t be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t be32(const uint8_t *at)
{
	return (uint32_t)be16(at) << 16 | be16(at + 2);
}

/* Goes on by n octets; false: they are not there. */
static bool skip(struct rest *rest, uint32_t n)
{
	if (n > rest->len)
		return false;
	rest->at += n;
	rest->len -= n;
	return true;
}

static void read_icmp(struct dp_summary *summary, const struct rest *rest)
{
	if (rest->len < 8)
		return;
	summary->has_icmp = true;
	summary->icmp_type = rest->at[0];
	summary->icmp_code = rest->at[1];
	summary->icmp_id = be16(rest->at + 4);
}

static void read_l4(struct dp_summary *summary, uint8_t protocol, const struct rest *rest)
{
	switch (protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_DCCP:
	case IPPROTO_SCTP:
	case IPPROTO_UDPLITE:
		if (rest->len < 4)
			return;
		summary->has_ports = true;
		summary->src_port = be16(rest->at);
		summary->dst_port = be16(rest->at + 2);
		break;
	case IPPROTO_ICMP:
		read_icmp(summary, rest);
		break;
	default:
		break;
	}
}

static void read_v4(struct dp_summary *summary, struct rest rest)
{
	const uint8_t *v4 = rest.at;
	uint32_t header_len;

	if (rest.len < sizeof(struct rte_ipv4_hdr) || v4[0] >> 4 != 4)
		return;
	summary->has_v4 = true;
	summary->ttl = v4[8];
	summary->protocol = v4[9];
	summary->v4_src = be32(v4 + 12);
	summary->v4_dst = be32(v4 + 16);
	if (!dp_summary_is_fragment(summary)) {
		summary->more = (be16(v4 + 6) & V4_MORE) != 0;
		summary->fragment_offset = (be16(v4 + 6) & V4_OFFSET) * 8U;
	}
	header_len = (v4[0] & 0x0f) * 4U;
	if (header_len >= sizeof(struct rte_ipv4_hdr) && (be16(v4 + 6) & V4_OFFSET) == 0 &&
		skip(&rest, header_len))
		read_l4(summary, summary->protocol, &rest);
}

/* Past the extension headers; false: nothing can be told of what follows. */
static bool skip_extensions(struct dp_summary *summary, struct rest *rest)
{
	for (uint32_t i = 0; i < EXTENSIONS_MAX; i++) {
		uint8_t next = summary->v6_next;
		uint32_t len = 8;

		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS &&
			next != IPPROTO_FRAGMENT)
			return true;
		if (rest->len < len)
			return false;
		if (next == IPPROTO_FRAGMENT) {
			summary->more = (rest->at[3] & 1) != 0;
			summary->fragment_offset = be16(rest->at + 2) & ~7U;
		} else {
			len += rest->at[1] * 8U;
		}
		summary->v6_next = rest->at[0];
		if (!skip(rest, len) || summary->fragment_offset != 0)
			return false;
	}
	return false;
}

static void read_v6(struct dp_summary *summary, struct rest rest)
{
	const uint8_t *v6 = rest.at;

	if (rest.len < sizeof(struct rte_ipv6_hdr) || v6[0] >> 4 != 6)
		return;
	summary->has_v6 = true;
	summary->v6_next = v6[6];
	summary->hop_limit = v6[7];
	memcpy(&summary->v6_src, v6 + 8, sizeof(summary->v6_src));
	memcpy(&summary->v6_dst, v6 + 24, sizeof(summary->v6_dst));
	skip(&rest, sizeof(struct rte_ipv6_hdr));
	if (!skip_extensions(summary, &rest))
		return;
	if (summary->v6_next == IPPROTO_IPIP)
		read_v4(summary, rest);
	else if (summary->v6_next == IPPROTO_ICMPV6)
		read_icmp(summary, &rest);
	else
		read_l4(summary, summary->v6_next, &rest);
}

/* Returns the type behind the tags, or 0. */
static uint16_t read_ether(struct dp_summary *summary, struct rest *rest)
{
	uint16_t type;

	if (!skip(rest, RTE_ETHER_HDR_LEN))
		return 0;
	type = be16(rest->at - sizeof(type));
	while (type == RTE_ETHER_TYPE_VLAN || type == RTE_ETHER_TYPE_QINQ) {
		if (!skip(rest, sizeof(struct rte_vlan_hdr)))
			return 0;
		if (summary->vlan == 0)
			summary->vlan = be16(rest->at - sizeof(struct rte_vlan_hdr)) & 0x0fff;
		type = be16(rest->at - sizeof(type));
	}
	return type;
}

void dp_summary_read(struct dp_summary *summary, const uint8_t *frame, uint32_t len)
{
	struct rest rest = {frame, len};

	memset(summary, 0, sizeof(*summary));
	summary->ether_type = read_ether(summary, &rest);
	if (summary->ether_type == RTE_ETHER_TYPE_IPV6)
		read_v6(summary, rest);
	else if (summary->ether_type == RTE_ETHER_TYPE_IPV4)
		read_v4(summary, rest);
}
