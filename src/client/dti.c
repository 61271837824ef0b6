// SPDX-License-Identifier: BSD-3-Clause
#include "client/dti.h"

#include "client/napt.h"
#include "client/netif.h"
#include "client/peers.h"
#include "client/state.h"
#include "client/sysctl.h"
#include "client/tun.h"
#include "client/tunnel.h"
#include "common/clock.h"
#include "common/log.h"

#include <event2/event.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORT_RANGE_SETTING "net/ipv4/ip_local_port_range"

struct cl_dti {
	struct event_base *base;
	const struct cl_config *config;
	const struct cl_dti_ops *ops;
	void *ops_arg;
	struct cl_state_file *state;
	struct cl_leftover changed; /* what the record says at this moment */
	/* The last lease, while the kernel may still track connections of it (S19). */
	uint32_t tracked_v4; /* 0: none */
	char tracked_lease[LEASE_STRLEN];
	struct cl_counters counters;
	struct cl_tun tun;
	struct cl_tunnel_sockets sockets;
	struct cl_peers *peers; /* NULL: all goes through the TEP */
	struct cl_tunnel *tunnel; /* NULL: no lease */
	struct event *demand; /* armed: fires with the first packet; NULL: not armed */
	struct lease lease; /* with a tunnel: its own */
	int64_t used_ms; /* of the lease before, or when this one came */
};

__attribute__((format(printf, 2, 3))) static void say(
	char why[static CL_DTI_WHY_LEN], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, CL_DTI_WHY_LEN, format, args);
	va_end(args);
}

/* Restores what a record names. Tries everything; what fails is reported and forgotten. */
static void undo(const struct cl_leftover *changed)
{
	int ret;

	if (changed->port_range[0] != '\0') {
		ret = cl_sysctl_write(PORT_RANGE_SETTING, changed->port_range);
		if (ret < 0)
			log_warn("%s: cannot be restored: %s", PORT_RANGE_SETTING, strerror(-ret));
	}
	if (changed->device[0] == '\0')
		return;
	ret = cl_napt_remove(changed->device);
	if (ret < 0)
		log_warn("%s: nftables table cannot be removed: %s", changed->device,
			strerror(-ret));
}

/* The old mappings would hold their flows to an address or port that is ours no more. */
static void forget_connections(struct cl_dti *dti)
{
	int ret = dti->tracked_v4 != 0 ? cl_napt_flush(dti->tracked_v4) : 0;

	if (ret < 0)
		log_warn("%s: tracked connections remain: %s", dti->config->device, strerror(-ret));
	dti->tracked_v4 = 0;
}

/*
 * Connections live on under the same lease: after a renewal that came late, after a crash. Without a
 * table of ours nothing was translated.
 */
static void track_lease(struct cl_dti *dti, const struct cl_leftover *changed)
{
	if (strcmp(dti->tracked_lease, changed->lease) != 0)
		forget_connections(dti);
	dti->tracked_v4 = changed->device[0] != '\0' ? changed->v4 : 0;
	snprintf(dti->tracked_lease, sizeof(dti->tracked_lease), "%s", changed->lease);
}

static void strike_record(struct cl_dti *dti)
{
	int ret;

	dti->changed = (struct cl_leftover){0};
	ret = cl_state_save(dti->state, &dti->changed);
	if (ret < 0)
		log_warn("%s: cannot be written: %s", dti->config->state, strerror(-ret));
}

/* The device carries IPv4 only: the kernel's own router solicitations stay out of it. */
static void disable_v6(const char *device)
{
	char name[64];

	snprintf(name, sizeof(name), "net/ipv6/conf/%s/disable_ipv6", device);
	cl_sysctl_write(name, "1");
}

