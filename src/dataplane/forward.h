// SPDX-License-Identifier: BSD-3-Clause
/*
 * What is not for a tunnel, carried on as by any router (RFC 1812 section 5, RFC 8200, RFC 4291, RFC 3927), if
 * that is configured: IPv6 that classify found to be for somebody else, and IPv4 to addresses that neither a
 * binding nor a pool has. With neighbor: kernel the routes say where; with neighbor: static there are none, and what
 * comes by one port leaves by the other, to the neighbour there.
 *
 *	next hop known				-> DP_TX by m->port
 *	its MAC address not known yet		-> DP_RESOLVE
 *	an address of this router, or IPv4 that
 *	the host is to forward			-> DP_PUNT, as it came
 *	addresses that no router carries, a
 *	client's address outside of its tunnel,
 *	no route, back to who sent it, TTL spent,
 *	too big for its way out			-> DP_DROP
 *
 * IPv4 is cut for its way out if it may be, IPv6 never. No redirect is sent.
 *
 * A source that is a client's would pass by the holder check here (R54), so it ends here, whichever port it came by.
 * What would go back to the very neighbour it came from goes in a circle: routes have been withdrawn on one side
 * and not yet on the other, or nobody has the address. One round is enough for it.
 */
#pragma once

#include "dataplane/pkt_ctx.h"

void dp_forward(struct dp_ctx *ctx, struct dp_burst *burst);

/* An ICMP error for whom such a packet came from: with neighbor: static by the port that it came by. */
void dp_forward_back(const struct dp_ctx *ctx, struct dp_pkt *p);

/* The largest packet of a family by the port of this number. */
static inline uint32_t dp_forward_mtu(const struct dp_ctx *ctx, uint16_t port, bool is_v6)
{
	bool by_v6 = ctx->ports[0] == ctx->ports[1] ? is_v6 : port == ctx->ports[0];

	return by_v6 ? ctx->mtu_v6 : ctx->mtu_v4;
}
