// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/l4_id.h"

#include "common/icmp.h"
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

/* Why a packet has no key. */
enum l4_fault {
	L4_FOUND,
	L4_TRUNCATED,
	L4_ICMP_TYPE,
	L4_ICMP_ERROR,
	L4_ICMP_REFUSED,
	L4_N_FAULTS,
};

static const uint8_t inner_reasons[L4_N_FAULTS] = {
	[L4_TRUNCATED] = DP_DROP_INNER_L4_TRUNCATED,
	[L4_ICMP_TYPE] = DP_DROP_INNER_ICMP_TYPE,
	[L4_ICMP_ERROR] = DP_DROP_INNER_ICMP_ERROR,
};

static const uint8_t v4_reasons[L4_N_FAULTS] = {
	[L4_TRUNCATED] = DP_DROP_V4_L4_TRUNCATED,
	[L4_ICMP_TYPE] = DP_DROP_V4_ICMP_TYPE,
	[L4_ICMP_ERROR] = DP_DROP_V4_ICMP_ERROR,
	[L4_ICMP_REFUSED] = DP_DROP_V4_ICMP_REFUSED,
};

/* Errors are short (RFC 1812 section 4.3.2.3: 576 octets); one that goes beyond a chain's first buffer is none. */
static enum l4_fault read_icmp_key(const struct dp_ctx *ctx, const struct dp_pkt *p, bool of_source,
	struct dp_binding_key *key)
{
	const uint8_t *icmp = (const uint8_t *)p->v4 + p->l4_offset;
	uint32_t len = p->v4_len - p->l4_offset;
	const uint8_t *end = rte_pktmbuf_mtod(p->m, const uint8_t *) + p->m->data_len;
	enum icmp_class class = icmp_classify(icmp[0]);
	struct dp_icmp_quote quote;

	if (!p->from_v6 && ctx->icmp.refuse_from_v4[class])
		return L4_ICMP_REFUSED;
	switch (class) {
	case ICMP_REQUEST:
	case ICMP_REPLY:
		key->port = load_be16(icmp + ICMP_ID_OFFSET);
		return L4_FOUND;
	case ICMP_ERROR:
		if (icmp + len > end || !dp_icmp_quote_read(icmp, len, !of_source, &quote) ||
			quote.v4 != key->v4)
			return L4_ICMP_ERROR;
		key->port = quote.port;
		key->has_port = quote.has_port;
		return L4_FOUND;
	default:
		return L4_ICMP_TYPE;
	}
}

/* The address and port of the packet's source, or of its destination. */
static inline enum l4_fault read_key(const struct dp_ctx *ctx, const struct dp_pkt *p,
	bool of_source, struct dp_binding_key *key)
{
	const uint8_t *l4 = (const uint8_t *)p->v4 + p->l4_offset;
	uint32_t len = p->v4_len - p->l4_offset;
	uint32_t need;

	key->v4 = rte_be_to_cpu_32(of_source ? p->v4->src_addr : p->v4->dst_addr);
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
		return L4_FOUND;
	}
	if (unlikely(len < need))
		return L4_TRUNCATED;
	if (unlikely(p->v4->next_proto_id == IPPROTO_ICMP))
		return read_icmp_key(ctx, p, of_source, key);
	key->port = load_be16(l4 + (of_source ? 0 : 2));
	return L4_FOUND;
}

static inline void identify(const struct dp_ctx *ctx, struct dp_pkt *p, struct dp_binding_key *key)
{
	enum l4_fault fault = read_key(ctx, p, p->from_v6, key);

	if (likely(fault == L4_FOUND))
		return;
	if (p->from_v6)
		dp_pkt_drop(p, inner_reasons[fault]);
	else
		dp_pkt_unclaimed(ctx, p, v4_reasons[fault]);
}

bool dp_l4_id_destination(
	const struct dp_ctx *ctx, const struct dp_pkt *p, struct dp_binding_key *key)
{
	*key = (struct dp_binding_key){0};
	return read_key(ctx, p, false, key) == L4_FOUND;
}

void dp_l4_id(struct dp_ctx *ctx, struct dp_burst *burst)
{
	uint32_t done = burst->plain | burst->held;

	if (likely(done == dp_burst_all(burst)))
		return;
	for (uint32_t i = 0; i < burst->n; i++) {
		if ((done & UINT32_C(1) << i) != 0)
			continue;
		burst->keys[i] = (struct dp_binding_key){0};
		if (likely(burst->pkts[i].verdict == DP_CONTINUE))
			identify(ctx, &burst->pkts[i], &burst->keys[i]);
	}
}
