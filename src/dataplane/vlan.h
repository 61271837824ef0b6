// SPDX-License-Identifier: BSD-3-Clause
/*
 * VLAN tags (IEEE 802.1Q), which only the two ends of the path know: a tag is taken off right behind the port and put
 * on right before it. In between, and at the host, all frames are untagged.
 *
 * A port with a VLAN takes frames with exactly this one tag; others are dropped. Priority and DEI of
 * what comes mean nothing, and are 0 in what leaves. Two VLANs on a port that serves both sides make two links of it
 * ("router on a stick"): the tag says by which one a frame came, and the IPv4 side's link has a
 * number of its own, DP_PORT_STICK, where buffers and adjacencies name ports.
 */
#pragma once

#include "dataplane/pkt_ctx.h"

/*
 * Takes the tags off frames that came from the device of this side, and the frames that have not the right
 * ones out of the array; returns how many are left. Those that it drops are counted as received here.
 */
uint32_t dp_vlan_untag(struct dp_ctx *ctx, uint32_t side, struct rte_mbuf **packets, uint32_t n);

/* Puts the tag of this side on frames to be sent; returns how many are left. */
uint32_t dp_vlan_tag(struct dp_ctx *ctx, uint32_t side, struct rte_mbuf **packets, uint32_t n);
