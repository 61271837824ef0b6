// SPDX-License-Identifier: BSD-3-Clause
/*
 * The configuration of dstm-tep, config/tep.yaml key by key, read and checked as a whole.
 */
#pragma once

#include "common/config.h"
#include "common/monitor.h"
#include "control/static_bindings.h"
#include "dataplane/datapath.h"
#include "tsp/tsp_tls.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

enum tep_neighbor_mode {
	TEP_NEIGHBOR_STATIC,
	TEP_NEIGHBOR_KERNEL
};

struct tep_config_ports {
	struct config_pos pos;
	char *v6; /* device names or numbers */
	char *v4;
	uint32_t mtu_v6;
	uint32_t mtu_v4;
	uint32_t vlan_v6; /* 0: untagged */
	uint32_t vlan_v4;
	uint32_t rx_descriptors;
	uint32_t tx_descriptors;
};

enum tep_fragment {
	TEP_FRAGMENT_OUTER,
	TEP_FRAGMENT_INNER
};

/* A tunnel address; in the YAML also as the bare address. */
struct tep_config_tunnel_v6 {
	struct config_pos pos;
	struct in6_addr addr;
	uint32_t mtu; /* 0: that of the IPv6 side */
};

struct tep_config_mtu_by_prefix {
	struct config_pos pos;
	struct addr_v6_prefix prefix;
	uint32_t mtu;
};

struct tep_config_tunnel {
	struct config_pos pos;
	struct config_list v6; /* struct tep_config_tunnel_v6 */
	uint32_t v4;
	uint32_t hop_limit;
	int fragment; /* enum tep_fragment */
	bool ignore_df;
	bool path_mtu;
	struct config_list mtu_by_prefix; /* struct tep_config_mtu_by_prefix */
	char *mss_clamp; /* as it stands in the file */
	uint32_t mss; /* made from it: 0, DP_MSS_AUTO or the largest segment */
	uint32_t encapsulation_limit;
	bool has_encapsulation_limit;
	int dscp; /* enum dp_dscp_mode */
	uint32_t dscp_outer;
	uint32_t dscp_inner;
	char *flow_label; /* as it stands there: see hash_flows */
};

enum tep_plain_v6 {
	TEP_PLAIN_V6_HOST,
	TEP_PLAIN_V6_FORWARD
};

struct tep_config_plain {
	struct config_pos pos;
	int v4; /* enum dp_forward_way */
	int v6; /* enum tep_plain_v6 */
	bool errors;
};

struct tep_config_announce {
	struct config_pos pos;
	bool pools;
	bool tunnel;
	uint32_t metric;
};

struct tep_config_ready {
	struct config_pos pos;
	struct config_list routes_v4; /* uint32_t: host order */
	struct config_list routes_v6; /* struct in6_addr */
};

struct tep_config_icmp {
	struct config_pos pos;
	uint32_t rate;
	uint32_t burst;
	uint32_t v4_source;
	bool has_v4_source;
	struct in6_addr v6_source;
	bool has_v6_source;
	bool relay;
	bool time_exceeded_to_v4;
	bool time_exceeded_to_clients;
	bool too_big_to_v4;
	bool too_big_to_clients;
	bool unreachable_to_v4;
	bool unreachable_to_clients;
	bool policy_to_clients;
	bool parameter_to_clients;
	bool requests_from_v4;
	bool replies_from_v4;
	bool errors_from_v4;
};

struct tep_config_neighbor {
	struct config_pos pos;
	int mode; /* enum tep_neighbor_mode */
	uint8_t v6_mac[6];
	uint8_t v4_mac[6];
	bool has_v6_mac;
	bool has_v4_mac;
	char *twin_v6;
	char *twin_v4;
	uint32_t max_routes_v4;
	uint32_t max_routes_v6;
	uint32_t max_neighbours;
	bool answer_arp;
};

/* What routes lead to: each neighbour on a link, and this many gateways and sets of them. */
static inline uint32_t tep_config_max_ways(const struct tep_config_neighbor *neighbor)
{
	return neighbor->max_neighbours + 4096;
}

