// SPDX-License-Identifier: BSD-3-Clause
#include "client/far_end.h"

#include "common/icmp.h"

#include <netinet/in.h>
#include <netinet/ip.h>
#include <string.h>

#define ICMP_ID_OFFSET 4

/* Where the port of the far end stands in the transport header, or -1. */
static int port_offset(uint8_t protocol, const uint8_t *l4, enum cl_direction direction)
{
	switch (protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		return direction == CL_OUT ? 2 : 0;
	case IPPROTO_ICMP:
		return icmp_is_query(l4[0]) ? ICMP_ID_OFFSET : -1;
	default:
		return -1;
	}
}

bool cl_far_end_of(
	const uint8_t *packet, size_t len, enum cl_direction direction, struct cl_far_end *far_end)
{
	struct iphdr ip;
	size_t header_len;
	const uint8_t *l4;
	int offset;

	if (len < sizeof(ip))
		return false;
	memcpy(&ip, packet, sizeof(ip));
	header_len = ip.ihl * 4u;
	if (ip.version != 4 || header_len < sizeof(ip) || len < header_len + 8 ||
		ntohs(ip.tot_len) < header_len + 8 ||
		(ntohs(ip.frag_off) & (IP_MF | IP_OFFMASK)) != 0)
		return false;
	l4 = packet + header_len;
	offset = port_offset(ip.protocol, l4, direction);
	if (offset < 0)
		return false;
	far_end->v4 = ntohl(direction == CL_OUT ? ip.daddr : ip.saddr);
	far_end->port = (uint16_t)(l4[offset] << 8 | l4[offset + 1]);
	return true;
}
