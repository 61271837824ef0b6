// SPDX-License-Identifier: BSD-3-Clause
/*
 * Between classify and l4_id, and only for bursts with fragments: ports are in the first fragment alone, so
 * nothing is looked up before a packet is whole (S12, S34).
 *
 *	IPv6 fragments to a tunnel address	joined before the inner packet is looked at
 *	fragments inside a tunnel		joined with those of the same outer source only; the holder
 *						check comes after, for the whole
 *	IPv4 fragments from outside		joined; those to an address of the host's are the host's
 *
 *	whole now			-> as classify says of the whole packet
 *	others are missing		-> DP_HELD
 *	refused (reassembly.h)		-> DP_DROP
 *
 * The header is the first fragment's (RFC 791, RFC 8200 section 4.5). CE on one fragment marks the whole, and
 * with one that is Not-ECT the packet is refused (RFC 3168 section 5.3). DF speaks of fragments only and is
 * not carried over. Each worker joins what arrives at it: the fragments of a packet must come by one queue,
 * so a port with several queues has to spread fragments by addresses alone (S34).
 */
#pragma once

#include "dataplane/pkt_ctx.h"

void dp_defrag(struct dp_ctx *ctx, struct dp_burst *burst);
