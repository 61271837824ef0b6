// SPDX-License-Identifier: BSD-3-Clause
/*
 * The configuration anew, while leases and sessions go on.
 *
 * First all that can fail: the file is read and checked, TEPs, pools and users are made. Until then
 * nothing has changed, and a mistake is one sentence with its place. Then all is taken over.
 */
#include "server/server.h"

#include "common/log.h"
#include "server/server_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What takes the place of what is there. */
struct change {
	struct srv_config config;
	struct srv_auth_files files;
	struct srv_doors_change doors;
	struct srv_fleet_change fleet;
	struct srv_pool_set pools;
	uint16_t *pool_map; /* [pools before] */
};

static int make_pools(const struct srv_server *server, struct change *change)
{
	int ret;

	change->pool_map = calloc(server->pools.n, sizeof(*change->pool_map));
	if (change->pool_map == NULL)
		return -ENOMEM;
	ret = srv_pool_set_make(&change->pools, &change->config, change->fleet.numbers,
		&server->pools, change->pool_map);
	if (ret < 0)
		free(change->pool_map);
	return ret;
}

/* Returns 0, or -errno with a sentence in error, and nothing is left of change. */
static int prepare(
	const struct srv_server *server, struct change *change, struct config_error *error)
{
	int ret = srv_config_load(server->config_path, &change->config, error);

	if (ret < 0)
		return ret;
	ret = srv_auth_load(&change->config, &change->files, error);
	if (ret < 0)
		goto free_config;
	ret = srv_doors_prepare(
		srv_listener_doors(server->listener), &change->config, &change->doors, error);
	if (ret < 0)
		goto free_files;
	snprintf(error->text, sizeof(error->text), "out of memory");
	ret = srv_fleet_prepare(&server->fleet, &change->config, &change->fleet);
	if (ret == -ERANGE)
		snprintf(error->text, sizeof(error->text),
			"more than %u TEPs with those that are leaving: copies need a restart",
			SRV_COPIES_MAX);
	if (ret < 0)
		goto close_doors;
	ret = make_pools(server, change);
	if (ret == 0)
		return 0;
	srv_fleet_abandon(&change->fleet);
close_doors:
	srv_doors_abandon(srv_listener_doors(server->listener), &change->doors);
free_files:
	srv_auth_free_files(&change->files);
free_config:
	srv_config_free(&change->config);
	return ret;
}

static void swap_text(char **a, char **b)
{
	char *text = *a;

	*a = *b;
	*b = text;
}

/* What a restart alone can change stays. The configuration has its place for life: others borrow it. */
static void take_config(struct srv_server *server, struct srv_config *next)
{
	struct srv_config now = server->config;
	struct srv_config_records records = now.records;

	swap_text(&now.socket, &next->socket);
	swap_text(&now.store, &next->store);
	now.records = next->records;
	next->records = records;
	next->metrics = now.metrics;
	srv_dhcp6_config_swap_fixtures(&now.dhcp6, &next->dhcp6);
	srv_rpc_config_swap_fixtures(&now.rpc, &next->rpc);
	server->config = *next;
	*next = now;
}

static void take_over(struct srv_server *server, struct change *change)
{
	struct srv_pool_set pools = server->pools;
	struct srv_engine_params params;
	struct tsp_conn_limits limits;
	uint64_t gained;

	take_config(server, &change->config);
	srv_auth_set(&server->auth, &server->config, &change->files);
	srv_fleet_commit(&server->fleet, &server->config, &change->fleet);
	server->pools = change->pools;
	params = srv_server_engine_params(server);
	gained = srv_engine_set_plan(server->engine, &params, change->pool_map);
	srv_engine_set_limits(server->engine, &params);
	limits = srv_server_conn_limits(&server->config);
	srv_listener_set_limits(server->listener, &limits, server->config.limits.connections,
		server->config.limits.unauthenticated);
	srv_server_set_limits(server);
	srv_doors_commit(srv_listener_doors(server->listener), &change->doors);
	if (server->dhcp6 != NULL)
		srv_dhcp6_service_reload(server->dhcp6);
	srv_pool_set_free_old(&pools, change->pool_map);
	srv_fleet_finish(&change->fleet);
	srv_fleet_level(&server->fleet, gained);
	free(change->pool_map);
	srv_config_free(&change->config);
}

void srv_server_reload(struct srv_server *server)
{
	struct config_error error;
	struct change change;

	if (prepare(server, &change, &error) < 0)
		return log_err("reload: nothing changed: %s", error.text);
	if (!srv_config_same_fixtures(&server->config, &change.config))
		log_warn("reload: user, sandbox, metrics, socket, store, records, where DHCPv6 is "
			 "heard and with which duid, and where RPC is, change only with a restart");
	take_over(server, &change);
	if (server->records != NULL)
		srv_recorder_reopen(srv_records_recorder(server->records));
	log_info("reload: all is as %s says", server->config_path);
}

int srv_server_reload_users(struct srv_server *server, struct config_error *error)
{
	struct srv_auth_files files;
	int ret = srv_auth_load(&server->config, &files, error);

	if (ret < 0)
		return ret;
	srv_auth_set(&server->auth, &server->config, &files);
	log_info("users: %u are in the file", server->auth.users.n);
	return 0;
}
