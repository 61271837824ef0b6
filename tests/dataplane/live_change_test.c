// SPDX-License-Identifier: BSD-3-Clause
/*
 * Bindings, routes and local addresses change as fast as the writer can, while two workers carry traffic
 * at full rate between two ports. Each of these is one queue, so packets also pass from worker to worker. Of bindings
 * that stay, or are only renewed, each packet arrives once, in order, where it belongs. A packet of one
 * that comes and goes reaches who held it at some moment between sending and arrival, or nobody.
 *
 * A binding that comes and goes has another holder each time: its generation, part of the holder's address. The
 * writer tells `begun` before it adds a generation, and `ended` after it removed it. A packet that was sent
 * when `ended` was e and arrives when `begun` is b may only have been to, or from, a generation g with e < g <= b.
 *
 * DSTM_PACKETS: how many packets at least, for a longer run.
 */
#include "dataplane/pkt_ctx.h"
#include "dataplane/port.h"
#include "support/binding.h"
#include "support/eal.h"
#include "support/random.h"

#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include <arpa/inet.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define N_WORKERS  2
#define MBUFS      4095
#define RING       2048
#define WINDOW     1024 /* packets under way: fewer than any ring holds */
#define CHANGES    100000
#define PACKETS    200000
#define ADDRESSES  16
#define V4         0xc6336400U /* 198.51.100.0, and the whole ones from .128 on */
#define PEER_V4    0xcb007100U /* 203.0.113.0 and up, one for each slot */
#define LOCAL_V4   0xc0000201U /* 192.0.2.1 */
#define PEER_PORT  9
#define GENERATION 24 /* bits */

enum {
	STAYS,
	RENEWED,
	COMES_AND_GOES, /* an aligned block */
	ODD, /* ten ports */
	WHOLE, /* an address */
	N_KINDS,
};

#define N_SLOTS (ADDRESSES * N_KINDS)

/* What a binding is now, and how far its packets are. */
struct slot {
	_Atomic uint32_t begun; /* generation */
	_Atomic uint32_t ended;
	bool held; /* the writer's own */
	uint32_t sent[3]; /* by way; the traffic thread's own */
	uint32_t arrived[3];
};

enum way {
	IN, /* to the client, from the IPv4 side */
	OUT, /* from the client */
	BETWEEN, /* to the client, from the one that stays at the same address */
	LOCAL, /* to the router */
};

/* What a packet carries. */
struct stamp {
	uint32_t slot;
	uint32_t way;
	uint32_t number;
	uint32_t generation; /* of the sender that it claims */
	uint32_t ended; /* of its slot when it was sent */
};

struct frame_v4 {
	struct rte_ether_hdr ether;
	struct rte_ipv4_hdr v4;
	struct rte_udp_hdr udp;
	struct stamp stamp;
} __rte_packed __rte_aligned(2);

struct frame_v6 {
	struct rte_ether_hdr ether;
	struct rte_ipv6_hdr v6;
	struct rte_ipv4_hdr v4;
	struct rte_udp_hdr udp;
	struct stamp stamp;
} __rte_packed __rte_aligned(2);

static struct rte_mempool *pool;
static struct rte_ring *rx[DP_SIDES], *tx[DP_SIDES];
static uint16_t ports[DP_SIDES];
static struct rte_ether_addr macs[DP_SIDES];
static struct dp_bindings *bindings;
static struct dp_nexthops *nexthops;
static struct dp_punt *punt;
static struct dp_datapath *datapath;
static struct slot slots[N_SLOTS];

/* Of the traffic thread. */
static uint64_t random_traffic;
static uint64_t n_sent;
static _Atomic uint64_t n_arrived;
static uint64_t n_wrong;
static atomic_bool stop;

static uint32_t kind_of(uint32_t slot)
{
	return slot % N_KINDS;
}

static bool comes_and_goes(uint32_t slot)
{
	return kind_of(slot) >= COMES_AND_GOES;
}

