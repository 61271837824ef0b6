// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/tunnel_mtu.h"

#include "dataplane/ipv4.h"

/* What was learnt and is too old counts no more. */
static void forget_if_old(const struct dp_ctx *ctx, struct dp_binding *binding)
{
	if (__atomic_load_n(&binding->mtu_less, __ATOMIC_RELAXED) == binding->mtu_less_fixed ||
		ctx->now_s < __atomic_load_n(&binding->mtu_until_s, __ATOMIC_RELAXED))
		return;
	__atomic_store_n(&binding->mtu_less, binding->mtu_less_fixed, __ATOMIC_RELAXED);
}

/* With options around it an IPv4 packet of all but 65,535 octets is longer than any IPv6 payload. */
static bool exceeds_ipv6(const struct dp_ctx *ctx, const struct dp_pkt *p)
{
	return p->v4_len + ctx->tunnel_overhead - sizeof(struct rte_ipv6_hdr) > UINT16_MAX;
}

bool dp_tunnel_mtu_admit(
	const struct dp_ctx *ctx, struct dp_pkt *p, const struct dp_binding *binding)
{
	forget_if_old(ctx, (struct dp_binding *)(uintptr_t)binding);
	if (p->v4_len + ctx->tunnel_overhead <= dp_tunnel_mtu(ctx, binding))
		return true;
	if ((!ctx->ignore_df && ipv4_must_stay_whole(p->v4)) || exceeds_ipv6(ctx, p)) {
		dp_pkt_drop(p, DP_DROP_TOO_BIG_V6);
		return false;
	}
	p->cut = true;
	return true;
}

void dp_tunnel_mtu_learn(
	struct dp_ctx *ctx, const struct dp_binding *binding, uint32_t mtu, uint32_t octets)
{
	struct dp_binding *record = (struct dp_binding *)(uintptr_t)binding;
	uint32_t known;

	forget_if_old(ctx, record);
	known = dp_tunnel_mtu(ctx, binding);
	if (mtu > known || mtu == ctx->mtu_v6 - record->mtu_less_fixed)
		return;
	__atomic_store_n(&record->mtu_until_s, ctx->now_s + DP_TUNNEL_MTU_AGE_S, __ATOMIC_RELAXED);
	if (mtu == known)
		return;
	__atomic_store_n(&record->mtu_less, (uint16_t)(ctx->mtu_v6 - mtu), __ATOMIC_RELAXED);
	dp_count(&ctx->counters, DP_COUNT_PATH_MTU_LEARNT, 1, octets);
}