/* A binding as it stands in the YAML. */
struct tep_config_binding {
	struct config_pos pos;
	uint32_t v4;
	struct port_range ports;
	bool has_ports;
	struct in6_addr client;
	struct in6_addr tep;
	bool has_tep;
};

struct tep_config_bindings {
	struct config_pos pos;
	uint32_t max;
	char *file; /* NULL: none; relative to the configuration file */
	struct config_list fixed; /* key "static": struct tep_config_binding */
	char *snapshot; /* NULL: none */
	uint32_t confirm_ms; /* how long a server that is not there is waited for after the start */
};

struct tep_config_reassembly {
	struct config_pos pos;
	uint32_t max_datagrams;
	uint32_t per_source;
	uint32_t timeout_ms;
};

struct tep_config_query {
	struct config_pos pos;
	bool enabled;
	uint32_t rate;
	uint32_t negative_s;
	uint32_t hold_packets;
	uint32_t hold_per_question;
	uint32_t hold_ms;
};

enum tep_learn_mode {
	TEP_LEARN_OFF,
	TEP_LEARN_CONFIRMED, /* what a server confirms when it is asked */
	TEP_LEARN_OPEN, /* from packets themselves */
};

struct tep_config_learn {
	struct config_pos pos;
	int mode; /* enum tep_learn_mode */
	uint32_t block;
	uint32_t lifetime_s;
	uint32_t max;
	struct config_list clients; /* struct addr_v6_prefix */
};

struct tep_config_server {
	struct config_pos pos;
	char *name;
	char *password; /* NULL: by its certificate alone */
};

struct tep_config_control {
	struct config_pos pos;
	struct addr_endpoint listen;
	bool has_listen;
	struct config_list servers; /* struct tep_config_server */
	struct tsp_tls_config tls; /* with a certificate: TLS, and nobody without one */
	char *socket; /* NULL: none */
};

struct tep_config {
	struct config_pos pos;
	char *name; /* NULL: the host name */
	struct tep_config_ports ports;
	uint32_t workers;
	uint32_t idle_sleep_us;
	uint32_t mbufs;
	struct tep_config_tunnel tunnel;
	bool hairpin;
	bool source_routes;
	struct config_list pools; /* struct addr_v4_prefix */
	struct tep_config_plain plain;
	struct tep_config_announce announce;
	struct tep_config_ready ready;
	struct tep_config_icmp icmp;
	struct tep_config_neighbor neighbor;
	struct tep_config_reassembly reassembly;
	struct tep_config_bindings bindings;
	struct tep_config_control control;
	struct monitor_config metrics;
	struct tep_config_query query;
	struct tep_config_learn learn;

	/* No key: made from them. */
	struct in6_addr tep_v6[DP_TEP_ADDRESSES_MAX]; /* of tunnel.v6 */
	struct tep_static_bindings fixed; /* of the YAML and of bindings.file */
	bool hash_flows; /* tunnel.flow_label; otherwise every packet has this one */
	uint32_t flow_label;
};

static inline const struct in6_addr *tep_config_tunnel_v6(const struct tep_config *config)
{
	return config->tep_v6;
}

static inline bool tep_config_is_one_armed(const struct tep_config *config)
{
	return strcmp(config->ports.v6, config->ports.v4) == 0;
}

/* Is anything done about packets out of tunnels without a binding? */
static inline bool tep_config_asks(const struct tep_config *config)
{
	return config->query.enabled || config->learn.mode != TEP_LEARN_OFF;
}

/* Packets that may wait for that at once. */
static inline uint32_t tep_config_held_packets(const struct tep_config *config)
{
	return tep_config_asks(config) ? config->query.hold_packets : 0;
}

/* One port without two VLANs on it: the host has one twin. */
static inline bool tep_config_has_one_link(const struct tep_config *config)
{
	return tep_config_is_one_armed(config) && config->ports.vlan_v6 == config->ports.vlan_v4;
}

/* Reads and checks the file and the static bindings. 0, or -errno with one sentence in error; then *config
 * is all zero. path is borrowed as long as the configuration lives. */
int tep_config_load(const char *path, struct tep_config *config, struct config_error *error);
void tep_config_free(struct tep_config *config);