static struct dp_binding binding_of(uint32_t slot, uint32_t generation)
{
	static const struct port_range ranges[N_KINDS] = {
		[STAYS] = {1024, 2047},
		[RENEWED] = {2048, 3071},
		[COMES_AND_GOES] = {3072, 4095},
		[ODD] = {5000, 5009},
		[WHOLE] = {0, UINT16_MAX},
	};
	const struct port_range *range = &ranges[kind_of(slot)];
	uint32_t v4 = V4 + slot / N_KINDS + (kind_of(slot) == WHOLE ? 128 : 0);

	return test_binding(v4, range->first, range->last, slot << GENERATION | generation);
}

/* --- traffic --------------------------------------------------------------------------------------- */

static void write_v4(struct rte_ipv4_hdr *v4, rte_be32_t src, rte_be32_t dst)
{
	*v4 = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = RTE_BE16(
			sizeof(*v4) + sizeof(struct rte_udp_hdr) + sizeof(struct stamp)),
		.time_to_live = 64,
		.next_proto_id = IPPROTO_UDP,
		.src_addr = src,
		.dst_addr = dst,
	};
	v4->hdr_checksum = rte_ipv4_cksum(v4);
}

static void write_udp(struct rte_udp_hdr *udp, uint16_t src, uint16_t dst)
{
	*udp = (struct rte_udp_hdr){
		.src_port = htons(src),
		.dst_port = htons(dst),
		.dgram_len = RTE_BE16(sizeof(*udp) + sizeof(struct stamp)),
	};
}

static uint16_t port_in(const struct dp_binding *binding, uint32_t slot)
{
	return binding->first + slot % (binding->last - binding->first + 1U);
}

static void write_frame_v4(struct rte_mbuf *m, const struct stamp *stamp)
{
	struct frame_v4 *frame = (struct frame_v4 *)rte_pktmbuf_append(m, sizeof(*frame));
	struct dp_binding to = binding_of(stamp->slot, 0);

	frame->ether.dst_addr = macs[1];
	frame->ether.ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	write_v4(&frame->v4, htonl(PEER_V4 + stamp->slot),
		stamp->way == LOCAL ? htonl(LOCAL_V4) : to.v4_be);
	write_udp(&frame->udp, PEER_PORT, port_in(&to, stamp->slot));
	frame->stamp = *stamp;
}

static void write_frame_v6(struct rte_mbuf *m, const struct stamp *stamp)
{
	struct frame_v6 *frame = (struct frame_v6 *)rte_pktmbuf_append(m, sizeof(*frame));
	uint32_t sender = stamp->way == OUT ? stamp->slot : stamp->slot / N_KINDS * N_KINDS;
	struct dp_binding from = binding_of(sender, stamp->way == OUT ? stamp->generation : 1);
	struct dp_binding to = binding_of(stamp->slot, 0);

	frame->ether.dst_addr = macs[0];
	frame->ether.ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV6);
	frame->v6 = (struct rte_ipv6_hdr){
		.vtc_flow = RTE_BE32(6U << 28),
		.payload_len = RTE_BE16(sizeof(*frame) - offsetof(struct frame_v6, v4)),
		.proto = IPPROTO_IPIP,
		.hop_limits = 64,
	};
	memcpy(frame->v6.src_addr, &from.client_v6, sizeof(frame->v6.src_addr));
	memcpy(frame->v6.dst_addr, &from.tep_v6, sizeof(frame->v6.dst_addr));
	write_v4(&frame->v4, from.v4_be,
		stamp->way == OUT ? htonl(PEER_V4 + stamp->slot) : to.v4_be);
	write_udp(&frame->udp, port_in(&from, stamp->slot),
		stamp->way == OUT ? PEER_PORT : port_in(&to, stamp->slot));
	frame->stamp = *stamp;
}

