// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/datapath.h"

#include "common/clock.h"
#include "dataplane/outer.h"
#include "dataplane/reassembly.h"
#include "dataplane/worker.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <string.h>
#include <sys/random.h>

#define CLOCK_PERIOD_MS 20 /* how old a worker's second may be */

struct dp_datapath {
	struct dp_datapath_params params;
	uint64_t flow_seed; /* the same for all workers: any of them may meet a flow's packets */
	struct dp_pools pools;
	struct dp_local_v4 local[2]; /* the one in use, and the one to write next */
	const struct dp_local_v4 *local_v4; /* which one workers read */
	atomic_bool stop;
	bool running;
	struct dp_worker *workers[RTE_MAX_LCORE];
	struct dp_spread *spreads[DP_SIDES][RTE_MAX_LCORE]; /* by queue; NULL: one worker has it */
	unsigned int lcores[RTE_MAX_LCORE];
};

static uint32_t n_sides(const struct dp_datapath_params *params)
{
	return params->port_v6 == params->port_v4 ? 1 : DP_SIDES;
}

/* Up to 8. Without the kernel's, early after a boot, the cycle counter is better than nothing. */
static void random_octets(void *to, size_t n)
{
	uint64_t tsc = rte_rdtsc();

	if (getrandom(to, n, GRND_NONBLOCK) != (ssize_t)n)
		memcpy(to, &tsc, n);
}

static void init_frag_ids(struct dp_frag_ids *ids)
{
	uint16_t key[DP_FRAG_ID_KEY_WORDS];

	static_assert(sizeof(key) <= sizeof(uint64_t));
	random_octets(key, sizeof(key));
	dp_frag_ids_init(ids, key);
}

static void init_outer(struct dp_ctx *ctx, const struct dp_datapath *datapath)
{
	const struct dp_outer_params *outer = &datapath->params.outer;

	ctx->tunnel_overhead = sizeof(struct rte_ipv6_hdr);
	if (outer->has_encapsulation_limit)
		ctx->tunnel_overhead += DP_OUTER_LIMIT_LEN;
	ctx->encapsulation_limit = outer->encapsulation_limit;
	ctx->dscp = outer->dscp;
	ctx->hash_flows = outer->hash_flows;
	ctx->flow_label = outer->flow_label;
	ctx->flow_seed = datapath->flow_seed;
}

static void init_ask(struct dp_ctx *ctx, const struct dp_datapath_params *params)
{
	if (params->ask == NULL || params->n_pools == 0)
		return;
	ctx->ask = params->ask;
	ctx->asks[0] = dp_ask_params(params->ask)->of_v4;
	ctx->asks[1] = dp_ask_params(params->ask)->of_v6;
}

void dp_datapath_ctx_init(struct dp_ctx *ctx, const struct dp_datapath *datapath)
{
	const struct dp_datapath_params *params = &datapath->params;

	ctx->bindings = params->bindings;
	ctx->nexthops = params->nexthops;
	ctx->punt = params->punt;
	init_ask(ctx, params);
	ctx->local_v4 = &datapath->local_v4;
	ctx->mtu_v6 = params->mtu_v6;
	ctx->mtu_v4 = params->mtu_v4;
	ctx->fragment_inner = params->fragment_inner;
	ctx->ignore_df = params->ignore_df;
	ctx->path_mtu = params->path_mtu;
	ctx->mss_clamp = params->mss_clamp;
	ctx->hop_limit = params->hop_limit;
	init_outer(ctx, datapath);
	ctx->hairpin = params->hairpin;
	ctx->pass_source_routes = params->pass_source_routes;
	ctx->pools = params->n_pools != 0 ? &datapath->pools : NULL;
	ctx->forward = params->forward;
	init_frag_ids(&ctx->frag_ids);
	ctx->vlans[0] = params->vlan_v6;
	ctx->vlans[1] = params->vlan_v4;
	ctx->tagged = params->vlan_v6 != 0 || params->vlan_v4 != 0;
	ctx->ports[0] = params->port_v6;
	ctx->ports[1] = dp_datapath_number_v4(
		params->port_v6, params->port_v4, params->vlan_v6, params->vlan_v4);
	rte_eth_macaddr_get(params->port_v6, &ctx->macs[0]);
	rte_eth_macaddr_get(params->port_v4, &ctx->macs[1]);
	ctx->n_tep_v6 = params->n_tep_v6;
	memcpy(ctx->tep_v6, params->tep_v6, sizeof(ctx->tep_v6));
	ctx->icmp = params->icmp;
}

static void worker_destroy(struct dp_worker *worker)
{
	if (worker == NULL)
		return;
	for (uint32_t kind = 0; kind < DP_FRAG_N_KINDS; kind++)
		dp_reassembly_destroy(worker->ctx.reassembly[kind]);
	dp_ask_limits_destroy(worker->ctx.ask_limits);
	rte_free(worker);
}

