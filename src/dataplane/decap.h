// SPDX-License-Identifier: BSD-3-Clause
/*
 * Out of the tunnel: the holder check, then the outer header is gone.
 *
 * The binding was found by the inner source address and port. The packet passes only if the outer source
 * is that binding's client and the outer destination its tunnel address (R54, R86, S2): this is what
 * keeps clients from speaking with each other's addresses. Then the tunnel counts as one hop for the
 * TTL (S9), DSCP is as configured (dscp.h, S14) and ECN the table of RFC 6040.
 *
 *	holder proven, header rewritten			-> DP_CONTINUE, to egress, or to encap with to_v6
 *	no binding, not the holder, wrong tunnel address,
 *	no unicast destination, TTL spent, DF and too big,
 *	congestion mark on a packet that has no ECN	-> DP_DROP
 */
#pragma once

#include "dataplane/pkt_ctx.h"

void dp_decap(struct dp_ctx *ctx, struct dp_burst *burst);
