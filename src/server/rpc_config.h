// SPDX-License-Identifier: BSD-3-Clause
/* The part "rpc" of the configuration: who is answered over RPC, and where. */
#pragma once

#include "common/config.h"

#include <stdbool.h>
#include <stdint.h>

#define SRV_RPC_LISTEN_MAX 16

/* Callers that have a name, as far as leases and quotas go. */
struct srv_rpc_user {
	struct config_pos pos;
	struct addr_v6_prefix from;
	char *user;
};

struct srv_rpc_config {
	struct config_pos pos;
	bool is_on; /* the section is there */
	struct config_list listen; /* struct addr_endpoint, each for TCP and UDP */
	uint32_t program;
	bool rpcbind; /* register there */
	struct config_list allow; /* struct addr_v6_prefix: nobody else is answered */
	struct config_list users; /* struct srv_rpc_user, the first that fits */
	uint32_t connections; /* at once */
	uint32_t idle_s; /* how long a connection may be without a whole call */
};

extern const struct config_section srv_rpc_config_section;

/* Returns 0, or -EINVAL with a sentence in error. */
int srv_rpc_config_check(
	const char *path, const struct srv_rpc_config *config, struct config_error *error);
/* The user that a caller is; "": none. */
const char *srv_rpc_config_user(const struct srv_rpc_config *config, const struct in6_addr *peer);
/* True when the two differ only in what a reload can change. */
bool srv_rpc_config_same_fixtures(const struct srv_rpc_config *a, const struct srv_rpc_config *b);
/* Gives each the other's fixtures. */
void srv_rpc_config_swap_fixtures(struct srv_rpc_config *a, struct srv_rpc_config *b);
