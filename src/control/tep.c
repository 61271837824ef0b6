// SPDX-License-Identifier: BSD-3-Clause
#include "control/tep.h"

#include "common/log.h"
#include "control/mirror.h"
#include "control/numa.h"
#include "control/plain_config.h"
#include "control/tunnel_config.h"
#include "dataplane/port.h"

#include <errno.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <string.h>

#define NEXTHOPS_V4_MIB 36 /* the tables, about (lpm.h) ... */
#define NODES_PER_MIB   1024 /* ... and of IPv6 */
#define HOST_RING_SIZE  1024
#define ASK_RING_MIN    1024

static int find_port(const char *side, const char *device, uint16_t *port)
{
	int rc = dp_port_find(device, port);

	if (rc != 0)
		log_err("ports.%s: there is no DPDK port %s (the EAL argument --vdev or -a makes "
			"one)",
			side, device);
	return rc;
}

/* Buffers on the port's node, shared with the other port if that has the same node. */
static int create_pool(struct tep *tep, uint32_t side, uint32_t mtu)
{
	static const char *const names[TEP_PORTS_MAX] = {"packets_v6", "packets_v4"};
	uint32_t n = tep->config->mbufs;
	int node = tep_numa_of_port(tep->ports[side], tep->node);
	struct rte_mempool *pool = NULL;

	tep->pool_nodes[side] = node;
	if (side == 1 && node == tep->pool_nodes[0])
		pool = tep->pools[0];
	if (pool == NULL)
		pool = dp_port_pool_create(names[side], n, mtu, node);
	if (pool == NULL && tep_numa_elsewhere("mbufs", &node))
		pool = dp_port_pool_create(names[side], n, mtu, node);
	tep->pools[side] = pool;
	if (pool != NULL)
		return 0;
	log_err("mbufs: %u packet buffers: %s (the EAL argument -m gives memory)", n,
		rte_strerror(rte_errno));
	return -rte_errno;
}

static uint32_t buffers_in_use(const struct tep *tep)
{
	uint32_t n = rte_mempool_in_use_count(tep->pools[0]);

	if (tep->pools[1] != tep->pools[0] && tep->pools[1] != NULL)
		n += rte_mempool_in_use_count(tep->pools[1]);
	return n;
}

static int start_ports(struct tep *tep)
{
	const struct tep_config *config = tep->config;
	const uint32_t mtu = RTE_MAX(config->ports.mtu_v6, config->ports.mtu_v4);
	bool one_armed;
	int rc = find_port("v6", config->ports.v6, &tep->ports[0]);

	if (rc == 0)
		rc = find_port("v4", config->ports.v4, &tep->ports[1]);
	if (rc != 0)
		return rc;
	tep->numbers[0] = tep->ports[0];
	tep->numbers[1] = dp_datapath_number_v4(tep->ports[0], tep->ports[1],
		(uint16_t)config->ports.vlan_v6, (uint16_t)config->ports.vlan_v4);
	one_armed = tep->ports[0] == tep->ports[1];
	for (uint32_t side = 0; side < (one_armed ? 1 : TEP_PORTS_MAX); side++) {
		struct dp_port_params params = {
			.n_queues = config->workers,
			.rx_descriptors = config->ports.rx_descriptors,
			.tx_descriptors = config->ports.tx_descriptors,
			.mtu = one_armed   ? mtu
			       : side == 0 ? config->ports.mtu_v6
					   : config->ports.mtu_v4,
		};
		char error[DP_PORT_ERROR_LEN];

		rc = create_pool(tep, side, mtu);
		if (rc != 0)
			return rc;
		params.pool = tep->pools[side];
		rc = dp_port_start(tep->ports[side], &params, error);
		if (rc != 0) {
			log_err("%s", error);
			return rc;
		}
		tep->n_ports++;
	}
	return 0;
}