static struct dp_worker *worker_create(
	struct dp_datapath *datapath, uint32_t id, unsigned int lcore)
{
	const struct dp_datapath_params *params = &datapath->params;
	int socket = (int)rte_lcore_to_socket_id(lcore);
	struct dp_worker *worker = rte_zmalloc_socket(
		"dp_worker", sizeof(*worker), RTE_CACHE_LINE_SIZE, socket);

	if (worker == NULL)
		return NULL;
	dp_datapath_ctx_init(&worker->ctx, datapath);
	if (worker->ctx.ask != NULL) {
		worker->ctx.ask_limits = dp_ask_limits_create(
			dp_ask_params(params->ask)->rate, socket);
		if (worker->ctx.ask_limits == NULL) {
			worker_destroy(worker);
			return NULL;
		}
	}
	for (uint32_t kind = 0; kind < DP_FRAG_N_KINDS; kind++) {
		worker->ctx.reassembly[kind] = dp_reassembly_create(
			&params->reassembly, kind, socket);
		if (worker->ctx.reassembly[kind] == NULL) {
			worker_destroy(worker);
			return NULL;
		}
	}
	worker->clock_cycles = rte_get_tsc_hz() / 1000 * CLOCK_PERIOD_MS;
	worker->id = id;
	worker->n_sides = n_sides(params);
	worker->idle_sleep_us = params->idle_sleep_us;
	worker->readers[0] = dp_bindings_qsbr(params->bindings);
	worker->readers[1] = dp_nexthops_qsbr(params->nexthops);
	worker->stop = &datapath->stop;
	return worker;
}

/* What the workers of a queue pair share; worker i of the side has queue i modulo n_queues. */
static int create_spreads(
	struct dp_datapath *datapath, uint32_t side, uint16_t port, uint32_t n_queues)
{
	const struct dp_datapath_params *params = &datapath->params;

	for (uint32_t queue = 0; queue < n_queues; queue++) {
		const struct dp_spread_params spread = {
			.n_members = (params->n_workers - queue + n_queues - 1) / n_queues,
			.rx_ring = params->rx_ring,
			.tx_ring = params->tx_ring,
			.socket = rte_eth_dev_socket_id(port),
		};

		if (spread.n_members == 1)
			continue;
		datapath->spreads[side][queue] = dp_spread_create(&spread);
		if (datapath->spreads[side][queue] == NULL)
			return rte_errno;
	}
	return 0;
}

/*
 * Who polls what on the port of a side. Without a queue pair for each worker, the first ones own those of the IPv6
 * side and the last ones those of the IPv4 side, so that one has not all the work of both. 0 or an errno.
 */
static int lay_lanes(struct dp_datapath *datapath, uint32_t side)
{
	uint16_t port = side == 0 ? datapath->params.port_v6 : datapath->params.port_v4;
	uint32_t n_workers = datapath->params.n_workers, n_queues, first;
	struct rte_eth_dev_info info;
	int error;

	if (rte_eth_dev_info_get(port, &info) != 0 || info.nb_rx_queues == 0)
		return EINVAL;
	n_queues = RTE_MIN(info.nb_rx_queues, n_workers);
	error = create_spreads(datapath, side, port, n_queues);
	if (error != 0)
		return error;
	first = side == 0 ? 0 : n_workers - n_queues;
	for (uint32_t i = 0; i < n_workers; i++) {
		struct dp_worker *worker = datapath->workers[(first + i) % n_workers];
		struct dp_lane *lane = &worker->lanes[side];

		lane->queue = (uint16_t)(i % n_queues);
		lane->member = i / n_queues;
		lane->spread = datapath->spreads[side][lane->queue];
		worker->shares |= lane->spread != NULL;
	}
	return 0;
}

struct dp_datapath *dp_datapath_create(const struct dp_datapath_params *params)
{
	struct dp_datapath *datapath;
	unsigned int lcore = rte_get_next_lcore(-1, 1, 0);

	if (params->n_workers == 0 || params->n_workers > rte_lcore_count() - 1 ||
		params->n_tep_v6 > DP_TEP_ADDRESSES_MAX || params->n_pools > DP_POOLS_MAX) {
		rte_errno = EINVAL;
		return NULL;
	}
	datapath = rte_zmalloc("dp_datapath", sizeof(*datapath), RTE_CACHE_LINE_SIZE);
	if (datapath == NULL)
		return NULL;
	datapath->params = *params;
	random_octets(&datapath->flow_seed, sizeof(datapath->flow_seed));
	dp_pools_init(&datapath->pools, params->pools, params->n_pools);
	datapath->local_v4 = &datapath->local[0];
	for (uint32_t i = 0; i < params->n_workers; i++) {
		datapath->lcores[i] = lcore;
		datapath->workers[i] = worker_create(datapath, i, lcore);
		if (datapath->workers[i] == NULL) {
			dp_datapath_destroy(datapath);
			rte_errno = ENOMEM;
			return NULL;
		}
		lcore = rte_get_next_lcore(lcore, 1, 0);
	}
	for (uint32_t side = 0; side < n_sides(params); side++) {
		int error = lay_lanes(datapath, side);

		if (error != 0) {
			dp_datapath_destroy(datapath);
			rte_errno = error;
			return NULL;
		}
	}
	if (n_sides(params) == 1) /* for the second link of a stick */
		for (uint32_t i = 0; i < params->n_workers; i++)
			datapath->workers[i]->lanes[1] = datapath->workers[i]->lanes[0];
	return datapath;
}

