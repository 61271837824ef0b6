// SPDX-License-Identifier: BSD-3-Clause
#include "client/client_config.h"

#include "client/ecn.h"
#include "client/forward.h"
#include "client/peers.h"
#include "client/servers.h"
#include "client/state.h"
#include "client/status.h"
#include "client/tun.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define MTU_MIN      512
#define DSCP_MAX     63
#define DSCP_INVALID (CL_DSCP_COPY - 1)

#define FIELD(name) offsetof(struct cl_config, name)

static const char *const modes[] = {[CL_MODE_NAPT] = "napt", [CL_MODE_HOST] = "host", NULL};

static const char *const protocols[] = {
	[CL_LINK_TSP] = "tsp",
	[CL_LINK_DHCPV6] = "dhcpv6",
	[CL_LINK_RPC] = "rpc",
	NULL,
};

static const struct config_key server_keys[] = {
	{CONFIG_STRING, offsetof(struct cl_server_config, name), "name", .required = true, .min = 1,
		.max = CL_SERVER_STRLEN - 1},
	{CONFIG_STRING, offsetof(struct cl_server_config, tls_name), "tls_name", .min = 1,
		.max = CL_SERVER_NAME_MAX},
	{CONFIG_END},
};

static const struct config_section server_section = {
	.keys = server_keys, .size = sizeof(struct cl_server_config)};

static const struct config_key forward_keys[] = {
	{CONFIG_POS, offsetof(struct cl_forward, pos)},
	{CONFIG_CHOICE, offsetof(struct cl_forward, protocol), "protocol", .value = "tcp",
		.choices = cl_protocol_names},
	{CONFIG_U32, offsetof(struct cl_forward, port), "port", .value = "0", .max = UINT16_MAX},
	{CONFIG_STRING, offsetof(struct cl_forward, to), "to", .required = true, .min = 1,
		.max = 21},
	{CONFIG_END},
};

static const struct config_section forward_section = {
	.keys = forward_keys, .size = sizeof(struct cl_forward)};

