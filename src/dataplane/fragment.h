// SPDX-License-Identifier: BSD-3-Clause
/*
 * A packet that is too long for its way out, cut into fragments that fit. Last before sending, when its next
 * hop is known and its Ethernet header written: each fragment begins with that header and leaves alike.
 *
 * Into a tunnel: the encapsulated packet as IPv6 fragments (RFC 2473 section 7.2, RFC 8200 section 4.5, S10); or, when
 * fragment_inner asks for it, the packet inside as IPv4 fragments, each in an outer header of its own (S11, RFC 7597
 * section 8.3.1), for clients or routers that IPv6 fragments do not get past. To the IPv4 side: IPv4
 * fragments (RFC 791). All but the last carry a multiple of 8 octets. Fragments are copies, each in one buffer:
 * copying costs less than a second buffer a fragment, and any driver can send them. For the same reason a joined
 * packet that fits, but not in its first buffer, leaves as one copy.
 */
#pragma once

#include "dataplane/pkt_ctx.h"

#define DP_FRAGMENTS_MAX \
	128 /* 65,535 octets in fragments of 512: the smallest mtu_v4, a full header */

/*
 * Cuts the burst's packet at this index, which is used up then. Returns how many fragments are in out, or 0: there
 * are too few buffers, and the packet is still the caller's.
 */
uint32_t dp_fragment(struct dp_ctx *ctx, const struct dp_burst *burst, uint32_t index,
	struct rte_mbuf *out[static DP_FRAGMENTS_MAX]);
