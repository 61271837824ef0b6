// SPDX-License-Identifier: BSD-3-Clause
/*
 * What became of a packet, and by which binding: what a burst tells between dp_egress and delivery, kept for
 * those who want to know (explain.h, tap.h). Not for the path itself.
 */
#pragma once

#include "dataplane/pkt_ctx.h"

/* Rows: id, public name, words for "the packet ..." */
#define DP_FATE_ROWS(X)                                                                  \
	X(SENT, "sent", "was forwarded")                                                 \
	X(HOST, "host", "was handed to the host: it is for this router itself")          \
	X(RESOLVE, "resolve", "waits at the host for the MAC address of its next hop")   \
	X(WAITS, "waits", "is a fragment and waits for the others of its packet")        \
	X(ASKS, "asks", "waits while a server is asked who holds its address and port")  \
	X(ANSWERED, "answered", "was dropped, and its sender was told by an ICMP error") \
	X(RELAYED, "relayed",                                                            \
		"is an ICMPv6 error and went on as an ICMPv4 error to the sender "       \
		"of the packet inside")                                                  \
	X(DROPPED, "dropped", "was dropped in silence")

enum dp_fate {
#define X(id, name, text) DP_FATE_##id,
	DP_FATE_ROWS(X)
#undef X
	DP_N_FATES,
};

struct dp_fate_info {
	const char *name;
	const char *text;
};

extern const struct dp_fate_info dp_fate_info[DP_N_FATES];

struct dp_outcome {
	uint8_t fate; /* enum dp_fate */
	uint8_t reason; /* enum dp_counter: why, if it was dropped or answered */
	uint8_t out_side; /* by which it left or would leave; 0 or 1 */
	bool from_v6; /* it came through a tunnel */
	bool cut; /* it leaves in fragments */
	bool has_key;
	bool has_binding;
	bool has_target;
	struct dp_binding_key key; /* by which its client was looked up */
	struct dp_binding binding;
	struct dp_binding target; /* of a packet between clients: the receiver's */
};

/* Before the stages: so that a reason which one of them writes can be told from none. */
void dp_outcome_prepare(struct dp_burst *burst);

/* After them: what became of the burst's packet at this index. */
void dp_outcome_read(const struct dp_ctx *ctx, const struct dp_burst *burst, uint32_t index,
	struct dp_outcome *outcome);

/* Does what is in the packet's buffer then leave by a port? */
static inline bool dp_outcome_leaves(const struct dp_outcome *outcome)
{
	return outcome->fate == DP_FATE_SENT || outcome->fate == DP_FATE_ANSWERED ||
	       outcome->fate == DP_FATE_RELAYED;
}
