// SPDX-License-Identifier: BSD-3-Clause
/*
 * One queue pair of a port, shared by several workers: for ports with fewer queues than there are workers.
 *
 * Member 0 owns the queue pair. It takes bursts from it, and hands each frame to the member that the frame's
 * addresses choose, by a ring to that member. What a member sends by the port goes the other way, by a ring to
 * the owner. Every ring has one producer and one consumer, and a full one is a counted drop: nobody waits.
 *
 *	port --rx--> owner --+--> its own stages --> tx buffer --+--tx--> port
 *	                     +--> ring --> member --> ring ------+
 *
 * Only the addresses of the outermost IP header choose, as NICs are told to (port.c):
 *
 *	fragments	have no ports but the first, and an inner packet may be cut, and then the outer
 *			one again: whatever belongs to one packet has one pair of addresses, and so one
 *			table to be joined in (S34)
 *	order		a flow stays with one worker, also where some of its packets come in
 *			fragments and others whole; rings keep the order
 *	heavy clients	one tunnel is one pair of addresses, so all that one client sends is one worker's.
 *			Inner addresses would spread it, but not its fragments: a client with 1,500 octets all
 *			the way sends its full segments in two and the others whole, and they would
 *			overtake each other. A flood from one client reaches one worker, too. What comes
 *			to a client from the IPv4 side spreads by its peers
 *
 * The choice is keyed, so that nobody outside can aim at one worker. What is not IP stays with the owner.
 */
#pragma once

#include "dataplane/pkt_ctx.h"

struct dp_spread;

struct dp_spread_params {
	uint32_t n_members; /* with the owner; at least 2 */
	uint32_t rx_ring; /* packets that wait for a member ... */
	uint32_t tx_ring; /* ... and that wait for the owner, from each member */
	int socket;
};

/* NULL + rte_errno. */
struct dp_spread *dp_spread_create(const struct dp_spread_params *params);
/* Frees what still lies in the rings, too. */
void dp_spread_destroy(struct dp_spread *spread);

uint32_t dp_spread_n_members(const struct dp_spread *spread);
/* Which member carries this frame. */
uint32_t dp_spread_member_of(const struct dp_spread *spread, const struct rte_mbuf *m);

/* --- the owner --------------------------------------------------------------------------------------- */

/*
 * Hands what its port received to the members, at most DP_BURST frames. Returns how many are the owner's
 * own; they are in front then, in order.
 */
uint32_t dp_spread_hand_out(
	struct dp_spread *spread, struct dp_ctx *ctx, struct rte_mbuf **packets, uint32_t n);
/* Takes what a member wants sent. */
uint32_t dp_spread_collect(
	struct dp_spread *spread, uint32_t member, struct rte_mbuf **packets, uint32_t n);

/* --- other members ---------------------------------------------------------------------------------- */

uint32_t dp_spread_take(
	struct dp_spread *spread, uint32_t member, struct rte_mbuf **packets, uint32_t n);
/* Hands packets to the owner to be sent. What its ring does not take is dropped. */
void dp_spread_send(struct dp_spread *spread, uint32_t member, struct dp_ctx *ctx,
	struct rte_mbuf **packets, uint32_t n);
