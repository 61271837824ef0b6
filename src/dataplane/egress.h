// SPDX-License-Identifier: BSD-3-Clause
/*
 * Last stage: the next hop of what decap and encap left, and the Ethernet header in front of it.
 *
 *	next hop known				-> DP_TX by m->port
 *	its MAC address not known yet		-> DP_RESOLVE: all there but both MAC addresses, which are zero
 *	an address of this router		-> DP_PUNT, addressed to the port's own MAC
 *	no route; or none of the above's host	-> DP_DROP
 */
#pragma once

#include "dataplane/pkt_ctx.h"

void dp_egress(struct dp_ctx *ctx, struct dp_burst *burst);
