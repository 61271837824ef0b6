// SPDX-License-Identifier: BSD-3-Clause
#include "control/netlink.h"

#include "common/clock.h"
#include "common/log.h"
#include "control/route_message.h"

#include <event2/event.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <rte_common.h>
#include <stdlib.h>
#include <sys/socket.h>

#define READ_DELAY_MS   20 /* changes come in groups */
#define FAILED_DELAY_MS 1000
#define READ_PAUSE      4 /* between two readings, times what the last one took */
#define READ_TRIES      3 /* when routes went while they were read */
#define SLICE_MS        3 /* before other events have their turn */
#define FIRST_MS        1000 /* at the start nobody else has a turn yet */
#define RECEIVE_BUFFER  (32 << 20) /* octets of announcements that may wait */
#define BATCH           64 /* announcements with one system call */
#define MESSAGE_MAX     8192
#define CHUNK_MAX       65536 /* of routes that are read */
#define SWEEP_STEP      2048
#define LINKS_MAX       64 /* whose state is remembered */

enum step {
	STEP_NONE,
	STEP_READ_V4,
	STEP_READ_V6,
	STEP_SWEEP,
};

struct link_state {
	int ifindex; /* 0: free */
	uint32_t flags;
};

/* Where recvmmsg puts a batch. */
struct batch {
	struct mmsghdr headers[BATCH];
	struct iovec vectors[BATCH];
	_Alignas(uint64_t) uint8_t octets[BATCH][MESSAGE_MAX];
};

struct tep_netlink {
	struct tep_mirror *mirror;
	const struct tep_netlink_ops *ops;
	void *arg;
	struct nl_sock *announcements;
	struct nl_sock *routes; /* all of them, in chunks */
	struct nl_sock *neighbours; /* all of them, at once */
	struct nl_sock *requests; /* nothing depends on the answers */
	struct event *readable;
	struct event *due; /* to begin a reading, or to go on with it */
	enum step step;
	bool again; /* it has to be read once more */
	bool is_torn; /* a reading may have missed routes that have not changed */
	uint32_t tries;
	uint32_t seq;
	int64_t began_ms, earliest_ms;
	uint64_t removed; /* announcements of routes that went */
	uint64_t removed_before;
	bool told_of_bare;
	struct link_state links[LINKS_MAX];
	struct tep_route route; /* the one in hand */
	struct tep_netlink_stats stats;
	struct batch batch;
	_Alignas(uint64_t) uint8_t chunk[CHUNK_MAX];
};

/* --- all routes ---------------------------------------------------------------------------------- */

static void schedule(struct tep_netlink *netlink, int64_t ms)
{
	const struct timeval delay = {
		.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};

	evtimer_add(netlink->due, &delay);
}

/* The first change sets the time: a steady stream must not put it off for ever. */
void tep_netlink_read_again(struct tep_netlink *netlink)
{
	int64_t now = clock_boot_ms();

	netlink->again = true;
	if (netlink->step == STEP_NONE && !evtimer_pending(netlink->due, NULL))
		schedule(netlink, RTE_MAX(READ_DELAY_MS + now, netlink->earliest_ms) - now);
}

/* As long as it does not work out, what was known stays. */
static void give_up_reading(struct tep_netlink *netlink)
{
	tep_mirror_end_reading(netlink->mirror);
	netlink->step = STEP_NONE;
	netlink->again = true;
	schedule(netlink, FAILED_DELAY_MS);
}

static void ask_for_routes(struct tep_netlink *netlink, uint8_t family)
{
	struct rtmsg header = {.rtm_family = family};
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP);
	int error = -NLE_NOMEM;

	netlink->is_torn = false;
	netlink->removed_before = netlink->removed;
	if (msg != NULL)
		error = nlmsg_append(msg, &header, sizeof(header), NLMSG_ALIGNTO);
	if (error == 0) {
		nlmsg_hdr(msg)->nlmsg_seq = ++netlink->seq;
		error = nl_send_auto(netlink->routes, msg);
	}
	nlmsg_free(msg);
	if (error < 0)
		give_up_reading(netlink);
}

static void begin_reading(struct tep_netlink *netlink)
{
	netlink->again = false;
	netlink->tries = 1;
	netlink->began_ms = clock_boot_ms();
	tep_mirror_begin_reading(netlink->mirror);
	netlink->step = STEP_READ_V4;
	ask_for_routes(netlink, AF_INET);
}

