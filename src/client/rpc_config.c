// SPDX-License-Identifier: BSD-3-Clause
#include "client/rpc_config.h"

#include <stddef.h>
#include <string.h>

#define FIELD(name) offsetof(struct cl_rpc_config, name)

static const char *const transports[] = {[CL_RPC_TCP] = "tcp", [CL_RPC_UDP] = "udp", NULL};

static const struct config_key keys[] = {
	{CONFIG_STRING, FIELD(server), "server", .min = 1, .max = 253},
	{CONFIG_U32, FIELD(port), "port", .value = "0", .max = UINT16_MAX},
	{CONFIG_CHOICE, FIELD(transport), "transport", .value = "tcp", .choices = transports},
	{CONFIG_U32, FIELD(program), "program", .value = "536874327", .min = 0x20000000,
		.max = 0x3fffffff},
	{CONFIG_END},
};

const struct config_section cl_rpc_config_section = {
	.keys = keys, .size = sizeof(struct cl_rpc_config)};

const char *cl_rpc_config_fault(const struct cl_rpc_config *config)
{
	return config->server == NULL ? "rpc: server: missing: one is required" : NULL;
}

bool cl_rpc_config_equal(const struct cl_rpc_config *a, const struct cl_rpc_config *b)
{
	bool same = a->server == b->server ||
		    (a->server != NULL && b->server != NULL && strcmp(a->server, b->server) == 0);

	return same && a->port == b->port && a->transport == b->transport &&
	       a->program == b->program;
}
