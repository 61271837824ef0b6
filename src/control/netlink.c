// SPDX-License-Identifier: BSD-3-Clause
#include "control/netlink.h"

#include "common/log.h"

#include <event2/event.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>

#define ROUTES_DELAY_MS  20 /* changes come in groups */
#define RECEIVE_BUFFER   (4 << 20) /* octets of announcements that may wait */
#define ROUNDS_PER_EVENT 64 /* reads before other events have their turn */

/* States in which the kernel would send to the link-layer address that it has. */
#define NUD_USABLE (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT)

struct route_list {
	struct tep_route *items;
	uint32_t n;
	bool is_cut; /* more than TEP_ROUTES_MAX */
};

struct tep_netlink {
	const struct tep_netlink_ops *ops;
	void *arg;
	struct nl_sock *announcements;
	struct nl_sock *dumps; /* answers are read at once */
	struct nl_sock *requests; /* nothing depends on the answers */
	struct event *readable;
	struct event *routes_due;
	struct route_list routes; /* while a dump is read */
	bool must_read_all;
	bool was_cut;
	uint64_t overruns;
};

/* --- messages ------------------------------------------------------------------------------------ */

static bool get_ip(const struct nlattr *attribute, uint8_t family, struct tep_ip *ip)
{
	*ip = (struct tep_ip){.family = family};
	if (attribute == NULL || nla_len(attribute) != (int)tep_ip_size(ip))
		return false;
	memcpy(ip->octets, nla_data(attribute), tep_ip_size(ip));
	return true;
}

/* RTA_VIA: a gateway of the other family. */
static bool get_via(const struct nlattr *attribute, struct tep_ip *ip)
{
	const struct rtvia *via;

	if (attribute == NULL || nla_len(attribute) < (int)sizeof(*via))
		return false;
	via = nla_data(attribute);
	*ip = (struct tep_ip){.family = (uint8_t)via->rtvia_family};
	if ((ip->family != AF_INET && ip->family != AF_INET6) ||
		nla_len(attribute) != (int)(sizeof(*via) + tep_ip_size(ip)))
		return false;
	memcpy(ip->octets, via->rtvia_addr, tep_ip_size(ip));
	return true;
}

static void get_hop(struct tep_route *route, struct nlattr **attributes)
{
	route->has_gateway = get_ip(attributes[RTA_GATEWAY], route->dst.family, &route->gateway) ||
			     get_via(attributes[RTA_VIA], &route->gateway);
}

/* Of several ways the first that is not dead. */
static void get_first_of_multipath(struct tep_route *route, const struct nlattr *multipath)
{
	const struct rtnexthop *hop = nla_data(multipath);
	int left = nla_len(multipath);

	for (; RTNH_OK(hop, left); left -= NLMSG_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop)) {
		struct nlattr *attributes[RTA_MAX + 1];

		if ((hop->rtnh_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) != 0 ||
			nla_parse(attributes, RTA_MAX, (struct nlattr *)RTNH_DATA(hop),
				hop->rtnh_len - (int)sizeof(*hop), NULL) < 0)
			continue;
		route->ifindex = (uint32_t)hop->rtnh_ifindex;
		get_hop(route, attributes);
		return;
	}
	route->kind = TEP_ROUTE_NONE;
}

static enum tep_route_kind kind_of(const struct rtmsg *header)
{
	if (header->rtm_type == RTN_LOCAL)
		return TEP_ROUTE_LOCAL;
	if (header->rtm_type == RTN_UNICAST &&
		(header->rtm_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) == 0)
		return TEP_ROUTE_UNICAST;
	return TEP_ROUTE_NONE;
}

