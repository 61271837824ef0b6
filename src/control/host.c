// SPDX-License-Identifier: BSD-3-Clause
#include "control/host.h"

#include "common/clock.h"
#include "common/log.h"
#include "control/arp.h"
#include "control/hold.h"
#include "control/netlink.h"

#include <event2/event.h>
#include <rte_ip.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BURST         64 /* frames each way before other events have their turn */
#define TICK_S        1
#define STALE_CHECK_S 30
#define READ_AGAIN_S  60 /* while there is no room for all routes */

/* A twin, and its place in the event loop. */
struct arm {
	struct tep_host *host;
	struct tep_twin twin;
	struct event *readable;
};

struct tep_host {
	struct tep_host_params params;
	struct arm arms[TEP_TWINS_MAX];
	struct tep_mirror *mirror;
	struct tep_netlink *netlink;
	struct tep_hold *hold;
	struct event *punted;
	struct event *tick;
	uint32_t ticks;
	uint32_t n_unplaced; /* routes and neighbours, when last told */
	uint32_t n_local_v4; /* when last told */
	uint32_t local_v4[DP_LOCAL_V4_MAX + 1];
	bool told_of_neighbours; /* that they are too many; once is enough */
	uint64_t counters[TEP_HOST_N_COUNTERS];
};

const struct tep_counter_info tep_host_counter_info[TEP_HOST_N_COUNTERS] = {
#define X(id, drop, name, text) {drop, name, text},
	TEP_HOST_COUNTERS(X)
#undef X
};

uint64_t tep_host_counter(const struct tep_host *host, enum tep_host_counter counter)
{
	return host->counters[counter];
}

void tep_host_usage(const struct tep_host *host, uint32_t *n_routes, uint32_t *n_neighbours)
{
	tep_mirror_usage(host->mirror, n_routes, n_neighbours);
}

static void drop(struct tep_host *host, struct rte_mbuf *m, enum tep_host_counter counter)
{
	host->counters[counter]++;
	rte_pktmbuf_free(m);
}

/* --- packets for the host ------------------------------------------------------------------------ */

/* The IPv4 side asks for an address of a client's. */
static bool answer_arp(struct tep_host *host, struct rte_mbuf *m)
{
	const struct tep_twin *outside = &host->arms[host->params.n_twins - 1].twin;

	if (host->params.answer_arp.n == 0 || m->port != outside->port ||
		!tep_arp_answer(m, &host->params.answer_arp, &outside->mac))
		return false;
	host->counters[TEP_HOST_ARP_ANSWERED]++;
	if (!dp_punt_send(host->params.punt, m))
		drop(host, m, TEP_HOST_FROM_TWIN_DROPPED);
	return true;
}

static void give_to_kernel(struct tep_host *host, struct rte_mbuf *m)
{
	if (answer_arp(host, m))
		return;
	for (uint32_t i = 0; i < host->params.n_twins; i++) {
		const struct tep_twin *twin = &host->arms[i].twin;

		if (twin->port == m->port && tep_twin_write(twin, m)) {
			host->counters[TEP_HOST_TO_TWIN]++;
			rte_pktmbuf_free(m);
			return;
		}
	}
	drop(host, m, TEP_HOST_TWIN_REFUSED);
}

/* --- packets that need a neighbour --------------------------------------------------------------- */

/* The destination of the packet behind the Ethernet header that the worker has left room for. */
static bool destination(const struct rte_mbuf *m, struct tep_ip *dst)
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	const struct rte_ipv4_hdr *v4 = (const struct rte_ipv4_hdr *)(ether + 1);
	const struct rte_ipv6_hdr *v6 = (const struct rte_ipv6_hdr *)(ether + 1);

	if (m->data_len >= sizeof(*ether) + sizeof(*v4) &&
		ether->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV4)) {
		*dst = tep_ip_from_octets(AF_INET, &v4->dst_addr);
		return true;
	}
	if (m->data_len >= sizeof(*ether) + sizeof(*v6) &&
		ether->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV6)) {
		*dst = tep_ip_from_octets(AF_INET6, v6->dst_addr);
		return true;
	}
	return false;
}

struct release {
	struct tep_host *host;
	const struct tep_neighbour *neighbour;
};

static void send_to_neighbour(void *arg, struct rte_mbuf *m)
{
	const struct release *release = arg;
	struct tep_host *host = release->host;
	const struct tep_twin *twin = &host->arms[release->neighbour->hop.twin].twin;
	struct rte_ether_hdr *ether = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);

	ether->dst_addr = release->neighbour->mac;
	ether->src_addr = twin->mac;
	m->port = twin->port;
	if (dp_punt_send(host->params.punt, m))
		host->counters[TEP_HOST_RELEASED]++;
	else
		drop(host, m, TEP_HOST_FROM_TWIN_DROPPED);
}

