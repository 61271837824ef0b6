// SPDX-License-Identifier: BSD-3-Clause
#include "control/tep_config.h"

#include "control/announce_config.h"
#include "control/learn_config.h"
#include "control/plain_config.h"
#include "control/questions.h"
#include "control/tunnel_config.h"
#include "dataplane/mtu_rules.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVERS_MAX      16
#define IFNAME_MAX       15
#define VLAN_MAX         4094
#define WORKERS_MAX      64
#define BINDINGS_MAX     (1U << 28)
#define ICMP_RATE_MAX    1000000
#define FLOW_LABEL_MAX   0xfffffU
#define QUERY_RATE_MAX   1000000
#define HOLD_PACKETS_MAX 65536
#define SPARE_MBUFS      512 /* beyond what the receive rings hold */
#define SOCKET_LEN_MAX   107

#define AT(type, field) offsetof(struct type, field)

static const struct config_key ports_keys[] = {
	{CONFIG_POS, AT(tep_config_ports, pos)},
	{CONFIG_STRING, AT(tep_config_ports, v6), "v6", .required = true, .min = 1, .max = 63},
	{CONFIG_STRING, AT(tep_config_ports, v4), "v4", .required = true, .min = 1, .max = 63},
	{CONFIG_U32, AT(tep_config_ports, mtu_v6), "mtu_v6", .value = "1500", .min = 1280,
		.max = 9600},
	{CONFIG_U32, AT(tep_config_ports, mtu_v4), "mtu_v4", .value = "1500", .min = 576,
		.max = 9600},
	{CONFIG_U32, AT(tep_config_ports, vlan_v6), "vlan_v6", .value = "0", .max = VLAN_MAX},
	{CONFIG_U32, AT(tep_config_ports, vlan_v4), "vlan_v4", .value = "0", .max = VLAN_MAX},
	{CONFIG_U32, AT(tep_config_ports, rx_descriptors), "rx_descriptors", .value = "1024",
		.min = 32, .max = 32768},
	{CONFIG_U32, AT(tep_config_ports, tx_descriptors), "tx_descriptors", .value = "1024",
		.min = 32, .max = 32768},
	{CONFIG_END},
};
static const struct config_section ports_section = {ports_keys, sizeof(struct tep_config_ports)};

static const char *const dscp_modes[] = {
	[DP_DSCP_UNIFORM] = "uniform",
	[DP_DSCP_PIPE] = "pipe",
	[DP_DSCP_FIXED] = "fixed",
	NULL,
};

static const struct config_key tunnel_v6_keys[] = {
	{CONFIG_POS, AT(tep_config_tunnel_v6, pos)},
	{CONFIG_V6, AT(tep_config_tunnel_v6, addr), "addr", .required = true},
	{CONFIG_U32, AT(tep_config_tunnel_v6, mtu), "mtu", .min = 1280, .max = 9600},
	{CONFIG_END},
};
static const struct config_section tunnel_v6_section = {
	tunnel_v6_keys, sizeof(struct tep_config_tunnel_v6)};

static const struct config_key mtu_by_prefix_keys[] = {
	{CONFIG_POS, AT(tep_config_mtu_by_prefix, pos)},
	{CONFIG_V6_PREFIX, AT(tep_config_mtu_by_prefix, prefix), "prefix", .required = true},
	{CONFIG_U32, AT(tep_config_mtu_by_prefix, mtu), "mtu", .required = true, .min = 1280,
		.max = 9600},
	{CONFIG_END},
};
static const struct config_section mtu_by_prefix_section = {
	mtu_by_prefix_keys, sizeof(struct tep_config_mtu_by_prefix)};

static const char *const fragment_ways[] = {
	[TEP_FRAGMENT_OUTER] = "outer", [TEP_FRAGMENT_INNER] = "inner", NULL};

