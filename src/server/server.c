// SPDX-License-Identifier: BSD-3-Clause
#include "server/server.h"

#include "common/clock.h"
#include "common/log.h"
#include "server/ctl_socket.h"
#include "server/metrics.h"
#include "server/notices.h"
#include "server/server_impl.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#define PARSER_FINISH_MS   1000 /* how long the end waits for messages that the parser has */
#define PARSER_PATIENCE_MS 5000 /* how long a parser may read one batch of messages */
#define TICK_MS            100 /* how late a lease may end */
#define TEP_BACKLOG_MAX    512 /* requests under way to a TEP at which no more leases end */
#define STORE_BACKLOG_MAX  4096 /* the same of changes to the store */
#define CONFIRM_S          30 /* how long a generation 2 client may take to accept */

/* --- time ---------------------------------------------------------------------------------------- */

/* What ends by the thousand waits for the TEPs and the disk: requests of clients come in between. */
static bool has_room(const struct srv_server *server)
{
	for (uint32_t i = 0; i < server->fleet.n; i++) {
		const struct srv_tep_link *link = server->fleet.teps[i].link;

		if (link != NULL && srv_tep_link_backlog(link) > TEP_BACKLOG_MAX)
			return false;
	}
	return srv_writer_backlog(server->writer) <= STORE_BACKLOG_MAX;
}

static const struct timeval tick_period = {.tv_usec = TICK_MS * 1000};

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval soon = {.tv_usec = 1000};
	struct srv_server *server = arg;
	int64_t now_ms = clock_boot_ms();

	if (has_room(server))
		srv_engine_tick(server->engine, now_ms);
	srv_fleet_sweep(&server->fleet, server->engine);
	srv_notices_look(server);
	if (server->dhcp6 != NULL)
		srv_dhcp6_service_tick(server->dhcp6, now_ms);
	evtimer_add(
		server->tick, srv_engine_next_ms(server->engine) <= now_ms ? &soon : &tick_period);
}

/* --- start --------------------------------------------------------------------------------------- */

struct srv_engine_params srv_server_engine_params(struct srv_server *server)
{
	const struct srv_config *config = &server->config;

	return (struct srv_engine_params){
		.policy = {.lifetime_s = config->lease.lifetime_s,
			.lifetime_min_s = config->lease.lifetime_min_s,
			.require_peer_address = config->auth.require_peer_address,
			.allow = &config->clients.allow},
		.quota = server->quota,
		.quarantine_s = config->lease.quarantine_s,
		.more_ports = config->lease.more_ports,
		.redirect = config->redirect.when,
		.brokers = config->redirect.brokers.items,
		.n_brokers = config->redirect.brokers.n,
		.confirm_s = CONFIRM_S,
		.tep_queries_per_s = config->limits.tep_queries_per_second,
		.pools = server->pools.items,
		.n_pools = server->pools.n,
		.teps = server->fleet.engine_teps,
		.n_teps = server->fleet.n,
		.ops = &srv_server_engine_ops,
		.arg = server,
		.counters = &server->counters,
	};
}

static int set_auth(struct srv_server *server)
{
	struct srv_auth_files files;
	struct config_error error;
	int ret = srv_auth_load(&server->config, &files, &error);

	if (ret < 0)
		log_err("%s", error.text);
	else
		srv_auth_set(&server->auth, &server->config, &files);
	return ret;
}

/* TEPs and pools of an empty server: a change of everything. */
static int create_plan(struct srv_server *server)
{
	static const struct srv_pool_set no_pools;
	struct srv_fleet_change change;
	int ret;

	server->fleet.link = (struct srv_tep_link_params){
		.base = server->base,
		.parser = server->parser,
		.ops = &srv_server_link_ops,
		.arg = server,
		.counters = &server->counters,
		.tls = &server->auth.dial_tls,
	};
	ret = srv_fleet_prepare(&server->fleet, &server->config, &change);
	if (ret < 0)
		return ret;
	ret = srv_pool_set_make(&server->pools, &server->config, change.numbers, &no_pools, NULL);
	if (ret == 0)
		srv_fleet_commit(&server->fleet, &server->config, &change);
	srv_fleet_abandon(&change);
	return ret;
}

static int create_engine(struct srv_server *server)
{
	struct srv_engine_params params = srv_server_engine_params(server);

	server->engine = srv_engine_create(&params);
	return server->engine != NULL ? 0 : -ENOMEM;
}

/* What a walk through the store has found. */
struct resumption {
	struct srv_server *server;
	int64_t now_ms;
	int64_t utc_ms;
	uint32_t taken;
	int error;
};

