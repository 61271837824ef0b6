// SPDX-License-Identifier: BSD-3-Clause
/*
 * First stage: what is this frame?
 *
 *	IPv6 to one of our tunnel addresses, next header 4,
 *	with extension headers before it or without		-> DP_CONTINUE, from_v6
 *	IPv4, unicast, to be looked up				-> DP_CONTINUE
 *	an ICMPv6 error about a packet in a tunnel		-> DP_RELAY
 *	a fragment of one of these				-> DP_FRAGMENT
 *	to somebody else, and such packets are forwarded	-> DP_FORWARD
 *	anything else for us (ARP, ND, ping, routing)		-> DP_PUNT, or drop no_host
 *	damaged, tagged twice, not for us, or to be forwarded
 *	and sent to a group of MAC addresses			-> DP_DROP
 *
 * The side is told by the frame's content and not by its port, so one port can serve both sides. After this
 * stage the IPv4 header (the inner one of a tunnel packet) is known to be sound: version, lengths against the
 * frame, checksum. What follows its total length (Ethernet padding) is not looked at again.
 */
#pragma once

#include "dataplane/pkt_ctx.h"

/* All packets of a burst came from the port of this side: 0 the IPv6 side, 1 the IPv4 side. */
void dp_classify(struct dp_ctx *ctx, struct dp_burst *burst, uint32_t side);

/* A packet that was joined from fragments: as above, but that it may be a chain of buffers. */
void dp_classify_whole(const struct dp_ctx *ctx, struct dp_pkt *p);
