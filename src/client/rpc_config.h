// SPDX-License-Identifier: BSD-3-Clause
/*
 * The map rpc of config/client.yaml: how a server is asked by RPC.
 */
#pragma once

#include "common/config.h"

#include <stdbool.h>
#include <stdint.h>

enum cl_rpc_transport {
	CL_RPC_TCP,
	CL_RPC_UDP,
};

struct cl_rpc_config {
	bool is_given; /* the map stands in the file */
	char *server; /* a name or an IPv6 address */
	uint32_t port;
	int transport; /* enum cl_rpc_transport */
	uint32_t program;
};

extern const struct config_section cl_rpc_config_section;

/* What is wrong with it under protocol: rpc, a static sentence; NULL: nothing. */
const char *cl_rpc_config_fault(const struct cl_rpc_config *config);
bool cl_rpc_config_equal(const struct cl_rpc_config *a, const struct cl_rpc_config *b);
