// SPDX-License-Identifier: BSD-3-Clause
/*
 * A configuration section with every type, bound and default, for the tests of the reader.
 */
#pragma once

#include "common/config.h"

struct server {
	struct config_pos pos;
	char *name;
	uint32_t weight;
};

static const struct config_key server_keys[] = {
	{CONFIG_POS, offsetof(struct server, pos)},
	{CONFIG_STRING, offsetof(struct server, name), "name", .required = true, .min = 1,
		.max = 8},
	{CONFIG_U32, offsetof(struct server, weight), "weight", .value = "7", .max = 10},
	{CONFIG_END},
};

static const struct config_section server_section = {server_keys, sizeof(struct server)};

struct ports {
	uint32_t mtu_v6;
	char *device;
};

static const struct config_key ports_keys[] = {
	{CONFIG_U32, offsetof(struct ports, mtu_v6), "mtu_v6", .value = "1500", .min = 1280,
		.max = 65535},
	{CONFIG_STRING, offsetof(struct ports, device), "device", .value = "dstm0"},
	{CONFIG_END},
};

static const struct config_section ports_section = {ports_keys, sizeof(struct ports)};

struct control {
	struct addr_endpoint listen;
	uint32_t backlog;
};

static const struct config_key control_keys[] = {
	{CONFIG_ENDPOINT, offsetof(struct control, listen), "listen", .required = true},
	{CONFIG_U32, offsetof(struct control, backlog), "backlog", .value = "16", .max = 64},
	{CONFIG_END},
};

static const struct config_section control_section = {control_keys, sizeof(struct control)};

struct root {
	char *name;
	bool enabled;
	int mode;
	uint32_t v4;
	struct in6_addr v6;
	struct addr_v4_prefix v4_prefix;
	struct addr_v6_prefix v6_prefix;
	struct addr_endpoint endpoint;
	uint8_t mac[6];
	struct port_range range;
	struct ports ports;
	struct control control;
	bool control_present;
	struct config_list servers;
	struct config_list listen;
	struct config_list names;
	struct config_list clients;
	bool clients_present;
};

static const char *const modes[] = {"napt", "host", NULL};

static const struct config_key root_keys[] = {
	{CONFIG_STRING, offsetof(struct root, name), "name", .required = true},
	{CONFIG_BOOL, offsetof(struct root, enabled), "enabled", .value = "true"},
	{CONFIG_CHOICE, offsetof(struct root, mode), "mode", .value = "host", .choices = modes},
	{CONFIG_V4, offsetof(struct root, v4), "v4", .value = "192.0.0.1"},
	{CONFIG_V6, offsetof(struct root, v6), "v6"},
	{CONFIG_V4_PREFIX, offsetof(struct root, v4_prefix), "v4_prefix"},
	{CONFIG_V6_PREFIX, offsetof(struct root, v6_prefix), "v6_prefix"},
	{CONFIG_ENDPOINT, offsetof(struct root, endpoint), "endpoint"},
	{CONFIG_MAC, offsetof(struct root, mac), "mac"},
	{CONFIG_PORT_RANGE, offsetof(struct root, range), "range"},
	{CONFIG_SECTION, offsetof(struct root, ports), "ports", .section = &ports_section},
	{CONFIG_SECTION, offsetof(struct root, control), "control", .section = &control_section,
		.present = offsetof(struct root, control_present)},
	{CONFIG_LIST, offsetof(struct root, servers), "servers", .section = &server_section,
		.max = 3},
	{CONFIG_LIST, offsetof(struct root, listen), "listen", .item = CONFIG_ENDPOINT,
		.value = "[::]:3653", .min = 1, .max = 2},
	{CONFIG_LIST, offsetof(struct root, names), "names", .item = CONFIG_STRING},
	{CONFIG_LIST, offsetof(struct root, clients), "clients", .item = CONFIG_V6_PREFIX,
		.value = "::/0", .present = offsetof(struct root, clients_present)},
	{CONFIG_END},
};

static const struct config_section root_section = {root_keys, sizeof(struct root)};
