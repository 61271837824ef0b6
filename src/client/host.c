// SPDX-License-Identifier: BSD-3-Clause
#include "client/host.h"

#include "client/conntrack.h"
#include "client/local_ports.h"
#include "client/napt.h"
#include "client/netif.h"
#include "client/netns.h"
#include "client/path_mtu.h"
#include "client/state.h"
#include "client/sysctl.h"
#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORWARD_SETTING "net/ipv4/ip_forward"

enum host_state {
	HOST_BARE,
	HOST_ARMED,
	HOST_LEASED,
};

struct cl_host {
	const struct cl_config *config;
	struct cl_netns *netns;
	enum host_state state;
	struct lease lease; /* LEASED */
	struct cl_state_file *file;
	struct cl_leftover changed; /* what the record says at this moment */
	/* The last lease, while the kernel may still track connections of it (S19). */
	uint32_t tracked_v4; /* 0: none */
	char tracked_lease[LEASE_STRLEN];
	uint64_t failures; /* cl_conntrack_failures() when it was asked last */
	struct cl_tun tun;
	unsigned int index;
};

/* What a call into the namespace is about. */
struct job {
	struct cl_host *host;
	const struct lease *lease;
	char *why;
};

__attribute__((format(printf, 2, 3))) static void say(char *why, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, CL_WHY_LEN, format, args);
	va_end(args);
}

/* Restores what a record names. Tries everything; what fails is reported and forgotten. */
static int undo(void *arg)
{
	const struct cl_leftover *changed = arg;
	int ret;

	if (changed->device[0] == '\0')
		return 0;
	if (changed->port_range[0] != '\0') {
		ret = cl_local_ports_restore(changed->port_range);
		if (ret < 0)
			log_warn("%s: cannot be restored: %s", CL_LOCAL_PORTS, strerror(-ret));
	}
	ret = cl_napt_remove(changed->device);
	if (ret < 0)
		log_warn("%s: nftables table cannot be removed: %s", changed->device,
			strerror(-ret));
	return 0;
}

/* The old mappings would hold their flows to an address or port that is ours no more. */
static void forget_connections(struct cl_host *host)
{
	int ret = host->tracked_v4 != 0 ? cl_conntrack_flush(host->tracked_v4) : 0;

	if (ret < 0)
		log_warn(
			"%s: tracked connections remain: %s", host->config->device, strerror(-ret));
	host->tracked_v4 = 0;
}

/* Connections live on under the same lease: after a renewal that came late, after a crash. */
static void track_lease(struct cl_host *host, const struct cl_leftover *changed, bool extends)
{
	if (!extends && strcmp(host->tracked_lease, changed->lease) != 0)
		forget_connections(host);
	host->tracked_v4 = changed->v4;
	snprintf(host->tracked_lease, sizeof(host->tracked_lease), "%s", changed->lease);
}

static int save_record(struct cl_host *host, char *why)
{
	int ret = cl_state_save(host->file, &host->changed);

	if (ret < 0)
		say(why, "%s: cannot be written: %s", host->config->state, strerror(-ret));
	return ret;
}

static void strike_record(struct cl_host *host)
{
	char why[CL_WHY_LEN];

	host->changed = (struct cl_leftover){0};
	if (save_record(host, why) < 0)
		log_warn("%s", why);
}

/* Of what a record names, all but the lease and the sysctl. */
static void begin_record(struct cl_host *host)
{
	const struct cl_config *config = host->config;

	snprintf(host->changed.device, sizeof(host->changed.device), "%s", config->device);
	snprintf(host->changed.netns, sizeof(host->changed.netns), "%s",
		config->netns != NULL ? config->netns : "");
}

/* What an earlier client left may be in another namespace than ours. */
static void clean_up(struct cl_host *host)
{
	const char *own = host->config->netns != NULL ? host->config->netns : "";
	struct cl_leftover found = host->changed;
	bool is_ours = strcmp(found.netns, own) == 0;
	struct cl_netns *netns;

	if (found.device[0] == '\0')
		return;
	log_info("%s: found what an earlier client left behind, removing it", host->config->state);
	if (found.v4 != 0 && is_ours)
		track_lease(host, &found, false);
	if (is_ours) {
		cl_netns_call(host->netns, undo, &found);
	} else {
		netns = cl_netns_open(found.netns[0] != '\0' ? found.netns : NULL);
		/* A namespace that is gone took all with it. */
		if (netns != NULL)
			cl_netns_call(netns, undo, &found);
		cl_netns_close(netns);
	}
	strike_record(host);
}