static const struct config_key tunnel_keys[] = {
	{CONFIG_POS, AT(tep_config_tunnel, pos)},
	{CONFIG_LIST, AT(tep_config_tunnel, v6), "v6", .required = true, .min = 1,
		.max = DP_TEP_ADDRESSES_MAX, .item = CONFIG_V6, .section = &tunnel_v6_section},
	{CONFIG_V4, AT(tep_config_tunnel, v4), "v4", .value = "192.0.0.1"},
	{CONFIG_U32, AT(tep_config_tunnel, hop_limit), "hop_limit", .value = "64", .min = 1,
		.max = 255},
	{CONFIG_LIST, AT(tep_config_tunnel, mtu_by_prefix), "mtu_by_prefix",
		.max = DP_MTU_RULES_MAX, .section = &mtu_by_prefix_section},
	{CONFIG_BOOL, AT(tep_config_tunnel, path_mtu), "path_mtu", .value = "true"},
	{CONFIG_CHOICE, AT(tep_config_tunnel, fragment), "fragment", .value = "outer",
		.choices = fragment_ways},
	{CONFIG_BOOL, AT(tep_config_tunnel, ignore_df), "ignore_df", .value = "false"},
	{CONFIG_STRING, AT(tep_config_tunnel, mss_clamp), "mss_clamp", .value = "off"},
	{CONFIG_U32, AT(tep_config_tunnel, encapsulation_limit), "encapsulation_limit", .max = 255,
		.present = AT(tep_config_tunnel, has_encapsulation_limit)},
	{CONFIG_CHOICE, AT(tep_config_tunnel, dscp), "dscp", .value = "uniform",
		.choices = dscp_modes},
	{CONFIG_U32, AT(tep_config_tunnel, dscp_outer), "dscp_outer", .value = "0",
		.max = DP_DSCP_MAX},
	{CONFIG_U32, AT(tep_config_tunnel, dscp_inner), "dscp_inner", .value = "0",
		.max = DP_DSCP_MAX},
	{CONFIG_STRING, AT(tep_config_tunnel, flow_label), "flow_label", .value = "zero", .min = 1,
		.max = 15},
	{CONFIG_END},
};
static const struct config_section tunnel_section = {tunnel_keys, sizeof(struct tep_config_tunnel)};

static const struct config_key icmp_keys[] = {
	{CONFIG_POS, AT(tep_config_icmp, pos)},
	{CONFIG_U32, AT(tep_config_icmp, rate), "rate", .value = "100", .max = ICMP_RATE_MAX},
	{CONFIG_U32, AT(tep_config_icmp, burst), "burst", .value = "50", .min = 1,
		.max = ICMP_RATE_MAX},
	{CONFIG_V4, AT(tep_config_icmp, v4_source), "v4_source",
		.present = AT(tep_config_icmp, has_v4_source)},
	{CONFIG_V6, AT(tep_config_icmp, v6_source), "v6_source",
		.present = AT(tep_config_icmp, has_v6_source)},
	{CONFIG_BOOL, AT(tep_config_icmp, relay), "relay", .value = "true"},
	{CONFIG_BOOL, AT(tep_config_icmp, time_exceeded_to_v4), "time_exceeded_to_v4",
		.value = "true"},
	{CONFIG_BOOL, AT(tep_config_icmp, time_exceeded_to_clients), "time_exceeded_to_clients",
		.value = "true"},
	{CONFIG_BOOL, AT(tep_config_icmp, too_big_to_v4), "too_big_to_v4", .value = "true"},
	{CONFIG_BOOL, AT(tep_config_icmp, too_big_to_clients), "too_big_to_clients",
		.value = "true"},
	{CONFIG_BOOL, AT(tep_config_icmp, unreachable_to_v4), "unreachable_to_v4",
		.value = "false"},
	{CONFIG_BOOL, AT(tep_config_icmp, unreachable_to_clients), "unreachable_to_clients",
		.value = "false"},
	{CONFIG_BOOL, AT(tep_config_icmp, policy_to_clients), "policy_to_clients",
		.value = "false"},
	{CONFIG_BOOL, AT(tep_config_icmp, parameter_to_clients), "parameter_to_clients",
		.value = "true"},
	{CONFIG_BOOL, AT(tep_config_icmp, requests_from_v4), "requests_from_v4", .value = "true"},
	{CONFIG_BOOL, AT(tep_config_icmp, replies_from_v4), "replies_from_v4", .value = "true"},
	{CONFIG_BOOL, AT(tep_config_icmp, errors_from_v4), "errors_from_v4", .value = "true"},
	{CONFIG_END},
};
static const struct config_section icmp_section = {icmp_keys, sizeof(struct tep_config_icmp)};

