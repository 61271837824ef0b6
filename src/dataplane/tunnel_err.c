// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/tunnel_err.h"

#include "dataplane/ipv4.h"
#include "dataplane/l4_id.h"
#include "dataplane/tunnel_mtu.h"

#include <netinet/icmp6.h>

#define ICMP_HEADER_LEN      8
#define EXTENSION_LEN        8 /* of a fragment header, and of the options that we send */
#define FRAGMENT_OFFSET_MASK 0xfff8

/*
 * Where the packet inside begins in the quoted one, from the IPv6 header on; 0: it is no packet of ours. Between
 * them we put a fragment header and an encapsulation limit, in this order.
 */
static uint32_t inner_offset(const uint8_t *quoted, uint32_t room)
{
	const struct rte_ipv6_hdr *v6 = (const struct rte_ipv6_hdr *)quoted;
	uint32_t at = sizeof(*v6);
	uint8_t next;

	if (room < sizeof(*v6) || (rte_be_to_cpu_32(v6->vtc_flow) >> 28) != 6)
		return 0;
	next = v6->proto;
	if (next == IPPROTO_FRAGMENT && room >= at + EXTENSION_LEN) {
		next = quoted[at];
		at += EXTENSION_LEN;
	}
	if (next == IPPROTO_DSTOPTS && room >= at + EXTENSION_LEN && quoted[at + 1] == 0) {
		next = quoted[at];
		at += EXTENSION_LEN;
	}
	return next == IPPROTO_IPIP ? at : 0;
}

/* A later fragment of ours: what follows its headers is no IPv4 header. */
static bool is_later_fragment(const struct rte_ipv6_hdr *v6)
{
	const struct rte_ipv6_fragment_ext *fragment = (const void *)(v6 + 1);

	return v6->proto == IPPROTO_FRAGMENT &&
	       (fragment->frag_data & RTE_BE16(FRAGMENT_OFFSET_MASK)) != 0;
}

bool dp_tunnel_err_quotes_tunnel(const struct rte_ipv6_hdr *v6, uint32_t payload_len)
{
	const uint8_t *icmp = (const uint8_t *)(v6 + 1);

	return payload_len > ICMP_HEADER_LEN && icmp[0] >= ICMP6_DST_UNREACH &&
	       icmp[0] <= ICMP6_PARAM_PROB &&
	       inner_offset(icmp + ICMP_HEADER_LEN, payload_len - ICMP_HEADER_LEN) != 0;
}

static bool checksum_ok(const struct rte_ipv6_hdr *v6)
{
	uint32_t sum = rte_ipv6_phdr_cksum(v6, 0);

	sum += rte_raw_cksum(v6 + 1, rte_be_to_cpu_16(v6->payload_len));
	return ipv4_fold(sum) == UINT16_MAX;
}

/* Takes the quoted inner packet, which may be cut short, for the packet to work on. */
static bool take_inner(struct dp_pkt *p, struct rte_ipv4_hdr *v4, uint32_t room)
{
	uint32_t header_len;

	if (room < IPV4_HEADER_MIN || v4->version_ihl >> 4 != 4)
		return false;
	header_len = ipv4_header_len(v4);
	if (header_len < IPV4_HEADER_MIN || header_len > room ||
		header_len > rte_be_to_cpu_16(v4->total_length) ||
		!ipv4_checksum_ok(v4, header_len) ||
		(v4->fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK)) != 0)
		return false;
	p->v4 = v4;
	p->v4_len = RTE_MIN(rte_be_to_cpu_16(v4->total_length), room);
	p->l4_offset = header_len;
	return true;
}

/* The binding by which we could have sent what is quoted, or NULL. */
static const struct dp_binding *find_ours(
	const struct dp_ctx *ctx, const struct dp_pkt *p, const struct rte_ipv6_hdr *quoted)
{
	const struct dp_binding *binding;
	struct dp_binding_key key;

	if (!dp_l4_id_destination(ctx, p, &key))
		return NULL;
	dp_bindings_lookup_bulk(ctx->bindings, &key, 1, ctx->now_s, &binding);
	if (binding == NULL ||
		memcmp(quoted->dst_addr, &binding->client_v6, sizeof(binding->client_v6)) != 0 ||
		memcmp(quoted->src_addr, &binding->tep_v6, sizeof(binding->tep_v6)) != 0 ||
		memcmp(p->v6->dst_addr, &binding->tep_v6, sizeof(binding->tep_v6)) != 0)
		return NULL;
	return binding;
}

static uint32_t whole_len(const struct rte_ipv6_hdr *v6)
{
	return sizeof(*v6) + rte_be_to_cpu_16(v6->payload_len);
}

/* tunnel_mtu is written with DP_ICMP_TOO_BIG. */
static enum dp_icmp_kind translate(
	const uint8_t *icmp, const struct rte_ipv6_hdr *quoted, uint32_t *tunnel_mtu)
{
	switch (icmp[0]) {
	case ICMP6_DST_UNREACH:
	case ICMP6_PARAM_PROB:
		return DP_ICMP_UNREACHABLE;
	case ICMP6_TIME_EXCEEDED: /* the other code is about reassembly */
		return icmp[1] == ICMP6_TIME_EXCEED_TRANSIT ? DP_ICMP_UNREACHABLE : DP_ICMP_NONE;
	default:
		memcpy(tunnel_mtu, icmp + 4, sizeof(*tunnel_mtu));
		*tunnel_mtu = RTE_MAX(rte_be_to_cpu_32(*tunnel_mtu), (uint32_t)DP_TUNNEL_MTU_MIN);
		if (*tunnel_mtu >= whole_len(quoted))
			return DP_ICMP_NONE; /* the packet would have fitted */
		return DP_ICMP_TOO_BIG;
	}
}

enum dp_icmp_kind dp_tunnel_err_read(struct dp_ctx *ctx, struct dp_pkt *p, uint16_t *mtu)
{
	const struct dp_binding *binding;
	enum dp_icmp_kind kind;
	uint32_t tunnel_mtu = 0;
	uint8_t *icmp = (uint8_t *)(p->v6 + 1), *quoted = icmp + ICMP_HEADER_LEN;
	uint32_t room = rte_be_to_cpu_16(p->v6->payload_len) - ICMP_HEADER_LEN;
	uint32_t offset = inner_offset(quoted, room);
	const struct rte_ipv6_hdr *outer = (const struct rte_ipv6_hdr *)quoted;

	if (!checksum_ok(p->v6) || is_later_fragment(outer) ||
		!take_inner(p, (struct rte_ipv4_hdr *)(quoted + offset), room - offset))
		return DP_ICMP_NONE;
	binding = find_ours(ctx, p, outer);
	if (binding == NULL)
		return DP_ICMP_NONE;
	kind = translate(icmp, outer, &tunnel_mtu);
	if (kind == DP_ICMP_TOO_BIG) {
		if (ctx->path_mtu && whole_len(outer) <= dp_tunnel_mtu(ctx, binding))
			dp_tunnel_mtu_learn(ctx, binding, tunnel_mtu, p->m->pkt_len);
		*mtu = (uint16_t)(tunnel_mtu - ctx->tunnel_overhead);
	}
	return kind;
}
