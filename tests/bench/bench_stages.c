// SPDX-License-Identifier: BSD-3-Clause
/*
 * Where the cycles of the packet path go: its stages one after another over the same bursts, the time stamp
 * counter read around each.
 *
 *	bench_stages [EAL arguments] -- FOLDER [FRAMES [ROUTES]]
 *
 * FOLDER is one that bench_traffic wrote, with packets of FRAMES frames each (default: 1). With ROUTES next hops are
 * looked up as with neighbor: kernel, in tables with as many random routes of each family; without, they are as
 * with neighbor: static. Bursts of 32 frames come from both sides in turns, out of memory
 * instead of ports, and are not sent. Prints one JSON object, TSC cycles a frame: each stage, their sum, and
 * the whole path run as a worker does, without a look at the clock in between. A read of the counter waits
 * for all that came before, so the stages together take longer than the whole. The best of many
 * rounds counts: what disturbs a round on a shared machine only ever adds to it.
 */
#include "bench_load.h"

#include "dataplane/classify.h"
#include "dataplane/decap.h"
#include "dataplane/defrag.h"
#include "dataplane/egress.h"
#include "dataplane/encap.h"
#include "dataplane/express.h"
#include "dataplane/hairpin.h"
#include "dataplane/icmp_err.h"
#include "dataplane/l4_id.h"
#include "dataplane/reassembly.h"
#include "dataplane/worker.h"

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>

#include <stdio.h>
#include <stdlib.h>

#define N_BUFFERS 1023
#define BUFFER    2176
#define ROUNDS    200
#define BURSTS    256 /* of a side in each round */
#define FRAME_MAX 2048

struct source {
	uint32_t n;
	uint32_t next;
	uint8_t (*frames)[FRAME_MAX];
	uint16_t *lengths;
};

static struct dp_worker worker;
static struct rte_mempool *pool;
static struct source sources[DP_SIDES];
static uint32_t frames_a_packet = 1;
static int n_routes = -1; /* neighbor: static */

/* --- the stages ---------------------------------------------------------------------------------- */

static void classify_v6_side(struct dp_ctx *ctx, struct dp_burst *burst)
{
	dp_classify(ctx, burst, 0);
}

static void classify_v4_side(struct dp_ctx *ctx, struct dp_burst *burst)
{
	dp_classify(ctx, burst, 1);
}

static void express(struct dp_ctx *ctx, struct dp_burst *burst)
{
	dp_express(ctx, burst);
}

static void look_up(struct dp_ctx *ctx, struct dp_burst *burst)
{
	dp_bindings_lookup_bulk(ctx->bindings, burst->keys, burst->n, ctx->now_s, burst->bindings);
}

struct stage {
	const char *name;
	void (*run[DP_SIDES])(struct dp_ctx *ctx, struct dp_burst *burst);
};

static const struct stage stages[] = {
	{"classify", {classify_v6_side, classify_v4_side}},
	{"defrag", {dp_defrag, dp_defrag}},
	{"l4_id", {dp_l4_id, dp_l4_id}},
	{"lookup", {look_up, look_up}},
	{"express", {express, express}},
	{"hairpin", {dp_hairpin, dp_hairpin}},
	{"decap", {dp_decap, dp_decap}},
	{"encap", {dp_encap, dp_encap}},
	{"icmp_err", {dp_icmp_err, dp_icmp_err}},
	{"egress", {dp_egress, dp_egress}},
};

#define N_STAGES  RTE_DIM(stages)
#define SUM       N_STAGES /* pseudo stages: their sum, and the whole path */
#define WHOLE     (N_STAGES + 1)
#define N_RESULTS (N_STAGES + 2)

/* --- packets ------------------------------------------------------------------------------------- */

/* All frames, each in equal room. A header of the file and one of each frame have fixed sizes. */
static void read_pcap(const char *folder, const char *name, struct source *source)
{
	char path[4096];
	uint8_t header[24];
	uint32_t record[4], room = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "r");
	if (file == NULL || fread(header, sizeof(header), 1, file) != 1)
		bench_die(path);
	while (fread(record, sizeof(record), 1, file) == 1) {
		if (source->n == room) {
			room = room == 0 ? 128 : room * 2;
			source->frames = realloc(source->frames, room * sizeof(*source->frames));
			source->lengths = realloc(source->lengths, room * sizeof(*source->lengths));
			if (source->frames == NULL || source->lengths == NULL)
				bench_die("no memory");
		}
		if (record[2] > FRAME_MAX ||
			fread(source->frames[source->n], record[2], 1, file) != 1)
			bench_die(path);
		source->lengths[source->n++] = record[2];
	}
	fclose(file);
	if (source->n == 0)
		bench_die(path);
}

