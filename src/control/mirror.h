// SPDX-License-Identifier: BSD-3-Clause
/*
 * The kernel's routes and neighbours as next hops of the data plane. No netlink here: what the kernel
 * knows comes in as values, one change at a time, what follows from it goes out to dp_nexthops.
 *
 *	route_table	which routes there are, and which one of a prefix is the best
 *	ways		where routes lead, and what the data plane has to know of that
 *	neighbour	on the link of such a route -> /32 or /128 of its own
 *	other routes	(blackholes, ways by no twin) stand as NO_ROUTE, lest a shorter prefix swallow them
 *
 * A route's change is in the data plane when the function returns; what it means for neighbours, and what neighbours mean
 * for ways, follows with tep_mirror_settle.
 *
 * All routes anew (after announcements were lost, or when the kernel does not announce what it did) are read in parts while
 * announcements go on: begin_reading, read_route for each, end_reading, then sweep until it says that it is
 * done: what nobody has named is gone. What was announced meanwhile is newer than what is read.
 */
#pragma once

#include "control/hop.h"
#include "control/ways.h"

#include <rte_ether.h>
#include <stdbool.h>
#include <stdint.h>

struct tep_mirror;

struct tep_mirror_params {
	struct dp_nexthops *nexthops;
	const struct tep_mirror_twin *twins; /* copied */
	uint32_t n_twins;
	uint32_t max_routes[2]; /* [0] of IPv4; several to one prefix count */
	uint32_t max_neighbours;
	uint32_t max_ways; /* one for each neighbour on a link, too */
};

enum tep_route_kind {
	TEP_ROUTE_LOCAL, /* an address of this host */
	TEP_ROUTE_UNICAST,
	TEP_ROUTE_NONE, /* blackhole, prohibit, broadcast, ... */
};

/* How the kernel put a route beside others of the same prefix and metric. */
enum tep_route_place {
	TEP_ROUTE_BEHIND,
	TEP_ROUTE_IN_FRONT,
	TEP_ROUTE_INSTEAD, /* of the first */
};

struct tep_route_hop {
	bool has_gateway;
	struct tep_ip gateway; /* may be of the other family (RFC 8950) */
	uint32_t ifindex; /* way out */
	uint32_t weight; /* from 1 */
};

struct tep_route {
	struct tep_ip dst;
	uint8_t len;
	uint8_t kind; /* enum tep_route_kind */
	uint8_t place; /* enum tep_route_place */
	uint8_t protocol; /* RTPROT_... */
	uint32_t metric; /* among equal prefixes the lowest wins, then the first */
	uint32_t nexthop_id; /* 0: none */
	uint32_t n_hops; /* without those that the kernel calls dead */
	struct tep_route_hop hops[TEP_HOPS_MAX];
};

struct tep_neighbour {
	struct tep_hop hop;
	bool is_stale; /* known, but nobody has asked lately */
	struct rte_ether_addr mac;
};

/* NULL + errno. */
struct tep_mirror *tep_mirror_create(const struct tep_mirror_params *params);
/* Leaves the next hops as they are. NULL is allowed. */
void tep_mirror_destroy(struct tep_mirror *mirror);

/* The index of the twin with this interface, or -1. */
int tep_mirror_twin_of(const struct tep_mirror *mirror, uint32_t ifindex);

/* 0; -ENOSPC: there is no room, the route is not used until it is told again. A route of no use (multicast, link-local) is
 * accepted and forgotten. */
int tep_mirror_set_route(struct tep_mirror *mirror, const struct tep_route *route);
/* Of an IPv6 route with several gateways, those that are named. 0, or -ENOENT: all routes should be read anew. */
int tep_mirror_remove_route(struct tep_mirror *mirror, const struct tep_route *route);

void tep_mirror_begin_reading(struct tep_mirror *mirror);
int tep_mirror_read_route(struct tep_mirror *mirror, const struct tep_route *route);
void tep_mirror_end_reading(struct tep_mirror *mirror);
/* Looks at up to n routes; true: done. */
bool tep_mirror_sweep(struct tep_mirror *mirror, uint32_t n);

/* A neighbour whose link-layer address is known. 0, or -ENOSPC. */
int tep_mirror_set_neighbour(struct tep_mirror *mirror, const struct tep_neighbour *neighbour);
void tep_mirror_remove_neighbour(struct tep_mirror *mirror, const struct tep_hop *hop);
/* All neighbours follow: those that were not set in between are gone. */
void tep_mirror_begin_neighbours(struct tep_mirror *mirror);
void tep_mirror_end_neighbours(struct tep_mirror *mirror);

/* False: nothing leaves by this twin, until it is up again. */
void tep_mirror_set_link(struct tep_mirror *mirror, uint32_t twin, bool is_up);

/* Brings the data plane level, if anything changed. Returns how many routes and ways wait for room (they are
 * tried again by tep_mirror_retry). */
uint32_t tep_mirror_settle(struct tep_mirror *mirror);
void tep_mirror_retry(struct tep_mirror *mirror);

/* Which neighbour a packet to dst waits for; false: there is no way that a twin leads to. */
bool tep_mirror_next_hop(
	const struct tep_mirror *mirror, const struct tep_ip *dst, struct tep_hop *hop);
/* What is known of a next hop, or NULL. */
const struct tep_neighbour *tep_mirror_neighbour(
	const struct tep_mirror *mirror, const struct tep_hop *hop);
/* Does a route lead where this object of the kernel says? */
bool tep_mirror_uses_nexthop(const struct tep_mirror *mirror, uint32_t nexthop_id);

/* Calls visit for every stale neighbour, and for gateways that no packet asks for (ways.h). */
void tep_mirror_visit_stale(const struct tep_mirror *mirror,
	void (*visit)(void *arg, const struct tep_hop *hop), void *arg);
void tep_mirror_visit_unknown(const struct tep_mirror *mirror,
	void (*visit)(void *arg, const struct tep_hop *hop), void *arg);

/* Routes of both families, and neighbours that are known. */
void tep_mirror_usage(const struct tep_mirror *mirror, uint32_t *n_routes, uint32_t *n_neighbours);

/* The host's IPv4 addresses, in host order, ascending; returns how many of them were filled in. */
uint32_t tep_mirror_local_v4(const struct tep_mirror *mirror, uint32_t *v4, uint32_t max);