static const char *const neighbor_modes[] = {
	[TEP_NEIGHBOR_STATIC] = "static", [TEP_NEIGHBOR_KERNEL] = "kernel", NULL};

static const struct config_key neighbor_keys[] = {
	{CONFIG_POS, AT(tep_config_neighbor, pos)},
	{CONFIG_CHOICE, AT(tep_config_neighbor, mode), "mode", .value = "static",
		.choices = neighbor_modes},
	{CONFIG_MAC, AT(tep_config_neighbor, v6_mac), "v6_mac",
		.present = AT(tep_config_neighbor, has_v6_mac)},
	{CONFIG_MAC, AT(tep_config_neighbor, v4_mac), "v4_mac",
		.present = AT(tep_config_neighbor, has_v4_mac)},
	{CONFIG_STRING, AT(tep_config_neighbor, twin_v6), "twin_v6", .value = "dstm6", .min = 1,
		.max = IFNAME_MAX},
	{CONFIG_STRING, AT(tep_config_neighbor, twin_v4), "twin_v4", .value = "dstm4", .min = 1,
		.max = IFNAME_MAX},
	{CONFIG_U32, AT(tep_config_neighbor, max_routes_v4), "max_routes_v4", .value = "131072",
		.min = 16, .max = 4 << 20},
	{CONFIG_U32, AT(tep_config_neighbor, max_routes_v6), "max_routes_v6", .value = "16384",
		.min = 16, .max = 1 << 20},
	{CONFIG_U32, AT(tep_config_neighbor, max_neighbours), "max_neighbours", .value = "4096",
		.min = 16, .max = 16384},
	{CONFIG_BOOL, AT(tep_config_neighbor, answer_arp), "answer_arp", .value = "false"},
	{CONFIG_END},
};
static const struct config_section neighbor_section = {
	neighbor_keys, sizeof(struct tep_config_neighbor)};

static const struct config_key reassembly_keys[] = {
	{CONFIG_POS, AT(tep_config_reassembly, pos)},
	{CONFIG_U32, AT(tep_config_reassembly, max_datagrams), "max_datagrams", .value = "1024",
		.min = 1, .max = 65536},
	{CONFIG_U32, AT(tep_config_reassembly, per_source), "per_source", .value = "16", .min = 1,
		.max = 65536},
	{CONFIG_U32, AT(tep_config_reassembly, timeout_ms), "timeout_ms", .value = "2000",
		.min = 20, .max = 60000},
	{CONFIG_END},
};
static const struct config_section reassembly_section = {
	reassembly_keys, sizeof(struct tep_config_reassembly)};

static const struct config_key binding_keys[] = {
	{CONFIG_POS, AT(tep_config_binding, pos)},
	{CONFIG_V4, AT(tep_config_binding, v4), "v4", .required = true},
	{CONFIG_PORT_RANGE, AT(tep_config_binding, ports), "ports",
		.present = AT(tep_config_binding, has_ports)},
	{CONFIG_V6, AT(tep_config_binding, client), "client", .required = true},
	{CONFIG_V6, AT(tep_config_binding, tep), "tep", .present = AT(tep_config_binding, has_tep)},
	{CONFIG_END},
};
static const struct config_section binding_section = {
	binding_keys, sizeof(struct tep_config_binding)};