static void resolve(struct tep_host *host, struct rte_mbuf *m)
{
	struct release release = {.host = host};
	struct tep_hop hop;
	struct tep_ip dst;

	if (!destination(m, &dst) || !tep_mirror_next_hop(host->mirror, &dst, &hop))
		return drop(host, m, TEP_HOST_NO_WAY);
	/* Resolved since the worker looked. */
	release.neighbour = tep_mirror_neighbour(host->mirror, &hop);
	if (release.neighbour != NULL)
		return send_to_neighbour(&release, m);
	switch (tep_hold_add(host->hold, &hop, m, clock_boot_ms())) {
	case TEP_HOLD_FULL:
		return drop(host, m, TEP_HOST_HOLD_FULL);
	case TEP_HOLD_FIRST:
		tep_netlink_use_neighbour(
			host->netlink, host->arms[hop.twin].twin.ifindex, &hop.ip);
		break;
	case TEP_HOLD_WAITS:
		break;
	}
	host->counters[TEP_HOST_HELD]++;
}

static void on_punted(evutil_socket_t fd, short events, void *arg)
{
	struct tep_host *host = arg;
	struct rte_mbuf *packets[BURST];
	uint32_t n = dp_punt_take(host->params.punt, packets, BURST);

	for (uint32_t i = 0; i < n; i++) {
		if (dp_punt_reason_of(packets[i]) == DP_PUNT_RESOLVE)
			resolve(host, packets[i]);
		else
			give_to_kernel(host, packets[i]);
	}
}

/* --- frames from the kernel ---------------------------------------------------------------------- */

/* One frame from the twin to the port; false: there was none. */
static bool take_from_kernel(struct arm *arm)
{
	struct tep_host *host = arm->host;
	struct rte_mbuf *m = rte_pktmbuf_alloc(host->params.pool);
	char cut[1];
	int error;

	if (m == NULL) {
		/* Take it off the queue all the same, or the loop would spin. */
		if (read(arm->twin.fd, cut, sizeof(cut)) < 0)
			return false;
		host->counters[TEP_HOST_FROM_TWIN_DROPPED]++;
		return true;
	}
	error = tep_twin_read(&arm->twin, m);
	if (error == -EMSGSIZE) {
		drop(host, m, TEP_HOST_FROM_TWIN_DROPPED);
		return true;
	}
	if (error != 0) {
		rte_pktmbuf_free(m);
		if (error != -EAGAIN && error != -EIO) {
			log_err("twin of port %u: cannot read: %s", arm->twin.port,
				strerror(-error));
			event_del(arm->readable);
		}
		return false;
	}
	host->counters[TEP_HOST_FROM_TWIN]++;
	if (!dp_punt_send(host->params.punt, m))
		drop(host, m, TEP_HOST_FROM_TWIN_DROPPED);
	return true;
}

static void on_twin_readable(evutil_socket_t fd, short events, void *arg)
{
	for (uint32_t i = 0; i < BURST && take_from_kernel(arg); i++)
		;
}

/* --- what the kernel knows ----------------------------------------------------------------------- */

static void on_neighbour(void *arg, uint32_t ifindex, const struct tep_ip *ip,
	const struct rte_ether_addr *mac, bool is_stale)
{
	struct tep_host *host = arg;
	int twin = tep_mirror_twin_of(host->mirror, ifindex);
	struct tep_neighbour neighbour = {.is_stale = is_stale};
	struct release release = {.host = host, .neighbour = &neighbour};

	if (twin < 0)
		return;
	neighbour.hop = (struct tep_hop){.twin = (uint8_t)twin, .ip = *ip};
	if (mac == NULL)
		return tep_mirror_remove_neighbour(host->mirror, &neighbour.hop);
	neighbour.mac = *mac;
	if (tep_mirror_set_neighbour(host->mirror, &neighbour) != 0 && !host->told_of_neighbours) {
		log_warn("neighbours: more than %u (neighbor.max_neighbours), the rest is not used",
			host->params.max_neighbours);
		host->told_of_neighbours = true;
	}
	tep_hold_release(host->hold, &neighbour.hop, send_to_neighbour, &release);
}

static void set_local_v4(struct tep_host *host)
{
	uint32_t v4[DP_LOCAL_V4_MAX + 1];
	uint32_t n = tep_mirror_local_v4(host->mirror, v4, DP_LOCAL_V4_MAX + 1);

	if (n == host->n_local_v4 && memcmp(v4, host->local_v4, n * sizeof(*v4)) == 0)
		return;
	if (n > DP_LOCAL_V4_MAX && host->n_local_v4 != n)
		log_warn("local addresses: more than %u of IPv4, the rest is not served",
			DP_LOCAL_V4_MAX);
	host->n_local_v4 = n;
	memcpy(host->local_v4, v4, n * sizeof(*v4));
	dp_datapath_set_local_v4(host->params.datapath, v4, RTE_MIN(n, (uint32_t)DP_LOCAL_V4_MAX));
}

