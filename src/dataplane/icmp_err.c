// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/icmp_err.h"

#include "common/addr.h"
#include "common/icmp.h"
#include "dataplane/forward.h"
#include "dataplane/ipv4.h"
#include "dataplane/ipv6.h"
#include "dataplane/ipv6_ext.h"
#include "dataplane/outer.h"
#include "dataplane/tunnel_err.h"
#include "dataplane/tunnel_mtu.h"

#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <rte_icmp.h>

#define V4_ERROR_MAX  576 /* RFC 1812 section 4.3.2.3 */
#define V6_ERROR_MAX  1280 /* RFC 4443 section 2.4 (c) */
#define V4_HEADERS    (sizeof(struct rte_ipv4_hdr) + sizeof(struct rte_icmp_hdr))
#define V6_HEADERS    (sizeof(struct rte_ipv6_hdr) + sizeof(struct icmp6_hdr))
#define INTERNET_CTRL 0xc0 /* TOS of errors: RFC 1812 section 4.3.2.5 */
#define HOP_LIMIT     64
#define ONE_ERROR     1000 /* what one takes out of the bucket */

/* Which reasons to drop are told to the sender, and how. */
static const uint8_t kinds[DP_N_DROPS] = {
	[DP_DROP_V4_TTL_EXPIRED] = DP_ICMP_TIME_EXCEEDED,
	[DP_DROP_INNER_TTL_EXPIRED] = DP_ICMP_TIME_EXCEEDED,
	[DP_DROP_TOO_BIG_V6] = DP_ICMP_TOO_BIG,
	[DP_DROP_TOO_BIG_V4] = DP_ICMP_TOO_BIG,
	[DP_DROP_NO_BINDING_V4] = DP_ICMP_UNREACHABLE,
	[DP_DROP_NO_PORT_V4] = DP_ICMP_UNREACHABLE,
	[DP_DROP_HAIRPIN_NO_BINDING] = DP_ICMP_UNREACHABLE,
	[DP_DROP_POOL_NO_BINDING] = DP_ICMP_UNREACHABLE,
	[DP_DROP_NO_BINDING_V6] = DP_ICMP_POLICY,
	[DP_DROP_NO_PORT_V6] = DP_ICMP_POLICY,
	[DP_DROP_SPOOFED_CLIENT] = DP_ICMP_POLICY,
	[DP_DROP_WRONG_TEP] = DP_ICMP_POLICY,
	[DP_DROP_FORWARD_V4_TOO_BIG] = DP_ICMP_TOO_BIG,
	[DP_DROP_FORWARD_V6_TOO_BIG] = DP_ICMP_TOO_BIG,
	[DP_DROP_FORWARD_HOP_LIMIT] = DP_ICMP_TIME_EXCEEDED,
	[DP_DROP_FORWARD_LOOP] = DP_ICMP_NO_ROUTE,
	[DP_DROP_NO_ROUTE] = DP_ICMP_NO_ROUTE,
	[DP_DROP_V6_EXT_ORDER] = DP_ICMP_PARAMETER,
	[DP_DROP_V6_EXT_OPTION] = DP_ICMP_PARAMETER,
	[DP_DROP_V6_EXT_ROUTING] = DP_ICMP_PARAMETER,
};

struct message {
	uint8_t type, code;
};

static const struct message v4_messages[DP_N_ICMP_KINDS] = {
	[DP_ICMP_TIME_EXCEEDED] = {ICMP_TIME_EXCEEDED, ICMP_EXC_TTL},
	[DP_ICMP_TOO_BIG] = {ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED},
	[DP_ICMP_UNREACHABLE] = {ICMP_DEST_UNREACH, ICMP_HOST_UNREACH},
	[DP_ICMP_NO_ROUTE] = {ICMP_DEST_UNREACH, ICMP_NET_UNREACH},
};

static const struct message v6_messages[DP_N_ICMP_KINDS] = {
	[DP_ICMP_TIME_EXCEEDED] = {ICMP6_TIME_EXCEEDED, ICMP6_TIME_EXCEED_TRANSIT},
	[DP_ICMP_TOO_BIG] = {ICMP6_PACKET_TOO_BIG, 0},
	[DP_ICMP_POLICY] = {ICMP6_DST_UNREACH, 5}, /* source address failed policy */
	[DP_ICMP_PARAMETER] = {ICMP6_PARAM_PROB, 0}, /* code and pointer: ipv6_ext.h */
	[DP_ICMP_NO_ROUTE] = {ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_NOROUTE},
};

static bool is_icmp_but_no_query(const struct dp_pkt *p)
{
	const uint8_t *icmp = (const uint8_t *)p->v4 + p->l4_offset;

	return p->v4->next_proto_id == IPPROTO_ICMP &&
	       (p->v4_len <= p->l4_offset || !icmp_is_query(icmp[0]));
}

