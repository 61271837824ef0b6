// SPDX-License-Identifier: BSD-3-Clause
/*
 * Client to client through this router (S4, RFC 7596 section 6.2): is a tunnel packet's destination one of our
 * own addresses?
 *
 * Then it does not leave by the IPv4 side. decap proves its sender and takes it out of its tunnel, encap puts it
 * into the tunnel of who holds the destination address and port, in the same pass, and its TTL goes
 * down once. Nothing else is special: sender and receiver may share one IPv4 address, or be the same client.
 * A destination that nobody holds, of an address that we serve or of a pool (pools.h), ends at encap; the IPv4
 * side would only send it back.
 *
 * Packets to other addresses, which is nearly all of them, cost a look at the table's root.
 *
 *	destination is an address of ours	-> DP_CONTINUE, to_v6, target written
 *	all other				-> as it was
 */
#pragma once

#include "dataplane/pkt_ctx.h"

/* False, as for nearly all: certainly not an address of ours. prefixes: dp_bindings_prefixes. */
static inline bool dp_hairpin_is_near(
	const struct dp_ctx *ctx, const uint32_t *prefixes, uint32_t v4)
{
	return unlikely(prefixes[v4 >> 16] != 0) ||
	       (ctx->pools != NULL && dp_pools_contain(ctx->pools, v4));
}

void dp_hairpin(struct dp_ctx *ctx, struct dp_burst *burst);
