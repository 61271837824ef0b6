// SPDX-License-Identifier: BSD-3-Clause
#include "client/dhcp6_config.h"

#include "dhcp6/dhcp6_codes.h"
#include "dhcp6/dhcp6_duid.h"

#include <net/if.h>
#include <stddef.h>
#include <string.h>

#define FIELD(name) offsetof(struct cl_dhcp6_config, name)
#define CODE(name)  offsetof(struct cl_dhcp6_codes, name)

static const struct in6_addr all_servers = {
	.s6_addr = {0xff, 0x02, [13] = 1, [15] = 2}, /* ff02::1:2 */
};

static const char *const options[] = {
	[CL_DHCP6_DSTM] = "dstm",
	[CL_DHCP6_SOFTWIRE] = "softwire",
	[CL_DHCP6_VENDOR] = "vendor",
	NULL,
};

static const struct config_key code_keys[] = {
	{CONFIG_U32, CODE(ia), "ia", .value = "65100", .min = 1, .max = UINT16_MAX},
	{CONFIG_U32, CODE(tep), "tep", .value = "65101", .min = 1, .max = UINT16_MAX},
	{CONFIG_U32, CODE(ports), "ports", .value = "65102", .min = 1, .max = UINT16_MAX},
	{CONFIG_U32, CODE(client), "client", .value = "65103", .min = 1, .max = UINT16_MAX},
	{CONFIG_U32, CODE(address), "address", .value = "65104", .min = 1, .max = UINT16_MAX},
	{CONFIG_END},
};

static const struct config_section codes_section = {
	.keys = code_keys, .size = sizeof(struct cl_dhcp6_codes)};

static const struct config_key keys[] = {
	{CONFIG_STRING, FIELD(interface), "interface", .min = 1, .max = IFNAMSIZ - 1},
	{CONFIG_V6, FIELD(server), "server", .present = FIELD(has_server)},
	{CONFIG_U32, FIELD(port), "port", .value = "546", .min = 1, .max = UINT16_MAX},
	{CONFIG_U32, FIELD(server_port), "server_port", .value = "547", .min = 1,
		.max = UINT16_MAX},
	{CONFIG_CHOICE, FIELD(options), "options", .value = "dstm", .choices = options},
	{CONFIG_BOOL, FIELD(stateless), "stateless", .value = "false"},
	{CONFIG_U32, FIELD(vendor), "vendor", .value = "32473", .min = 1, .max = UINT32_MAX},
	{CONFIG_SECTION, FIELD(codes), "codes", .section = &codes_section},
	{CONFIG_BOOL, FIELD(rapid_commit), "rapid_commit", .value = "true"},
	{CONFIG_STRING, FIELD(duid), "duid", .min = 1, .max = DHCP6_DUID_STRLEN},
	{CONFIG_END},
};

const struct config_section cl_dhcp6_config_section = {
	.keys = keys, .size = sizeof(struct cl_dhcp6_config)};

struct dhcp6_codes cl_dhcp6_config_codes(const struct cl_dhcp6_config *config)
{
	return (struct dhcp6_codes){
		.ia = (uint16_t)config->codes.ia,
		.tep = (uint16_t)config->codes.tep,
		.ports = (uint16_t)config->codes.ports,
		.client = (uint16_t)config->codes.client,
		.address = (uint16_t)config->codes.address,
		.vendor = config->vendor,
	};
}

const char *cl_dhcp6_config_fault(const struct cl_dhcp6_config *config)
{
	const struct dhcp6_codes codes = cl_dhcp6_config_codes(config);
	struct dhcp6_duid duid;

	if (config->interface == NULL && !config->has_server)
		return "dhcpv6: interface or server is required";
	if (config->has_server && !addr_v6_is_global(&config->server))
		return "dhcpv6: server: not a global address";
	if (!dhcp6_codes_are_distinct(&codes))
		return "dhcpv6: codes: one number for two options, or one of the standard's";
	if (config->duid != NULL && dhcp6_duid_parse(config->duid, &duid) < 0)
		return "dhcpv6: duid: not 3 to 130 octets in hexadecimal";
	return NULL;
}

struct addr_endpoint cl_dhcp6_config_server(const struct cl_dhcp6_config *config)
{
	return (struct addr_endpoint){
		.addr = config->has_server ? config->server : all_servers,
		.port = (uint16_t)config->server_port,
	};
}

static bool codes_equal(const struct cl_dhcp6_codes *a, const struct cl_dhcp6_codes *b)
{
	return a->ia == b->ia && a->tep == b->tep && a->ports == b->ports &&
	       a->client == b->client && a->address == b->address;
}

static bool names_equal(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool cl_dhcp6_config_equal(const struct cl_dhcp6_config *a, const struct cl_dhcp6_config *b)
{
	return names_equal(a->interface, b->interface) && a->has_server == b->has_server &&
	       addr_v6_equal(&a->server, &b->server) && a->port == b->port &&
	       a->server_port == b->server_port && a->options == b->options &&
	       a->stateless == b->stateless && a->vendor == b->vendor &&
	       a->rapid_commit == b->rapid_commit && names_equal(a->duid, b->duid) &&
	       codes_equal(&a->codes, &b->codes);
}