/* The device carries IPv4 only: the kernel's own router solicitations stay out of it. */
static void disable_v6(const char *device)
{
	char name[64];

	snprintf(name, sizeof(name), "net/ipv6/conf/%s/disable_ipv6", device);
	cl_sysctl_write(name, "1");
}

static int open_device(void *arg)
{
	struct cl_host *host = arg;
	int ret = cl_tun_open(host->config->device, host->config->queues, &host->tun);

	if (ret < 0)
		return ret;
	disable_v6(host->config->device);
	host->index = if_nametoindex(host->config->device);
	return 0;
}

struct cl_host *cl_host_open(
	const struct cl_config *config, struct cl_netns *netns, char why[static CL_WHY_LEN])
{
	struct cl_host *host = calloc(1, sizeof(*host));
	int ret;

	if (host == NULL) {
		say(why, "out of memory");
		return NULL;
	}
	host->config = config;
	host->netns = netns;
	host->file = cl_state_open(config->state, &host->changed);
	if (host->file == NULL) {
		say(why, "%s: %s", config->state,
			errno == EBUSY ? "another client runs with it" : strerror(errno));
		goto fail;
	}
	ret = cl_netns_call(host->netns, open_device, host);
	if (ret < 0) {
		say(why, "%s: device cannot be made: %s", config->device, strerror(-ret));
		goto fail;
	}
	clean_up(host);
	return host;
fail:
	cl_state_close(host->file);
	free(host);
	return NULL;
}

static int take_down(void *arg)
{
	struct cl_host *host = arg;
	int ret = cl_netif_down(host->config->device);

	if (ret < 0)
		log_warn("%s: cannot be taken down: %s", host->config->device, strerror(-ret));
	return undo(&host->changed);
}

void cl_host_bare(struct cl_host *host)
{
	if (host->changed.device[0] == '\0')
		return;
	cl_netns_call(host->netns, take_down, host);
	host->state = HOST_BARE;
	strike_record(host);
}

static int forget(void *arg)
{
	forget_connections(arg);
	return 0;
}

void cl_host_close(struct cl_host *host)
{
	if (host == NULL)
		return;
	cl_host_bare(host);
	cl_netns_call(host->netns, forget, host);
	cl_tun_close(&host->tun);
	cl_state_close(host->file);
	free(host);
}

static struct cl_napt napt_of(const struct cl_host *host)
{
	const struct cl_config *config = host->config;

	return (struct cl_napt){
		.device = config->device,
		.mode = config->mode,
		.inner_v4 = config->inner_v4,
		.has_before = config->on_demand,
		.forwards = config->forwards.items,
		.n_forwards = config->forwards.n,
	};
}

/* lease: NULL before one. */
static int raise_device(struct cl_host *host, const struct lease *lease, char *why)
{
	const struct cl_config *config = host->config;
	struct cl_netif_config netif = {
		.v4 = config->inner_v4,
		.mtu = config->mtu != 0 ? config->mtu : cl_path_mtu_device(CL_PATH_MTU_DEFAULT),
		.default_route = config->default_route,
	};
	int ret;

	if (lease != NULL && config->mode == CL_MODE_HOST) {
		netif.v4 = lease->v4;
		netif.before_v4 = config->on_demand ? config->inner_v4 : 0;
	}
	ret = cl_netif_up(config->device, &netif, host->state != HOST_BARE);
	if (ret == -EEXIST)
		say(why, "%s: an IPv4 default route of metric %u is there", config->device,
			CL_ROUTE_METRIC);
	else if (ret < 0)
		say(why, "%s: cannot be brought up: %s", config->device, strerror(-ret));
	return ret;
}

static int apply_rules(struct cl_host *host, const struct lease *lease, char *why)
{
	struct cl_napt napt = napt_of(host);
	int ret = cl_napt_apply(&napt, lease);

	if (ret < 0)
		say(why, "%s: nftables rules were refused", host->config->device);
	return ret;
}

