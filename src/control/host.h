// SPDX-License-Identifier: BSD-3-Clause
/*
 * neighbor: kernel. The host's side of the data plane: TAP twins that carry the router's own traffic, the
 * kernel's routes and neighbours mirrored into the next hops, and packets that wait for a neighbour.
 *
 *	punt ring, HOST    -> the twin of the port it came from
 *	punt ring, RESOLVE -> its neighbour known: back to the port; not known: wait, and make the kernel resolve it
 *	twin               -> the port
 *
 * Everything runs on the event loop's thread.
 */
#pragma once

#include "control/counter_info.h"
#include "control/mirror.h"
#include "control/twin.h"
#include "dataplane/datapath.h"
#include "dataplane/pools.h"

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct tep_host;

/* One X-macro row = id, is it a drop, public name, sentence. */
#define TEP_HOST_COUNTERS(X)                                                                      \
	X(TO_TWIN, false, "host_to_twin", "Frames for the router itself, handed to the kernel.")  \
	X(TWIN_REFUSED, true, "host_twin_refused", "The kernel did not take a frame.")            \
	X(FROM_TWIN, false, "host_from_twin", "Frames that the kernel sent by a twin.")           \
	X(FROM_TWIN_DROPPED, true, "host_from_twin_dropped",                                      \
		"A frame of the kernel, or one sent on, met no buffer or a full ring.")           \
	X(HELD, false, "host_held", "Packets that waited for the address of their next hop.")     \
	X(RELEASED, false, "host_released", "Packets sent on when their next hop was known.")     \
	X(UNRESOLVED, true, "host_unresolved", "The next hop did not answer in time.")            \
	X(HOLD_FULL, true, "host_hold_full", "Too many packets waited for a next hop already.")   \
	X(ARP_ANSWERED, false, "host_arp_answered", "ARP requests for pool addresses, answered.") \
	X(NO_WAY, true, "host_no_way", "The route had gone when the packet came to be resolved.")

enum tep_host_counter {
#define X(id, drop, name, text) TEP_HOST_##id,
	TEP_HOST_COUNTERS(X)
#undef X
	TEP_HOST_N_COUNTERS
};

extern const struct tep_counter_info tep_host_counter_info[TEP_HOST_N_COUNTERS];

struct tep_host_params {
	struct event_base *base;
	struct dp_punt *punt;
	struct dp_nexthops *nexthops; /* with fib */
	struct dp_datapath *datapath;
	uint32_t max_routes[2]; /* as in struct tep_mirror_params, like the next two */
	uint32_t max_neighbours;
	uint32_t max_ways;
	struct dp_pools answer_arp; /* for these addresses, by the last twin; empty: for none */
	struct rte_mempool *pool; /* for frames from the kernel */
	uint32_t n_twins; /* one, or two; one-armed: one */
	struct tep_twin_params twins[TEP_TWINS_MAX];
};

/* Creates the twins and mirrors what the kernel knows. NULL + errno, the reason logged. */
struct tep_host *tep_host_create(const struct tep_host_params *params);
/* The twins vanish. NULL is allowed. */
void tep_host_destroy(struct tep_host *host);

/* See tep_mirror_usage. */
void tep_host_usage(const struct tep_host *host, uint32_t *n_routes, uint32_t *n_neighbours);

uint64_t tep_host_counter(const struct tep_host *host, enum tep_host_counter counter);