static void resume(void *arg, const struct srv_store_record *record)
{
	struct resumption *resumption = arg;
	int64_t until_ms = resumption->now_ms + record->until_utc_ms - resumption->utc_ms;
	int ret = srv_engine_resume(
		resumption->server->engine, record, until_ms, resumption->now_ms);

	srv_records_resume(resumption->server->records, resumption->server->engine, record,
		resumption->server->config.lease.quarantine_s);
	if (ret == 0)
		resumption->taken++;
	else
		resumption->error = ret;
}

static int open_records(struct srv_server *server)
{
	if (server->config.records.file == NULL)
		return 0;
	server->records = srv_records_create(&server->config.records);
	return server->records != NULL ? 0 : -errno;
}

static void warn_of_homeless(const struct srv_server *server)
{
	uint32_t n = srv_engine_homeless(server->engine);

	if (n > 0)
		log_warn("store %s: %u leases live to their ends without a pool: none has their "
			 "addresses",
			server->config.store, n);
}

static int open_store(struct srv_server *server)
{
	struct resumption resumption = {
		.server = server,
		.now_ms = clock_boot_ms(),
		.utc_ms = clock_utc_ms(),
	};
	char error[SRV_STORE_ERROR_SIZE];
	struct srv_store *store = srv_store_sqlite_open(server->config.store, error);

	if (store == NULL) {
		log_err("store: %s", error);
		return -EIO;
	}
	if (store->ops->load(store, resume, &resumption) < 0) {
		log_err("store: %s", store->error);
		resumption.error = -EIO;
	}
	if (resumption.error == 0)
		srv_records_start(server->records);
	if (resumption.error == 0) {
		server->writer = srv_writer_create(server->base, store,
			srv_records_recorder(server->records), srv_server_stored, server);
		if (server->writer == NULL)
			resumption.error = -errno;
	}
	if (resumption.error < 0) {
		store->ops->close(store);
		return resumption.error;
	}
	log_info("store %s: %u leases taken up", server->config.store, resumption.taken);
	warn_of_homeless(server);
	return 0;
}

struct tsp_conn_limits srv_server_conn_limits(const struct srv_config *config)
{
	struct tsp_conn_limits limits = tsp_conn_default_limits;

	limits.auth_timeout_s = config->limits.auth_timeout_s;
	limits.message_timeout_s = config->limits.message_timeout_s;
	limits.auth_attempts = config->limits.auth_attempts;
	return limits;
}

static void on_parser_event(void *arg, enum tsp_parser_event event)
{
	struct srv_server *server = arg;

	switch (event) {
	case TSP_PARSER_HUNG:
		log_warn("parser: says nothing, and is killed");
		break;
	case TSP_PARSER_DIED:
		server->counters.n[SRV_COUNT_PARSER_DEATHS]++;
		log_warn("parser: died, another one takes over");
		break;
	case TSP_PARSER_DEADLY:
		server->counters.n[SRV_COUNT_PARSER_DEADLY]++;
		break;
	case TSP_PARSER_LOST:
		log_err("parser: is gone and cannot be replaced");
		server->has_failed = true;
		event_base_loopbreak(server->base);
		break;
	}
}

static int start_parsing(struct srv_server *server)
{
	const struct tsp_parser_params params = {
		.base = server->base,
		.control = server->parser_control,
		.patience_ms = PARSER_PATIENCE_MS,
		.event = on_parser_event,
		.arg = server,
	};

	server->parser = tsp_parser_create(&params);
	return server->parser != NULL ? 0 : -errno;
}

static int start_listening(struct srv_server *server)
{
	const struct srv_listener_params params = {
		.base = server->base,
		.auth = &server->auth,
		.parser = server->parser,
		.engine = server->engine,
		.counters = &server->counters,
		.limits = srv_server_conn_limits(&server->config),
		.connections_max = server->config.limits.connections,
		.unauthenticated_max = server->config.limits.unauthenticated,
		.gate = server->gate,
	};

	struct srv_doors_change change;
	struct config_error error;
	int ret;

	server->listener = srv_listener_create(&params);
	if (server->listener == NULL)
		return -errno;
	ret = srv_doors_prepare(
		srv_listener_doors(server->listener), &server->config, &change, &error);
	if (ret < 0)
		log_err("%s", error.text);
	else
		srv_doors_commit(srv_listener_doors(server->listener), &change);
	return ret;
}

static int start_dhcp6(struct srv_server *server)
{
	const struct srv_dhcp6_service_params params = {
		.base = server->base,
		.config = &server->config,
		.engine = server->engine,
		.counters = &server->counters,
		.sockets = server->dhcp6_sockets,
		.links = server->dhcp6_links,
	};

	if (server->dhcp6_sockets == NULL)
		return 0;
	server->dhcp6 = srv_dhcp6_service_create(&params);
	return server->dhcp6 != NULL ? 0 : -errno;
}

