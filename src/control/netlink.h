// SPDX-License-Identifier: BSD-3-Clause
/*
 * What the kernel says about links, addresses, routes and neighbours, told to the mirror, and how to make it
 * resolve a neighbour.
 *
 * Routes and neighbours are told as they change. All routes are read anew when the kernel had to drop announcements, and
 * a moment after a link, an address or an object of next hops has changed: the kernel does not announce the IPv4 routes
 * that go with it. Both are done in slices of a few milliseconds, between which other events have their turn.
 */
#pragma once

#include "control/mirror.h"

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct tep_netlink;

struct tep_netlink_ops {
	/* A neighbour by this interface; mac is NULL when its link-layer address is not (or no longer) known. */
	void (*neighbour)(void *arg, uint32_t ifindex, const struct tep_ip *ip,
		const struct rte_ether_addr *mac, bool is_stale);
	/* What there was to tell has been told: once for any number of changes. */
	void (*settled)(void *arg);
};

/* Subscribes and reads everything once; a table that takes longer than a second is read on as events. NULL + errno. */
struct tep_netlink *tep_netlink_create(struct event_base *base, struct tep_mirror *mirror,
	const struct tep_netlink_ops *ops, void *arg);
void tep_netlink_destroy(struct tep_netlink *netlink);

/* Makes the kernel resolve, or verify, a neighbour, as if it had a packet for it. */
void tep_netlink_use_neighbour(
	struct tep_netlink *netlink, uint32_t ifindex, const struct tep_ip *ip);

/* Reads all routes anew, soon. */
void tep_netlink_read_again(struct tep_netlink *netlink);

struct tep_netlink_stats {
	uint64_t overruns; /* how often announcements were lost */
	uint64_t readings; /* of all routes, complete ones */
	uint64_t announcements; /* of routes */
};

void tep_netlink_stats(const struct tep_netlink *netlink, struct tep_netlink_stats *stats);