static int arm(void *arg)
{
	struct job *job = arg;
	int ret = apply_rules(job->host, NULL, job->why);

	return ret == 0 ? raise_device(job->host, NULL, job->why) : ret;
}

/* Carries one job out, with what it is going to change recorded. */
static int change(
	struct cl_host *host, int (*work)(void *arg), const struct lease *lease, char *why)
{
	struct job job = {.host = host, .lease = lease, .why = why};
	int ret = save_record(host, why);

	if (ret == 0)
		ret = cl_netns_call(host->netns, work, &job);
	if (ret < 0)
		cl_host_bare(host);
	return ret;
}

int cl_host_arm(struct cl_host *host, char why[static CL_WHY_LEN])
{
	int ret;

	cl_host_bare(host);
	begin_record(host);
	ret = change(host, arm, NULL, why);
	if (ret == 0)
		host->state = HOST_ARMED;
	return ret;
}

static bool sets_port_range(const struct cl_host *host, const struct lease *lease)
{
	return host->config->mode == CL_MODE_HOST && !lease_is_exclusive(lease);
}

static int lease(void *arg)
{
	struct job *job = arg;
	struct cl_host *host = job->host;
	int ret;

	track_lease(host, &host->changed, cl_host_extends(host, job->lease));
	ret = apply_rules(host, job->lease, job->why);
	if (ret == 0 && sets_port_range(host, job->lease)) {
		ret = cl_local_ports_set(job->lease);
		if (ret < 0)
			say(job->why, "%s: cannot be set: %s", CL_LOCAL_PORTS, strerror(-ret));
	}
	/* Not known: then a first failure is not seen. */
	if (cl_conntrack_failures(&host->failures) < 0)
		host->failures = UINT64_MAX;
	return ret == 0 ? raise_device(host, job->lease, job->why) : ret;
}

static int read_port_range(void *arg)
{
	struct cl_leftover *changed = arg;

	return cl_local_ports_read(changed->port_range, sizeof(changed->port_range));
}

static int forwards_elsewhere(void *arg)
{
	const struct cl_config *config = arg;
	const struct cl_forward *forwards = config->forwards.items;
	char text[CL_SYSCTL_MAX];

	if (cl_sysctl_read(FORWARD_SETTING, text, sizeof(text)) < 0 || strcmp(text, "0") != 0)
		return 0;
	for (uint32_t i = 0; i < config->forwards.n; i++) {
		if (forwards[i].to_v4 != 0)
			return 1;
	}
	return 0;
}

static void report_forwards(struct cl_host *host, const struct lease *lease)
{
	const struct cl_forward *forwards = host->config->forwards.items;
	uint16_t ports[CL_FORWARDS_MAX];

	cl_forward_assign(forwards, host->config->forwards.n, lease, ports);
	for (uint32_t i = 0; i < host->config->forwards.n; i++) {
		if (ports[i] != 0)
			continue;
		if (forwards[i].port != 0)
			log_warn("forward: the lease does not have %s port %u",
				cl_protocol_names[forwards[i].protocol], forwards[i].port);
		else
			log_warn("forward to %s: the lease has no port left", forwards[i].to);
	}
	if (cl_netns_call(host->netns, forwards_elsewhere, (void *)host->config) != 0)
		log_warn("forward: %s is 0, so other hosts cannot be reached", FORWARD_SETTING);
}

int cl_host_lease(struct cl_host *host, const struct lease *new, char why[static CL_WHY_LEN])
{
	int ret = 0;

	if (host->state == HOST_LEASED && !cl_host_extends(host, new))
		cl_host_bare(host);
	begin_record(host);
	host->changed.v4 = new->v4;
	lease_format(new, host->changed.lease);
	if (sets_port_range(host, new) && host->changed.port_range[0] == '\0')
		ret = cl_netns_call(host->netns, read_port_range, &host->changed);
	if (ret < 0) {
		say(why, "%s: cannot be read: %s", CL_LOCAL_PORTS, strerror(-ret));
		cl_host_bare(host);
		return ret;
	}
	ret = change(host, lease, new, why);
	if (ret < 0)
		return ret;
	host->state = HOST_LEASED;
	host->lease = *new;
	report_forwards(host, new);
	return 0;
}

