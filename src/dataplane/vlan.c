// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/vlan.h"

#include <rte_prefetch.h>

#define PREFETCH_AHEAD 4
#define VID_MASK       0x0fff
#define TAGGED_LEN     (RTE_ETHER_HDR_LEN + RTE_VLAN_HLEN)
#define ADDRESSES_LEN  (2 * RTE_ETHER_ADDR_LEN)
#define PRIORITY_TAG   0x1000 /* a tag that names no VLAN: nobody's */

/* The VLAN of a frame; 0: it has no tag. */
static uint16_t vlan_of(const struct rte_mbuf *m)
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	const struct rte_vlan_hdr *vlan = (const struct rte_vlan_hdr *)(ether + 1);
	uint16_t vid;

	if (ether->ether_type != RTE_BE16(RTE_ETHER_TYPE_VLAN))
		return 0;
	vid = rte_be_to_cpu_16(vlan->vlan_tci) & VID_MASK;
	return vid != 0 ? vid : PRIORITY_TAG;
}

static void remove_tag(struct rte_mbuf *m)
{
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);

	memmove(frame + RTE_VLAN_HLEN, frame, ADDRESSES_LEN);
	rte_pktmbuf_adj(m, RTE_VLAN_HLEN);
}

static void refuse(struct dp_ctx *ctx, struct rte_mbuf *m, enum dp_counter reason)
{
	dp_count(&ctx->counters, DP_COUNT_RX, 1, m->pkt_len);
	dp_drop(ctx, m, reason);
}

/* False: dropped. */
static bool untag_one(struct dp_ctx *ctx, uint32_t side, struct rte_mbuf *m)
{
	uint16_t vlan;

	/* Too short for a tag as well: classify tells what is wrong with it. */
	if (m->data_len < RTE_ETHER_HDR_LEN)
		return true;
	if (m->data_len < TAGGED_LEN &&
		rte_pktmbuf_mtod(m, const struct rte_ether_hdr *)->ether_type ==
			RTE_BE16(RTE_ETHER_TYPE_VLAN)) {
		refuse(ctx, m, DP_DROP_FRAME_SHORT);
		return false;
	}
	vlan = vlan_of(m);
	if (vlan != ctx->vlans[side]) {
		if (ctx->ports[1] != DP_PORT_STICK || vlan != ctx->vlans[1]) {
			refuse(ctx, m, DP_DROP_VLAN);
			return false;
		}
		m->port = DP_PORT_STICK;
	}
	if (vlan != 0) {
		remove_tag(m);
		dp_count(&ctx->counters, DP_COUNT_RX, 0, RTE_VLAN_HLEN);
	}
	return true;
}

uint32_t dp_vlan_untag(struct dp_ctx *ctx, uint32_t side, struct rte_mbuf **packets, uint32_t n)
{
	uint32_t left = 0;

	for (uint32_t i = 0; i < RTE_MIN(n, (uint32_t)PREFETCH_AHEAD); i++)
		rte_prefetch0(rte_pktmbuf_mtod(packets[i], void *));
	for (uint32_t i = 0; i < n; i++) {
		if (i + PREFETCH_AHEAD < n)
			rte_prefetch0(rte_pktmbuf_mtod(packets[i + PREFETCH_AHEAD], void *));
		if (likely(untag_one(ctx, side, packets[i])))
			packets[left++] = packets[i];
	}
	return left;
}

uint32_t dp_vlan_tag(struct dp_ctx *ctx, uint32_t side, struct rte_mbuf **packets, uint32_t n)
{
	const struct {
		rte_be16_t ether_type, tci;
	} tag = {RTE_BE16(RTE_ETHER_TYPE_VLAN), rte_cpu_to_be_16(ctx->vlans[side])};
	uint32_t left = 0;

	static_assert(sizeof(tag) == RTE_VLAN_HLEN);
	for (uint32_t i = 0; i < n; i++) {
		uint8_t *frame = (uint8_t *)rte_pktmbuf_prepend(packets[i], RTE_VLAN_HLEN);

		if (unlikely(frame == NULL)) {
			dp_drop(ctx, packets[i], DP_DROP_NO_HEADROOM);
			continue;
		}
		memmove(frame, frame + RTE_VLAN_HLEN, ADDRESSES_LEN);
		memcpy(frame + ADDRESSES_LEN, &tag, sizeof(tag));
		packets[left++] = packets[i];
	}
	return left;
}
