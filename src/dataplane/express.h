// SPDX-License-Identifier: BSD-3-Clause
/*
 * From binding to transmit in one go, for what nearly every packet is: a plain one (plain.h) that its binding
 * carries on, to a next hop that can be sent to. With neighbor: kernel those of the whole burst are looked up at once.
 *
 * It does for such a packet what hairpin, decap, encap and egress would do, in one loop over the burst, and
 * never refuses: whatever is not plain sailing it leaves untouched to them, and they decide. The rewrites are theirs, too
 * (decap.h, encap.h, egress.h). So every rule stands in its stage; here stands when no rule has anything to
 * say.
 *
 *	nothing special		-> DP_TX
 *	anything else		-> as it was
 */
#pragma once

#include "dataplane/pkt_ctx.h"

/* True: the whole burst is on its way. */
bool dp_express(struct dp_ctx *ctx, struct dp_burst *burst);