static const struct config_key bindings_keys[] = {
	{CONFIG_POS, AT(tep_config_bindings, pos)},
	{CONFIG_U32, AT(tep_config_bindings, max), "max", .value = "65536", .min = 1,
		.max = BINDINGS_MAX},
	{CONFIG_STRING, AT(tep_config_bindings, file), "file", .min = 1, .max = 4000},
	{CONFIG_LIST, AT(tep_config_bindings, fixed), "static", .section = &binding_section},
	{CONFIG_STRING, AT(tep_config_bindings, snapshot), "snapshot", .min = 1, .max = 4000},
	{CONFIG_U32, AT(tep_config_bindings, confirm_ms), "confirm_ms", .value = "2000",
		.max = 600000},
	{CONFIG_END},
};
static const struct config_section bindings_section = {
	bindings_keys, sizeof(struct tep_config_bindings)};

static const struct config_key server_keys[] = {
	{CONFIG_POS, AT(tep_config_server, pos)},
	{CONFIG_STRING, AT(tep_config_server, name), "name", .required = true, .min = 1, .max = 63},
	{CONFIG_STRING, AT(tep_config_server, password), "password", .min = 1, .max = 127},
	{CONFIG_END},
};
static const struct config_section server_section = {server_keys, sizeof(struct tep_config_server)};

static const struct config_key control_keys[] = {
	{CONFIG_POS, AT(tep_config_control, pos)},
	{CONFIG_ENDPOINT, AT(tep_config_control, listen), "listen",
		.present = AT(tep_config_control, has_listen)},
	{CONFIG_LIST, AT(tep_config_control, servers), "servers", .max = SERVERS_MAX,
		.section = &server_section},
	{CONFIG_SECTION, AT(tep_config_control, tls), "tls", .section = &tsp_tls_section},
	{CONFIG_STRING, AT(tep_config_control, socket), "socket", .min = 1, .max = SOCKET_LEN_MAX},
	{CONFIG_END},
};
static const struct config_section control_section = {
	control_keys, sizeof(struct tep_config_control)};

static const struct config_key query_keys[] = {
	{CONFIG_POS, AT(tep_config_query, pos)},
	{CONFIG_BOOL, AT(tep_config_query, enabled), "enabled", .value = "false"},
	{CONFIG_U32, AT(tep_config_query, rate), "rate", .value = "1000",
		.min = TEP_QUESTIONS_RATE_MIN, .max = QUERY_RATE_MAX},
	{CONFIG_U32, AT(tep_config_query, negative_s), "negative_s", .value = "2", .min = 1,
		.max = DP_NEGATIVE_MS_MAX / 1000},
	{CONFIG_U32, AT(tep_config_query, hold_packets), "hold_packets", .value = "1024", .min = 1,
		.max = HOLD_PACKETS_MAX},
	{CONFIG_U32, AT(tep_config_query, hold_per_question), "hold_per_question", .value = "8",
		.min = 1, .max = TEP_QUESTIONS_HOLD_MAX},
	{CONFIG_U32, AT(tep_config_query, hold_ms), "hold_ms", .value = "1000", .min = 10,
		.max = 60000},
	{CONFIG_END},
};
static const struct config_section query_section = {query_keys, sizeof(struct tep_config_query)};