static void receive(uint32_t side, struct rte_mbuf **packets)
{
	struct source *source = &sources[side];

	if (rte_pktmbuf_alloc_bulk(pool, packets, DP_BURST) != 0)
		bench_die("no buffers");
	for (uint32_t i = 0; i < DP_BURST; i++) {
		struct rte_mbuf *m = packets[i];

		m->data_len = source->lengths[source->next];
		m->pkt_len = m->data_len;
		m->port = (uint16_t)side;
		memcpy(rte_pktmbuf_mtod(m, void *), source->frames[source->next], m->data_len);
		source->next = source->next + 1 < source->n ? source->next + 1 : 0;
	}
}

/* --- measuring ----------------------------------------------------------------------------------- */

/* Each runs a burst of packets, frees them and says how many frames there were in them. */

static uint32_t run_stages(uint32_t side, struct rte_mbuf **packets, uint64_t *cycles)
{
	struct dp_burst burst;
	uint32_t n = 0;
	uint64_t before, after;

	burst.n = DP_BURST;
	for (uint32_t i = 0; i < DP_BURST; i++)
		burst.pkts[i].m = packets[i];
	before = rte_rdtsc_precise();
	for (uint32_t i = 0; i < N_STAGES; i++) {
		stages[i].run[side](&worker.ctx, &burst);
		after = rte_rdtsc_precise();
		cycles[i] += after - before;
		cycles[SUM] += after - before;
		before = after;
	}
	for (uint32_t i = 0; i < DP_BURST; i++) {
		if (burst.pkts[i].verdict == DP_HELD)
			continue;
		if (burst.pkts[i].verdict != DP_TX)
			bench_die("a packet is not forwarded");
		packets[n++] = burst.pkts[i].m;
	}
	rte_pktmbuf_free_bulk(packets, n);
	return n;
}

static uint32_t run_whole(uint32_t side, struct rte_mbuf **packets, uint64_t *cycles)
{
	uint64_t before = rte_rdtsc_precise();

	dp_worker_process(&worker, side, packets, DP_BURST);
	cycles[WHOLE] += rte_rdtsc_precise() - before;
	before = worker.tx[!side].n;
	rte_pktmbuf_free_bulk(worker.tx[!side].packets, (uint32_t)before);
	worker.tx[!side].n = 0;
	return (uint32_t)before;
}

static void run_round(uint64_t *cycles,
	uint32_t (*run)(uint32_t side, struct rte_mbuf **packets, uint64_t *cycles))
{
	struct rte_mbuf *packets[DP_BURST];
	uint32_t n = 0;

	for (uint32_t i = 0; i < BURSTS; i++) {
		for (uint32_t side = 0; side < DP_SIDES; side++) {
			receive(side, packets);
			n += run(side, packets, cycles);
		}
	}
	if (n * frames_a_packet != DP_BURST * BURSTS * DP_SIDES)
		bench_die("a packet is not forwarded");
}

/* What reading the counter alone takes. */
static uint64_t empty_cycles(void)
{
	uint64_t best = UINT64_MAX;

	for (uint32_t i = 0; i < 1000; i++) {
		uint64_t before = rte_rdtsc_precise();

		best = RTE_MIN(best, rte_rdtsc_precise() - before);
	}
	return best;
}

static void measure(uint64_t *best)
{
	for (uint32_t i = 0; i < N_RESULTS; i++)
		best[i] = UINT64_MAX;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		uint64_t cycles[N_RESULTS] = {0};

		run_round(cycles, run_stages);
		run_round(cycles, run_whole);
		for (uint32_t i = 0; i < N_RESULTS; i++)
			best[i] = RTE_MIN(best[i], cycles[i]);
	}
}

static void print(const uint64_t *best)
{
	const double bursts = 2.0 * BURSTS;
	const double empty = (double)empty_cycles();

	printf("{");
	for (uint32_t i = 0; i < N_STAGES; i++)
		printf("\"%s\": %.1f, ", stages[i].name, (best[i] / bursts - empty) / DP_BURST);
	printf("\"sum\": %.1f, \"whole\": %.1f}\n",
		(best[SUM] / bursts - empty * N_STAGES) / DP_BURST,
		(best[WHOLE] / bursts - empty) / DP_BURST);
}

/* --- a worker without ports ---------------------------------------------------------------------- */