struct cl_dti *cl_dti_open(struct event_base *base, const struct cl_config *config,
	const struct cl_dti_ops *ops, void *arg, char why[static CL_DTI_WHY_LEN])
{
	struct cl_dti *dti = calloc(1, sizeof(*dti));
	int ret;

	if (dti == NULL) {
		say(why, "out of memory");
		return NULL;
	}
	dti->base = base;
	dti->config = config;
	dti->ops = ops;
	dti->ops_arg = arg;
	dti->state = cl_state_open(config->state, &dti->changed);
	if (dti->state == NULL) {
		say(why, "%s: %s", config->state,
			errno == EBUSY ? "another client runs with it" : strerror(errno));
		goto fail;
	}
	ret = cl_tunnel_open_sockets(1, &dti->sockets);
	if (ret < 0) {
		say(why, "tunnel: cannot be opened: %s", strerror(-ret));
		goto fail;
	}
	if (config->direct.n > 0) {
		dti->peers = cl_peers_create(config->direct.items, config->direct.n);
		if (dti->peers == NULL) {
			say(why, "direct: cannot be prepared: %s", strerror(errno));
			goto fail;
		}
	}
	ret = cl_tun_open(config->device, 1, &dti->tun);
	if (ret < 0) {
		say(why, "%s: device cannot be made: %s", config->device, strerror(-ret));
		goto fail;
	}
	disable_v6(config->device);
	if (dti->changed.v4 != 0) {
		log_info(
			"%s: found what an earlier client left behind, removing it", config->state);
		track_lease(dti, &dti->changed);
		undo(&dti->changed);
		strike_record(dti);
	}
	return dti;
fail:
	cl_peers_destroy(dti->peers);
	cl_tunnel_close_sockets(&dti->sockets);
	cl_state_close(dti->state);
	free(dti);
	return NULL;
}

static struct port_range largest_range(const struct lease *lease)
{
	struct port_range best = lease->ranges[0];

	for (uint32_t i = 1; i < lease->n_ranges; i++) {
		if (port_range_size(lease->ranges[i]) > port_range_size(best))
			best = lease->ranges[i];
	}
	return best;
}

/* Records what is about to be changed. */
static int record_changes(struct cl_dti *dti, const struct lease *lease)
{
	bool host = dti->config->mode == CL_MODE_HOST;
	struct cl_leftover *changed = &dti->changed;
	int ret = 0;

	*changed = (struct cl_leftover){.v4 = lease->v4};
	lease_format(lease, changed->lease);
	if (!host || !lease_is_exclusive(lease))
		snprintf(changed->device, sizeof(changed->device), "%s", dti->config->device);
	if (host && !lease_is_exclusive(lease))
		ret = cl_sysctl_read(
			PORT_RANGE_SETTING, changed->port_range, sizeof(changed->port_range));
	return ret < 0 ? ret : cl_state_save(dti->state, changed);
}

/*
 * New sockets take their ports from the lease (R49); more than one range the kernel cannot express.
 */
static int set_port_range(const struct lease *lease)
{
	struct port_range range = largest_range(lease);
	char text[32];

	snprintf(text, sizeof(text), "%u %u", range.first, range.last);
	return cl_sysctl_write(PORT_RANGE_SETTING, text);
}

static void say_netif(char why[static CL_DTI_WHY_LEN], const char *device, int ret)
{
	if (ret == -EEXIST)
		say(why, "%s: an IPv4 default route of metric %u is there", device,
			CL_ROUTE_METRIC);
	else
		say(why, "%s: cannot be brought up: %s", device, strerror(-ret));
}

