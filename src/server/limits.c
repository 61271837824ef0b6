// SPDX-License-Identifier: BSD-3-Clause
/* The limits of the configuration as the gate and the quotas take them. */
#include "server/server_impl.h"

#include <errno.h>

static struct srv_gate_limits gate_limits(const struct srv_config *config)
{
	return (struct srv_gate_limits){
		.allow = &config->clients.allow,
		.exempt = &config->clients.exempt,
		.prefix_length = config->limits.prefix_length,
		.connections = config->limits.connections_per_prefix,
		.connections_per_minute = config->limits.connections_per_minute,
		.unauthenticated = config->limits.unauthenticated_per_prefix,
	};
}

static struct srv_quota_limits quota_limits(const struct srv_config *config)
{
	const struct srv_config_limits *limits = &config->limits;

	return (struct srv_quota_limits){
		.user = {limits->leases_per_user, limits->ports_per_user,
			limits->requests_per_user},
		.client = {limits->leases_per_client, limits->ports_per_client,
			limits->requests_per_client},
		.prefix = {limits->leases_per_prefix, limits->ports_per_prefix,
			limits->requests_per_prefix},
		.prefix_length = limits->prefix_length,
		.exempt = &config->clients.exempt,
	};
}

int srv_server_create_limits(struct srv_server *server)
{
	const struct srv_gate_limits gate = gate_limits(&server->config);
	const struct srv_quota_limits quota = quota_limits(&server->config);

	server->gate = srv_gate_create(&gate);
	server->quota = srv_quota_create(&quota);
	return server->gate != NULL && server->quota != NULL ? 0 : -ENOMEM;
}

void srv_server_set_limits(struct srv_server *server)
{
	const struct srv_gate_limits gate = gate_limits(&server->config);
	const struct srv_quota_limits quota = quota_limits(&server->config);

	srv_gate_set_limits(server->gate, &gate);
	if (srv_quota_set_limits(server->quota, &quota))
		srv_engine_count_holdings(server->engine);
}
