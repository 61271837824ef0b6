// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/outcome.h"

#define NO_REASON UINT8_MAX
static_assert(DP_N_DROPS < NO_REASON);

const struct dp_fate_info dp_fate_info[DP_N_FATES] = {
#define X(id, name, text) [DP_FATE_##id] = {name, text},
	DP_FATE_ROWS(X)
#undef X
};

void dp_outcome_prepare(struct dp_burst *burst)
{
	for (uint32_t i = 0; i < burst->n; i++)
		burst->pkts[i].reason = NO_REASON;
}

/* A packet that was refused and goes on all the same has become an ICMP error. */
static enum dp_fate fate_of(const struct dp_pkt *p)
{
	switch (p->verdict) {
	case DP_DROP:
		return DP_FATE_DROPPED;
	case DP_HELD:
		return DP_FATE_WAITS;
	case DP_ASK:
		return DP_FATE_ASKS;
	default:
		break;
	}
	if (p->reason == DP_DROP_TUNNEL_ERROR)
		return DP_FATE_RELAYED;
	if (p->reason != NO_REASON)
		return DP_FATE_ANSWERED;
	return p->verdict == DP_TX     ? DP_FATE_SENT
	       : p->verdict == DP_PUNT ? DP_FATE_HOST
				       : DP_FATE_RESOLVE;
}

static bool copy_binding(struct dp_binding *to, const struct dp_binding *from)
{
	if (from != NULL)
		*to = *from;
	return from != NULL;
}

void dp_outcome_read(const struct dp_ctx *ctx, const struct dp_burst *burst, uint32_t index,
	struct dp_outcome *outcome)
{
	const struct dp_pkt *p = &burst->pkts[index];
	bool between_clients;

	*outcome = (struct dp_outcome){
		.fate = fate_of(p),
		.reason = p->reason,
		.from_v6 = p->from_v6,
		.cut = p->cut,
		.key = burst->keys[index],
	};
	if (outcome->fate == DP_FATE_WAITS)
		return;
	outcome->has_key = outcome->key.v4 != 0;
	if (outcome->fate == DP_FATE_ASKS) /* the key is what is asked about */
		return;
	outcome->out_side = p->m->port == ctx->ports[0] ? 0 : 1;
	if (ctx->ports[0] == ctx->ports[1])
		outcome->out_side = p->to_v6 ? 0 : 1;
	if (outcome->has_key)
		outcome->has_binding = copy_binding(&outcome->binding, burst->bindings[index]);
	/* An answer into the tunnel that the packet came from has no target. */
	between_clients = outcome->has_binding && p->from_v6 && p->to_v6 &&
			  outcome->fate != DP_FATE_ANSWERED;
	if (between_clients)
		outcome->has_target = copy_binding(&outcome->target, burst->targets[index]);
}