static int create_bindings(struct tep *tep)
{
	struct dp_bindings_params params = {
		.mtu_rules = &tep->mtu_rules,
		.max_bindings = tep->config->bindings.max,
		.max_readers = tep->config->workers,
		.socket = tep->node,
	};
	struct config_error error;
	int rc;

	tep_tunnel_mtu_rules(tep->config, &tep->mtu_rules);
	tep->bindings = dp_bindings_create(&params);
	if (tep->bindings == NULL && tep_numa_elsewhere("bindings", &params.socket))
		tep->bindings = dp_bindings_create(&params);
	if (tep->bindings == NULL) {
		log_err("bindings: no room for %u: %s", params.max_bindings,
			rte_strerror(rte_errno));
		return -rte_errno;
	}
	rc = tep_static_load(&tep->config->fixed, tep->bindings, &error);
	if (rc != 0)
		log_err("%s", error.text);
	return rc;
}

/* neighbor: static: everything leaves a port to one MAC. */
static struct dp_adjacency static_adjacency(
	const struct tep *tep, uint32_t side, const uint8_t mac[6])
{
	struct dp_adjacency adjacency = {.port = tep->numbers[side], .state = DP_ADJ_RESOLVED};

	memcpy(&adjacency.dst_mac, mac, sizeof(adjacency.dst_mac));
	rte_eth_macaddr_get(tep->ports[side], &adjacency.src_mac);
	return adjacency;
}

static int create_nexthops(struct tep *tep)
{
	const struct tep_config_neighbor *neighbor = &tep->config->neighbor;
	struct dp_nexthops_params params = {
		.fib = neighbor->mode == TEP_NEIGHBOR_KERNEL,
		.max_adjacencies = neighbor->max_neighbours * 2, /* old ones count for a while */
		.max_groups = tep_config_max_ways(neighbor),
		.max_routes_v4 = neighbor->max_routes_v4,
		.max_routes_v6 = neighbor->max_routes_v6,
		.max_hosts = neighbor->max_neighbours,
		.max_readers = tep->config->workers,
		.socket = tep->node,
	};

	tep->nexthops = dp_nexthops_create(&params);
	if (tep->nexthops == NULL && tep_numa_elsewhere("next hops", &params.socket))
		tep->nexthops = dp_nexthops_create(&params);
	if (tep->nexthops == NULL) {
		log_err("next hops: %s", rte_strerror(rte_errno));
		return -rte_errno;
	}
	if (params.fib) {
		log_info("next hops: %u MiB, for %u routes of IPv4, %u of IPv6, %u neighbours",
			NEXTHOPS_V4_MIB +
				(params.max_routes_v6 + 4 * params.max_hosts) / NODES_PER_MIB,
			params.max_routes_v4, params.max_routes_v6, params.max_hosts);
		tep->punt = dp_punt_create(HOST_RING_SIZE, SOCKET_ID_ANY);
		if (tep->punt == NULL) {
			log_err("ring to the host: %s", rte_strerror(rte_errno));
			return -rte_errno;
		}
	} else {
		const struct dp_adjacency v6 = static_adjacency(tep, 0, neighbor->v6_mac);
		const struct dp_adjacency v4 = static_adjacency(tep, 1, neighbor->v4_mac);

		dp_nexthops_set_static_v6(tep->nexthops, &v6);
		dp_nexthops_set_static_v4(tep->nexthops, &v4);
	}
	return 0;
}

static int create_ask(struct tep *tep)
{
	const struct tep_config_query *query = &tep->config->query;
	const struct dp_ask_params params = {
		.ring_size = rte_align32pow2(RTE_MAX(query->hold_packets, (uint32_t)ASK_RING_MIN)),
		.rate = query->rate,
		.of_v4 = query->enabled,
		.of_v6 = true,
		.socket = SOCKET_ID_ANY,
	};

	if (!tep_config_asks(tep->config))
		return 0;
	tep->ask = dp_ask_create(&params);
	if (tep->ask != NULL)
		return 0;
	log_err("query: %s", rte_strerror(rte_errno));
	return -rte_errno;
}