static void send_one(void)
{
	struct stamp stamp = {
		.slot = test_random_below(&random_traffic, N_SLOTS),
		.way = test_random_below(&random_traffic, 64) == 0
			       ? LOCAL
			       : test_random_below(&random_traffic, LOCAL),
	};
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	struct slot *slot = &slots[stamp.slot];

	assert_non_null(m);
	/* A packet to an address without any binding leaves by the IPv4 side, as it should. */
	if (stamp.way == BETWEEN && kind_of(stamp.slot) == WHOLE)
		stamp.way = IN;
	stamp.ended = atomic_load(&slot->ended);
	stamp.generation = atomic_load(&slot->begun);
	if (comes_and_goes(stamp.slot) && test_random_below(&random_traffic, 4) == 0)
		stamp.generation--; /* who held it before */
	if (stamp.way != LOCAL)
		stamp.number = slot->sent[stamp.way]++;
	if (stamp.way == IN || stamp.way == LOCAL)
		write_frame_v4(m, &stamp);
	else
		write_frame_v6(m, &stamp);
	assert_int_equal(rte_ring_enqueue(rx[stamp.way == IN || stamp.way == LOCAL], m), 0);
	n_sent++;
}

/* Is this where the packet should be? */
static bool is_right(const struct rte_mbuf *m, uint32_t side)
{
	const struct frame_v6 *v6 = rte_pktmbuf_mtod(m, const struct frame_v6 *);
	const struct frame_v4 *v4 = rte_pktmbuf_mtod(m, const struct frame_v4 *);
	struct stamp stamp = side == 0 ? v6->stamp : v4->stamp;
	uint32_t generation = stamp.generation, number;
	struct slot *slot = &slots[stamp.slot % N_SLOTS];

	if (m->pkt_len != (side == 0 ? sizeof(*v6) : sizeof(*v4)) || stamp.slot >= N_SLOTS ||
		stamp.way >= LOCAL || (stamp.way == OUT) != (side == 1))
		return false;
	if (stamp.way != OUT) {
		uint32_t holder;

		memcpy(&holder, &v6->v6.dst_addr[12], sizeof(holder));
		if (holder >> GENERATION != stamp.slot)
			return false;
		generation = holder & ((1U << GENERATION) - 1);
	}
	if (generation <= stamp.ended || generation > atomic_load(&slot->begun))
		return false;
	/* The next hop's MAC address, old or new, never of both. */
	for (uint32_t i = 0; i < RTE_ETHER_ADDR_LEN; i++)
		if (v4->ether.dst_addr.addr_bytes[i] != v4->ether.dst_addr.addr_bytes[0])
			return false;
	number = slot->arrived[stamp.way]++;
	return comes_and_goes(stamp.slot) || stamp.number == number;
}

static uint32_t receive(uint32_t side)
{
	struct rte_mbuf *packets[DP_BURST];
	uint32_t n = rte_ring_dequeue_burst(tx[side], (void **)packets, DP_BURST, NULL);

	for (uint32_t i = 0; i < n; i++)
		n_wrong += !is_right(packets[i], side);
	rte_pktmbuf_free_bulk(packets, n);
	atomic_fetch_add(&n_arrived, n);
	return n;
}

static uint64_t sum_of_drops(const struct dp_counters *counters)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < DP_N_DROPS; i++)
		sum += counters->packets[i];
	return sum;
}

/* Packets that ended inside. */
static uint64_t n_gone(void)
{
	struct dp_counters counters;

	dp_datapath_counters(datapath, &counters);
	return sum_of_drops(&counters) + counters.packets[DP_COUNT_PUNTED];
}

static void *traffic(void *arg)
{
	uint64_t gone = 0;

	while (!atomic_load(&stop) || n_sent > n_arrived + gone) {
		uint32_t n = 0;

		for (uint32_t i = 0;
			i < DP_BURST && !atomic_load(&stop) && n_sent - n_arrived - gone < WINDOW;
			i++)
			send_one();
		for (uint32_t side = 0; side < DP_SIDES; side++)
			n += receive(side);
		if (n == 0) {
			gone = n_gone();
			sched_yield();
		}
	}
	return NULL;
}

