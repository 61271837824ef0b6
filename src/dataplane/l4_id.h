// SPDX-License-Identifier: BSD-3-Clause
/*
 * Second stage: the client's address and port or identifier in each packet, as the key of the binding
 * lookup. That is the source of what a client sends and the destination of what is sent to it; for an ICMP
 * query the identifier both ways, which is never changed (R59, R60); for an ICMP error the port in
 * the packet that it quotes. Protocols without ports get a key without one, which only an exclusive
 * binding answers (S37).
 *
 *	key found					-> DP_CONTINUE
 *	transport header cut, ICMP neither query nor error,
 *	an error that quotes another's packet,
 *	or refused by icmp.*_from_v4			-> DP_DROP (DP_PUNT when it is to this router)
 */
#pragma once

#include "dataplane/pkt_ctx.h"

/* Writes burst->keys; a packet that goes no further gets a key that finds nothing. */
void dp_l4_id(struct dp_ctx *ctx, struct dp_burst *burst);

/* The key of whom the IPv4 packet is for; false: there is none in it. */
bool dp_l4_id_destination(
	const struct dp_ctx *ctx, const struct dp_pkt *p, struct dp_binding_key *key);
