// SPDX-License-Identifier: BSD-3-Clause
/*
 * What the kernel says about links, addresses, routes and neighbours, and how to make it resolve one.
 *
 * Neighbours are told as they change. For everything else a change is only a hint to read all routes
 * again, a moment later and together: the kernel does not announce the IPv4 routes that go with a link
 * or an address, so nothing less is true. When the kernel had to drop announcements, everything is read again.
 */
#pragma once

#include "control/mirror.h"

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct tep_netlink;

struct tep_netlink_ops {
	/* All routes of the host, local addresses among them. */
	void (*routes)(void *arg, const struct tep_route *routes, uint32_t n);
	/* A neighbour by this interface; mac is NULL when its link-layer address is not (or no longer) known. */
	void (*neighbour)(void *arg, uint32_t ifindex, const struct tep_ip *ip,
		const struct rte_ether_addr *mac, bool is_stale);
	/* All neighbours follow: forget those that were told. */
	void (*neighbours_anew)(void *arg);
	/* What there was to tell has been told: once for any number of changes. */
	void (*settled)(void *arg);
};

/* Subscribes and reads everything once. NULL + errno. */
struct tep_netlink *tep_netlink_create(
	struct event_base *base, const struct tep_netlink_ops *ops, void *arg);
void tep_netlink_destroy(struct tep_netlink *netlink);

/* Makes the kernel resolve, or verify, a neighbour, as if it had a packet for it. */
void tep_netlink_use_neighbour(
	struct tep_netlink *netlink, uint32_t ifindex, const struct tep_ip *ip);

/* How often everything had to be read again. */
uint64_t tep_netlink_overruns(const struct tep_netlink *netlink);
