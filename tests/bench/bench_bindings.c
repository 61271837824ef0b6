// SPDX-License-Identifier: BSD-3-Clause
/*
 * The binding table alone: cycles for a lookup, time for a change, and time to load a file of bindings.
 *
 *	bench_bindings [EAL arguments] -- [bindings.csv]
 *
 * Prints one JSON object. Lookups come in bursts of 32 with random addresses and ports over all bindings, as a
 * worker does them, and each reads its record. The best of several rounds counts: what disturbs a round on a
 * shared machine only ever adds to it.
 */
#include "control/binding_file.h"
#include "dataplane/binding.h"

#include "common/addr.h"

#include <rte_byteorder.h>
#include <rte_cycles.h>
#include <rte_eal.h>

#include <stdio.h>
#include <stdlib.h>

#define BURST              32
#define N_KEYS             (1u << 20)
#define ROUNDS             7
#define BLOCK_PORTS        1024
#define BLOCKS_PER_ADDRESS 63
#define FIRST_V4           0x0a000000u
#define CHANGES            200000

static uint32_t random_below(uint32_t n)
{
	static uint64_t state = UINT64_C(0x9e3779b97f4a7c15);

	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return ((state * UINT64_C(0x2545f4914f6cdd1d) >> 32) * n) >> 32;
}

static struct dp_binding binding_at(uint32_t i)
{
	uint16_t first = (1 + i % BLOCKS_PER_ADDRESS) * BLOCK_PORTS;

	return (struct dp_binding){
		.v4_be = rte_cpu_to_be_32(FIRST_V4 + i / BLOCKS_PER_ADDRESS),
		.first = first,
		.last = first + BLOCK_PORTS - 1,
		.end_s = DP_BINDING_ENDLESS,
	};
}

static struct dp_bindings *make_table(uint32_t n)
{
	struct dp_bindings *table = dp_bindings_create(&(struct dp_bindings_params){
		.max_bindings = n, .max_readers = 1, .socket = SOCKET_ID_ANY});

	if (table == NULL) {
		fprintf(stderr, "bench_bindings: no memory for %u bindings\n", n);
		exit(1);
	}
	return table;
}

static double seconds_since(uint64_t start)
{
	return (double)(rte_rdtsc() - start) / rte_get_tsc_hz();
}

/* The sum keeps the compiler from leaving the reads out. */
static uint64_t look_up_all(
	const struct dp_bindings *table, const struct dp_binding_key *keys, uint64_t *sum)
{
	const struct dp_binding *found[BURST];
	uint64_t start = rte_rdtsc_precise();

	for (uint32_t i = 0; i < N_KEYS; i += BURST) {
		dp_bindings_lookup_bulk(table, &keys[i], BURST, 1, found);
		for (uint32_t k = 0; k < BURST; k++)
			*sum += found[k]->client_v6.s6_addr[15] + found[k]->first;
	}
	return rte_rdtsc_precise() - start;
}

static double lookup_cycles(const struct dp_bindings *table, uint32_t n)
{
	struct dp_binding_key *keys = malloc(N_KEYS * sizeof(*keys));
	uint64_t best = UINT64_MAX, sum = 0;

	if (keys == NULL)
		exit(1);
	for (uint32_t i = 0; i < N_KEYS; i++) {
		struct dp_binding binding = binding_at(random_below(n));

		keys[i] = (struct dp_binding_key){
			.v4 = rte_be_to_cpu_32(binding.v4_be),
			.port = binding.first + random_below(BLOCK_PORTS),
			.has_port = true,
		};
	}
	for (uint32_t round = 0; round < ROUNDS; round++)
		best = RTE_MIN(best, look_up_all(table, keys, &sum));
	free(keys);
	if (sum == 0)
		fprintf(stderr, "bench_bindings: nothing was found\n");
	return (double)best / N_KEYS;
}