static bool has_unicast_sender(const struct rte_ipv6_hdr *v6)
{
	struct in6_addr sender;

	memcpy(&sender, v6->src_addr, sizeof(sender));
	return addr_v6_is_global(&sender);
}

/* Of no tunnel. */
static bool is_plain_v6(const struct dp_pkt *p)
{
	return dp_pkt_is_plain(p) && p->v4 == NULL;
}

static bool may_be_answered(const struct dp_pkt *p, enum dp_icmp_kind kind)
{
	const struct rte_ipv4_hdr *v4 = p->v4;

	if (is_plain_v6(p))
		return has_unicast_sender(p->v6) &&
		       !dp_ext_may_be_error(p->v6, rte_be_to_cpu_16(p->v6->payload_len));
	if (kind == DP_ICMP_PARAMETER) {
		struct dp_ext_problem problem;

		return has_unicast_sender(p->v6) &&
		       dp_ext_problem(p->v6, rte_be_to_cpu_16(p->v6->payload_len), &problem);
	}
	if (is_icmp_but_no_query(p) ||
		(v4->fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK)) != 0)
		return false;
	if (kind == DP_ICMP_POLICY)
		return has_unicast_sender(p->v6);
	if (kind == DP_ICMP_TOO_BIG && !ipv4_must_stay_whole(v4))
		return false;
	return !dp_v4_is_martian(rte_be_to_cpu_32(v4->src_addr)) &&
	       !dp_v4_is_martian(rte_be_to_cpu_32(v4->dst_addr));
}

/* The bucket gains `rate` thousandths a millisecond, and never holds more than `burst` errors. */
static bool take_token(struct dp_ctx *ctx)
{
	struct dp_icmp_bucket *bucket = &ctx->icmp_bucket;
	uint64_t full = (uint64_t)ctx->icmp.burst * ONE_ERROR;
	uint64_t gain = (ctx->now_ms - bucket->filled_ms) * ctx->icmp.rate;

	bucket->filled_ms = ctx->now_ms;
	bucket->level = RTE_MIN(bucket->level + gain, full);
	if (bucket->level < ONE_ERROR)
		return false;
	bucket->level -= ONE_ERROR;
	return true;
}

/* Room in front of what is quoted for headers of len octets, beside the Ethernet header. */
static bool has_room(const struct dp_pkt *p, const void *quoted, uint32_t len)
{
	return (uintptr_t)quoted - (uintptr_t)p->m->buf_addr >= RTE_ETHER_HDR_LEN + len;
}

/* The frame is now an Ethernet header and len octets from packet on. */
static void set_frame(struct dp_pkt *p, const void *packet, uint32_t len)
{
	struct rte_mbuf *m = p->m;
	uintptr_t start = (uintptr_t)packet - RTE_ETHER_HDR_LEN;

	/* What is quoted lies in the first buffer (DP_CONTIGUOUS). */
	if (unlikely(m->nb_segs != 1)) {
		rte_pktmbuf_free(m->next);
		m->next = NULL;
		m->nb_segs = 1;
	}
	m->data_off = (uint16_t)(start - (uintptr_t)m->buf_addr);
	m->data_len = (uint16_t)(RTE_ETHER_HDR_LEN + len);
	m->pkt_len = m->data_len;
}

/* Who speaks to the IPv4 side: as configured, else an address of this router that the host gave it. */
static uint32_t source_towards_v4(const struct dp_ctx *ctx)
{
	const struct dp_local_v4 *local = __atomic_load_n(ctx->local_v4, __ATOMIC_ACQUIRE);

	if (ctx->icmp.v4_source != 0)
		return ctx->icmp.v4_source;
	for (uint32_t i = 0; i < local->n; i++)
		if (!dp_v4_is_martian(local->v4[i]))
			return local->v4[i];
	return ctx->icmp.tunnel_v4;
}

/* In front of the packet at p->v4, for its source. An atomic datagram (RFC 6864): no identification. */
static void write_icmpv4(struct dp_pkt *p, enum dp_icmp_kind kind, uint32_t source, uint16_t mtu)
{
	uint16_t len = RTE_MIN(p->v4_len + V4_HEADERS, V4_ERROR_MAX);
	struct rte_icmp_hdr *icmp = (struct rte_icmp_hdr *)p->v4 - 1;
	struct rte_ipv4_hdr *v4 = (struct rte_ipv4_hdr *)icmp - 1;

	*icmp = (struct rte_icmp_hdr){
		.icmp_type = v4_messages[kind].type,
		.icmp_code = v4_messages[kind].code,
		.icmp_seq_nb = rte_cpu_to_be_16(mtu),
	};
	icmp->icmp_cksum = (rte_be16_t)~rte_raw_cksum(icmp, len - sizeof(*v4));
	*v4 = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.type_of_service = INTERNET_CTRL,
		.total_length = rte_cpu_to_be_16(len),
		.fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG),
		.time_to_live = HOP_LIMIT,
		.next_proto_id = IPPROTO_ICMP,
		.src_addr = rte_cpu_to_be_32(source),
		.dst_addr = p->v4->src_addr,
	};
	v4->hdr_checksum = rte_ipv4_cksum(v4);
	p->v4 = v4;
	p->v4_len = len;
	p->l4_offset = sizeof(*v4);
}