static uint64_t random_64(void)
{
	static uint64_t state = UINT64_C(0x9e3779b97f4a7c15);

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static void add_routes_v4(struct dp_nexthops *nexthops, int group)
{
	struct addr_v4_prefix prefix = {0};

	if (dp_nexthops_route_v4_set(nexthops, &prefix, group) != 0)
		bench_die("no default route");
	for (int i = 0; i < n_routes; i++) {
		prefix.len = (uint8_t)(16 + random_64() % 9);
		prefix.addr = (uint32_t)(1 + random_64() % 222) << 24 |
			      ((uint32_t)random_64() & 0xffffff);
		prefix.addr &= UINT32_MAX << (32 - prefix.len);
		if (dp_nexthops_route_v4_set(nexthops, &prefix, group) != 0)
			bench_die("no room for a route");
	}
}

/* All in 2000::/3, of up to 48 bits; the clients' prefix is one of them in a network as it is. */
static void add_routes_v6(struct dp_nexthops *nexthops, int group)
{
	struct addr_v6_prefix prefix = {.len = 0};

	if (dp_nexthops_route_v6_set(nexthops, &prefix, group) != 0)
		bench_die("no default route");
	for (int i = 0; i < n_routes; i++) {
		uint64_t bits = random_64();

		prefix.len = (uint8_t)(32 + random_64() % 3 * 8);
		memset(&prefix.addr, 0, sizeof(prefix.addr));
		memcpy(&prefix.addr, &bits, prefix.len / 8U);
		prefix.addr.s6_addr[0] = 0x20 | (prefix.addr.s6_addr[0] & 0x1f);
		if (dp_nexthops_route_v6_set(nexthops, &prefix, group) != 0)
			bench_die("no room for a route");
	}
}

static struct dp_nexthops *make_nexthops(void)
{
	struct dp_nexthops_params params = {.fib = n_routes >= 0,
		.max_adjacencies = 64,
		.max_groups = 64,
		.max_routes_v4 = (uint32_t)RTE_MAX(n_routes, 0) + 64,
		.max_routes_v6 = (uint32_t)RTE_MAX(n_routes, 0) + 64,
		.max_readers = 1,
		.socket = SOCKET_ID_ANY};
	struct dp_nexthops *nexthops = dp_nexthops_create(&params);
	struct dp_adjacency adjacency = {
		.dst_mac = {{0x02, 0, 0, 0, 0, 0x99}}, .state = DP_ADJ_RESOLVED};

	if (nexthops == NULL)
		bench_die("no memory");
	if (!params.fib)
		dp_nexthops_set_static_v6(nexthops, &adjacency);
	else
		add_routes_v6(nexthops, dp_nexthops_group_add(nexthops, AF_INET6, &adjacency, 1));
	adjacency.port = 1;
	if (!params.fib)
		dp_nexthops_set_static_v4(nexthops, &adjacency);
	else
		add_routes_v4(nexthops, dp_nexthops_group_add(nexthops, AF_INET, &adjacency, 1));
	return nexthops;
}

static void make_reassembly(struct dp_ctx *ctx)
{
	const struct dp_reassembly_params params = {.max_datagrams = 1024,
		.max_fragments = 4096,
		.per_source = 16,
		.timeout_ms = 60000};

	for (uint32_t kind = 0; kind < DP_FRAG_N_KINDS; kind++) {
		ctx->reassembly[kind] = dp_reassembly_create(&params, kind, SOCKET_ID_ANY);
		if (ctx->reassembly[kind] == NULL)
			bench_die("no memory");
	}
}

/* As dstm-tep makes it with its defaults. */
static void make_worker(const char *folder)
{
	static struct dp_local_v4 no_local_v4;
	static const struct dp_local_v4 *local_v4 = &no_local_v4;
	struct dp_ctx *ctx = &worker.ctx;

	ctx->n_tep_v6 = 1;
	ctx->bindings = bench_load_bindings(folder, &ctx->tep_v6[0], 0);
	ctx->nexthops = make_nexthops();
	ctx->local_v4 = &local_v4;
	ctx->mtu_v6 = ctx->mtu_v4 = 1600;
	ctx->tunnel_overhead = sizeof(struct rte_ipv6_hdr);
	ctx->hop_limit = 64;
	ctx->hairpin = true;
	ctx->icmp.relay = true;
	make_reassembly(ctx);
	for (uint32_t side = 0; side < DP_SIDES; side++) {
		ctx->ports[side] = (uint16_t)side;
		ctx->macs[side] = (struct rte_ether_addr){
			{0x02, 0x70, 0x63, 0x61, 0x70, (uint8_t)side}};
	}
	worker.n_sides = DP_SIDES;
	dp_worker_set_clock(&worker, 1000);
}

int main(int argc, char **argv)
{
	int used = rte_eal_init(argc, argv);
	uint64_t best[N_RESULTS];

	if (used < 0 || argc - used < 2 || argc - used > 4)
		bench_die("usage: bench_stages [EAL arguments] -- FOLDER [FRAMES [ROUTES]]");
	if (argc - used >= 3)
		frames_a_packet = (uint32_t)atoi(argv[used + 2]);
	if (argc - used == 4)
		n_routes = atoi(argv[used + 3]);
	make_worker(argv[used + 1]);
	read_pcap(argv[used + 1], "v6.pcap", &sources[0]);
	read_pcap(argv[used + 1], "v4.pcap", &sources[1]);
	pool = rte_pktmbuf_pool_create("packets", N_BUFFERS, 64, 0, BUFFER, SOCKET_ID_ANY);
	if (pool == NULL)
		bench_die(rte_strerror(rte_errno));
	measure(best);
	print(best);
	rte_eal_cleanup();
	return 0;
}