/* Ranges of one lease do not overlap, so each that is still there is inside one of the new lease. */
static bool has_range(const struct lease *lease, struct port_range range)
{
	for (uint32_t i = 0; i < lease->n_ranges; i++) {
		if (lease->ranges[i].first <= range.first && lease->ranges[i].last >= range.last)
			return true;
	}
	return false;
}

bool cl_host_extends(const struct cl_host *host, const struct lease *lease)
{
	const struct lease *old = &host->lease;

	if (host->state != HOST_LEASED || old->v4 != lease->v4 ||
		!addr_v6_equal(&old->client_v6, &lease->client_v6) ||
		!addr_v6_equal(&old->tep_v6, &lease->tep_v6))
		return false;
	for (uint32_t i = 0; i < old->n_ranges; i++) {
		if (!has_range(lease, old->ranges[i]))
			return false;
	}
	return true;
}

const struct cl_tun *cl_host_tun(const struct cl_host *host)
{
	return &host->tun;
}

unsigned int cl_host_device(const struct cl_host *host)
{
	return host->index;
}

static uint32_t smallest_range(const struct lease *lease)
{
	uint32_t smallest = UINT32_MAX;

	for (uint32_t i = 0; i < lease->n_ranges; i++) {
		if (port_range_size(lease->ranges[i]) < smallest)
			smallest = port_range_size(lease->ranges[i]);
	}
	return smallest;
}

static int look_for_shortage(void *arg)
{
	struct cl_host *host = arg;
	uint64_t before = host->failures;
	uint32_t n = 0;

	if (cl_conntrack_failures(&host->failures) < 0 || host->failures <= before ||
		cl_conntrack_count(host->lease.v4, &n) < 0)
		return 0;
	log_debug("%s: flows without a port: %" PRIu64 ", %u of ours are tracked",
		host->config->device, host->failures - before, n);
	return n >= smallest_range(&host->lease);
}

bool cl_host_is_short(struct cl_host *host)
{
	return host->state == HOST_LEASED && host->config->mode == CL_MODE_NAPT &&
	       cl_netns_call(host->netns, look_for_shortage, host) != 0;
}

struct mtu_job {
	const char *device;
	uint32_t mtu;
};

static int set_mtu(void *arg)
{
	const struct mtu_job *job = arg;

	return cl_netif_set_mtu(job->device, job->mtu);
}

void cl_host_path_mtu(struct cl_host *host, uint32_t path_mtu)
{
	struct mtu_job job = {host->config->device, cl_path_mtu_device(path_mtu)};
	int ret = host->config->mtu == 0 ? cl_netns_call(host->netns, set_mtu, &job) : 0;

	if (ret < 0)
		log_warn("%s: MTU %u cannot be set: %s", job.device, job.mtu, strerror(-ret));
}

struct lifetimes {
	const char *device;
	uint32_t v4, preferred_s, valid_s;
};

static int set_lifetimes(void *arg)
{
	const struct lifetimes *times = arg;

	return cl_netif_set_lifetimes(times->device, times->v4, times->preferred_s, times->valid_s);
}

/* Rounded up: it is we who take the address away, and the kernel only if we are not there any more. */
static uint32_t seconds_until(int64_t when_ms, int64_t now_ms)
{
	return when_ms > now_ms ? (uint32_t)((when_ms - now_ms + 999) / 1000) : 0;
}

void cl_host_set_lifetimes(struct cl_host *host, const struct lease *lease, int64_t preferred_ms)
{
	int64_t now_ms = clock_boot_ms();
	struct lifetimes times = {
		.device = host->config->device,
		.v4 = lease->v4,
		.preferred_s = seconds_until(preferred_ms, now_ms),
		.valid_s = seconds_until(lease->end_ms, now_ms),
	};
	int ret;

	if (host->state != HOST_LEASED || host->config->mode != CL_MODE_HOST || times.valid_s == 0)
		return;
	ret = cl_netns_call(host->netns, set_lifetimes, &times);
	if (ret < 0)
		log_warn("%s: the address's lifetimes cannot be set: %s", times.device,
			strerror(-ret));
}
