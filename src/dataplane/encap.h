// SPDX-License-Identifier: BSD-3-Clause
/*
 * Into the tunnel: an outer IPv6 header (RFC 2473, next header 4) from the binding's tunnel address to its
 * client (R19, R23). The inner TTL goes down by one first (S9); DSCP and ECN are copied out (S14, S15); the
 * flow label is 0. What is longer than mtu_v6 then, and may be cut, leaves in IPv6 fragments (S10, fragment.h).
 *
 * What decap took out of another tunnel (hairpin.h) gets its new header here, too; its TTL went down there.
 *
 *	wrapped						-> DP_CONTINUE, Ethernet header still to be written
 *	no binding					-> DP_DROP, or DP_PUNT when it is to this router
 *	TTL spent, DF and too big for mtu_v6, no headroom	-> DP_DROP
 */
#pragma once

#include "dataplane/pkt_ctx.h"

void dp_encap(struct dp_ctx *ctx, struct dp_burst *burst);
