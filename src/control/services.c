// SPDX-License-Identifier: BSD-3-Clause
#include "control/services.h"

#include "common/clock.h"
#include "common/log.h"
#include "control/ask.h"
#include "control/ctl_socket.h"
#include "control/announce.h"
#include "control/dormant.h"
#include "control/host.h"
#include "control/metrics.h"
#include "control/session.h"
#include "control/reach.h"
#include "control/restore.h"
#include "control/telemetry.h"
#include "tsp/tsp_tls.h"

#include <errno.h>
#include <event2/event.h>
#include <rte_ethdev.h>
#include <stdlib.h>
#include <string.h>

struct tep_services {
	struct tep *tep;
	struct event_base *base;
	struct tep_host *host;
	struct ssl_ctx_st *tls; /* of the sessions; NULL: none */
	struct tep_announce *announce; /* NULL: none */
	struct tep_snapshot *snapshot; /* NULL: none */
	struct tep_dormant dormant;
	struct tep_sessions *sessions;
	struct tep_learn *learn; /* NULL: none */
	struct tep_ask *ask; /* NULL: servers are not asked, and nothing is learnt */
	struct tep_ctl_socket *ctl;
	struct tep_view view;
	struct monitor *monitor; /* NULL: none */
	struct tep_telemetry *telemetry;
	struct tep_server_params servers[TEP_SERVERS_MAX];
};

/* The datapath's seconds are those of this clock. */
static int64_t now_ms(void *arg)
{
	return clock_boot_ms();
}

static struct tep_twin_params twin_params(
	const struct tep *tep, uint32_t side, const char *name, uint32_t mtu)
{
	struct tep_twin_params twin = {.name = name, .port = tep->numbers[side], .mtu = mtu};

	rte_eth_macaddr_get(tep->ports[side], &twin.mac);
	return twin;
}

static int create_host(struct tep_services *services)
{
	struct tep *tep = services->tep;
	const struct tep_config *config = tep->config;
	struct tep_host_params params = {
		.base = services->base,
		.punt = tep->punt,
		.nexthops = tep->nexthops,
		.datapath = tep->datapath,
		.max_routes = {config->neighbor.max_routes_v4, config->neighbor.max_routes_v6},
		.max_neighbours = config->neighbor.max_neighbours,
		.max_ways = tep_config_max_ways(&config->neighbor),
		.pool = tep->pools[0],
		.n_twins = tep->numbers[0] == tep->numbers[1] ? 1 : 2,
	};

	if (config->neighbor.mode != TEP_NEIGHBOR_KERNEL)
		return 0;
	if (config->neighbor.answer_arp)
		dp_pools_init(&params.answer_arp, config->pools.items, config->pools.n);
	params.twins[0] = twin_params(tep, 0, config->neighbor.twin_v6, config->ports.mtu_v6);
	params.twins[1] = twin_params(tep, 1, config->neighbor.twin_v4, config->ports.mtu_v4);
	services->host = tep_host_create(&params);
	return services->host == NULL ? -errno : 0;
}

static int restore_bindings(struct tep_services *services)
{
	if (services->tep->config->bindings.snapshot == NULL)
		return 0;
	services->snapshot = tep_restore_bindings(services->tep);
	return services->snapshot == NULL ? -errno : 0;
}

static int create_announce(struct tep_services *services)
{
	const struct tep_config *config = services->tep->config;
	const struct tep_config_announce *keys = &config->announce;
	const struct tep_announce_params params = {
		.pools = config->pools.items,
		.n_pools = keys->pools ? config->pools.n : 0,
		.tunnel_v6 = tep_config_tunnel_v6(config),
		.n_tunnel_v6 = keys->tunnel ? config->tunnel.v6.n : 0,
		.metric = keys->metric,
	};

	if (!keys->pools && !keys->tunnel)
		return 0;
	services->announce = tep_announce_create(&params);
	return services->announce == NULL ? -errno : 0;
}

static int create_tls(struct tep_services *services)
{
	const struct tsp_tls_params params = {.files = &services->tep->config->control.tls,
		.is_responder = true,
		.demands = true};
	char error[TSP_TLS_ERROR_LEN];

	if (params.files->certificate == NULL)
		return 0;
	services->tls = tsp_tls_create(&params, error);
	if (services->tls != NULL)
		return 0;
	log_err("control.%s", error);
	return -EINVAL;
}

static int create_sessions(struct tep_services *services)
{
	struct tep *tep = services->tep;
	const struct tep_config_control *control = &tep->config->control;
	const struct tep_config_server *servers = control->servers.items;
	struct tep_sessions_params params = {
		.base = services->base,
		.listen = control->listen,
		.servers = services->servers,
		.n_servers = control->servers.n,
		.sync = {.table = tep->bindings,
			.tep_v6 = tep_config_tunnel_v6(tep->config),
			.n_tep_v6 = tep->config->tunnel.v6.n,
			.tep_v4 = tep->config->tunnel.v4},
		.now_ms = now_ms,
	};

	int ret = create_tls(services);

	if (ret < 0 || !control->has_listen)
		return ret;
	params.tls = services->tls;
	if (control->servers.n > TEP_SERVERS_MAX) {
		log_err("control.servers: more than %u", TEP_SERVERS_MAX);
		return -E2BIG;
	}
	for (uint32_t i = 0; i < control->servers.n; i++)
		services->servers[i] = (struct tep_server_params){
			.name = servers[i].name, .password = servers[i].password};
	services->sessions = tep_sessions_create(&params);
	return services->sessions == NULL ? -errno : 0;
}