static struct dp_icmp_params icmp_params(const struct tep_config *config)
{
	const struct tep_config_icmp *icmp = &config->icmp;

	return (struct dp_icmp_params){
		.rate = icmp->rate,
		.burst = icmp->burst,
		.tunnel_v4 = config->tunnel.v4,
		.v4_source = icmp->v4_source,
		.v6_source = icmp->has_v6_source ? icmp->v6_source : config->tep_v6[0],
		.plain = config->plain.errors,
		.relay = icmp->relay,
		.to_v4 =
			{
				[DP_ICMP_TIME_EXCEEDED] = icmp->time_exceeded_to_v4,
				[DP_ICMP_TOO_BIG] = icmp->too_big_to_v4,
				[DP_ICMP_UNREACHABLE] = icmp->unreachable_to_v4,
			},
		.to_clients =
			{
				[DP_ICMP_TIME_EXCEEDED] = icmp->time_exceeded_to_clients,
				[DP_ICMP_TOO_BIG] = icmp->too_big_to_clients,
				[DP_ICMP_UNREACHABLE] = icmp->unreachable_to_clients,
				[DP_ICMP_POLICY] = icmp->policy_to_clients,
				[DP_ICMP_PARAMETER] = icmp->parameter_to_clients,
			},
		.refuse_from_v4 =
			{
				[ICMP_REQUEST] = !icmp->requests_from_v4,
				[ICMP_REPLY] = !icmp->replies_from_v4,
				[ICMP_ERROR] = !icmp->errors_from_v4,
			},
	};
}

/*
 * Buffers that may wait for other fragments, of one worker and kind: all of them together three quarters of
 * what the receive rings do not hold.
 */
static uint32_t waiting_buffers(const struct tep_config *config)
{
	uint32_t ports = tep_config_is_one_armed(config) ? 1 : TEP_PORTS_MAX;
	uint32_t in_rings = ports * config->workers * config->ports.rx_descriptors;

	return RTE_MAX((config->mbufs - in_rings - tep_config_held_packets(config)) /
			       (4 * config->workers),
		2U);
}

static struct dp_outer_params outer_params(const struct tep_config *config)
{
	const struct tep_config_tunnel *tunnel = &config->tunnel;

	return (struct dp_outer_params){
		.has_encapsulation_limit = tunnel->has_encapsulation_limit,
		.encapsulation_limit = (uint8_t)tunnel->encapsulation_limit,
		.dscp = dp_dscp_make((enum dp_dscp_mode)tunnel->dscp, (uint8_t)tunnel->dscp_outer,
			(uint8_t)tunnel->dscp_inner),
		.hash_flows = config->hash_flows,
		.flow_label = config->flow_label,
	};
}

static int create_datapath(struct tep *tep)
{
	const struct tep_config *config = tep->config;
	struct dp_datapath_params params = {
		.port_v6 = tep->ports[0],
		.port_v4 = tep->ports[1],
		.vlan_v6 = (uint16_t)config->ports.vlan_v6,
		.vlan_v4 = (uint16_t)config->ports.vlan_v4,
		.n_workers = config->workers,
		.rx_ring = config->ports.rx_descriptors,
		.tx_ring = config->ports.tx_descriptors,
		.n_tep_v6 = config->tunnel.v6.n,
		.hop_limit = (uint8_t)config->tunnel.hop_limit,
		.outer = outer_params(config),
		.mtu_v6 = config->ports.mtu_v6,
		.mtu_v4 = config->ports.mtu_v4,
		.fragment_inner = config->tunnel.fragment == TEP_FRAGMENT_INNER,
		.ignore_df = config->tunnel.ignore_df,
		.path_mtu = config->tunnel.path_mtu,
		.mss_clamp = config->tunnel.mss,
		.hairpin = config->hairpin,
		.pass_source_routes = config->source_routes,
		.pools = config->pools.items,
		.n_pools = config->pools.n,
		.forward = tep_plain_forward(config),
		.icmp = icmp_params(config),
		.reassembly =
			{
				.max_datagrams = config->reassembly.max_datagrams,
				.max_fragments = waiting_buffers(config),
				.per_source = config->reassembly.per_source,
				.timeout_ms = config->reassembly.timeout_ms,
			},
		.idle_sleep_us = config->idle_sleep_us,
		.bindings = tep->bindings,
		.nexthops = tep->nexthops,
		.ask = tep->ask,
		.punt = tep->punt,
	};

	memcpy(params.tep_v6, tep_config_tunnel_v6(config),
		config->tunnel.v6.n * sizeof(params.tep_v6[0]));
	tep->datapath = dp_datapath_create(&params);
	if (tep->datapath == NULL) {
		log_err("workers: %s", rte_strerror(rte_errno));
		return -rte_errno;
	}
	return 0;
}

