// SPDX-License-Identifier: BSD-3-Clause
/*
 * TCP connections told to use segments that fit through the tunnel (S13, RFC 7597 section 8.3.3): the maximum
 * segment size in the SYN and SYN-ACK of either direction is lowered to what passes whole, so that no path MTU
 * discovery has to work for them. It is never raised, never added where it is absent, and nothing else of
 * the packet changes but the checksum that covers it.
 *
 * Off unless tunnel.mss_clamp says otherwise; then worker.c does not call this. When on, a packet that is no
 * SYN costs a look at its protocol and its TCP flags.
 *
 *	every packet	-> as it was
 */
#pragma once

#include "dataplane/pkt_ctx.h"

/* After decap and encap, while all that goes on is a packet whole. */
void dp_mss_clamp(struct dp_ctx *ctx, struct dp_burst *burst);
