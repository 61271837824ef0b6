// SPDX-License-Identifier: BSD-3-Clause
/*
 * config/client.yaml as a value.
 */
#pragma once

#include "client/dhcp6_config.h"
#include "client/napt.h"
#include "client/rpc_config.h"
#include "common/config.h"
#include "tsp/tsp_msg.h"
#include "tsp/tsp_tls.h"

#include <stdbool.h>
#include <stdint.h>

/* How a server is asked for a lease. */
enum cl_link_protocol {
	CL_LINK_TSP,
	CL_LINK_DHCPV6,
	CL_LINK_RPC,
	CL_LINKS_N
};

/* One of servers; what its texts mean: client/servers.h. */
struct cl_server_config {
	char *name;
	char *tls_name; /* NULL: that of the whole configuration */
};

struct cl_config {
	struct config_pos pos;
	int protocol; /* enum cl_link_protocol */
	struct cl_dhcp6_config dhcp6; /* with CL_LINK_DHCPV6 */
	struct cl_rpc_config rpc; /* with CL_LINK_RPC */
	char *server; /* the only one; NULL: there are servers */
	struct config_list servers; /* of struct cl_server_config, in order of preference */
	struct tsp_tls_config tls; /* with a ca: TLS */
	char *tls_name; /* whom the server's certificate is for; NULL: its address */
	uint32_t generation; /* enum tsp_generation */
	char *user; /* NULL: ANONYMOUS */
	char *password;
	int mode; /* enum cl_mode */
	uint32_t ports;
	uint32_t ports_max; /* no more are asked for when they run out */
	bool exclusive;
	uint32_t lifetime_s;
	bool on_demand;
	uint32_t idle_s; /* with on_demand: a lease unused for so long is given back; 0: never */
	bool dns_trigger; /* with on_demand: a name without IPv6 addresses is a demand */
	bool accept_push;
	char *device;
	uint32_t mtu; /* 0: what the IPv6 path leaves */
	uint32_t queues;
	char *dscp; /* cl_config_dscp() says what it means */
	bool rewrite_ip_id;
	bool default_route;
	bool has_v6;
	struct in6_addr v6; /* with has_v6 */
	bool has_tep;
	struct in6_addr tep; /* with has_tep: instead of the one that the server names */
	uint32_t inner_v4;
	struct config_list direct; /* struct addr_v4_prefix: clients there are reached directly */
	bool direct_auto; /* the server says where */
	uint32_t hold_packets; /* that wait for a lease */
	struct config_list forwards; /* of struct cl_forward */
	char *netns; /* NULL: our own */
	uint32_t retry_min_s, retry_max_s;
	char *socket;
	char *state;
};

/* Returns 0, or -errno with error->text set and *config all zero. */
int cl_config_load(const char *path, struct cl_config *config, struct config_error *error);
void cl_config_free(struct cl_config *config);

/* True when two files say the same. */
bool cl_config_equal(const struct cl_config *a, const struct cl_config *b);

/*
 * As what the engine treats the server: what is no TSP serves like a session of generation 1, which may
 * stay open, and in which a renewal names what it holds.
 */
enum tsp_generation cl_config_generation(const struct cl_config *config);

/* DSCP of the outer header: 0..63, or CL_DSCP_COPY (client/ecn.h). */
int cl_config_dscp(const struct cl_config *config);