static const struct config_key root_keys[] = {
	{CONFIG_POS, AT(tep_config, pos)},
	{CONFIG_STRING, AT(tep_config, name), "name", .min = 1, .max = 63},
	{CONFIG_SECTION, AT(tep_config, ports), "ports", .section = &ports_section},
	{CONFIG_U32, AT(tep_config, workers), "workers", .value = "1", .min = 1,
		.max = WORKERS_MAX},
	{CONFIG_U32, AT(tep_config, idle_sleep_us), "idle_sleep_us", .value = "0", .max = 100000},
	{CONFIG_U32, AT(tep_config, mbufs), "mbufs", .value = "16384", .min = 1024,
		.max = 16777216},
	{CONFIG_SECTION, AT(tep_config, tunnel), "tunnel", .section = &tunnel_section},
	{CONFIG_BOOL, AT(tep_config, hairpin), "hairpin", .value = "true"},
	{CONFIG_BOOL, AT(tep_config, source_routes), "source_routes", .value = "false"},
	{CONFIG_LIST, AT(tep_config, pools), "pools", .max = DP_POOLS_MAX,
		.item = CONFIG_V4_PREFIX},
	{CONFIG_SECTION, AT(tep_config, plain), "plain", .section = &tep_plain_section},
	{CONFIG_SECTION, AT(tep_config, announce), "announce", .section = &tep_announce_section},
	{CONFIG_SECTION, AT(tep_config, ready), "ready", .section = &tep_ready_section},
	{CONFIG_SECTION, AT(tep_config, icmp), "icmp", .section = &icmp_section},
	{CONFIG_SECTION, AT(tep_config, neighbor), "neighbor", .section = &neighbor_section},
	{CONFIG_SECTION, AT(tep_config, reassembly), "reassembly", .section = &reassembly_section},
	{CONFIG_SECTION, AT(tep_config, bindings), "bindings", .section = &bindings_section},
	{CONFIG_SECTION, AT(tep_config, control), "control", .section = &control_section},
	{CONFIG_SECTION, AT(tep_config, metrics), "metrics", .section = &monitor_section},
	{CONFIG_SECTION, AT(tep_config, query), "query", .section = &query_section},
	{CONFIG_SECTION, AT(tep_config, learn), "learn", .section = &tep_learn_section},
	{CONFIG_END},
};
static const struct config_section root = {root_keys, sizeof(struct tep_config)};

static int check_buffers(
	const char *path, const struct tep_config *config, struct config_error *error)
{
	uint32_t ports = tep_config_is_one_armed(config) ? 1 : 2;
	uint64_t need = (uint64_t)ports * config->workers * config->ports.rx_descriptors +
			SPARE_MBUFS;

	if (config->mbufs >= need + tep_config_held_packets(config))
		return 0;
	if (config->mbufs >= need)
		return config_fail(error, path, config->pos,
			"mbufs: %u are too few for query.hold_packets (%u) besides %u",
			config->mbufs, config->query.hold_packets, (uint32_t)need);
	return config_fail(error, path, config->pos,
		"mbufs: %u are too few for %u receive descriptors a queue (at least %u)",
		config->mbufs, config->ports.rx_descriptors, (uint32_t)need);
}

static int check_pools(
	const char *path, const struct tep_config *config, struct config_error *error)
{
	const struct addr_v4_prefix *pools = config->pools.items;
	char a[ADDR_PREFIX_STRLEN], b[ADDR_PREFIX_STRLEN];

	for (uint32_t i = 0; i < config->pools.n; i++) {
		if (!addr_v4_prefix_is_unicast(&pools[i]))
			return config_fail(error, path, config->pos,
				"pools: %s holds addresses that no host can have",
				addr_v4_prefix_format(&pools[i], a));
		for (uint32_t k = 0; k < i; k++)
			if (addr_v4_prefixes_overlap(&pools[i], &pools[k]))
				return config_fail(error, path, config->pos,
					"pools: %s and %s overlap",
					addr_v4_prefix_format(&pools[k], a),
					addr_v4_prefix_format(&pools[i], b));
	}
	return 0;
}

static int take_flow_label(const char *path, struct tep_config *config, struct config_error *error)
{
	const char *text = config->tunnel.flow_label;
	char *end;
	unsigned long label = strtoul(text, &end, 10);

	config->hash_flows = strcmp(text, "hash") == 0;
	if (config->hash_flows || strcmp(text, "zero") == 0)
		return 0;
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || label > FLOW_LABEL_MAX)
		return config_fail(error, path, config->tunnel.pos,
			"tunnel.flow_label: %s is neither zero, hash nor a number up to %u", text,
			FLOW_LABEL_MAX);
	config->flow_label = (uint32_t)label;
	return 0;
}