static int start_rpc(struct srv_server *server)
{
	const struct srv_rpc_service_params params = {
		.base = server->base,
		.config = &server->config.rpc,
		.engine = server->engine,
		.gate = server->gate,
		.counters = &server->counters,
	};

	if (!server->config.rpc.is_on)
		return 0;
	server->rpc = srv_rpc_service_create(&params);
	return server->rpc != NULL ? 0 : -errno;
}

static int start_tick(struct srv_server *server)
{
	server->tick = evtimer_new(server->base, on_tick, server);
	if (server->tick == NULL || evtimer_add(server->tick, &tick_period) < 0)
		return -ENOMEM;
	return 0;
}

static int open_ctl(struct srv_server *server)
{
	if (server->config.socket == NULL)
		return 0;
	server->ctl = srv_ctl_socket_create(server, server->config.socket);
	if (server->ctl != NULL)
		return 0;
	log_err("control socket %s: %s", server->config.socket, strerror(errno));
	return -errno;
}

static int open_monitor(struct srv_server *server)
{
	if (!server->config.metrics.has_listen)
		return 0;
	server->monitor = monitor_create(
		server->base, &server->config.metrics, &srv_metrics_ops, server);
	return server->monitor != NULL ? 0 : -errno;
}

struct srv_server *srv_server_create(struct event_base *base, const char *config_path,
	struct srv_config *config, const struct srv_inheritance *inheritance)
{
	static int (*const steps[])(struct srv_server * server) = {set_auth, start_parsing,
		create_plan, srv_server_create_limits, create_engine, open_records, open_store,
		start_tick, start_listening, start_dhcp6, start_rpc, open_ctl, open_monitor};
	struct srv_server *server = calloc(1, sizeof(*server));
	int ret = 0;

	if (server == NULL) {
		srv_config_free(config);
		srv_dhcp6_sockets_close(inheritance->dhcp6_sockets);
		srv_dhcp6_links_close(inheritance->dhcp6_links);
		log_err("server: out of memory");
		return NULL;
	}
	server->base = base;
	server->config_path = config_path;
	server->parser_control = inheritance->parser_control;
	server->dhcp6_sockets = inheritance->dhcp6_sockets;
	server->dhcp6_links = inheritance->dhcp6_links;
	server->config = *config;
	memset(config, 0, sizeof(*config));
	server->started_ms = clock_boot_ms();
	for (size_t i = 0; ret == 0 && i < sizeof(steps) / sizeof(steps[0]); i++)
		ret = steps[i](server);
	if (ret == 0)
		return server;
	log_err("server: cannot start: %s", strerror(-ret));
	srv_server_destroy(server);
	return NULL;
}

/* What had been received by then still counts: an accept, say, of a client that hung up. The tick ends each turn. */
static void finish_parsing(struct srv_server *server)
{
	int64_t end_ms = clock_boot_ms() + PARSER_FINISH_MS;

	while (server->parser != NULL && server->tick != NULL && !server->has_failed &&
		tsp_parser_is_busy(server->parser) && clock_boot_ms() < end_ms)
		event_base_loop(server->base, EVLOOP_ONCE);
}

/* Sessions first, because their end may undo leases; the writer last, because it writes that down. */
void srv_server_destroy(struct srv_server *server)
{
	if (server == NULL)
		return;
	finish_parsing(server);
	monitor_destroy(server->monitor);
	ctl_server_destroy(server->ctl);
	if (server->engine != NULL)
		srv_engine_stop(server->engine);
	srv_rpc_service_destroy(server->rpc);
	srv_listener_destroy(server->listener);
	srv_dhcp6_service_destroy(server->dhcp6);
	srv_dhcp6_sockets_close(server->dhcp6_sockets);
	srv_dhcp6_links_close(server->dhcp6_links);
	if (server->tick != NULL)
		event_free(server->tick);
	srv_fleet_free(&server->fleet);
	/* Connections free themselves in the loop, once their last words are out. */
	event_base_loop(server->base, EVLOOP_NONBLOCK);
	tsp_parser_destroy(server->parser);
	srv_writer_destroy(server->writer);
	srv_records_destroy(server->records);
	srv_engine_destroy(server->engine);
	srv_pool_set_free(&server->pools);
	srv_quota_destroy(server->quota);
	srv_gate_destroy(server->gate);
	srv_auth_free(&server->auth);
	srv_config_free(&server->config);
	free(server);
}
