// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/mss.h"

#include "dataplane/ipv4.h"
#include "dataplane/tunnel_mtu.h"

#include <rte_tcp.h>

#define TCP_HEADER_MIN 20
#define HEADERS        (IPV4_HEADER_MIN + TCP_HEADER_MIN) /* MSS counts neither's options (RFC 6691) */
#define OPTION_END     0
#define OPTION_NOP     1
#define OPTION_MSS     2
#define OPTION_MSS_LEN 4
#define MSS_OFFSET     2 /* of the value in the option */

/* The largest segment whose packet passes the IPv4 side and the connection's tunnels whole. */
static uint32_t largest_segment(const struct dp_ctx *ctx, const struct dp_burst *burst, uint32_t i)
{
	const struct dp_pkt *p = &burst->pkts[i];
	uint32_t mtu;

	if (ctx->mss_clamp != DP_MSS_AUTO)
		return ctx->mss_clamp;
	mtu = dp_tunnel_mtu(ctx, burst->bindings[i]);
	if (p->from_v6 && p->to_v6)
		mtu = RTE_MIN(mtu, dp_tunnel_mtu(ctx, burst->targets[i]));
	return RTE_MIN(mtu - ctx->tunnel_overhead, ctx->mtu_v4) - HEADERS;
}

/* RFC 1624, equation 3. At an odd offset the value's octets are halves of two words: its sum is swapped. */
static rte_be16_t follow(rte_be16_t checksum, uint16_t before, uint16_t after, bool odd)
{
	uint32_t sum = (uint16_t)~checksum;

	sum += (uint16_t) ~(odd ? rte_bswap16(before) : before);
	sum += odd ? rte_bswap16(after) : after;
	return (rte_be16_t)~ipv4_fold(sum);
}

static bool lower(struct rte_tcp_hdr *tcp, uint32_t offset, uint32_t largest)
{
	uint8_t *at = (uint8_t *)tcp + offset;
	rte_be16_t before, after = rte_cpu_to_be_16((uint16_t)largest);

	memcpy(&before, at, sizeof(before));
	if (rte_be_to_cpu_16(before) <= largest)
		return false;
	memcpy(at, &after, sizeof(after));
	tcp->cksum = follow(tcp->cksum, before, after, offset % 2 != 0);
	return true;
}

/*
 * Every MSS option, since receivers differ on which of several counts. Options that lie about their length end the
 * walk, as does a header that is longer than the packet. The header lies in the first buffer (DP_CONTIGUOUS).
 */
static bool lower_options(struct rte_tcp_hdr *tcp, uint32_t room, uint32_t largest)
{
	const uint8_t *octets = (const uint8_t *)tcp;
	uint32_t end = (tcp->data_off >> 4) * 4U, size;
	bool lowered = false;

	if (end > room)
		return false;
	for (uint32_t at = TCP_HEADER_MIN; at < end && octets[at] != OPTION_END; at += size) {
		size = 1;
		if (octets[at] == OPTION_NOP)
			continue;
		if (end - at < 2 || octets[at + 1] < 2 || octets[at + 1] > end - at)
			break;
		size = octets[at + 1];
		if (octets[at] == OPTION_MSS && size == OPTION_MSS_LEN)
			lowered |= lower(tcp, at + MSS_OFFSET, largest);
	}
	return lowered;
}

void dp_mss_clamp(struct dp_ctx *ctx, struct dp_burst *burst)
{
	for (uint32_t i = 0; i < burst->n; i++) {
		const struct dp_pkt *p = &burst->pkts[i];
		struct rte_tcp_hdr *tcp;

		if (p->verdict != DP_CONTINUE || p->v4->next_proto_id != IPPROTO_TCP)
			continue;
		tcp = (struct rte_tcp_hdr *)((uint8_t *)p->v4 + p->l4_offset);
		if (likely((tcp->tcp_flags & RTE_TCP_SYN_FLAG) == 0))
			continue;
		if (lower_options(tcp, p->v4_len - p->l4_offset, largest_segment(ctx, burst, i)))
			dp_count(&ctx->counters, DP_COUNT_MSS_CLAMPED, 1, p->m->pkt_len);
	}
}