/* Routes of the tables main and local; false: not one of these. */
static bool parse_route(struct nlmsghdr *nlh, struct tep_route *route)
{
	struct nlattr *attributes[RTA_MAX + 1];
	const struct rtmsg *header = nlmsg_data(nlh);
	uint32_t table;

	if (nlmsg_parse(nlh, sizeof(*header), attributes, RTA_MAX, NULL) < 0)
		return false;
	table = attributes[RTA_TABLE] != NULL ? nla_get_u32(attributes[RTA_TABLE])
					      : header->rtm_table;
	if ((header->rtm_family != AF_INET && header->rtm_family != AF_INET6) ||
		(table != RT_TABLE_MAIN && table != RT_TABLE_LOCAL) ||
		(header->rtm_flags & RTM_F_CLONED) != 0 || header->rtm_tos != 0)
		return false;
	*route = (struct tep_route){
		.len = header->rtm_dst_len,
		.kind = kind_of(header),
	};
	if (!get_ip(attributes[RTA_DST], header->rtm_family, &route->dst) && route->len != 0)
		return false;
	if (route->len > tep_ip_size(&route->dst) * 8)
		return false;
	if (attributes[RTA_PRIORITY] != NULL)
		route->metric = nla_get_u32(attributes[RTA_PRIORITY]);
	if (attributes[RTA_OIF] != NULL)
		route->ifindex = nla_get_u32(attributes[RTA_OIF]);
	get_hop(route, attributes);
	if (attributes[RTA_MULTIPATH] != NULL)
		get_first_of_multipath(route, attributes[RTA_MULTIPATH]);
	return true;
}

static void on_neighbour(struct tep_netlink *netlink, struct nlmsghdr *nlh)
{
	struct nlattr *attributes[NDA_MAX + 1];
	const struct ndmsg *header = nlmsg_data(nlh);
	const struct rte_ether_addr *mac = NULL;
	struct tep_ip ip;

	if (nlmsg_parse(nlh, sizeof(*header), attributes, NDA_MAX, NULL) < 0 ||
		(header->ndm_family != AF_INET && header->ndm_family != AF_INET6) ||
		(header->ndm_flags & NTF_PROXY) != 0 ||
		!get_ip(attributes[NDA_DST], header->ndm_family, &ip))
		return;
	if (nlh->nlmsg_type == RTM_NEWNEIGH && (header->ndm_state & NUD_USABLE) != 0 &&
		attributes[NDA_LLADDR] != NULL &&
		nla_len(attributes[NDA_LLADDR]) == RTE_ETHER_ADDR_LEN)
		mac = nla_data(attributes[NDA_LLADDR]);
	netlink->ops->neighbour(netlink->arg, (uint32_t)header->ndm_ifindex, &ip, mac,
		(header->ndm_state & NUD_STALE) != 0);
}

/* --- dumps --------------------------------------------------------------------------------------- */

static int on_dumped_route(struct nl_msg *msg, void *arg)
{
	struct tep_netlink *netlink = arg;
	struct route_list *list = &netlink->routes;
	struct tep_route route;

	if (nlmsg_hdr(msg)->nlmsg_type != RTM_NEWROUTE || !parse_route(nlmsg_hdr(msg), &route))
		return NL_OK;
	if (list->n < TEP_ROUTES_MAX)
		list->items[list->n++] = route;
	else
		list->is_cut = true;
	return NL_OK;
}

static int on_dumped_neighbour(struct nl_msg *msg, void *arg)
{
	if (nlmsg_hdr(msg)->nlmsg_type == RTM_NEWNEIGH)
		on_neighbour(arg, nlmsg_hdr(msg));
	return NL_OK;
}

/* Asks for everything of one kind and reads it all. */
static int dump(
	struct tep_netlink *netlink, int type, uint8_t family, nl_recvmsg_msg_cb_t on_message)
{
	/* Both kinds of header begin with the family; this is the longer one. */
	struct rtmsg header = {.rtm_family = family};
	size_t len = type == RTM_GETROUTE ? sizeof(struct rtmsg) : sizeof(struct ndmsg);
	int error;

