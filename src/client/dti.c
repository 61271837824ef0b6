// SPDX-License-Identifier: BSD-3-Clause
#include "client/dti.h"

#include "client/hold.h"
#include "client/inner.h"
#include "client/path_mtu.h"
#include "client/peers.h"
#include "client/tunnel.h"
#include "common/clock.h"
#include "common/log.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* How often it is asked whether ports have run out: while packets pass, and while none do. */
#define WATCH_BUSY_S 2
#define WATCH_IDLE_S 15

struct cl_dti {
	struct event_base *base;
	const struct cl_dti_ops *ops;
	void *ops_arg;
	struct cl_host *host;
	struct cl_hold *hold;
	struct cl_counters counters;
	const struct cl_privileged *privileged;
	struct cl_peers *peers; /* NULL: all goes through the TEP */
	struct cl_tunnel *tunnel; /* NULL: no lease */
	struct lease lease; /* with a tunnel: its own */
	int dscp;
	bool rewrite_ip_id;
	uint32_t path_mtu; /* of the IPv6 path, with a tunnel */
	int64_t used_ms; /* of the lease before, or when this one came */
	struct event *watch; /* of ports that run out */
	int64_t watched_ms; /* used_ms when it last looked */
};

static void on_demand(void *arg)
{
	struct cl_dti *dti = arg;

	dti->ops->demand(dti->ops_arg);
}

/* Came to the device between the rules and the tunnel, so the tunnel has not seen it. */
static void on_pass(void *arg, const uint8_t *packet, size_t len)
{
	struct cl_dti *dti = arg;
	struct sockaddr_in6 tep = {.sin6_family = AF_INET6, .sin6_addr = dti->lease.tep_v6};
	enum cl_counter counter = CL_TX_PACKETS;

	if (cl_inner_check(packet, len, CL_OUT, &dti->lease) != CL_PASS ||
		sendto(dti->privileged->tunnel.fds[0], packet, len, 0, (struct sockaddr *)&tep,
			sizeof(tep)) < 0)
		counter = CL_HOLD_ERROR;
	cl_counters_add(&dti->counters, counter, 1);
}

static void watch_again(struct cl_dti *dti)
{
	int64_t used_ms = cl_dti_used_ms(dti);
	struct timeval when = {.tv_sec = used_ms != dti->watched_ms ? WATCH_BUSY_S : WATCH_IDLE_S};

	dti->watched_ms = used_ms;
	event_add(dti->watch, &when);
}

/* The kernel counts a flow for which it found no port, but tells nobody. */
static void on_watch(evutil_socket_t fd, short what, void *arg)
{
	struct cl_dti *dti = arg;
	bool is_short;

	if (dti->tunnel == NULL)
		return;
	is_short = cl_host_is_short(dti->host);
	watch_again(dti);
	if (is_short)
		dti->ops->short_of_ports(dti->ops_arg);
}

static void on_unbound(void *arg)
{
	struct cl_dti *dti = arg;

	dti->ops->unbound(dti->ops_arg);
}

static void on_suspect(void *arg)
{
	struct cl_dti *dti = arg;

	dti->ops->suspect(dti->ops_arg);
}

static void on_path_mtu(void *arg, uint32_t mtu)
{
	struct cl_dti *dti = arg;

	if (mtu != dti->path_mtu)
		log_info("path: an MTU of %u", mtu);
	dti->path_mtu = mtu;
	cl_host_path_mtu(dti->host, mtu);
}

static const struct cl_tunnel_ops tunnel_ops = {
	.unbound = on_unbound,
	.suspect = on_suspect,
	.path_mtu = on_path_mtu,
};

/* Returns 0, or -errno with a sentence in why; cl_dti_close frees what is there. */
static int open_parts(struct cl_dti *dti, const struct cl_config *config, char *why)
{
	struct cl_hold_params hold = {
		.base = dti->base,
		.raw_fd = dti->privileged->hold_fd,
		.packets_max = config->hold_packets,
		.counters = &dti->counters,
		.demand = on_demand,
		.pass = on_pass,
		.arg = dti,
	};

	if (config->direct.n > 0 || config->direct_auto) {
		dti->peers = cl_peers_create();
		if (dti->peers == NULL) {
			snprintf(
				why, CL_WHY_LEN, "direct: cannot be prepared: %s", strerror(errno));
			return -ENOMEM;
		}
		cl_peers_cover(dti->peers, config->direct.items, config->direct.n);
	}
	dti->host = cl_host_open(config, dti->privileged->netns, why);
	if (dti->host == NULL)
		return -EIO;
	hold.tun = cl_host_tun(dti->host);
	hold.device = cl_host_device(dti->host);
	dti->hold = cl_hold_create(&hold);
	dti->watch = evtimer_new(dti->base, on_watch, dti);
	if (dti->hold == NULL || dti->watch == NULL) {
		snprintf(why, CL_WHY_LEN, "out of memory");
		return -ENOMEM;
	}
	return 0;
}

struct cl_dti *cl_dti_open(const struct cl_dti_params *params, char why[static CL_WHY_LEN])
{
	struct cl_dti *dti = calloc(1, sizeof(*dti));

