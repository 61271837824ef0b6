// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/hairpin.h"

#include "dataplane/l4_id.h"

/* Packets of a burst whose destination is an address of ours. */
struct candidates {
	uint32_t n;
	uint32_t indices[DP_BURST];
	struct dp_binding_key keys[DP_BURST];
};

/* One of our own, whether a binding has it or not? */
static inline bool is_ours(const struct dp_ctx *ctx, const uint32_t *prefixes, uint32_t v4)
{
	return dp_hairpin_is_near(ctx, prefixes, v4) &&
	       (dp_bindings_has_v4(ctx->bindings, v4) ||
		       (ctx->pools != NULL && dp_pools_contain(ctx->pools, v4)));
}

static void collect(
	const struct dp_ctx *ctx, const struct dp_burst *burst, struct candidates *candidates)
{
	const uint32_t *prefixes = dp_bindings_prefixes(ctx->bindings);

	candidates->n = 0;
	for (uint32_t i = 0; i < burst->n; i++) {
		const struct dp_pkt *p = &burst->pkts[i];

		if (!p->from_v6 || p->verdict != DP_CONTINUE)
			continue;
		if (likely(!is_ours(ctx, prefixes, rte_be_to_cpu_32(p->v4->dst_addr))))
			continue;
		/* Without a key it is for nobody, as is a port-less key for a shared address. */
		if (!dp_l4_id_destination(ctx, p, &candidates->keys[candidates->n]))
			candidates->keys[candidates->n] = (struct dp_binding_key){0};
		candidates->indices[candidates->n++] = i;
	}
}

void dp_hairpin(struct dp_ctx *ctx, struct dp_burst *burst)
{
	const struct dp_binding *found[DP_BURST];
	struct candidates candidates;

	if (!ctx->hairpin || dp_burst_is_from_v4(burst))
		return;
	collect(ctx, burst, &candidates);
	if (likely(candidates.n == 0))
		return;
	dp_bindings_lookup_bulk(ctx->bindings, candidates.keys, candidates.n, ctx->now_s, found);
	for (uint32_t i = 0; i < candidates.n; i++) {
		uint32_t index = candidates.indices[i];
		struct dp_pkt *p = &burst->pkts[index];

		/* What nobody holds of an address that this host has, too, is the host's. */
		if (found[i] == NULL && dp_is_local_v4(ctx, rte_be_to_cpu_32(p->v4->dst_addr)))
			continue;
		p->to_v6 = true;
		burst->targets[index] = found[i];
	}
}