static int check_icmp(
	const char *path, const struct tep_config_icmp *icmp, struct config_error *error)
{
	uint8_t top = icmp->v4_source >> 24;
	char text[ADDR_V6_STRLEN];

	if (icmp->has_v4_source && (top == 0 || top == 127 || top >= 224))
		return config_fail(error, path, icmp->pos,
			"icmp.v4_source: %s is no unicast address",
			addr_v4_format(icmp->v4_source, text));
	if (icmp->has_v6_source && !addr_v6_is_global(&icmp->v6_source))
		return config_fail(error, path, icmp->pos,
			"icmp.v6_source: %s is no address of a router's own",
			addr_v6_format(&icmp->v6_source, text));
	return 0;
}

static bool is_station(const uint8_t mac[6])
{
	static const uint8_t none[6];

	return (mac[0] & 1) == 0 && memcmp(mac, none, sizeof(none)) != 0;
}

static int check_neighbor(
	const char *path, const struct tep_config *config, struct config_error *error)
{
	const struct tep_config_neighbor *neighbor = &config->neighbor;

	if (neighbor->mode == TEP_NEIGHBOR_KERNEL) {
		if (!tep_config_has_one_link(config) &&
			strcmp(neighbor->twin_v6, neighbor->twin_v4) == 0)
			return config_fail(error, path, neighbor->pos,
				"neighbor.twin_v4: the same name as twin_v6: %s",
				neighbor->twin_v4);
		return 0;
	}
	if (!neighbor->has_v6_mac)
		return config_fail(
			error, path, neighbor->pos, "neighbor.v6_mac: needed with mode: static");
	if (!neighbor->has_v4_mac)
		return config_fail(
			error, path, neighbor->pos, "neighbor.v4_mac: needed with mode: static");
	if (!is_station(neighbor->v6_mac))
		return config_fail(error, path, neighbor->pos,
			"neighbor.v6_mac: not the address of a station");
	if (!is_station(neighbor->v4_mac))
		return config_fail(error, path, neighbor->pos,
			"neighbor.v4_mac: not the address of a station");
	return 0;
}

static int check_snapshot(
	const char *path, const struct tep_config_bindings *bindings, struct config_error *error)
{
	if (bindings->snapshot == NULL || bindings->snapshot[0] == '/')
		return 0;
	return config_fail(error, path, bindings->pos,
		"bindings.snapshot: %s does not start with a slash", bindings->snapshot);
}

static int check_control(
	const char *path, const struct tep_config_control *control, struct config_error *error)
{
	const struct tep_config_server *servers = control->servers.items;

	if (control->has_listen && control->servers.n == 0)
		return config_fail(error, path, control->pos,
			"control.listen: control.servers is empty, so nobody could speak");
	if (!control->has_listen && control->servers.n != 0)
		return config_fail(
			error, path, control->pos, "control.servers: control.listen is missing");
	if ((control->tls.certificate != NULL) != (control->tls.key != NULL) ||
		(control->tls.certificate != NULL) != (control->tls.ca != NULL))
		return config_fail(error, path, control->tls.pos,
			"control.tls: certificate, key and ca go together");
	for (uint32_t i = 0; i < control->servers.n; i++)
		if (servers[i].password == NULL && control->tls.certificate == NULL)
			return config_fail(error, path, servers[i].pos,
				"control.servers: %s has no password, and there is no control.tls",
				servers[i].name);
	for (uint32_t i = 0; i < control->servers.n; i++)
		for (uint32_t k = 0; k < i; k++)
			if (strcmp(servers[i].name, servers[k].name) == 0)
				return config_fail(error, path, servers[i].pos,
					"control.servers: %s stands in line %u, too",
					servers[i].name, servers[k].pos.line);
	return 0;
}