static const struct config_key keys[] = {
	{CONFIG_POS, FIELD(pos)},
	{CONFIG_CHOICE, FIELD(protocol), "protocol", .value = "tsp", .choices = protocols},
	{CONFIG_SECTION, FIELD(dhcp6), "dhcpv6", .section = &cl_dhcp6_config_section,
		.present = FIELD(dhcp6.is_given)},
	{CONFIG_SECTION, FIELD(rpc), "rpc", .section = &cl_rpc_config_section,
		.present = FIELD(rpc.is_given)},
	{CONFIG_STRING, FIELD(server), "server", .min = 1, .max = CL_SERVER_STRLEN - 1},
	{CONFIG_LIST, FIELD(servers), "servers", .section = &server_section, .item = CONFIG_STRING,
		.max = CL_SERVERS_MAX},
	{CONFIG_SECTION, FIELD(tls), "tls", .section = &tsp_tls_section},
	{CONFIG_STRING, FIELD(tls_name), "tls_name", .min = 1, .max = 253},
	{CONFIG_U32, FIELD(generation), "generation", .value = "2", .min = 1, .max = 2},
	{CONFIG_STRING, FIELD(user), "user", .min = 1, .max = 63},
	{CONFIG_STRING, FIELD(password), "password", .min = 1, .max = 127},
	{CONFIG_CHOICE, FIELD(mode), "mode", .value = "napt", .choices = modes},
	{CONFIG_U32, FIELD(ports), "ports", .value = "0", .max = 65536},
	{CONFIG_U32, FIELD(ports_max), "ports_max", .value = "8192", .max = 65536},
	{CONFIG_BOOL, FIELD(exclusive), "exclusive", .value = "false"},
	{CONFIG_U32, FIELD(lifetime_s), "lifetime_s", .value = "0", .max = TSP_LIFETIME_MAX_S},
	{CONFIG_BOOL, FIELD(on_demand), "on_demand", .value = "false"},
	{CONFIG_U32, FIELD(idle_s), "idle_s", .value = "300", .max = 86400},
	{CONFIG_BOOL, FIELD(dns_trigger), "dns_trigger", .value = "false"},
	{CONFIG_BOOL, FIELD(accept_push), "accept_push", .value = "false"},
	{CONFIG_STRING, FIELD(device), "device", .value = "dstm0", .min = 1, .max = 15},
	{CONFIG_U32, FIELD(mtu), "mtu", .value = "0", .max = 65495},
	{CONFIG_U32, FIELD(queues), "queues", .value = "1", .min = 1, .max = CL_TUN_QUEUES_MAX},
	{CONFIG_STRING, FIELD(dscp), "dscp", .value = "copy", .min = 1, .max = 4},
	{CONFIG_BOOL, FIELD(rewrite_ip_id), "rewrite_ip_id", .value = "false"},
	{CONFIG_BOOL, FIELD(default_route), "default_route", .value = "true"},
	{CONFIG_V6, FIELD(v6), "v6", .present = FIELD(has_v6)},
	{CONFIG_V6, FIELD(tep), "tep", .present = FIELD(has_tep)},
	{CONFIG_V4, FIELD(inner_v4), "inner_v4", .value = "192.0.0.2"},
	{CONFIG_LIST, FIELD(direct), "direct", .item = CONFIG_V4_PREFIX,
		.max = CL_PEERS_PREFIXES_MAX},
	{CONFIG_BOOL, FIELD(direct_auto), "direct_auto", .value = "false"},
	{CONFIG_U32, FIELD(hold_packets), "hold_packets", .value = "64", .max = 1024},
	{CONFIG_LIST, FIELD(forwards), "forwards", .section = &forward_section,
		.max = CL_FORWARDS_MAX},
	{CONFIG_STRING, FIELD(netns), "netns", .min = 1, .max = CL_NETNS_MAX - 1},
	{CONFIG_U32, FIELD(retry_min_s), "retry_min_s", .value = "1", .min = 1, .max = 3600},
	{CONFIG_U32, FIELD(retry_max_s), "retry_max_s", .value = "60", .min = 1, .max = 86400},
	{CONFIG_STRING, FIELD(socket), "socket", .value = CL_STATUS_SOCKET, .min = 1, .max = 107},
	{CONFIG_STRING, FIELD(state), "state", .value = "/run/dstm/client.state", .min = 1,
		.max = 4000},
	{CONFIG_END},
};

static const struct config_section section = {.keys = keys, .size = sizeof(struct cl_config)};

