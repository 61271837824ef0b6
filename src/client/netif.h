// SPDX-License-Identifier: BSD-3-Clause
/*
 * The host's side of the DTI over rtnetlink: address, MTU, up, default route.
 *
 * Our default route carries CL_ROUTE_PROTOCOL, so that `ip route` shows whose it is, and
 * CL_ROUTE_METRIC, so that an IPv4 default route that the host already has stays and wins.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define CL_ROUTE_PROTOCOL 77 /* rtm_protocol; free in iproute2's rt_protos */
#define CL_ROUTE_METRIC   4096 /* behind those of the usual network managers */

struct cl_netif_config {
	uint32_t v4; /* the device's own address, a /32 */
	uint32_t before_v4; /* another one, of sockets from before the lease; 0: none */
	uint32_t mtu;
	bool default_route;
};

/*
 * Sets up a device, or changes one that is up (is_up) without a moment in which it has no route. Returns 0,
 * or -errno with everything undone.
 */
int cl_netif_up(const char *device, const struct cl_netif_config *config, bool is_up);

/* Of an address that is there, in seconds from now; UINT32_MAX: endless. Returns 0 or -errno. */
int cl_netif_set_lifetimes(const char *device, uint32_t v4, uint32_t preferred_s, uint32_t valid_s);

/* Returns 0 or -errno. */
int cl_netif_set_mtu(const char *device, uint32_t mtu);

/* Takes the address and the routes away and the device down. Returns 0 or -errno. */
int cl_netif_down(const char *device);

/* The link-local address of the interface that carries the global one. Returns 0 or -ENOENT. */
int cl_netif_link_local(const struct in6_addr *global, struct in6_addr *link_local);

/* True while an interface of this host carries the address. */
bool cl_netif_has_v6(const struct in6_addr *addr);

/*
 * A nonblocking netlink descriptor that becomes readable when an IPv6 address of this host comes or
 * goes. What it says need not be parsed, only read away. -errno on failure.
 */
int cl_netif_watch(void);