static int bring_up(struct cl_dti *dti, const struct lease *lease, char why[static CL_DTI_WHY_LEN])
{
	const struct cl_config *config = dti->config;
	struct cl_netif_config netif = {
		.v4 = config->mode == CL_MODE_HOST ? lease->v4 : config->inner_v4,
		.mtu = config->mtu,
		.default_route = config->default_route,
	};
	struct cl_tunnel_params tunnel = {
		.base = dti->base,
		.tun = &dti->tun,
		.sockets = &dti->sockets,
		.lease = lease,
		.counters = &dti->counters,
		.peers = dti->peers,
	};
	int ret = record_changes(dti, lease);

	if (ret < 0) {
		say(why, "%s: cannot be written: %s", config->state, strerror(-ret));
		return ret;
	}
	dti->tunnel = cl_tunnel_create(&tunnel);
	if (dti->tunnel == NULL) {
		ret = -errno;
		say(why, "tunnel: cannot be opened: %s", strerror(-ret));
		return ret;
	}
	dti->lease = *lease;
	track_lease(dti, &dti->changed);
	if (dti->changed.device[0] != '\0')
		ret = cl_napt_apply(config->device, config->mode, lease);
	if (ret < 0) {
		say(why, "%s: nftables rules were refused", config->device);
		return ret;
	}
	if (dti->changed.port_range[0] != '\0')
		ret = set_port_range(lease);
	if (ret < 0) {
		say(why, "%s: cannot be set: %s", PORT_RANGE_SETTING, strerror(-ret));
		return ret;
	}
	ret = cl_netif_up(config->device, &netif);
	if (ret < 0)
		say_netif(why, config->device, ret);
	dti->used_ms = clock_boot_ms();
	return ret;
}

static void on_packet(evutil_socket_t fd, short what, void *arg)
{
	struct cl_dti *dti = arg;

	dti->ops->demand(dti->ops_arg);
}

static void disarm(struct cl_dti *dti)
{
	int ret;

	if (dti->demand == NULL)
		return;
	ret = cl_netif_down(dti->config->device);
	if (ret < 0)
		log_warn("%s: cannot be taken down: %s", dti->config->device, strerror(-ret));
	event_free(dti->demand);
	dti->demand = NULL;
}

int cl_dti_arm(struct cl_dti *dti, char why[static CL_DTI_WHY_LEN])
{
	const struct cl_config *config = dti->config;
	const struct cl_netif_config netif = {
		.v4 = config->inner_v4,
		.mtu = config->mtu,
		.default_route = config->default_route,
	};
	int ret;

	cl_dti_deconfigure(dti);
	dti->demand = event_new(dti->base, dti->tun.fds[0], EV_READ, on_packet, dti);
	if (dti->demand == NULL || event_add(dti->demand, NULL) < 0) {
		say(why, "out of memory");
		disarm(dti);
		return -ENOMEM;
	}
	ret = cl_netif_up(config->device, &netif);
	if (ret < 0) {
		say_netif(why, config->device, ret);
		disarm(dti);
	}
	return ret;
}

int cl_dti_configure(struct cl_dti *dti, const struct lease *lease, char why[static CL_DTI_WHY_LEN])
{
	int ret;

	cl_dti_deconfigure(dti);
	ret = bring_up(dti, lease, why);
	if (ret < 0)
		cl_dti_deconfigure(dti);
	return ret;
}

void cl_dti_deconfigure(struct cl_dti *dti)
{
	int ret;

	disarm(dti);
	if (dti->changed.v4 == 0)
		return;
	ret = cl_netif_down(dti->config->device);
	if (ret < 0)
		log_warn("%s: cannot be taken down: %s", dti->config->device, strerror(-ret));
	undo(&dti->changed);
	cl_tunnel_destroy(dti->tunnel);
	dti->tunnel = NULL;
	strike_record(dti);
}

void cl_dti_renewed(struct cl_dti *dti, int64_t end_ms)
{
	if (dti->tunnel == NULL)
		return;
	dti->lease.end_ms = end_ms;
	cl_tunnel_update(dti->tunnel, &dti->lease);
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
	cl_dti_deconfigure(dti);
	forget_connections(dti);
	cl_tun_close(&dti->tun);
	cl_tunnel_close_sockets(&dti->sockets);
	cl_peers_destroy(dti->peers);
	cl_state_close(dti->state);
	free(dti);
}

struct cl_peers *cl_dti_peers(const struct cl_dti *dti)
{
	return dti->peers;
}

const struct cl_counters *cl_dti_counters(const struct cl_dti *dti)
{
	return &dti->counters;
}