/* A device's name becomes that of an nftables table and stands in its rules; a namespace's, part of a path. */
static bool is_plain_name(const char *name)
{
	static const char first[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	size_t head = strspn(name, first);

	for (const char *p = name; *p != '\0'; p++) {
		if (strchr(first, *p) == NULL && strchr("_-.", *p) == NULL)
			return false;
	}
	return head > 0;
}

/* The server is asked about every destination in there. */
static bool has_wide_prefix(const struct config_list *prefixes)
{
	const struct addr_v4_prefix *items = prefixes->items;

	for (uint32_t i = 0; i < prefixes->n; i++) {
		if (items[i].len < CL_PEERS_PREFIX_MIN)
			return true;
	}
	return false;
}

enum tsp_generation cl_config_generation(const struct cl_config *config)
{
	if (config->protocol != CL_LINK_TSP)
		return TSP_GENERATION_1;
	return (enum tsp_generation)config->generation;
}

int cl_config_dscp(const struct cl_config *config)
{
	char *end;
	unsigned long value;

	if (strcmp(config->dscp, "copy") == 0)
		return CL_DSCP_COPY;
	value = strtoul(config->dscp, &end, 10);
	if (config->dscp[0] < '0' || config->dscp[0] > '9' || *end != '\0' || value > DSCP_MAX)
		return DSCP_INVALID;
	return (int)value;
}

/* What only one of the protocols has a word for. */
static const char *find_protocol_fault(const struct cl_config *config)
{
	if (config->protocol != CL_LINK_DHCPV6 && config->dhcp6.is_given)
		return "dhcpv6: only with protocol: dhcpv6";
	if (config->protocol != CL_LINK_RPC && config->rpc.is_given)
		return "rpc: only with protocol: rpc";
	if (config->protocol == CL_LINK_TSP)
		return NULL;
	if (config->server != NULL || config->servers.n > 0)
		return "server, servers: only with protocol: tsp";
	if (config->tls.ca != NULL || config->tls.certificate != NULL || config->tls_name != NULL)
		return "tls, tls_name: only with protocol: tsp";
	if (config->user != NULL || config->password != NULL)
		return "user, password: only with protocol: tsp";
	if (config->direct.n > 0 || config->direct_auto)
		return "direct, direct_auto: only with protocol: tsp";
	if (config->ports != 0)
		return "ports: only with protocol: tsp";
	if (config->protocol == CL_LINK_DHCPV6 && config->lifetime_s != 0 &&
		(config->dhcp6.stateless || config->dhcp6.options == CL_DHCP6_SOFTWIRE))
		return "lifetime_s: not with dhcpv6: stateless, nor with options: softwire";
	if (config->protocol == CL_LINK_DHCPV6)
		return cl_dhcp6_config_fault(&config->dhcp6);
	return cl_rpc_config_fault(&config->rpc);
}

/* A lease that comes unasked needs a session that stays open, or a key that Reconfigure shows. */
static const char *find_push_fault(const struct cl_config *config)
{
	if (!config->accept_push || config->protocol == CL_LINK_DHCPV6)
		return NULL;
	if (config->protocol == CL_LINK_RPC)
		return "accept_push: not with protocol: rpc";
	if (!config->on_demand || config->generation != 1)
		return "accept_push: only with on_demand: true and generation: 1";
	return NULL;
}

/* What no single row can say. NULL: nothing is wrong. */
static const char *find_fault(const struct cl_config *config)
{
	const char *fault = find_protocol_fault(config);

	if (fault == NULL)
		fault = cl_servers_fault(config);
	if (fault == NULL)
		fault = find_push_fault(config);
	if (fault != NULL)
		return fault;
	if ((config->user != NULL) != (config->password != NULL))
		return "user and password go together";
	if ((config->tls.certificate != NULL) != (config->tls.key != NULL))
		return "tls: certificate and key go together";
	if ((config->tls.certificate != NULL || config->tls_name != NULL) && config->tls.ca == NULL)
		return "tls: there is no ca to check the server's certificate by";
	if (config->mtu != 0 && config->mtu < MTU_MIN)
		return "mtu: 0, or 512 and more";
	if (cl_config_dscp(config) == DSCP_INVALID)
		return "dscp: copy, or 0 to 63";
	if (config->exclusive && config->mode != CL_MODE_HOST)
		return "exclusive: only with mode: host";
	if (config->exclusive && config->ports != 0)
		return "ports: not with exclusive: true";
	if (config->dns_trigger && !config->on_demand)
		return "dns_trigger: only with on_demand: true";
	if (!is_plain_name(config->device))
		return "device: letters, digits and _ - . behind a letter or digit";
	if (config->has_v6 && !addr_v6_is_global(&config->v6))
		return "v6: not a global address";
	if (config->has_tep && !addr_v6_is_global(&config->tep))
		return "tep: not a global address";
	if (config->has_v6 && config->has_tep && addr_v6_equal(&config->v6, &config->tep))
		return "v6 and tep are the same address";
	if (config->inner_v4 >> 24 == 0 || config->inner_v4 >> 24 == 127 ||
		config->inner_v4 >> 28 >= 14)
		return "inner_v4: not the address of a host";
	if (config->netns != NULL && !is_plain_name(config->netns))
		return "netns: letters, digits and _ - . behind a letter or digit";
	if (has_wide_prefix(&config->direct))
		return "direct: a prefix shorter than /8";
	if (config->direct_auto && config->direct.n > 0)
		return "direct and direct_auto do not go together";
	if (config->retry_max_s < config->retry_min_s)
		return "retry_max_s: less than retry_min_s";
	return NULL;
}

/* What is wrong with one of the forwards, or NULL; reads their targets. */
static const char *find_forward_fault(struct cl_config *config, struct config_pos *pos)
{
	struct cl_forward *forwards = config->forwards.items;

	for (uint32_t i = 0; i < config->forwards.n; i++) {
		*pos = forwards[i].pos;
		if (cl_forward_read_target(&forwards[i]) < 0)
			return "to: neither a port nor an IPv4 address and a port";
		for (uint32_t j = 0; j < i && forwards[i].port != 0; j++) {
			if (forwards[j].port == forwards[i].port &&
				forwards[j].protocol == forwards[i].protocol)
				return "port: forwarded twice";
		}
	}
	return NULL;
}

int cl_config_load(const char *path, struct cl_config *config, struct config_error *error)
{
	int ret = config_load(path, &section, config, error);
	struct config_pos pos;
	const char *fault;

	if (ret < 0)
		return ret;
	pos = config->pos;
	fault = find_fault(config);
	if (fault == NULL)
		fault = find_forward_fault(config, &pos);
	if (fault != NULL) {
		ret = config_fail(error, path, pos, "%s", fault);
		cl_config_free(config);
	}
	return ret;
}

void cl_config_free(struct cl_config *config)
{
	config_free(&section, config);
}

static bool text_equal(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool prefixes_equal(const struct config_list *a, const struct config_list *b)
{
	const struct addr_v4_prefix *x = a->items, *y = b->items;

	for (uint32_t i = 0; a->n == b->n && i < a->n; i++) {
		if (x[i].addr != y[i].addr || x[i].len != y[i].len)
			return false;
	}
	return a->n == b->n;
}

static bool forwards_equal(const struct config_list *a, const struct config_list *b)
{
	const struct cl_forward *left = a->items, *right = b->items;

	if (a->n != b->n)
		return false;
	for (uint32_t i = 0; i < a->n; i++) {
		if (left[i].protocol != right[i].protocol || left[i].port != right[i].port ||
			left[i].to_v4 != right[i].to_v4 || left[i].to_port != right[i].to_port)
			return false;
	}
	return true;
}

bool cl_config_equal(const struct cl_config *a, const struct cl_config *b)
{
	return a->protocol == b->protocol && cl_dhcp6_config_equal(&a->dhcp6, &b->dhcp6) &&
	       cl_rpc_config_equal(&a->rpc, &b->rpc) && cl_servers_equal(a, b) &&
	       a->generation == b->generation && text_equal(a->tls.ca, b->tls.ca) &&
	       text_equal(a->tls.certificate, b->tls.certificate) &&
	       text_equal(a->tls.key, b->tls.key) && text_equal(a->tls_name, b->tls_name) &&
	       text_equal(a->user, b->user) && text_equal(a->password, b->password) &&
	       a->mode == b->mode && a->ports == b->ports && a->ports_max == b->ports_max &&
	       a->exclusive == b->exclusive && a->lifetime_s == b->lifetime_s &&
	       a->on_demand == b->on_demand && a->idle_s == b->idle_s &&
	       a->dns_trigger == b->dns_trigger && a->accept_push == b->accept_push &&
	       text_equal(a->device, b->device) && a->mtu == b->mtu && a->queues == b->queues &&
	       text_equal(a->dscp, b->dscp) && a->rewrite_ip_id == b->rewrite_ip_id &&
	       a->default_route == b->default_route && a->has_v6 == b->has_v6 &&
	       addr_v6_equal(&a->v6, &b->v6) && a->has_tep == b->has_tep &&
	       addr_v6_equal(&a->tep, &b->tep) && a->inner_v4 == b->inner_v4 &&
	       prefixes_equal(&a->direct, &b->direct) && a->direct_auto == b->direct_auto &&
	       a->hold_packets == b->hold_packets && forwards_equal(&a->forwards, &b->forwards) &&
	       text_equal(a->netns, b->netns) && a->retry_min_s == b->retry_min_s &&
	       a->retry_max_s == b->retry_max_s && text_equal(a->socket, b->socket) &&
	       text_equal(a->state, b->state);
}