static int create_learn(struct tep_services *services)
{
	const struct tep *tep = services->tep;
	const struct tep_config_learn *keys = &tep->config->learn;
	const struct tep_learn_params params = {
		.table = tep->bindings,
		.clients = keys->clients.items,
		.n_clients = keys->clients.n,
		.tep_v6 = tep_config_tunnel_v6(tep->config),
		.n_tep_v6 = tep->config->tunnel.v6.n,
		.block = keys->block,
		.lifetime_s = keys->lifetime_s,
		.max = keys->max,
	};

	if (keys->mode != TEP_LEARN_OPEN)
		return 0;
	services->learn = tep_learn_create(&params);
	log_warn("learn.mode: open: any node of learn.clients can take any address and port of "
		 "pools that nobody has, and what is sent to it");
	return services->learn == NULL ? -ENOMEM : 0;
}

static int create_ask(struct tep_services *services)
{
	const struct tep *tep = services->tep;
	const struct tep_config_query *query = &tep->config->query;
	const struct tep_ask_params params = {
		.base = services->base,
		.ring = tep->ask,
		.bindings = tep->bindings,
		.sessions = services->sessions,
		.learn = services->learn,
		.negative_ms = query->negative_s * 1000,
		.questions = {.rate = query->rate,
			.hold_packets = query->hold_packets,
			.hold_per_question = query->hold_per_question,
			.hold_ms = query->hold_ms,
			.n_servers = tep->config->control.servers.n},
	};

	if (tep->ask == NULL)
		return 0;
	services->ask = tep_ask_create(&params);
	return services->ask == NULL ? -ENOMEM : 0;
}

static int create_ctl(struct tep_services *services)
{
	const char *path = services->tep->config->control.socket;

	if (path == NULL)
		return 0;
	services->ctl = tep_ctl_socket_create(
		services->base, services->tep, services->host, services->sessions, services->ask);
	if (services->ctl == NULL) {
		log_err("control socket %s: %s", path, strerror(errno));
		return -errno;
	}
	return 0;
}

static int create_monitor(struct tep_services *services)
{
	const struct monitor_config *config = &services->tep->config->metrics;

	services->view = (struct tep_view){.tep = services->tep,
		.host = services->host,
		.sessions = services->sessions,
		.ask = services->ask,
		.announce = services->announce};
	services->telemetry = tep_telemetry_create(services->base, &services->view);
	if (services->telemetry == NULL)
		return -errno;
	if (!config->has_listen)
		return 0;
	services->monitor = monitor_create(
		services->base, config, &tep_metrics_ops, &services->view);
	return services->monitor == NULL ? -errno : 0;
}

struct tep_services *tep_services_create(struct tep *tep, struct event_base *base)
{
	struct tep_services *services = calloc(1, sizeof(*services));
	int error = -ENOMEM;

	if (services != NULL) {
		services->tep = tep;
		services->base = base;
		error = create_host(services);
	}
	if (error == 0)
		error = create_announce(services);
	if (error == 0)
		error = restore_bindings(services);
	if (error == 0)
		error = create_sessions(services);
	if (error == 0)
		error = create_learn(services);
	if (error == 0)
		error = create_ask(services);
	if (error == 0)
		error = create_ctl(services);
	if (error == 0)
		error = create_monitor(services);
	if (error == 0)
		return services;
	log_err("control: cannot start: %s", strerror(-error));
	tep_services_destroy(services);
	return NULL;
}

/* What has been carried so far, of the traffic that the routes bring. */
static uint64_t forwarded_packets(const struct tep *tep)
{
	struct dp_counters counters;

	dp_datapath_counters(tep->datapath, &counters);
	return counters.packets[DP_COUNT_DECAPSULATED] + counters.packets[DP_COUNT_ENCAPSULATED] +
	       counters.packets[DP_COUNT_FORWARDED_V4] + counters.packets[DP_COUNT_FORWARDED_V6];
}

static void look_at_drain(struct tep_services *services, int64_t now)
{
	struct tep *tep = services->tep;

	if (!tep->drain.is_draining)
		return;
	tep->ready.is_draining = true;
	if (!tep_drain_look(&tep->drain, forwarded_packets(tep), now))
		return;
	log_info("drained: stopping");
	event_base_loopbreak(services->base);
}

void tep_services_look(struct tep_services *services)
{
	const int64_t now = clock_boot_ms();
	struct tep_server_status rows[TEP_SERVERS_MAX];
	struct tep *tep = services->tep;
	uint32_t n = 0;

	if (services->sessions != NULL)
		n = tep_sessions_status(services->sessions, rows, TEP_SERVERS_MAX);
	tep_ready_look(&tep->ready, rows, n, now);
	tep->ready.unreached = tep_reach_lacking(
		&tep->config->ready, tep->nexthops, tep->ready.unreached_text);
	tep_dormant_look(&services->dormant, &tep->ready, tep->bindings);
	look_at_drain(services, now);
	if (services->announce != NULL)
		tep_announce_set(
			services->announce, tep_ready_state(&tep->ready) == TEP_READY, now);
}

void tep_services_destroy(struct tep_services *services)
{
	if (services == NULL)
		return;
	monitor_destroy(services->monitor);
	tep_telemetry_destroy(services->telemetry);
	tep_announce_destroy(services->announce);
	tep_ctl_socket_destroy(services->ctl);
	tep_ask_destroy(services->ask);
	tep_learn_destroy(services->learn);
	tep_sessions_destroy(services->sessions);
	tep_snapshot_close(services->snapshot);
	tsp_tls_destroy(services->tls);
	tep_host_destroy(services->host);
	free(services);
}
