// SPDX-License-Identifier: BSD-3-Clause
/*
 * The way between workers and the host. Workers never make a system call for a packet: they put it into
 * a ring and, at most once a burst, wake the control thread by an eventfd. The control thread writes it to the
 * TAP twin of the port. What the kernel sends through a twin comes back by a second ring, which worker 0
 * empties into the port. Both rings are bounded; a full ring is a counted drop.
 */
#pragma once

#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

struct dp_punt;

enum dp_punt_reason {
	DP_PUNT_HOST, /* a frame for the router itself: to the twin of m->port, unchanged */
	DP_PUNT_RESOLVE, /* an IP packet ready to leave by m->port but for its MAC addresses */
};

/* ring_size: power of two, packets each way. NULL + rte_errno. */
struct dp_punt *dp_punt_create(uint32_t ring_size, int socket);
void dp_punt_destroy(struct dp_punt *punt);

/* --- workers ---------------------------------------------------------------------------------------- */

/* Hands packets over; returns how many were taken from the front, the rest stay the caller's. */
uint32_t dp_punt_to_host(
	struct dp_punt *punt, struct rte_mbuf **packets, uint32_t n, enum dp_punt_reason reason);
/* Worker 0: takes up to n frames whose m->port is the port to send them by. */
uint32_t dp_punt_from_host(struct dp_punt *punt, struct rte_mbuf **packets, uint32_t n);

/* --- the control thread -------------------------------------------------------------------------------- */

/* Readable when packets wait. Clear it (dp_punt_take does) before taking them. */
int dp_punt_eventfd(const struct dp_punt *punt);
uint32_t dp_punt_take(struct dp_punt *punt, struct rte_mbuf **packets, uint32_t n);
enum dp_punt_reason dp_punt_reason_of(const struct rte_mbuf *m);
/* Queues a whole Ethernet frame for m->port; false: ring full, still the caller's. */
bool dp_punt_send(struct dp_punt *punt, struct rte_mbuf *m);
