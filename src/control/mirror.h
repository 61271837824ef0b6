// SPDX-License-Identifier: BSD-3-Clause
/*
 * The kernel's routes and neighbours as next hops of the data plane. No netlink here: what the kernel
 * knows comes in as values, what follows from it goes out to dp_nexthops.
 *
 *	local address			-> /32 or /128 LOCAL
 *	route by a twin, no gateway	-> GLEAN
 *	route by a twin and a gateway	-> RESOLVED, or PENDING while the gateway's address is not known
 *	other routes			-> NO_ROUTE, lest a shorter prefix swallow what is not for the twins
 *	neighbour on such a link	-> /32 or /128 RESOLVED
 *
 * The whole of it is computed anew after a change and compared with what stands: nothing has to be
 * remembered about what depends on what, and a resync is the ordinary case.
 */
#pragma once

#include "control/hop.h"
#include "dataplane/nexthop.h"

#include <rte_ether.h>
#include <stdbool.h>
#include <stdint.h>

#define TEP_TWINS_MAX      2
#define TEP_NEIGHBOURS_MAX 4096
#define TEP_ROUTES_MAX     4096 /* of both families */

struct tep_mirror;

/* An interface that a route may point to. */
struct tep_mirror_twin {
	uint32_t ifindex;
	uint16_t port; /* DPDK port number */
	struct rte_ether_addr mac;
};

enum tep_route_kind {
	TEP_ROUTE_LOCAL, /* an address of this host */
	TEP_ROUTE_UNICAST,
	TEP_ROUTE_NONE, /* blackhole, prohibit, broadcast, ... */
};

struct tep_route {
	struct tep_ip dst;
	uint8_t len;
	uint8_t kind; /* enum tep_route_kind */
	bool has_gateway;
	struct tep_ip gateway; /* may be of the other family (RFC 8950) */
	uint32_t ifindex; /* way out */
	uint32_t metric; /* among equal prefixes the lowest wins, then the first */
};

struct tep_neighbour {
	struct tep_hop hop;
	bool is_stale; /* known, but nobody has asked lately */
	struct rte_ether_addr mac;
};

/* NULL + errno. twins are copied. */
struct tep_mirror *tep_mirror_create(
	struct dp_nexthops *nexthops, const struct tep_mirror_twin *twins, uint32_t n_twins);
/* Leaves the next hops as they are. NULL is allowed. */
void tep_mirror_destroy(struct tep_mirror *mirror);

/* The index of the twin with this interface, or -1. */
int tep_mirror_twin_of(const struct tep_mirror *mirror, uint32_t ifindex);

/* All routes there are: a copy is kept. 0, -E2BIG (more than TEP_ROUTES_MAX), -ENOMEM. */
int tep_mirror_set_routes(struct tep_mirror *mirror, const struct tep_route *routes, uint32_t n);
/* A neighbour whose link-layer address is known. 0, or -ENOSPC. */
int tep_mirror_set_neighbour(struct tep_mirror *mirror, const struct tep_neighbour *neighbour);
void tep_mirror_remove_neighbour(struct tep_mirror *mirror, const struct tep_hop *hop);
void tep_mirror_clear_neighbours(struct tep_mirror *mirror);

/* Brings the data plane level, if anything changed. Returns how many entries could not be placed (they are
 * tried again the next time). */
uint32_t tep_mirror_apply(struct tep_mirror *mirror);

/* Which neighbour a packet to dst goes to; false: there is no way that a twin leads to. */
bool tep_mirror_next_hop(
	const struct tep_mirror *mirror, const struct tep_ip *dst, struct tep_hop *hop);
/* What is known of a next hop, or NULL. */
const struct tep_neighbour *tep_mirror_neighbour(
	const struct tep_mirror *mirror, const struct tep_hop *hop);

/* Calls visit for every stale neighbour. */
void tep_mirror_visit_stale(const struct tep_mirror *mirror,
	void (*visit)(void *arg, const struct tep_hop *hop), void *arg);

/* Prefixes that the data plane has, neighbours' own among them, and neighbours that are known. */
void tep_mirror_usage(const struct tep_mirror *mirror, uint32_t *n_routes, uint32_t *n_neighbours);

/* The host's IPv4 addresses, in host order; returns how many of them were filled in. */
uint32_t tep_mirror_local_v4(const struct tep_mirror *mirror, uint32_t *v4, uint32_t max);