/* The addresses of an IPv6 packet, for the answer to it. */
struct ends {
	uint8_t ours[16];
	uint8_t theirs[16];
};

static struct ends read_ends(const struct rte_ipv6_hdr *v6)
{
	struct ends ends;

	memcpy(ends.ours, v6->dst_addr, sizeof(ends.ours));
	memcpy(ends.theirs, v6->src_addr, sizeof(ends.theirs));
	return ends;
}

static void send_back(struct dp_pkt *p, struct rte_ipv6_hdr *v6, const struct ends *ends)
{
	memcpy(v6->src_addr, ends->ours, sizeof(v6->src_addr));
	memcpy(v6->dst_addr, ends->theirs, sizeof(v6->dst_addr));
	p->v6 = v6;
	p->to_v6 = true;
	set_frame(p, v6, sizeof(*v6) + rte_be_to_cpu_16(v6->payload_len));
}

static bool answer_v4(struct dp_ctx *ctx, struct dp_pkt *p, enum dp_icmp_kind kind, uint16_t mtu)
{
	if (!has_room(p, p->v4, V4_HEADERS))
		return false;
	write_icmpv4(p, kind, source_towards_v4(ctx), mtu);
	p->to_v6 = false;
	set_frame(p, p->v4, p->v4_len);
	return true;
}

/* Back into the tunnel; the new headers lie where the outer one was. */
static bool answer_client(
	struct dp_ctx *ctx, struct dp_pkt *p, enum dp_icmp_kind kind, uint16_t mtu)
{
	const struct ends ends = read_ends(p->v6);

	if (!has_room(p, p->v4, ctx->tunnel_overhead + V4_HEADERS))
		return false;
	write_icmpv4(p, kind, ctx->icmp.tunnel_v4, mtu);
	send_back(p, dp_outer_write(ctx, p), &ends);
	return true;
}

/* To who sent the IPv6 packet, by whom the ends say. */
static bool answer_v6(struct dp_pkt *p, const struct ends *ends, struct icmp6_hdr icmp)
{
	uint32_t whole = sizeof(*p->v6) + rte_be_to_cpu_16(p->v6->payload_len);
	uint16_t len = RTE_MIN(whole + V6_HEADERS, V6_ERROR_MAX) - sizeof(*p->v6);
	uint8_t *at = (uint8_t *)p->v6 - sizeof(icmp);
	struct rte_ipv6_hdr *v6;

	if (!has_room(p, p->v6, V6_HEADERS))
		return false;
	memcpy(at, &icmp, sizeof(icmp));
	v6 = (struct rte_ipv6_hdr *)at - 1;
	ipv6_write(v6, INTERNET_CTRL, len, IPPROTO_ICMPV6, HOP_LIMIT);
	send_back(p, v6, ends);
	icmp.icmp6_cksum = rte_ipv6_udptcp_cksum(p->v6, at);
	memcpy(at, &icmp, sizeof(icmp));
	return true;
}

static bool answer_policy(struct dp_pkt *p)
{
	const struct ends ends = read_ends(p->v6);

	return answer_v6(p, &ends,
		(struct icmp6_hdr){
			.icmp6_type = v6_messages[DP_ICMP_POLICY].type,
			.icmp6_code = v6_messages[DP_ICMP_POLICY].code,
		});
}

static bool answer_parameter(struct dp_pkt *p)
{
	const struct ends ends = read_ends(p->v6);
	struct dp_ext_problem problem;

	dp_ext_problem(p->v6, rte_be_to_cpu_16(p->v6->payload_len), &problem);
	return answer_v6(p, &ends,
		(struct icmp6_hdr){
			.icmp6_type = v6_messages[DP_ICMP_PARAMETER].type,
			.icmp6_code = problem.code,
			.icmp6_pptr = rte_cpu_to_be_32(problem.pointer),
		});
}

