// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/miss.h"

#include "dataplane/decap.h"
#include "dataplane/l4_id.h"

/* The prefix that it came from: nobody has more than a few at his disposal, but any address within one. */
static uint64_t asker_of(const struct dp_pkt *p)
{
	uint64_t prefix;

	if (!p->from_v6)
		return rte_be_to_cpu_32(p->v4->src_addr) >> 8;
	memcpy(&prefix, p->v6->src_addr, sizeof(prefix));
	return prefix;
}

/* A packet that came back has this in its buffer: what was asked about it. */
static uint32_t asked_before(const struct dp_ctx *ctx, const struct dp_pkt *p)
{
	return ctx->has_returned ? p->m->hash.usr : 0;
}

/* What is not known of the packet: 0, DP_ASKED_HOLDER or DP_ASKED_TARGET. */
static inline uint32_t unknown(
	const struct dp_ctx *ctx, const struct dp_burst *burst, uint32_t index)
{
	const struct dp_pkt *p = &burst->pkts[index];
	const struct dp_binding *binding = burst->bindings[index];

	if (p->verdict != DP_CONTINUE)
		return 0;
	if (binding == NULL)
		return ctx->asks[p->from_v6] ? DP_ASKED_HOLDER : 0;
	if (unlikely(p->from_v6 && p->to_v6 && burst->targets[index] == NULL) && ctx->asks[0] &&
		dp_decap_is_holder(p->v6, binding))
		return DP_ASKED_TARGET;
	return 0;
}

/* What to ask; false: nobody is to be asked, or everybody knows. */
static bool find_key(
	struct dp_ctx *ctx, const struct dp_pkt *p, uint32_t what, struct dp_binding_key *key)
{
	if ((asked_before(ctx, p) & what) != 0)
		return false;
	if (what == DP_ASKED_TARGET && !dp_l4_id_destination(ctx, p, key))
		return false;
	if (!dp_pools_contain(ctx->pools, key->v4) || dp_is_local_v4(ctx, key->v4))
		return false;
	if (!dp_negative_has(dp_ask_negative(ctx->ask), key, ctx->now_ms))
		return true;
	dp_count(&ctx->counters, DP_COUNT_ASK_KNOWN, 1, p->m->pkt_len);
	return false;
}

static __rte_noinline void ask(
	struct dp_ctx *ctx, struct dp_burst *burst, uint32_t index, uint32_t what)
{
	struct dp_pkt *p = &burst->pkts[index];
	struct dp_binding_key key = burst->keys[index];

	if (!find_key(ctx, p, what, &key))
		return;
	if (ctx->ask_limits != NULL &&
		!dp_ask_limits_take(ctx->ask_limits, p->from_v6, asker_of(p), ctx->now_ms)) {
		dp_pkt_drop(p, DP_DROP_ASK_LIMIT);
		return;
	}
	burst->keys[index] = key;
	p->m->hash.usr = asked_before(ctx, p) | what;
	p->verdict = DP_ASK;
}

void dp_miss(struct dp_ctx *ctx, struct dp_burst *burst)
{
	for (uint32_t i = 0; i < burst->n; i++) {
		uint32_t what = unknown(ctx, burst, i);

		if (unlikely(what != 0))
			ask(ctx, burst, i, what);
	}
}

void dp_miss_question(const struct dp_ctx *ctx, const struct dp_burst *burst, uint32_t index,
	uint32_t side, struct dp_question *question)
{
	const struct dp_pkt *p = &burst->pkts[index];

	*question = (struct dp_question){
		.m = p->m,
		.key = burst->keys[index],
		.asker = asker_of(p),
		.side = (uint8_t)side,
		.asked = (uint8_t)p->m->hash.usr,
		.from_v6 = p->from_v6,
	};
	if (p->from_v6)
		question->outer_offset = (uint8_t)((uint8_t *)p->v6 -
						   rte_pktmbuf_mtod(p->m, uint8_t *));
}