	if (dti == NULL) {
		snprintf(why, CL_WHY_LEN, "out of memory");
		return NULL;
	}
	dti->base = params->base;
	dti->privileged = params->privileged;
	dti->ops = params->ops;
	dti->ops_arg = params->arg;
	dti->dscp = cl_config_dscp(params->config);
	dti->rewrite_ip_id = params->config->rewrite_ip_id;
	if (open_parts(dti, params->config, why) < 0) {
		cl_dti_close(dti);
		return NULL;
	}
	return dti;
}

/* The used time of a tunnel outlives it. */
static void stop_tunnel(struct cl_dti *dti)
{
	if (dti->tunnel == NULL)
		return;
	dti->used_ms = cl_dti_used_ms(dti);
	event_del(dti->watch);
	cl_tunnel_destroy(dti->tunnel);
	dti->tunnel = NULL;
}

int cl_dti_arm(struct cl_dti *dti, char why[static CL_WHY_LEN])
{
	int ret;

	cl_dti_deconfigure(dti);
	ret = cl_hold_start(dti->hold);
	if (ret < 0) {
		snprintf(why, CL_WHY_LEN, "out of memory");
		return ret;
	}
	ret = cl_host_arm(dti->host, why);
	if (ret < 0)
		cl_dti_deconfigure(dti);
	return ret;
}

static int start_tunnel(struct cl_dti *dti, const struct lease *lease, char *why)
{
	struct cl_tunnel_params params = {
		.base = dti->base,
		.tun = cl_host_tun(dti->host),
		.sockets = &dti->privileged->tunnel,
		.lease = lease,
		.counters = &dti->counters,
		.peers = dti->peers,
		.dscp = dti->dscp,
		.rewrite_ip_id = dti->rewrite_ip_id,
		.ops = &tunnel_ops,
		.arg = dti,
	};
	int ret;

	dti->tunnel = cl_tunnel_create(&params);
	if (dti->tunnel == NULL) {
		ret = -errno;
		snprintf(why, CL_WHY_LEN, "tunnel: cannot be opened: %s", strerror(-ret));
		return ret;
	}
	return 0;
}

/* Anew, or from packets that wait. */
static int bring_up(struct cl_dti *dti, const struct lease *lease, char *why)
{
	int ret;

	stop_tunnel(dti);
	ret = cl_host_lease(dti->host, lease, why);
	if (ret < 0)
		return ret;
	cl_hold_stop(dti->hold, lease->v4);
	ret = start_tunnel(dti, lease, why);
	if (ret < 0)
		return ret;
	dti->lease = *lease;
	on_path_mtu(dti, cl_path_mtu_get(&lease->client_v6, &lease->tep_v6));
	cl_hold_release(dti->hold);
	dti->used_ms = clock_boot_ms();
	watch_again(dti);
	return 0;
}

int cl_dti_configure(struct cl_dti *dti, const struct lease *lease, char why[static CL_WHY_LEN])
{
	int ret;

	if (dti->tunnel != NULL && cl_host_extends(dti->host, lease)) {
		ret = cl_host_lease(dti->host, lease, why);
		if (ret == 0)
			cl_tunnel_update(dti->tunnel, lease);
	} else {
		ret = bring_up(dti, lease, why);
	}
	if (ret < 0)
		cl_dti_deconfigure(dti);
	else
		dti->lease = *lease;
	return ret;
}

void cl_dti_deconfigure(struct cl_dti *dti)
{
	cl_host_bare(dti->host);
	stop_tunnel(dti);
	cl_hold_stop(dti->hold, 0);
	cl_hold_clear(dti->hold);
}

void cl_dti_renewed(struct cl_dti *dti, int64_t end_ms)
{
	if (dti->tunnel == NULL)
		return;
	dti->lease.end_ms = end_ms;
	cl_tunnel_update(dti->tunnel, &dti->lease);
}

void cl_dti_preferred(struct cl_dti *dti, int64_t preferred_ms)
{
	if (dti->tunnel != NULL)
		cl_host_set_lifetimes(dti->host, &dti->lease, preferred_ms);
}

int64_t cl_dti_used_ms(const struct cl_dti *dti)
{
	int64_t tunnel_ms = dti->tunnel != NULL ? cl_tunnel_used_ms(dti->tunnel) : 0;

	return tunnel_ms > dti->used_ms ? tunnel_ms : dti->used_ms;
}

void cl_dti_close(struct cl_dti *dti)
{
	if (dti == NULL)
		return;
	if (dti->host != NULL)
		cl_host_bare(dti->host);
	stop_tunnel(dti);
	cl_hold_destroy(dti->hold);
	if (dti->watch != NULL)
		event_free(dti->watch);
	cl_host_close(dti->host);
	cl_peers_destroy(dti->peers);
	free(dti);
}

const struct cl_privileged *cl_dti_privileged(const struct cl_dti *dti)
{
	return dti->privileged;
}

struct cl_peers *cl_dti_peers(const struct cl_dti *dti)
{
	return dti->peers;
}

uint32_t cl_dti_path_mtu(const struct cl_dti *dti)
{
	return dti->tunnel != NULL ? dti->path_mtu : 0;
}

const struct cl_counters *cl_dti_counters(const struct cl_dti *dti)
{
	return &dti->counters;
}

void cl_dti_count(struct cl_dti *dti, enum cl_counter counter)
{
	cl_counters_add(&dti->counters, counter, 1);
}