/* No tunnel's: the destination is somebody else's address. */
static bool answer_plain_v6(
	const struct dp_ctx *ctx, struct dp_pkt *p, enum dp_icmp_kind kind, uint16_t mtu)
{
	struct ends ends = read_ends(p->v6);

	memcpy(ends.ours, &ctx->icmp.v6_source, sizeof(ends.ours));
	return answer_v6(p, &ends,
		(struct icmp6_hdr){
			.icmp6_type = v6_messages[kind].type,
			.icmp6_code = v6_messages[kind].code,
			.icmp6_mtu = rte_cpu_to_be_32(mtu),
		});
}

/* What would have passed. */
static uint16_t mtu_for(const struct dp_ctx *ctx, const struct dp_burst *burst, uint32_t i)
{
	switch (burst->pkts[i].reason) {
	case DP_DROP_TOO_BIG_V4:
		return ctx->mtu_v4;
	case DP_DROP_FORWARD_V4_TOO_BIG:
	case DP_DROP_FORWARD_V6_TOO_BIG:
		return burst->mtus[i];
	case DP_DROP_TOO_BIG_V6:
		return (uint16_t)(dp_tunnel_mtu_of(ctx, burst, i) - ctx->tunnel_overhead);
	default:
		return 0;
	}
}

static bool write_answer(
	struct dp_ctx *ctx, struct dp_burst *burst, uint32_t i, enum dp_icmp_kind kind)
{
	struct dp_pkt *p = &burst->pkts[i];
	uint16_t mtu = mtu_for(ctx, burst, i);

	if (is_plain_v6(p))
		return answer_plain_v6(ctx, p, kind, mtu);
	if (kind == DP_ICMP_POLICY)
		return answer_policy(p);
	if (kind == DP_ICMP_PARAMETER)
		return answer_parameter(p);
	if (p->from_v6)
		return answer_client(ctx, p, kind, mtu);
	return answer_v4(ctx, p, kind, mtu);
}

static bool is_wanted(const struct dp_ctx *ctx, const struct dp_pkt *p, enum dp_icmp_kind kind)
{
	if (dp_pkt_is_plain(p))
		return ctx->icmp.plain && kind != DP_ICMP_NONE;
	return p->from_v6 ? ctx->icmp.to_clients[kind] : ctx->icmp.to_v4[kind];
}

static void answer(struct dp_ctx *ctx, struct dp_burst *burst, uint32_t i)
{
	struct dp_pkt *p = &burst->pkts[i];
	enum dp_icmp_kind kind = kinds[p->reason];
	bool is_plain = dp_pkt_is_plain(p);
	bool is_v6 = kind == DP_ICMP_POLICY || kind == DP_ICMP_PARAMETER || is_plain_v6(p);
	uint32_t refused = p->m->pkt_len;

	if (!is_wanted(ctx, p, kind) || !may_be_answered(p, kind))
		return;
	if (!take_token(ctx) || !write_answer(ctx, burst, i, kind)) {
		dp_count(&ctx->counters, DP_COUNT_ICMP_WITHHELD, 1, refused);
		return;
	}
	dp_count(&ctx->counters, p->reason, 1, refused);
	if (is_v6)
		dp_count(&ctx->counters, DP_COUNT_OUT_ICMPV6_ERRORS, 1,
			p->m->pkt_len - RTE_ETHER_HDR_LEN);
	else
		dp_count(&ctx->counters, DP_COUNT_OUT_ICMPV4_ERRORS, 1, p->v4_len);
	p->verdict = DP_CONTINUE;
	p->cut = false;
	if (is_plain)
		dp_forward_back(ctx, p);
}

/* An ICMPv6 error about what we sent into a tunnel, on to who sent it to us. */
static void relay(struct dp_ctx *ctx, struct dp_pkt *p)
{
	uint32_t received = p->m->pkt_len;
	uint16_t mtu = 0;
	enum dp_icmp_kind kind = dp_tunnel_err_read(ctx, p, &mtu);

	dp_pkt_drop(p, DP_DROP_TUNNEL_ERROR);
	if (kind == DP_ICMP_NONE || !may_be_answered(p, kind))
		return;
	if (!take_token(ctx) || !answer_v4(ctx, p, kind, mtu)) {
		dp_count(&ctx->counters, DP_COUNT_ICMP_WITHHELD, 1, received);
		return;
	}
	dp_count(&ctx->counters, DP_COUNT_ICMPV6_RELAYED, 1, p->v4_len);
	p->verdict = DP_CONTINUE;
}

void dp_icmp_err(struct dp_ctx *ctx, struct dp_burst *burst)
{
	for (uint32_t i = 0; i < burst->n; i++) {
		struct dp_pkt *p = &burst->pkts[i];

		if (likely(p->verdict == DP_CONTINUE))
			continue;
		if (p->verdict == DP_DROP)
			answer(ctx, burst, i);
		else if (p->verdict == DP_RELAY)
			relay(ctx, p);
	}
}