int tep_create(struct tep *tep, const struct tep_config *config)
{
	int rc;

	*tep = (struct tep){.config = config, .ready = {.confirm_ms = config->bindings.confirm_ms}};
	if (config->workers > rte_lcore_count() - 1) {
		log_err("workers: %u need as many EAL worker lcores, and there %s %u (the EAL "
			"argument --lcores gives more)",
			config->workers, rte_lcore_count() == 2 ? "is" : "are",
			rte_lcore_count() - 1);
		return -EINVAL;
	}
	tep->node = tep_numa_of_workers(config->workers);
	rc = start_ports(tep);
	if (rc == 0)
		rc = create_bindings(tep);
	if (rc == 0)
		rc = create_nexthops(tep);
	if (rc == 0)
		rc = create_ask(tep);
	if (rc == 0)
		rc = create_datapath(tep);
	if (rc != 0)
		tep_destroy(tep);
	return rc;
}

int tep_start(struct tep *tep)
{
	int rc;

	tep_stats_init(&tep->stats, tep->datapath, tep->config->workers, tep->ports);
	rc = dp_datapath_start(tep->datapath);
	if (rc != 0)
		log_err("workers: cannot be launched: %s", rte_strerror(-rc));
	tep->ready.is_running = rc == 0;
	return rc;
}

void tep_check(struct tep *tep)
{
	static const char *const kinds[DP_FRAG_N_KINDS] = {
		[DP_FRAG_V6] = "IPv6 packets to a tunnel address",
		[DP_FRAG_INNER] = "packets inside tunnels",
		[DP_FRAG_V4] = "packets from the IPv4 side",
	};
	enum dp_frag_kind kind;
	uint32_t fill = dp_datapath_reassembly_fill(tep->datapath, &kind);

	if (tep_fill_alarm_look(&tep->reassembly_alarm, fill))
		log_warn("reassembly: %u %% of the room for fragments of %s is in use; when it is "
			 "full, the oldest are dropped (reassembly.max_datagrams, mbufs)",
			fill, kinds[kind]);
}

void tep_stop(struct tep *tep)
{
	tep->ready.is_running = false;
	dp_datapath_stop(tep->datapath);
	dp_ask_destroy(tep->ask);
	tep->ask = NULL;
	dp_punt_destroy(tep->punt); /* what the host did not fetch is no leak */
	tep->punt = NULL;
	tep_stats_sample(&tep->stats);
	while (tep->n_ports > 0)
		dp_port_stop(tep->ports[--tep->n_ports]);
	tep->stats.mbufs_in_use = buffers_in_use(tep);
}

void tep_destroy(struct tep *tep)
{
	dp_datapath_destroy(tep->datapath);
	while (tep->n_ports > 0)
		dp_port_stop(tep->ports[--tep->n_ports]);
	dp_ask_destroy(tep->ask);
	dp_punt_destroy(tep->punt);
	dp_nexthops_destroy(tep->nexthops);
	dp_bindings_destroy(tep->bindings);
	if (tep->pools[1] != tep->pools[0])
		rte_mempool_free(tep->pools[1]);
	rte_mempool_free(tep->pools[0]);
	*tep = (struct tep){0};
}