static void end_reading(struct tep_netlink *netlink)
{
	int64_t now = clock_boot_ms();

	netlink->step = STEP_NONE;
	netlink->stats.readings++;
	netlink->earliest_ms = now + (now - netlink->began_ms) * READ_PAUSE;
	if (netlink->again)
		tep_netlink_read_again(netlink);
}

/* All routes of a family have been told. Those that were overlooked because others went are told the next time. */
static void end_family(struct tep_netlink *netlink)
{
	uint8_t family = netlink->step == STEP_READ_V4 ? AF_INET : AF_INET6;
	bool is_torn = netlink->is_torn || netlink->removed != netlink->removed_before;

	if (is_torn && netlink->tries++ < READ_TRIES) {
		ask_for_routes(netlink, family);
	} else if (family == AF_INET) {
		netlink->step = STEP_READ_V6;
		netlink->tries = 1;
		ask_for_routes(netlink, AF_INET6);
	} else {
		tep_mirror_end_reading(netlink->mirror);
		netlink->step = STEP_SWEEP;
	}
}

static void tell_of_bare(struct tep_netlink *netlink)
{
	if (!netlink->told_of_bare)
		log_warn("routes: those with next-hop objects are not used: "
			 "net.ipv4.nexthop_compat_mode is 0");
	netlink->told_of_bare = true;
}

