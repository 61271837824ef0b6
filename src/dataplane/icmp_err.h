// SPDX-License-Identifier: BSD-3-Clause
/*
 * The router's own ICMP errors; they are built nowhere else.
 *
 * Most packets are refused in silence. For some reasons the sender is told: a TTL that would reach 0 (S9),
 * too big and not to be fragmented (S10), nobody holds the destination (S3), a source that is not its
 * sender's (S2), an extension header that we cannot go past (S8). Each kind has a switch per side, and all kinds share one token bucket per worker. The refused
 * packet is counted under its reason; its buffer then becomes the error, which goes the way of every other
 * packet from here on, so nothing is allocated.
 *
 * Never answered: another ICMP message than a query, a later fragment, a frame to a group address (classify.h), and a packet whose
 * source or destination is no unicast address (RFC 1812 section 4.3.2.7, RFC 4443 section 2.4). Quoted is as
 * much as fits into 576 octets of IPv4, or 1,280 of IPv6.
 *
 * An ICMPv6 error from inside a tunnel goes on from here as an ICMPv4 error, too (tunnel_err.h).
 *
 *	refused, and the sender is to know	-> DP_CONTINUE, Ethernet header still to be written
 *	DP_RELAY				-> the same, or DP_DROP
 *	everything else				-> as it was
 */
#pragma once

#include "dataplane/pkt_ctx.h"

void dp_icmp_err(struct dp_ctx *ctx, struct dp_burst *burst);
