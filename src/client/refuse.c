// SPDX-License-Identifier: BSD-3-Clause
#include "client/refuse.h"

#include "client/checksum.h"
#include "common/icmp.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <string.h>

#define ICMP_LEN         8
#define ICMP_UNREACHABLE 3
#define TOS_CONTROL      0xc0 /* internetwork control: RFC 1812 section 4.3.2.5 */
#define TTL              64

static bool is_host(uint32_t addr_be)
{
	uint32_t addr = ntohl(addr_be);

	return addr >> 24 != 0 && addr >> 24 != 127 && addr >> 28 < 14;
}

static bool may_be_answered(const uint8_t *packet, size_t len, const struct iphdr *ip)
{
	size_t ip_len = ip->ihl * 4u;

	if (ip->version != 4 || ip_len < sizeof(*ip) || len < ip_len + ICMP_LEN)
		return false;
	if ((ip->frag_off & htons(IP_OFFMASK)) != 0 || !is_host(ip->saddr) || !is_host(ip->daddr))
		return false;
	return ip->protocol != IPPROTO_ICMP || icmp_is_query(packet[ip_len]);
}

size_t cl_refuse_make(
	const uint8_t *packet, size_t len, uint8_t code, uint8_t answer[static CL_REFUSE_MAX])
{
	struct iphdr ip, out = {.version = 4, .ihl = 5, .tos = TOS_CONTROL, .ttl = TTL};
	uint8_t *icmp = answer + sizeof(out);
	size_t quote_len = CL_REFUSE_MAX - sizeof(out) - ICMP_LEN;

	if (len < sizeof(ip))
		return 0;
	memcpy(&ip, packet, sizeof(ip));
	if (!may_be_answered(packet, len, &ip))
		return 0;
	if (quote_len > len)
		quote_len = len;
	out.protocol = IPPROTO_ICMP;
	out.tot_len = htons(sizeof(out) + ICMP_LEN + quote_len);
	out.saddr = ip.daddr;
	out.daddr = ip.saddr;
	memcpy(answer, &out, sizeof(out));
	cl_checksum_store(answer + offsetof(struct iphdr, check),
		cl_checksum_fold(cl_checksum_add(0, answer, sizeof(out))));
	memset(icmp, 0, ICMP_LEN);
	icmp[0] = ICMP_UNREACHABLE;
	icmp[1] = code;
	memcpy(icmp + ICMP_LEN, packet, quote_len);
	cl_checksum_store(
		icmp + 2, cl_checksum_fold(cl_checksum_add(0, icmp, ICMP_LEN + quote_len)));
	return sizeof(out) + ICMP_LEN + quote_len;
}

bool cl_refuse_may(struct cl_refuse_limit *limit, int64_t now_ms)
{
	int64_t full_ms = now_ms - 1000 * CL_REFUSE_BURST / CL_REFUSE_RATE;

	if (limit->empty_ms < full_ms)
		limit->empty_ms = full_ms;
	if (limit->empty_ms + 1000 / CL_REFUSE_RATE > now_ms)
		return false;
	limit->empty_ms += 1000 / CL_REFUSE_RATE;
	return true;
}