/* --- changes ------------------------------------------------------------------------------------- */

static void add(uint32_t slot, uint32_t generation, uint32_t end_s)
{
	struct dp_binding binding = binding_of(slot, generation);

	binding.end_s = end_s;
	/* No room only while workers, without a CPU, have not let go of what was removed. */
	while (dp_bindings_add(bindings, &binding) != 0) {
		dp_bindings_sweep(bindings, dp_datapath_now_s(datapath), 1);
		sched_yield();
	}
}

static void change_binding(uint64_t *random)
{
	uint32_t n = test_random_below(random, N_SLOTS), generation;
	struct slot *slot = &slots[n];
	struct dp_binding binding;

	if (kind_of(n) == STAYS)
		n += RENEWED, slot = &slots[n];
	generation = atomic_load(&slot->begun);
	if (slot->held && (!comes_and_goes(n) || test_random_below(random, 4) == 0)) {
		add(n, generation, dp_datapath_now_s(datapath) + 1000 + generation);
	} else if (slot->held) {
		binding = binding_of(n, generation);
		assert_int_equal(dp_bindings_remove(bindings, ntohl(binding.v4_be),
					 (struct port_range){binding.first, binding.last}),
			0);
		atomic_store(&slot->ended, generation);
		slot->held = false;
	} else {
		atomic_store(&slot->begun, generation + 1);
		add(n, generation + 1, DP_BINDING_ENDLESS);
		slot->held = true;
	}
}

/* Of the route to all, and to one of them each; 0: there is none. */
static int groups_v4[1 + 8], groups_v6[1 + 8];

static void set_group(int *group, int family, const struct dp_adjacency *adjacency)
{
	if (*group > 0)
		assert_int_equal(dp_nexthops_group_set(nexthops, *group, adjacency, 1), 0);
	else
		*group = dp_nexthops_group_add(nexthops, family, adjacency, 1);
	assert_true(*group > 0);
}

static void remove_group(int *group)
{
	if (*group > 0)
		dp_nexthops_group_remove(nexthops, *group);
	*group = 0;
}

/* A route to peers or clients, or of one of them alone, gets another next hop, or goes; the default stays. */
static void change_route(uint64_t *random)
{
	struct addr_v4_prefix v4 = {PEER_V4, 24};
	struct addr_v6_prefix v6 = {.len = 32};
	struct dp_adjacency adjacency = {.state = DP_ADJ_RESOLVED};
	uint32_t n = test_random_below(random, 8), mac = test_random_below(random, 64) * 4;
	uint32_t which = 0;

	memset(&adjacency.dst_mac, (int)mac, sizeof(adjacency.dst_mac));
	inet_pton(AF_INET6, "2001:db8::", &v6.addr);
	if (test_random_below(random, 2) == 0) {
		struct dp_binding one = binding_of(n, 1);

		v4 = (struct addr_v4_prefix){PEER_V4 + n, 32};
		v6 = (struct addr_v6_prefix){one.client_v6, 128};
		which = 1 + n;
	}
	if (test_random_below(random, 4) == 0) {
		dp_nexthops_route_v4_remove(nexthops, &v4);
		dp_nexthops_route_v6_remove(nexthops, &v6);
		remove_group(&groups_v4[which]);
		remove_group(&groups_v6[which]);
		return;
	}
	adjacency.port = ports[0];
	set_group(&groups_v6[which], AF_INET6, &adjacency);
	assert_int_equal(dp_nexthops_route_v6_set(nexthops, &v6, groups_v6[which]), 0);
	adjacency.port = ports[1];
	set_group(&groups_v4[which], AF_INET, &adjacency);
	assert_int_equal(dp_nexthops_route_v4_set(nexthops, &v4, groups_v4[which]), 0);
}