	static_assert(sizeof(struct rtmsg) >= sizeof(struct ndmsg));
	nl_socket_modify_cb(netlink->dumps, NL_CB_VALID, NL_CB_CUSTOM, on_message, netlink);
	error = nl_send_simple(netlink->dumps, type, NLM_F_DUMP, &header, len);
	if (error >= 0)
		error = nl_recvmsgs_default(netlink->dumps);
	return error < 0 ? error : 0;
}

static void routes_later(struct tep_netlink *netlink)
{
	static const struct timeval delay = {.tv_usec = ROUTES_DELAY_MS * 1000};

	/* The first change sets the time: a steady stream must not put it off for ever. */
	if (!evtimer_pending(netlink->routes_due, NULL))
		evtimer_add(netlink->routes_due, &delay);
}

static void read_routes(struct tep_netlink *netlink)
{
	struct route_list *list = &netlink->routes;
	int error = -NLE_NOMEM;

	*list = (struct route_list){.items = calloc(TEP_ROUTES_MAX, sizeof(*list->items))};
	if (list->items != NULL)
		error = dump(netlink, RTM_GETROUTE, AF_INET, on_dumped_route);
	if (error == 0)
		error = dump(netlink, RTM_GETROUTE, AF_INET6, on_dumped_route);
	if (error == 0)
		netlink->ops->routes(netlink->arg, list->items, list->n);
	else
		routes_later(netlink); /* changed while we read, most likely */
	if (list->is_cut && !netlink->was_cut)
		log_warn("routes: more than %u, the rest is not used", TEP_ROUTES_MAX);
	netlink->was_cut = list->is_cut;
	free(list->items);
	list->items = NULL;
}

static void read_neighbours(struct tep_netlink *netlink)
{
	netlink->ops->neighbours_anew(netlink->arg);
	/* Interrupted by a change: that change is announced. */
	dump(netlink, RTM_GETNEIGH, AF_INET, on_dumped_neighbour);
	dump(netlink, RTM_GETNEIGH, AF_INET6, on_dumped_neighbour);
}

static void on_routes_due(evutil_socket_t fd, short events, void *arg)
{
	struct tep_netlink *netlink = arg;

	read_routes(netlink);
	netlink->ops->settled(netlink->arg);
}

/* --- announcements ------------------------------------------------------------------------------- */

static int on_announcement(struct nl_msg *msg, void *arg)
{
	struct nlmsghdr *nlh = nlmsg_hdr(msg);
	struct tep_netlink *netlink = arg;

	if (nlh->nlmsg_type == RTM_NEWNEIGH || nlh->nlmsg_type == RTM_DELNEIGH)
		on_neighbour(netlink, nlh);
	else
		routes_later(netlink);
	return NL_OK;
}

static void on_readable(evutil_socket_t fd, short events, void *arg)
{
	struct tep_netlink *netlink = arg;
	int error = 0;

	for (uint32_t i = 0; i < ROUNDS_PER_EVENT && error >= 0; i++)
		error = nl_recvmsgs_default(netlink->announcements);
	/* ENOBUFS (here NLE_NOMEM): announcements were lost. */
	if (error < 0 && error != -NLE_AGAIN) {
		netlink->overruns++;
		log_info("netlink: announcements were lost, reading everything again: %s",
			nl_geterror(error));
		read_neighbours(netlink);
		read_routes(netlink);
	}
	netlink->ops->settled(netlink->arg);
}