static int check_query(
	const char *path, const struct tep_config *config, struct config_error *error)
{
	const struct tep_config_query *query = &config->query;

	if (!query->enabled)
		return 0;
	if (config->pools.n == 0)
		return config_fail(error, path, query->pos,
			"query.enabled: pools is empty, so there is nothing to ask about");
	if (!config->control.has_listen)
		return config_fail(error, path, query->pos,
			"query.enabled: control.listen is missing, so there is nobody to ask");
	return 0;
}

/* A relative bindings.file is looked for beside the configuration file. */
static char *path_beside(const char *path, const char *file)
{
	const char *slash = strrchr(path, '/');
	char *beside;

	if (file[0] == '/' || slash == NULL)
		return strdup(file);
	if (asprintf(&beside, "%.*s%s", (int)(slash + 1 - path), path, file) < 0)
		return NULL;
	return beside;
}

static int gather_bindings(const char *path, struct tep_config *config, struct config_error *error)
{
	const struct tep_config_bindings *keys = &config->bindings;
	const struct tep_config_binding *items = keys->fixed.items;
	struct tep_static_bindings *fixed = &config->fixed;
	const struct tep_binding_file_limits limits = {
		.tep_v6 = tep_config_tunnel_v6(config),
		.n_tep_v6 = config->tunnel.v6.n,
		.max_bindings = keys->max,
	};
	int rc;

	fixed->path = path;
	fixed->rows = calloc(keys->fixed.n + 1, sizeof(*fixed->rows));
	if (fixed->rows == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < keys->fixed.n; i++)
		fixed->rows[fixed->n_rows++] = (struct tep_static_binding){
			.v4 = items[i].v4,
			.ports = items[i].has_ports ? items[i].ports : PORT_RANGE_EXCLUSIVE,
			.client_v6 = items[i].client,
			.tep_v6 = items[i].has_tep ? items[i].tep : limits.tep_v6[0],
			.pos = items[i].pos,
		};
	if (keys->file != NULL) {
		fixed->file_path = path_beside(path, keys->file);
		if (fixed->file_path == NULL)
			return -ENOMEM;
	}
	rc = tep_static_check(fixed, &limits, error);
	if (rc == 0 && tep_static_count(fixed) > keys->max)
		rc = config_fail(error, path, keys->pos,
			"bindings.max: %u is less than the %u static bindings", keys->max,
			tep_static_count(fixed));
	return rc;
}

int tep_config_load(const char *path, struct tep_config *config, struct config_error *error)
{
	int rc = config_load(path, &root, config, error);

	if (rc != 0)
		return rc;
	rc = check_buffers(path, config, error);
	if (rc == 0)
		rc = tep_tunnel_check(path, config, error);
	if (rc == 0)
		rc = take_flow_label(path, config, error);
	if (rc == 0)
		rc = check_pools(path, config, error);
	if (rc == 0)
		rc = check_icmp(path, &config->icmp, error);
	if (rc == 0)
		rc = check_neighbor(path, config, error);
	if (rc == 0)
		rc = tep_plain_check(path, config, error);
	if (rc == 0)
		rc = tep_announce_check(path, config, error);
	if (rc == 0)
		rc = check_snapshot(path, &config->bindings, error);
	if (rc == 0)
		rc = check_control(path, &config->control, error);
	if (rc == 0)
		rc = check_query(path, config, error);
	if (rc == 0)
		rc = tep_learn_check(path, config, error);
	if (rc == 0)
		rc = gather_bindings(path, config, error);
	if (rc == -ENOMEM)
		snprintf(error->text, sizeof(error->text), "%s: not enough memory", path);
	if (rc != 0)
		tep_config_free(config);
	return rc;
}

void tep_config_free(struct tep_config *config)
{
	tep_static_free(&config->fixed);
	config_free(&root, config);
}