static void set_default_routes(void)
{
	const struct addr_v4_prefix v4 = {0, 0};
	const struct addr_v6_prefix v6 = {.len = 0};
	struct dp_adjacency adjacency = {.state = DP_ADJ_RESOLVED, .port = ports[0]};

	assert_int_equal(dp_nexthops_route_v6_set(nexthops, &v6,
				 dp_nexthops_group_add(nexthops, AF_INET6, &adjacency, 1)),
		0);
	adjacency.port = ports[1];
	assert_int_equal(dp_nexthops_route_v4_set(nexthops, &v4,
				 dp_nexthops_group_add(nexthops, AF_INET, &adjacency, 1)),
		0);
}

static void empty_host_ring(void)
{
	struct rte_mbuf *packets[DP_BURST];
	uint32_t n = dp_punt_take(punt, packets, DP_BURST);

	rte_pktmbuf_free_bulk(packets, n);
}

/* Everything that the control thread does, until there were enough changes and packets. */
static void change_all_the_time(uint64_t *random, uint64_t packets)
{
	static const uint32_t local = LOCAL_V4;
	uint64_t begin = rte_rdtsc(), n = 0;
	double seconds;

	while (n < CHANGES || atomic_load(&n_arrived) < packets) {
		change_binding(random);
		if (n % 512 == 0)
			change_route(random);
		if (n % 8192 == 0)
			assert_int_equal(
				dp_datapath_set_local_v4(datapath, &local, n / 8192 % 2), 0);
		if (n % 256 == 0)
			dp_bindings_sweep(bindings, dp_datapath_now_s(datapath), 16384);
		empty_host_ring();
		n++;
	}
	seconds = (double)(rte_rdtsc() - begin) / (double)rte_get_tsc_hz();
	printf("%.0f changes of bindings and %.0f packets a second\n", (double)n / seconds,
		(double)atomic_load(&n_arrived) / seconds);
}

/* --- the whole ----------------------------------------------------------------------------------- */

static void start(void)
{
	struct dp_datapath_params params = {
		.port_v6 = ports[0],
		.port_v4 = ports[1],
		.n_workers = N_WORKERS,
		.rx_ring = WINDOW,
		.tx_ring = WINDOW,
		.n_tep_v6 = 1,
		.hop_limit = 64,
		.hairpin = true,
		.idle_sleep_us = 10,
		.mtu_v6 = 1500,
		.mtu_v4 = 1500,
		.reassembly = {.max_datagrams = 8, .max_fragments = 64, .per_source = 4},
		.bindings = bindings,
		.nexthops = nexthops,
		.punt = punt,
	};

	params.tep_v6[0] = binding_of(0, 0).tep_v6;
	datapath = dp_datapath_create(&params);
	assert_non_null(datapath);
	for (uint32_t slot = 0; slot < N_SLOTS; slot++) {
		atomic_store(&slots[slot].begun, 1);
		slots[slot].held = true;
		add(slot, 1, DP_BINDING_ENDLESS);
	}
	set_default_routes();
	assert_int_equal(dp_datapath_start(datapath), 0);
}