void dp_datapath_destroy(struct dp_datapath *datapath)
{
	if (datapath == NULL)
		return;
	dp_datapath_stop(datapath);
	for (uint32_t i = 0; i < datapath->params.n_workers; i++)
		worker_destroy(datapath->workers[i]);
	for (uint32_t side = 0; side < DP_SIDES; side++)
		for (uint32_t queue = 0; queue < datapath->params.n_workers; queue++)
			dp_spread_destroy(datapath->spreads[side][queue]);
	rte_free(datapath);
}

int dp_datapath_start(struct dp_datapath *datapath)
{
	atomic_store(&datapath->stop, false);
	datapath->running = true;
	for (uint32_t i = 0; i < datapath->params.n_workers; i++) {
		struct dp_worker *worker = datapath->workers[i];
		int rc;

		dp_worker_set_clock(worker, clock_boot_ms());
		worker->last_rx_tsc = rte_rdtsc();
		worker->empty_polls = 0;
		rc = rte_eal_remote_launch(dp_worker_run, worker, datapath->lcores[i]);
		if (rc != 0) {
			dp_datapath_stop(datapath);
			return rc;
		}
	}
	return 0;
}

void dp_datapath_stop(struct dp_datapath *datapath)
{
	uint32_t n_workers = datapath->params.n_workers, handed;

	if (!datapath->running)
		return;
	atomic_store(&datapath->stop, true);
	for (uint32_t i = 0; i < n_workers; i++)
		rte_eal_wait_lcore(datapath->lcores[i]);
	/* This thread is all of them now: what one has handed to another when that had ended goes on. */
	do {
		handed = 0;
		for (uint32_t i = 0; i < n_workers; i++)
			handed += dp_worker_carry_on(datapath->workers[i]);
	} while (handed != 0);
	for (uint32_t i = 0; i < n_workers; i++)
		dp_worker_give_up(datapath->workers[i]);
	datapath->running = false;
}

int dp_datapath_set_local_v4(struct dp_datapath *datapath, const uint32_t *v4, uint32_t n)
{
	struct dp_local_v4 *next = &datapath->local[datapath->local_v4 == &datapath->local[0]];

	if (n > DP_LOCAL_V4_MAX)
		return -ENOSPC;
	next->n = n;
	if (n != 0)
		memcpy(next->v4, v4, n * sizeof(*v4));
	__atomic_store_n(&datapath->local_v4, next, __ATOMIC_RELEASE);
	/* Afterwards nobody reads the other one, and the next call may write it. */
	rte_rcu_qsbr_synchronize(
		dp_bindings_qsbr(datapath->params.bindings), RTE_QSBR_THRID_INVALID);
	return 0;
}

uint32_t dp_datapath_reassembly_fill(const struct dp_datapath *datapath, enum dp_frag_kind *kind)
{
	uint32_t fullest = 0;

	*kind = DP_FRAG_V6;
	for (uint32_t i = 0; i < datapath->params.n_workers; i++) {
		for (uint32_t at = 0; at < DP_FRAG_N_KINDS; at++) {
			uint32_t fill = dp_reassembly_fill(
				datapath->workers[i]->ctx.reassembly[at]);

			if (fill <= fullest)
				continue;
			fullest = fill;
			*kind = at;
		}
	}
	return fullest;
}

uint32_t dp_datapath_n_workers(const struct dp_datapath *datapath)
{
	return datapath->params.n_workers;
}

struct dp_worker *dp_datapath_worker(const struct dp_datapath *datapath, uint32_t id)
{
	return datapath->workers[id];
}

uint32_t dp_datapath_now_s(const struct dp_datapath *datapath)
{
	return (uint32_t)(clock_boot_ms() / 1000);
}

void dp_datapath_worker_counters(
	const struct dp_datapath *datapath, uint32_t worker, struct dp_counters *counters)
{
	memset(counters, 0, sizeof(*counters));
	dp_counters_add(counters, &datapath->workers[worker]->ctx.counters);
}

void dp_datapath_counters(const struct dp_datapath *datapath, struct dp_counters *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (uint32_t i = 0; i < datapath->params.n_workers; i++)
		dp_counters_add(sum, &datapath->workers[i]->ctx.counters);
}

uint64_t dp_datapath_last_rx_tsc(const struct dp_datapath *datapath)
{
	uint64_t last = 0;

	for (uint32_t i = 0; i < datapath->params.n_workers; i++) {
		const struct dp_worker *worker = datapath->workers[i];
		uint64_t tsc = __atomic_load_n(&worker->last_rx_tsc, __ATOMIC_RELAXED);

		/* Not polled in vain since its last packet: it may be kept from its CPU. */
		if (__atomic_load_n(&worker->empty_polls, __ATOMIC_RELAXED) == 0)
			tsc = rte_rdtsc();
		last = RTE_MAX(last, tsc);
	}
	return last;
}
