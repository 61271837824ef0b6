// SPDX-License-Identifier: BSD-3-Clause
#include "client/inner.h"

#include "common/icmp.h"

#include <netinet/in.h>
#include <netinet/ip.h>
#include <string.h>

#define ICMP_ID_OFFSET 4 /* of the identifier; of an error: unused octets, then the quote at 8 */

/* The parts of a packet that the check needs; end is which of its two ends we look at. */
struct inner {
	uint8_t protocol;
	bool later_fragment;
	uint32_t addr; /* of our end, host order */
	const uint8_t *l4;
	size_t l4_len;
};

static uint16_t read_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* quoted: the packet may be cut behind its header, as in an ICMP error. */
static bool parse(
	const uint8_t *packet, size_t len, bool source_end, bool quoted, struct inner *inner)
{
	struct iphdr ip;
	size_t header_len, total_len;

	if (len < sizeof(ip))
		return false;
	memcpy(&ip, packet, sizeof(ip));
	header_len = ip.ihl * 4u;
	total_len = ntohs(ip.tot_len);
	if (ip.version != 4 || header_len < sizeof(ip) || header_len > len)
		return false;
	if (total_len < header_len || (total_len > len && !quoted))
		return false;
	*inner = (struct inner){
		.protocol = ip.protocol,
		.later_fragment = (ntohs(ip.frag_off) & IP_OFFMASK) != 0,
		.addr = ntohl(source_end ? ip.saddr : ip.daddr),
		.l4 = packet + header_len,
		.l4_len = (total_len < len ? total_len : len) - header_len,
	};
	return true;
}

static enum cl_verdict check_port(
	const struct inner *inner, size_t offset, const struct lease *lease)
{
	if (inner->l4_len < offset + 2)
		return CL_MALFORMED;
	return lease_has_port(lease, read_u16(inner->l4 + offset)) ? CL_PASS : CL_FOREIGN_PORT;
}

static enum cl_verdict check_end(
	const struct inner *inner, bool source_end, bool quoted, const struct lease *lease);

static enum cl_verdict check_icmp(
	const struct inner *inner, bool source_end, bool quoted, const struct lease *lease)
{
	struct inner quote;

	if (inner->l4_len < 8)
		return CL_MALFORMED;
	if (icmp_is_query(inner->l4[0]))
		return check_port(inner, ICMP_ID_OFFSET, lease);
	/* No error answers an error. */
	if (icmp_classify(inner->l4[0]) != ICMP_ERROR || quoted)
		return CL_FOREIGN_PROTOCOL;
	if (!parse(inner->l4 + 8, inner->l4_len - 8, !source_end, true, &quote))
		return CL_MALFORMED;
	return check_end(&quote, !source_end, true, lease);
}

static bool has_ports(uint8_t protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_ICMP;
}

static enum cl_verdict check_end(
	const struct inner *inner, bool source_end, bool quoted, const struct lease *lease)
{
	bool whole = lease_is_exclusive(lease);

	if (!whole && !has_ports(inner->protocol))
		return CL_FOREIGN_PROTOCOL;
	if (inner->addr != lease->v4)
		return CL_FOREIGN_ADDRESS;
	if (whole || inner->later_fragment)
		return CL_PASS;
	if (inner->protocol == IPPROTO_ICMP)
		return check_icmp(inner, source_end, quoted, lease);
	return check_port(inner, source_end ? 0 : 2, lease);
}

enum cl_verdict cl_inner_check(
	const uint8_t *packet, size_t len, enum cl_direction direction, const struct lease *lease)
{
	struct inner inner;
	bool source_end = direction == CL_OUT;

	if (!parse(packet, len, source_end, false, &inner))
		return CL_MALFORMED;
	return check_end(&inner, source_end, false, lease);
}

enum cl_verdict cl_inner_check_quote(const uint8_t *packet, size_t len, const struct lease *lease)
{
	struct inner inner;

	if (!parse(packet, len, true, true, &inner))
		return CL_MALFORMED;
	return check_end(&inner, true, true, lease);
}