/* What the traffic thread saw, and what the workers counted. */
static void check_ends(void)
{
	struct dp_counters counters;
	uint64_t of_change;

	assert_int_equal(n_wrong, 0);
	for (uint32_t n = 0; n < N_SLOTS; n++)
		for (uint32_t way = IN; way < LOCAL && !comes_and_goes(n); way++)
			assert_int_equal(slots[n].arrived[way], slots[n].sent[way]);
	dp_datapath_counters(datapath, &counters);
	assert_int_equal(counters.packets[DP_COUNT_RX], n_sent);
	assert_int_equal(counters.packets[DP_COUNT_TX], n_arrived);
	of_change = counters.packets[DP_DROP_NO_BINDING_V4] +
		    counters.packets[DP_DROP_NO_BINDING_V6] +
		    counters.packets[DP_DROP_SPOOFED_CLIENT] +
		    counters.packets[DP_DROP_HAIRPIN_NO_BINDING];
	assert_int_equal(sum_of_drops(&counters), of_change);
	assert_true(counters.packets[DP_DROP_SPOOFED_CLIENT] > 0);
	assert_true(counters.packets[DP_COUNT_HAIRPINNED] > 0);
	assert_true(counters.packets[DP_COUNT_PUNTED] > 0);
	for (uint32_t worker = 0; worker < N_WORKERS; worker++) {
		dp_datapath_worker_counters(datapath, worker, &counters);
		assert_true(counters.packets[DP_COUNT_RX] > 0);
		assert_true(counters.packets[DP_COUNT_RX_HANDED] > 0);
		assert_true(counters.packets[DP_COUNT_TX_HANDED] > 0);
	}
}

static void changes_disturb_nobody_else(void **state)
{
	const char *given = getenv("DSTM_PACKETS");
	uint64_t packets = given != NULL ? strtoull(given, NULL, 0) : PACKETS;
	uint64_t random = test_seed();
	pthread_t thread;

	random_traffic = test_random(&random) | 1;
	start();
	assert_int_equal(pthread_create(&thread, NULL, traffic, NULL), 0);
	change_all_the_time(&random, packets);
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	dp_datapath_stop(datapath);
	check_ends();
	dp_datapath_destroy(datapath);
	dp_punt_destroy(punt);
	dp_nexthops_destroy(nexthops);
	dp_bindings_destroy(bindings);
	assert_int_equal(rte_mempool_avail_count(pool), MBUFS);
}

static int make_port(uint32_t side)
{
	static const char *const names[DP_SIDES] = {"v6", "v4"};
	const struct dp_port_params params = {.n_queues = N_WORKERS,
		.rx_descriptors = 64,
		.tx_descriptors = 64,
		.mtu = 1500,
		.pool = pool};
	char error[DP_PORT_ERROR_LEN], name[32];
	int port;

	snprintf(name, sizeof(name), "rx_%s", names[side]);
	rx[side] = rte_ring_create(name, RING, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	snprintf(name, sizeof(name), "tx_%s", names[side]);
	tx[side] = rte_ring_create(name, RING, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (rx[side] == NULL || tx[side] == NULL)
		return -1;
	port = rte_eth_from_rings(names[side], &rx[side], 1, &tx[side], 1, 0);
	if (port < 0)
		return -1;
	ports[side] = (uint16_t)port;
	rte_eth_macaddr_get(ports[side], &macs[side]);
	return dp_port_start(ports[side], &params, error);
}

static int make_all(void)
{
	const struct dp_bindings_params bindings_params = {
		.max_bindings = 65536, .max_readers = N_WORKERS, .socket = SOCKET_ID_ANY};
	const struct dp_nexthops_params nexthops_params = {.fib = true,
		.max_adjacencies = 1024,
		.max_groups = 1024,
		.max_routes_v4 = 64,
		.max_routes_v6 = 64,
		.max_readers = N_WORKERS,
		.socket = SOCKET_ID_ANY};

	pool = rte_pktmbuf_pool_create(
		"packets", MBUFS, 128, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	bindings = dp_bindings_create(&bindings_params);
	nexthops = dp_nexthops_create(&nexthops_params);
	punt = dp_punt_create(RING, SOCKET_ID_ANY);
	if (pool == NULL || bindings == NULL || nexthops == NULL || punt == NULL)
		return -1;
	return make_port(0) == 0 && make_port(1) == 0 ? 0 : -1;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_disturb_nobody_else),
	};

	if (test_eal_start_lcores(1 + N_WORKERS, 256) < 0 || make_all() != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
