// SPDX-License-Identifier: BSD-3-Clause
/*
 * The data plane while its bindings change: one worker forwards at full rate, the main thread takes bindings
 * out and puts them back, in turns with doing nothing.
 *
 *	bench_churn [EAL arguments with ports net_pcap0 and net_pcap1] -- FOLDER SECONDS
 *
 * FOLDER is one that bench_traffic wrote. What changes are ports 0-1023 of the addresses in use, for which
 * there is no traffic: the same nodes and pages are written that the worker reads. Prints one JSON object:
 * TSC cycles of the worker's CPU time a packet, without and with changes (of the best turn), changes a
 * second, and packets that were not forwarded, of which there must be none.
 */
#include "bench_load.h"

#include "dataplane/datapath.h"
#include "dataplane/port.h"

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define CHANGES_PER_S 10000
#define TICK_MS       1
#define TURNS         10 /* of each kind */
#define BLOCK_PORTS   1024
#define FIRST_V4      0x0a000000u /* as in bench_traffic */
#define MBUFS         16384

static const char *const devices[] = {"net_pcap0", "net_pcap1"};

static struct dp_bindings *bindings;
static struct dp_datapath *datapath;
static uint32_t n_addresses;

/* --- the data plane, as dstm-tep makes it with its defaults -------------------------------------- */

static void start_port(const char *device, uint32_t n_mbufs, uint16_t *port)
{
	struct dp_port_params params = {
		.n_queues = 1, .rx_descriptors = 1024, .tx_descriptors = 1024, .mtu = 1500};
	char error[DP_PORT_ERROR_LEN];

	params.pool = dp_port_pool_create(device, n_mbufs, params.mtu, SOCKET_ID_ANY);
	if (params.pool == NULL)
		bench_die("no memory for packets");
	if (dp_port_find(device, port) != 0)
		bench_die("no such port");
	if (dp_port_start(*port, &params, error) != 0)
		bench_die(error);
}

static struct dp_nexthops *make_nexthops(const uint16_t *ports)
{
	struct dp_nexthops *nexthops = dp_nexthops_create(
		&(struct dp_nexthops_params){.max_readers = 1, .socket = SOCKET_ID_ANY});
	struct dp_adjacency adjacency = {
		.dst_mac = {{0x02, 0, 0, 0, 0, 0x99}}, .state = DP_ADJ_RESOLVED};

	if (nexthops == NULL)
		bench_die("no memory");
	adjacency.port = ports[0];
	dp_nexthops_set_static_v6(nexthops, &adjacency);
	adjacency.port = ports[1];
	dp_nexthops_set_static_v4(nexthops, &adjacency);
	return nexthops;
}

static void start_datapath(const char *folder)
{
	struct dp_datapath_params params = {
		.n_workers = 1,
		.n_tep_v6 = 1,
		.hop_limit = 64,
		.hairpin = true,
		.mtu_v6 = 1500,
		.mtu_v4 = 1500,
		.icmp = {.relay = true},
		.reassembly = {.max_datagrams = 1024,
			.max_fragments = 4096,
			.per_source = 16,
			.timeout_ms = 2000},
	};
	uint16_t ports[RTE_DIM(devices)];

	for (uint32_t i = 0; i < RTE_DIM(devices); i++)
		start_port(devices[i], MBUFS, &ports[i]);
	bindings = bench_load_bindings(folder, &params.tep_v6[0], CHANGES_PER_S);
	params.port_v6 = ports[0];
	params.port_v4 = ports[1];
	params.bindings = bindings;
	params.nexthops = make_nexthops(ports);
	datapath = dp_datapath_create(&params);
	if (datapath == NULL || dp_datapath_start(datapath) != 0)
		bench_die("the data plane does not start");
}

/* --- changes ------------------------------------------------------------------------------------- */

/* Adds what is not there and removes what is, address after address. */
static void change_one(uint32_t i, bool add)
{
	uint32_t v4 = FIRST_V4 + i % n_addresses;
	struct dp_binding binding = {
		.v4_be = rte_cpu_to_be_32(v4),
		.first = 0,
		.last = BLOCK_PORTS - 1,
		.end_s = DP_BINDING_ENDLESS,
	};

	if (add && dp_bindings_add(bindings, &binding) != 0)
		bench_die("a binding cannot be added");
	if (!add && dp_bindings_remove(bindings, v4, (struct port_range){0, BLOCK_PORTS - 1}) != 0)
		bench_die("a binding cannot be removed");
}

/* A turn; returns how many changes it made. Half of them add, and the other half take the same out again. */
static uint32_t run_turn(double seconds, bool churn)
{
	const struct timespec tick = {.tv_nsec = TICK_MS * 1000000};
	uint64_t start = rte_rdtsc(), hz = rte_get_tsc_hz();
	uint32_t made = 0;
	double passed;

	while ((passed = (double)(rte_rdtsc() - start) / (double)hz) < seconds) {
		while (churn && made < passed * CHANGES_PER_S) {
			change_one(made / 2, made % 2 == 0);
			made++;
		}
		nanosleep(&tick, NULL);
	}
	if (made % 2 != 0)
		change_one(made++ / 2, false);
	return made;
}

/* --- measuring ----------------------------------------------------------------------------------- */

/* CPU time of all other threads: the worker's. */
static double worker_seconds(void)
{
	struct timespec all, own;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &all);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &own);
	return (double)(all.tv_sec - own.tv_sec) + (double)(all.tv_nsec - own.tv_nsec) / 1e9;
}

static double measure_turn(double seconds, bool churn, uint32_t *changes)
{
	struct dp_counters before, after;
	double used;

	dp_datapath_counters(datapath, &before);
	used = worker_seconds();
	*changes += run_turn(seconds, churn);
	used = worker_seconds() - used;
	dp_datapath_counters(datapath, &after);
	return used * (double)rte_get_tsc_hz() /
	       (double)(after.packets[DP_COUNT_RX] - before.packets[DP_COUNT_RX]);
}

static double smallest(const double *values, uint32_t n)
{
	double found = values[0];

	for (uint32_t i = 1; i < n; i++)
		found = RTE_MIN(found, values[i]);
	return found;
}

static uint64_t lost(void)
{
	struct dp_counters sum;
	uint64_t n = 0;

	dp_datapath_counters(datapath, &sum);
	for (unsigned int i = 0; i < DP_N_DROPS; i++)
		n += sum.packets[i];
	return n + sum.packets[DP_COUNT_RX] - sum.packets[DP_COUNT_TX];
}

int main(int argc, char **argv)
{
	double quiet[TURNS], churn[TURNS], seconds;
	uint32_t none = 0, changes = 0;
	int used = rte_eal_init(argc, argv);

	if (used < 0 || argc - used != 3)
		bench_die("usage: bench_churn [EAL arguments] -- FOLDER SECONDS");
	seconds = strtod(argv[used + 2], NULL) / (2 * TURNS);
	start_datapath(argv[used + 1]);
	n_addresses = bench_n_addresses(bindings);
	run_turn(seconds, false);
	for (uint32_t i = 0; i < TURNS; i++) {
		quiet[i] = measure_turn(seconds, false, &none);
		churn[i] = measure_turn(seconds, true, &changes);
	}
	dp_datapath_stop(datapath);
	printf("{\"quiet_cycles\": %.1f, \"churn_cycles\": %.1f, \"changes_per_s\": %.0f, "
	       "\"lost\": %" PRIu64 "}\n",
		smallest(quiet, TURNS), smallest(churn, TURNS), changes / (seconds * TURNS),
		lost());
	rte_eal_cleanup();
	return 0;
}
