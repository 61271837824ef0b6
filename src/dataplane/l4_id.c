// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/l4_id.h"

#include "dataplane/icmp_quote.h"

#define TCP_HEADER_MIN      20
#define UDP_ICMP_HEADER_LEN 8 /* of either */
#define ICMP_ID_OFFSET      4

static inline uint16_t load_be16(const uint8_t *octets)
{
	uint16_t value;

	memcpy(&value, octets, sizeof(value));
	return rte_be_to_cpu_16(value);
}

static void refuse(const struct dp_ctx *ctx, struct dp_pkt *p, enum dp_counter inner_reason,
	enum dp_counter v4_reason)
{
	if (p->from_v6)
		dp_pkt_drop(p, inner_reason);
	else
		dp_pkt_unclaimed(ctx, p, v4_reason);
}

static void identify_icmp(const struct dp_ctx *ctx, struct dp_pkt *p, const uint8_t *icmp,
	uint32_t len, struct dp_binding_key *key)
{
	struct dp_icmp_quote quote;

	switch (dp_icmp_class(icmp[0])) {
	case ICMP_QUERY:
		key->port = load_be16(icmp + ICMP_ID_OFFSET);
		break;
	case ICMP_ERROR:
		if (dp_icmp_quote_read(icmp, len, !p->from_v6, &quote) && quote.v4 == key->v4) {
			key->port = quote.port;
			key->has_port = quote.has_port;
		} else {
			refuse(ctx, p, DP_DROP_INNER_ICMP_ERROR, DP_DROP_V4_ICMP_ERROR);
		}
		break;
	default:
		refuse(ctx, p, DP_DROP_INNER_ICMP_TYPE, DP_DROP_V4_ICMP_TYPE);
	}
}

static inline void identify(const struct dp_ctx *ctx, struct dp_pkt *p, struct dp_binding_key *key)
{
	const uint8_t *l4 = (const uint8_t *)p->v4 + p->l4_offset;
	uint32_t len = p->v4_len - p->l4_offset;
	uint32_t need;

	key->v4 = rte_be_to_cpu_32(p->from_v6 ? p->v4->src_addr : p->v4->dst_addr);
	key->has_port = true;
	switch (p->v4->next_proto_id) {
	case IPPROTO_TCP:
		need = TCP_HEADER_MIN;
		break;
	case IPPROTO_UDP:
	case IPPROTO_ICMP:
		need = UDP_ICMP_HEADER_LEN;
		break;
	default:
		key->has_port = false;
		return;
	}
	if (unlikely(len < need))
		refuse(ctx, p, DP_DROP_INNER_L4_TRUNCATED, DP_DROP_V4_L4_TRUNCATED);
	else if (likely(p->v4->next_proto_id != IPPROTO_ICMP))
		key->port = load_be16(l4 + (p->from_v6 ? 0 : 2));
	else
		identify_icmp(ctx, p, l4, len, key);
}

void dp_l4_id(struct dp_ctx *ctx, struct dp_burst *burst)
{
	for (uint32_t i = 0; i < burst->n; i++) {
		burst->keys[i] = (struct dp_binding_key){0};
		if (likely(burst->pkts[i].verdict == DP_CONTINUE))
			identify(ctx, &burst->pkts[i], &burst->keys[i]);
	}
}
