// SPDX-License-Identifier: BSD-3-Clause
#include "client/netif.h"

#include "common/addr.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Packets that wait to be read from the device. With the kernel's 500 a fast sender overflows it whenever
 * this process is not on a CPU for some milliseconds; with these, TCP's own limit on what waits in the
 * host (TSQ) holds it back first, and nothing is lost.
 */
#define TX_QUEUE_LEN 2000

/* libnl has its own errors; those that a user can do something about keep their name. */
static int from_nl(int error)
{
	switch (-error) {
	case 0:
		return 0;
	case NLE_EXIST:
		return -EEXIST;
	case NLE_PERM:
	case NLE_NOACCESS:
		return -EPERM;
	case NLE_NODEV:
	case NLE_OBJ_NOTFOUND:
		return -ENODEV;
	case NLE_NOMEM:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

static struct nl_sock *open_socket(void)
{
	struct nl_sock *sock = nl_socket_alloc();

	if (sock != NULL && nl_connect(sock, NETLINK_ROUTE) < 0) {
		nl_socket_free(sock);
		return NULL;
	}
	return sock;
}

/* A socket, and the index of a device that is there. Returns 0 or -errno. */
static int open_for(const char *device, struct nl_sock **sock, int *index)
{
	*index = if_nametoindex(device);
	if (*index == 0)
		return -ENODEV;
	*sock = open_socket();
	return *sock != NULL ? 0 : -EIO;
}

static int set_link(struct nl_sock *sock, int index, bool up, uint32_t mtu)
{
	struct rtnl_link *current = rtnl_link_alloc();
	struct rtnl_link *change = rtnl_link_alloc();
	int ret = -NLE_NOMEM;

	if (current == NULL || change == NULL)
		goto out;
	rtnl_link_set_ifindex(current, index);
	if (mtu != 0) {
		rtnl_link_set_mtu(change, mtu);
		rtnl_link_set_txqlen(change, TX_QUEUE_LEN);
	}
	if (up)
		rtnl_link_set_flags(change, IFF_UP);
	else
		rtnl_link_unset_flags(change, IFF_UP);
	ret = rtnl_link_change(sock, current, change, 0);
out:
	rtnl_link_put(current);
	rtnl_link_put(change);
	return from_nl(ret);
}

static struct nl_addr *v4_addr(uint32_t v4, uint8_t prefix_len)
{
	uint32_t v4_be = htonl(v4);
	struct nl_addr *addr = nl_addr_build(AF_INET, &v4_be, sizeof(v4_be));

	if (addr != NULL)
		nl_addr_set_prefixlen(addr, prefix_len);
	return addr;
}

/* Also changes the lifetimes of one that is there. */
static int add_address(
	struct nl_sock *sock, int index, uint32_t v4, uint32_t preferred_s, uint32_t valid_s)
{
	struct rtnl_addr *addr = rtnl_addr_alloc();
	struct nl_addr *local = v4_addr(v4, 32);
	int ret = -NLE_NOMEM;

	if (addr == NULL || local == NULL)
		goto out;
	rtnl_addr_set_ifindex(addr, index);
	ret = rtnl_addr_set_local(addr, local);
	if (valid_s != UINT32_MAX) {
		rtnl_addr_set_valid_lifetime(addr, valid_s);
		rtnl_addr_set_preferred_lifetime(addr, preferred_s);
	}
	if (ret == 0)
		ret = rtnl_addr_add(sock, addr, NLM_F_REPLACE);
out:
	nl_addr_put(local);
	rtnl_addr_put(addr);
	return from_nl(ret);
}

static int add_default_route(struct nl_sock *sock, int index, uint32_t source, int flags)
{
	struct rtnl_route *route = rtnl_route_alloc();
	struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
	struct nl_addr *any = v4_addr(0, 0);
	struct nl_addr *pref_src = v4_addr(source, 32);
	int ret = -NLE_NOMEM;

	if (route == NULL || hop == NULL || any == NULL || pref_src == NULL) {
		rtnl_route_nh_free(hop);
		goto out;
	}
	rtnl_route_set_family(route, AF_INET);
	rtnl_route_set_dst(route, any);
	rtnl_route_set_pref_src(route, pref_src);
	rtnl_route_set_priority(route, CL_ROUTE_METRIC);
	rtnl_route_set_protocol(route, CL_ROUTE_PROTOCOL);
	rtnl_route_set_scope(route, RT_SCOPE_LINK);
	rtnl_route_nh_set_ifindex(hop, index);
	rtnl_route_add_nexthop(route, hop);
	ret = rtnl_route_add(sock, route, flags);
out:
	nl_addr_put(any);
	nl_addr_put(pref_src);
	rtnl_route_put(route);
	return from_nl(ret);
}

/* Removes each IPv4 address of the device but these two. */
static int flush_addresses(struct nl_sock *sock, int index, uint32_t keep, uint32_t keep_too)
{
	struct nl_cache *cache;
	int ret = rtnl_addr_alloc_cache(sock, &cache);

	if (ret < 0)
		return from_nl(ret);
	for (struct nl_object *o = nl_cache_get_first(cache); o != NULL; o = nl_cache_get_next(o)) {
		struct rtnl_addr *addr = (struct rtnl_addr *)o;
		uint32_t v4;

		if (rtnl_addr_get_ifindex(addr) != index || rtnl_addr_get_family(addr) != AF_INET)
			continue;
		memcpy(&v4, nl_addr_get_binary_addr(rtnl_addr_get_local(addr)), sizeof(v4));
		if (v4 != 0 && (ntohl(v4) == keep || ntohl(v4) == keep_too))
			continue;
		ret = rtnl_addr_delete(sock, addr, 0);
		if (ret < 0)
			break;
	}
	nl_cache_free(cache);
	return from_nl(ret);
}

int cl_netif_up(const char *device, const struct cl_netif_config *config, bool is_up)
{
	struct nl_sock *sock;
	int index, ret = open_for(device, &sock, &index);

	if (ret < 0)
		return ret;
	ret = add_address(sock, index, config->v4, UINT32_MAX, UINT32_MAX);
	if (ret == 0 && config->before_v4 != 0)
		ret = add_address(sock, index, config->before_v4, UINT32_MAX, UINT32_MAX);
	if (ret == 0 && !is_up)
		ret = set_link(sock, index, true, config->mtu);
	if (ret == 0 && config->default_route)
		ret = add_default_route(
			sock, index, config->v4, is_up ? NLM_F_REPLACE : NLM_F_EXCL);
	/* Behind the route, which an address takes along. */
	if (ret == 0)
		ret = flush_addresses(sock, index, config->v4, config->before_v4);
	nl_socket_free(sock);
	if (ret < 0)
		cl_netif_down(device);
	return ret;
}

int cl_netif_set_lifetimes(const char *device, uint32_t v4, uint32_t preferred_s, uint32_t valid_s)
{
	struct nl_sock *sock;
	int index, ret = open_for(device, &sock, &index);

	if (ret < 0)
		return ret;
	ret = add_address(sock, index, v4, preferred_s, valid_s);
	nl_socket_free(sock);
	return ret;
}

int cl_netif_set_mtu(const char *device, uint32_t mtu)
{
	struct nl_sock *sock;
	int index, ret = open_for(device, &sock, &index);

	if (ret < 0)
		return ret;
	ret = set_link(sock, index, true, mtu);
	nl_socket_free(sock);
	return ret;
}

int cl_netif_down(const char *device)
{
	struct nl_sock *sock;
	int index, ret = open_for(device, &sock, &index);

	if (ret < 0)
		return ret;
	/* The kernel takes the routes away with the link. */
	ret = set_link(sock, index, false, 0);
	if (ret == 0)
		ret = flush_addresses(sock, index, 0, 0);
	nl_socket_free(sock);
	return ret;
}

static const struct in6_addr *v6_of(const struct ifaddrs *entry)
{
	if (entry->ifa_addr == NULL || entry->ifa_addr->sa_family != AF_INET6)
		return NULL;
	return &((const struct sockaddr_in6 *)entry->ifa_addr)->sin6_addr;
}

int cl_netif_link_local(const struct in6_addr *global, struct in6_addr *link_local)
{
	const char *name = NULL;
	struct ifaddrs *list;
	int ret = -ENOENT;

	if (getifaddrs(&list) < 0)
		return -ENOENT;
	for (const struct ifaddrs *e = list; e != NULL && name == NULL; e = e->ifa_next) {
		const struct in6_addr *v6 = v6_of(e);

		if (v6 != NULL && addr_v6_equal(v6, global))
			name = e->ifa_name;
	}
	for (const struct ifaddrs *e = list; e != NULL && name != NULL; e = e->ifa_next) {
		const struct in6_addr *v6 = v6_of(e);

		/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): every entry has a name */
		if (v6 == NULL || strcmp(e->ifa_name, name) != 0 || !IN6_IS_ADDR_LINKLOCAL(v6))
			continue;
		*link_local = *v6;
		ret = 0;
		break;
	}
	freeifaddrs(list);
	return ret;
}

bool cl_netif_has_v6(const struct in6_addr *addr)
{
	struct ifaddrs *list;
	bool found = false;

	if (getifaddrs(&list) < 0)
		return true; /* not known to be gone */
	for (const struct ifaddrs *e = list; e != NULL && !found; e = e->ifa_next) {
		const struct in6_addr *v6 = v6_of(e);

		found = v6 != NULL && addr_v6_equal(v6, addr);
	}
	freeifaddrs(list);
	return found;
}

int cl_netif_watch(void)
{
	struct sockaddr_nl sa = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_IPV6_IFADDR};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}
