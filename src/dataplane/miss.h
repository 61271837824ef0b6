// SPDX-License-Identifier: BSD-3-Clause
/*
 * No binding for a packet, and its address lies in one of our pools: another TEP may serve it, and a server
 * knows who holds it. So it is asked instead of refused (R72): about the holder of what came from outside, about
 * the sender of what came out of a tunnel (its TEP may have failed, and its tunnel address be ours now), and about the receiver
 * between two clients, once the sender is proven.
 *
 * Stands before decap, which takes the outer header off: a packet that waits must be as it came. What is not asked is left
 * to decap and encap, which refuse it as ever. Nothing outside the pools is ever asked about.
 *
 *	no binding, in a pool				-> DP_ASK, key: what to ask about
 *	a server has just said that nobody holds it	-> as it was, to be refused
 *	asked before					-> the same
 *	too many from where it comes from		-> DP_DROP
 */
#pragma once

#include "dataplane/pkt_ctx.h"

void dp_miss(struct dp_ctx *ctx, struct dp_burst *burst);

/* The question of a packet with DP_ASK. */
void dp_miss_question(const struct dp_ctx *ctx, const struct dp_burst *burst, uint32_t index,
	uint32_t side, struct dp_question *question);