static int subscribe(struct tep_netlink *netlink)
{
	int size = RECEIVE_BUFFER;
	int error;

	netlink->announcements = nl_socket_alloc();
	if (netlink->announcements == NULL)
		return -NLE_NOMEM;
	nl_socket_disable_seq_check(netlink->announcements);
	nl_socket_modify_cb(
		netlink->announcements, NL_CB_VALID, NL_CB_CUSTOM, on_announcement, netlink);
	error = nl_connect(netlink->announcements, NETLINK_ROUTE);
	if (error == 0)
		error = nl_socket_add_memberships(netlink->announcements, RTNLGRP_LINK,
			RTNLGRP_NEIGH, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
			RTNLGRP_IPV6_ROUTE, 0);
	if (error == 0)
		error = nl_socket_set_nonblocking(netlink->announcements);
	if (error == 0)
		setsockopt(nl_socket_get_fd(netlink->announcements), SOL_SOCKET, SO_RCVBUFFORCE,
			&size, sizeof(size));
	return error;
}

static int open_others(struct tep_netlink *netlink)
{
	int error;

	netlink->dumps = nl_socket_alloc();
	netlink->requests = nl_socket_alloc();
	if (netlink->dumps == NULL || netlink->requests == NULL)
		return -NLE_NOMEM;
	nl_socket_disable_seq_check(netlink->requests);
	nl_socket_disable_auto_ack(netlink->requests);
	error = nl_connect(netlink->dumps, NETLINK_ROUTE);
	if (error == 0)
		error = nl_connect(netlink->requests, NETLINK_ROUTE);
	if (error == 0)
		error = nl_socket_set_nonblocking(netlink->requests);
	return error;
}

struct tep_netlink *tep_netlink_create(
	struct event_base *base, const struct tep_netlink_ops *ops, void *arg)
{
	struct tep_netlink *netlink = calloc(1, sizeof(*netlink));
	int error;

	if (netlink == NULL)
		return NULL;
	netlink->ops = ops;
	netlink->arg = arg;
	error = subscribe(netlink);
	if (error == 0)
		error = open_others(netlink);
	if (error != 0) {
		log_err("netlink: cannot open: %s", nl_geterror(error));
		goto fail;
	}
	netlink->readable = event_new(base, nl_socket_get_fd(netlink->announcements),
		EV_READ | EV_PERSIST, on_readable, netlink);
	netlink->routes_due = evtimer_new(base, on_routes_due, netlink);
	if (netlink->readable == NULL || netlink->routes_due == NULL ||
		event_add(netlink->readable, NULL) < 0)
		goto fail;
	read_neighbours(netlink);
	read_routes(netlink);
	ops->settled(arg);
	return netlink;
fail:
	tep_netlink_destroy(netlink);
	errno = EIO;
	return NULL;
}

void tep_netlink_destroy(struct tep_netlink *netlink)
{
	if (netlink == NULL)
		return;
	if (netlink->readable != NULL)
		event_free(netlink->readable);
	if (netlink->routes_due != NULL)
		event_free(netlink->routes_due);
	nl_socket_free(netlink->announcements);
	nl_socket_free(netlink->dumps);
	nl_socket_free(netlink->requests);
	free(netlink);
}

/*
 * NTF_USE: the kernel does what it would do with a packet, and creates the entry if need be. Whether it
 * worked is seen by what is announced; refusals are only taken off the socket.
 */
void tep_netlink_use_neighbour(
	struct tep_netlink *netlink, uint32_t ifindex, const struct tep_ip *ip)
{
	const struct ndmsg header = {
		.ndm_family = ip->family,
		.ndm_ifindex = (int)ifindex,
		.ndm_state = NUD_NONE,
		.ndm_flags = NTF_USE,
	};
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_NEWNEIGH, NLM_F_REQUEST | NLM_F_CREATE);

	if (msg == NULL)
		return;
	if (nlmsg_append(msg, (void *)(uintptr_t)&header, sizeof(header), NLMSG_ALIGNTO) == 0 &&
		nla_put(msg, NDA_DST, (int)tep_ip_size(ip), ip->octets) == 0) {
		nl_recvmsgs_default(netlink->requests);
		nl_send_auto(netlink->requests, msg);
	}
	nlmsg_free(msg);
}

uint64_t tep_netlink_overruns(const struct tep_netlink *netlink)
{
	return netlink->overruns;
}