/* Takes random bindings out and puts them back; a reader is registered and reports now and then. */
static double changes_per_s(struct dp_bindings *table, uint32_t n)
{
	struct rte_rcu_qsbr *qsbr = dp_bindings_qsbr(table);
	uint64_t start;
	double taken_s;

	rte_rcu_qsbr_thread_register(qsbr, 0);
	rte_rcu_qsbr_thread_online(qsbr, 0);
	start = rte_rdtsc();
	for (uint32_t i = 0; i < CHANGES; i += 2) {
		struct dp_binding binding = binding_at(random_below(n));
		struct port_range range = {binding.first, binding.last};

		dp_bindings_remove(table, rte_be_to_cpu_32(binding.v4_be), range);
		dp_bindings_add(table, &binding);
		if (i % 16 == 0)
			rte_rcu_qsbr_quiescent(qsbr, 0);
	}
	taken_s = seconds_since(start);
	rte_rcu_qsbr_thread_offline(qsbr, 0);
	rte_rcu_qsbr_thread_unregister(qsbr, 0);
	return CHANGES / taken_s;
}

static void measure_table(uint32_t n, bool last)
{
	struct dp_bindings *table = make_table(n);
	struct dp_bindings_usage usage;
	uint64_t start = rte_rdtsc();
	double add_s;

	for (uint32_t i = 0; i < n; i++) {
		struct dp_binding binding = binding_at(i);

		if (dp_bindings_add(table, &binding) < 0) {
			fprintf(stderr, "bench_bindings: no memory for %u bindings\n", n);
			exit(1);
		}
	}
	add_s = seconds_since(start);
	dp_bindings_usage(table, &usage);
	printf("  {\"bindings\": %u, \"cycles_per_lookup\": %.1f, \"bytes_per_binding\": %.1f, "
	       "\"adds_per_s\": %.0f, \"changes_per_s\": %.0f}%s\n",
		n, lookup_cycles(table, n), (double)usage.bytes / n, n / add_s,
		changes_per_s(table, n), last ? "" : ",");
	dp_bindings_destroy(table);
}

static int measure_file(const char *path)
{
	struct tep_binding_file_limits limits = {.n_tep_v6 = 1, .max_bindings = 1u << 24};
	struct tep_binding_file file;
	struct config_error error;
	struct dp_bindings *table;
	struct in6_addr tep_v6;
	double read_s, add_s;
	uint64_t start;
	int rc;

	addr_v6_parse("2001:db8::1", &tep_v6);
	limits.tep_v6 = &tep_v6;
	start = rte_rdtsc();
	rc = tep_binding_file_read(path, &limits, &file, &error);
	read_s = seconds_since(start);
	if (rc < 0) {
		fprintf(stderr, "%s\n", error.text);
		return rc;
	}
	table = make_table(file.n);
	start = rte_rdtsc();
	rc = tep_binding_file_add(&file, path, table, &error);
	add_s = seconds_since(start);
	if (rc < 0)
		fprintf(stderr, "%s\n", error.text);
	else
		printf(" \"file\": {\"rows\": %u, \"read_s\": %.3f, \"add_s\": %.3f},\n", file.n,
			read_s, add_s);
	tep_binding_file_free(&file);
	dp_bindings_destroy(table);
	return rc;
}

int main(int argc, char **argv)
{
	static const uint32_t sizes[] = {64, 65536, 1u << 20, 1u << 23};
	int used = rte_eal_init(argc, argv);

	if (used < 0)
		return 1;
	printf("{\"tsc_hz\": %" PRIu64 ",\n", rte_get_tsc_hz());
	if (argc - used > 1 && measure_file(argv[used + 1]) < 0)
		return 1;
	printf(" \"table\": [\n");
	for (uint32_t i = 0; i < RTE_DIM(sizes); i++)
		measure_table(sizes[i], i + 1 == RTE_DIM(sizes));
	printf(" ]}\n");
	rte_eal_cleanup();
	return 0;
}