static void on_settled(void *arg)
{
	struct tep_host *host = arg;
	uint32_t unplaced = tep_mirror_settle(host->mirror);

	if (unplaced != host->n_unplaced && unplaced != 0)
		log_warn("routes: %u do not fit or cannot be expressed", unplaced);
	host->n_unplaced = unplaced;
	set_local_v4(host);
}

static const struct tep_netlink_ops netlink_ops = {
	.neighbour = on_neighbour,
	.settled = on_settled,
};

/* The kernel does not see the traffic that keeps a neighbour in use: let it verify those it doubts. */
static void verify(void *arg, const struct tep_hop *hop)
{
	struct tep_host *host = arg;

	tep_netlink_use_neighbour(host->netlink, host->arms[hop->twin].twin.ifindex, &hop->ip);
}

static void on_tick(evutil_socket_t fd, short events, void *arg)
{
	struct tep_host *host = arg;

	host->counters[TEP_HOST_UNRESOLVED] += tep_hold_expire(host->hold, clock_boot_ms());
	if (++host->ticks % STALE_CHECK_S == 0)
		tep_mirror_visit_stale(host->mirror, verify, host);
	tep_mirror_visit_unknown(host->mirror, verify, host);
	if (host->n_unplaced != 0) {
		tep_mirror_retry(host->mirror);
		if (host->ticks % READ_AGAIN_S == 0)
			tep_netlink_read_again(host->netlink);
		on_settled(host);
	}
}

/* --- set-up -------------------------------------------------------------------------------------- */

static int open_twins(struct tep_host *host)
{
	for (uint32_t i = 0; i < host->params.n_twins; i++) {
		struct arm *arm = &host->arms[i];
		int error = tep_twin_open(&arm->twin, &host->params.twins[i]);

		if (error != 0)
			return error;
		arm->host = host;
		arm->readable = event_new(host->params.base, arm->twin.fd, EV_READ | EV_PERSIST,
			on_twin_readable, arm);
		if (arm->readable == NULL || event_add(arm->readable, NULL) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int open_mirror(struct tep_host *host)
{
	struct tep_mirror_twin twins[TEP_TWINS_MAX];
	const struct tep_mirror_params params = {
		.nexthops = host->params.nexthops,
		.twins = twins,
		.n_twins = host->params.n_twins,
		.max_routes = {host->params.max_routes[0], host->params.max_routes[1]},
		.max_neighbours = host->params.max_neighbours,
		.max_ways = host->params.max_ways,
	};

	for (uint32_t i = 0; i < host->params.n_twins; i++) {
		const struct tep_twin *twin = &host->arms[i].twin;

		twins[i] = (struct tep_mirror_twin){
			.ifindex = twin->ifindex, .port = twin->port, .mac = twin->mac};
	}
	host->hold = tep_hold_create();
	host->mirror = tep_mirror_create(&params);
	if (host->hold == NULL || host->mirror == NULL)
		return -ENOMEM;
	host->netlink = tep_netlink_create(host->params.base, host->mirror, &netlink_ops, host);
	return host->netlink == NULL ? -errno : 0;
}

static int open_events(struct tep_host *host)
{
	static const struct timeval second = {.tv_sec = TICK_S};

	host->punted = event_new(host->params.base, dp_punt_eventfd(host->params.punt),
		EV_READ | EV_PERSIST, on_punted, host);
	host->tick = event_new(host->params.base, -1, EV_PERSIST, on_tick, host);
	if (host->punted == NULL || host->tick == NULL || event_add(host->punted, NULL) < 0 ||
		event_add(host->tick, &second) < 0)
		return -ENOMEM;
	return 0;
}

struct tep_host *tep_host_create(const struct tep_host_params *params)
{
	struct tep_host *host = calloc(1, sizeof(*host));
	int error;

	if (host == NULL)
		return NULL;
	host->params = *params;
	for (uint32_t i = 0; i < TEP_TWINS_MAX; i++)
		host->arms[i].twin.fd = -1;
	error = open_twins(host);
	if (error == 0)
		error = open_mirror(host);
	if (error == 0)
		error = open_events(host);
	if (error == 0)
		return host;
	tep_host_destroy(host);
	errno = -error;
	return NULL;
}

void tep_host_destroy(struct tep_host *host)
{
	if (host == NULL)
		return;
	if (host->punted != NULL)
		event_free(host->punted);
	if (host->tick != NULL)
		event_free(host->tick);
	tep_netlink_destroy(host->netlink);
	tep_mirror_destroy(host->mirror);
	tep_hold_destroy(host->hold);
	for (uint32_t i = 0; i < TEP_TWINS_MAX; i++) {
		if (host->arms[i].readable != NULL)
			event_free(host->arms[i].readable);
		tep_twin_close(&host->arms[i].twin);
	}
	free(host);
}