/* False: this was the last one. */
static bool on_read(struct tep_netlink *netlink, struct nlmsghdr *nlh)
{
	netlink->is_torn |= (nlh->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
	if (nlh->nlmsg_seq != netlink->seq)
		return true;
	if (nlh->nlmsg_type == NLMSG_DONE)
		return false;
	if (nlh->nlmsg_type == NLMSG_ERROR) {
		netlink->is_torn = true;
		return false;
	}
	if (nlh->nlmsg_type != RTM_NEWROUTE || !tep_route_message_parse(nlh, &netlink->route))
		return true;
	if (netlink->route.nexthop_id != 0 && tep_route_message_is_bare(nlh))
		tell_of_bare(netlink);
	tep_mirror_read_route(netlink->mirror, &netlink->route);
	return true;
}

/* False: there is nothing to read at the moment. */
static bool read_chunk(struct tep_netlink *netlink)
{
	struct nlmsghdr *nlh = (struct nlmsghdr *)netlink->chunk;
	ssize_t len = recv(nl_socket_get_fd(netlink->routes), netlink->chunk,
		sizeof(netlink->chunk), MSG_DONTWAIT);
	int left = (int)len;

	if (len < 0) {
		if (errno != EAGAIN && errno != EINTR)
			give_up_reading(netlink);
		return false;
	}
	for (; nlmsg_ok(nlh, left); nlh = nlmsg_next(nlh, &left)) {
		if (!on_read(netlink, nlh)) {
			end_family(netlink);
			break;
		}
	}
	return true;
}

/* As far as it goes in this time; the rest when others have had their turn. */
static void go_on(struct tep_netlink *netlink, int64_t ms)
{
	int64_t end = clock_boot_ms() + ms, pause = 0;

	while (netlink->step != STEP_NONE && clock_boot_ms() < end && pause == 0) {
		if (netlink->step != STEP_SWEEP)
			pause = read_chunk(netlink) ? 0 : READ_DELAY_MS;
		else if (tep_mirror_sweep(netlink->mirror, SWEEP_STEP))
			end_reading(netlink);
	}
	if (netlink->step != STEP_NONE)
		schedule(netlink, pause);
}

static void on_due(evutil_socket_t fd, short events, void *arg)
{
	struct tep_netlink *netlink = arg;

	if (netlink->step == STEP_NONE)
		begin_reading(netlink);
	go_on(netlink, SLICE_MS);
	netlink->ops->settled(netlink->arg);
}

/* --- neighbours ---------------------------------------------------------------------------------- */

static void on_neighbour(struct tep_netlink *netlink, struct nlmsghdr *nlh)
{
	struct tep_neighbour_message message;

	if (tep_neighbour_message_parse(nlh, &message))
		netlink->ops->neighbour(netlink->arg, message.ifindex, &message.ip,
			message.has_mac ? &message.mac : NULL, message.is_stale);
}

static int on_dumped_neighbour(struct nl_msg *msg, void *arg)
{
	if (nlmsg_hdr(msg)->nlmsg_type == RTM_NEWNEIGH)
		on_neighbour(arg, nlmsg_hdr(msg));
	return NL_OK;
}

/* Interrupted by a change: that change is announced. */
static void read_neighbours(struct tep_netlink *netlink)
{
	static const uint8_t families[] = {AF_INET, AF_INET6};

	tep_mirror_begin_neighbours(netlink->mirror);
	for (uint32_t i = 0; i < RTE_DIM(families); i++) {
		struct ndmsg header = {.ndm_family = families[i]};

		if (nl_send_simple(netlink->neighbours, RTM_GETNEIGH, NLM_F_DUMP, &header,
			    sizeof(header)) >= 0)
			nl_recvmsgs_default(netlink->neighbours);
	}
	tep_mirror_end_neighbours(netlink->mirror);
}

/* --- announcements ------------------------------------------------------------------------------- */

static void on_route(struct tep_netlink *netlink, struct nlmsghdr *nlh)
{
	if (!tep_route_message_parse(nlh, &netlink->route))
		return;
	netlink->stats.announcements++;
	if (netlink->route.nexthop_id != 0 && tep_route_message_is_bare(nlh))
		tell_of_bare(netlink);
	if (nlh->nlmsg_type == RTM_NEWROUTE) {
		tep_mirror_set_route(netlink->mirror, &netlink->route);
		return;
	}
	netlink->removed++;
	if (tep_mirror_remove_route(netlink->mirror, &netlink->route) != 0)
		tep_netlink_read_again(netlink);
}

/* Is it news? Many messages about links only count their packets. */
static bool link_changed(struct tep_netlink *netlink, int ifindex, uint32_t flags)
{
	struct link_state *slot = NULL;

	for (uint32_t i = 0; i < LINKS_MAX; i++) {
		struct link_state *link = &netlink->links[i];

		if (link->ifindex == ifindex) {
			bool changed = link->flags != flags;

			link->flags = flags;
			return changed;
		}
		if (link->ifindex == 0 && slot == NULL)
			slot = link;
	}
	if (slot != NULL)
		*slot = (struct link_state){ifindex, flags};
	return true;
}

static void on_link(struct tep_netlink *netlink, struct nlmsghdr *nlh)
{
	const struct ifinfomsg *header = nlmsg_data(nlh);
	uint32_t flags = nlh->nlmsg_type == RTM_DELLINK ? 0 : header->ifi_flags;
	int twin = tep_mirror_twin_of(netlink->mirror, (uint32_t)header->ifi_index);

	flags &= IFF_UP | IFF_RUNNING;
	if (header->ifi_family != AF_UNSPEC || !link_changed(netlink, header->ifi_index, flags))
		return;
	if (twin >= 0)
		tep_mirror_set_link(
			netlink->mirror, (uint32_t)twin, flags == (IFF_UP | IFF_RUNNING));
	tep_netlink_read_again(netlink);
}

static void on_announcement(struct tep_netlink *netlink, struct nlmsghdr *nlh)
{
	switch (nlh->nlmsg_type) {
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		on_route(netlink, nlh);
		break;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		on_neighbour(netlink, nlh);
		break;
	case RTM_NEWLINK:
	case RTM_DELLINK:
		if (nlh->nlmsg_len >= NLMSG_LENGTH(sizeof(struct ifinfomsg)))
			on_link(netlink, nlh);
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		tep_netlink_read_again(netlink);
		break;
	case RTM_NEWNEXTHOP:
	case RTM_DELNEXTHOP:
		if (tep_mirror_uses_nexthop(netlink->mirror, tep_nexthop_message_id(nlh)))
			tep_netlink_read_again(netlink);
		break;
	}
}

/* The number of announcements; 0: none for now; -ENOBUFS: some were lost. */
static int read_batch(struct tep_netlink *netlink)
{
	struct batch *batch = &netlink->batch;
	bool is_cut = false;
	int n;

	for (uint32_t i = 0; i < BATCH; i++) {
		batch->vectors[i] = (struct iovec){batch->octets[i], MESSAGE_MAX};
		batch->headers[i].msg_hdr = (struct msghdr){
			.msg_iov = &batch->vectors[i], .msg_iovlen = 1};
	}
	n = recvmmsg(nl_socket_get_fd(netlink->announcements), batch->headers, BATCH, MSG_DONTWAIT,
		NULL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -ENOBUFS;
	for (int i = 0; i < n; i++) {
		struct nlmsghdr *nlh = (struct nlmsghdr *)batch->octets[i];
		int left = (int)batch->headers[i].msg_len;

		is_cut |= (batch->headers[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
		for (; nlmsg_ok(nlh, left); nlh = nlmsg_next(nlh, &left))
			on_announcement(netlink, nlh);
	}
	return is_cut ? -ENOBUFS : n;
}

static void on_readable(evutil_socket_t fd, short events, void *arg)
{
	struct tep_netlink *netlink = arg;
	int64_t end = clock_boot_ms() + SLICE_MS;
	int n;

	do
		n = read_batch(netlink);
	while (n > 0 && clock_boot_ms() < end);
	if (n < 0) {
		netlink->stats.overruns++;
		log_info("netlink: announcements were lost, reading everything again");
		read_neighbours(netlink);
		tep_netlink_read_again(netlink);
	}
	netlink->ops->settled(netlink->arg);
}

/* --- set-up -------------------------------------------------------------------------------------- */

static int subscribe(struct tep_netlink *netlink)
{
	int size = RECEIVE_BUFFER;
	int error;

	netlink->announcements = nl_socket_alloc();
	if (netlink->announcements == NULL)
		return -NLE_NOMEM;
	error = nl_connect(netlink->announcements, NETLINK_ROUTE);
	if (error == 0)
		error = nl_socket_add_memberships(netlink->announcements, RTNLGRP_LINK,
			RTNLGRP_NEIGH, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
			RTNLGRP_IPV6_ROUTE, RTNLGRP_NEXTHOP, 0);
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

	netlink->routes = nl_socket_alloc();
	netlink->neighbours = nl_socket_alloc();
	netlink->requests = nl_socket_alloc();
	if (netlink->routes == NULL || netlink->neighbours == NULL || netlink->requests == NULL)
		return -NLE_NOMEM;
	nl_socket_modify_cb(
		netlink->neighbours, NL_CB_VALID, NL_CB_CUSTOM, on_dumped_neighbour, netlink);
	nl_socket_disable_seq_check(netlink->requests);
	nl_socket_disable_auto_ack(netlink->requests);
	error = nl_connect(netlink->routes, NETLINK_ROUTE);
	if (error == 0)
		error = nl_connect(netlink->neighbours, NETLINK_ROUTE);
	if (error == 0)
		error = nl_connect(netlink->requests, NETLINK_ROUTE);
	if (error == 0)
		error = nl_socket_set_nonblocking(netlink->requests);
	return error;
}

static int open_events(struct tep_netlink *netlink, struct event_base *base)
{
	netlink->readable = event_new(base, nl_socket_get_fd(netlink->announcements),
		EV_READ | EV_PERSIST, on_readable, netlink);
	netlink->due = evtimer_new(base, on_due, netlink);
	if (netlink->readable == NULL || netlink->due == NULL ||
		event_add(netlink->readable, NULL) < 0)
		return -ENOMEM;
	return 0;
}

struct tep_netlink *tep_netlink_create(struct event_base *base, struct tep_mirror *mirror,
	const struct tep_netlink_ops *ops, void *arg)
{
	struct tep_netlink *netlink = calloc(1, sizeof(*netlink));
	int error;

	if (netlink == NULL)
		return NULL;
	netlink->mirror = mirror;
	netlink->ops = ops;
	netlink->arg = arg;
	error = subscribe(netlink);
	if (error == 0)
		error = open_others(netlink);
	if (error != 0)
		log_err("netlink: cannot open: %s", nl_geterror(error));
	if (error != 0 || open_events(netlink, base) != 0) {
		tep_netlink_destroy(netlink);
		errno = EIO;
		return NULL;
	}
	read_neighbours(netlink);
	begin_reading(netlink);
	go_on(netlink, FIRST_MS);
	ops->settled(arg);
	return netlink;
}

void tep_netlink_destroy(struct tep_netlink *netlink)
{
	if (netlink == NULL)
		return;
	if (netlink->readable != NULL)
		event_free(netlink->readable);
	if (netlink->due != NULL)
		event_free(netlink->due);
	nl_socket_free(netlink->announcements);
	nl_socket_free(netlink->routes);
	nl_socket_free(netlink->neighbours);
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

void tep_netlink_stats(const struct tep_netlink *netlink, struct tep_netlink_stats *stats)
{
	*stats = netlink->stats;
}
