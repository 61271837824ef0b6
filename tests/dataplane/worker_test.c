// SPDX-License-Identifier: BSD-3-Clause
/*
 * The whole path between two net_ring ports: a running worker, and by hand what frames from outside cannot bring
 * about: next hops in every state, a full port, a full ring to the host, lease ends. Afterwards every
 * counter adds up and every buffer is back.
 */
#include "dataplane/datapath.h"
#include "dataplane/port.h"
#include "dataplane/worker.h"
#include "support/packets.h"

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#define PORT_RING 64 /* a ring of 64 holds 63 */
#define HOST_RING 32 /* holds 31 */
#define NOW_S     1000

static struct rte_ring *rx[DP_SIDES], *tx[DP_SIDES];
static uint16_t ports[DP_SIDES];
static struct dp_bindings *bindings;
static struct dp_nexthops *nexthops;
static struct dp_punt *punt;
static struct dp_worker worker;

static const struct packet from_client = {.tunnel = true};
static const struct packet from_peer = {0};

static void set_nexthop(uint32_t side, enum dp_adjacency_state state, uint16_t port)
{
	const struct dp_adjacency adjacency = {
		.dst_mac = {{0x02, 0, 0, 0, 0, 0x99}}, .port = port, .state = state};

	if (side == 0)
		dp_nexthops_set_static_v6(nexthops, &adjacency);
	else
		dp_nexthops_set_static_v4(nexthops, &adjacency);
}

static void add_binding(uint32_t end_s)
{
	struct dp_binding binding;

	packets_binding_init(&binding);
	binding.end_s = end_s;
	assert_int_equal(dp_bindings_add(bindings, &binding), 0);
}

static int set_up(void **state)
{
	const struct dp_bindings_params bindings_params = {
		.max_bindings = 16, .max_readers = 1, .socket = SOCKET_ID_ANY};
	const struct dp_nexthops_params nexthops_params = {
		.max_readers = 1, .socket = SOCKET_ID_ANY};

	bindings = dp_bindings_create(&bindings_params);
	nexthops = dp_nexthops_create(&nexthops_params);
	punt = dp_punt_create(HOST_RING, SOCKET_ID_ANY);
	if (bindings == NULL || nexthops == NULL || punt == NULL)
		return -1;
	add_binding(DP_BINDING_ENDLESS);
	for (uint32_t side = 0; side < DP_SIDES; side++)
		set_nexthop(side, DP_ADJ_RESOLVED, ports[side]);
	memset(&worker, 0, sizeof(worker));
	packets_ctx_init(&worker.ctx);
	worker.ctx.bindings = bindings;
	worker.ctx.nexthops = nexthops;
	worker.ctx.now_s = NOW_S;
	memcpy(worker.ctx.ports, ports, sizeof(ports));
	worker.n_sides = DP_SIDES;
	return 0;
}

static int tear_down(void **state)
{
	struct rte_mbuf *m;

	for (uint32_t side = 0; side < DP_SIDES; side++)
		while (rte_ring_dequeue(tx[side], (void **)&m) == 0)
			rte_pktmbuf_free(m);
	dp_punt_destroy(punt);
	dp_nexthops_destroy(nexthops);
	dp_bindings_destroy(bindings);
	return packets_all_back() ? 0 : -1;
}

static uint64_t count(enum dp_counter counter)
{
	return worker.ctx.counters.packets[counter];
}

/* n copies of a packet through the path and out. */
static void process(const struct packet *packet, uint32_t n)
{
	struct rte_mbuf *packets[DP_BURST];
	uint64_t ends = 0;

	for (uint32_t i = 0; i < n; i++)
		packets[i] = packet_make(packet);
	dp_worker_process(&worker, packet->tunnel ? 0 : 1, packets, n);
	for (uint32_t side = 0; side < DP_SIDES; side++)
		dp_worker_flush(&worker, side);
	for (unsigned int i = 0; i < DP_N_DROPS; i++)
		ends += count(i);
	ends += count(DP_COUNT_TX) + count(DP_COUNT_PUNTED) + count(DP_COUNT_RESOLVE);
	assert_int_equal(count(DP_COUNT_RX), ends);
}

static void a_binding_forwards_until_its_end(void **state)
{
	add_binding(NOW_S + 1);
	process(&from_client, 1);
	process(&from_peer, 1);
	assert_int_equal(count(DP_COUNT_TX), 2);
	worker.ctx.now_s = NOW_S + 1;
	process(&from_client, 1);
	process(&from_peer, 1);
	assert_int_equal(count(DP_DROP_NO_BINDING_V6), 1);
	assert_int_equal(count(DP_DROP_NO_BINDING_V4), 1);
	add_binding(DP_BINDING_ENDLESS);
	worker.ctx.now_s = UINT32_MAX - 1;
	process(&from_client, 1);
	process(&from_peer, 1);
	assert_int_equal(count(DP_COUNT_TX), 4);
}

static void a_packet_leaves_with_the_next_hops_addresses(void **state)
{
	static const uint8_t macs[12] = {0x02, 0, 0, 0, 0, 0x99};
	struct rte_mbuf *m;

	process(&from_client, 1);
	assert_int_equal(rte_ring_dequeue(tx[1], (void **)&m), 0);
	assert_memory_equal(rte_pktmbuf_mtod(m, void *), macs, sizeof(macs));
	assert_int_equal(*rte_pktmbuf_mtod_offset(m, uint8_t *, 13), 0x00);
	rte_pktmbuf_free(m);
	process(&from_peer, 1);
	assert_int_equal(rte_ring_dequeue(tx[0], (void **)&m), 0);
	assert_memory_equal(rte_pktmbuf_mtod(m, void *), macs, sizeof(macs));
	assert_int_equal(*rte_pktmbuf_mtod_offset(m, uint8_t *, 13), 0xdd);
	rte_pktmbuf_free(m);
}

static void next_hops_that_cannot_be_used_are_named(void **state)
{
	static const struct {
		enum dp_adjacency_state state;
		bool host;
		enum dp_counter counter;
	} rows[] = {
		{DP_ADJ_NO_ROUTE, false, DP_DROP_NO_ROUTE},
		{DP_ADJ_NO_ROUTE, true, DP_DROP_NO_ROUTE},
		{DP_ADJ_PENDING, false, DP_DROP_NO_NEXTHOP},
		{DP_ADJ_PENDING, true, DP_COUNT_RESOLVE},
		{DP_ADJ_GLEAN, false, DP_DROP_NO_NEXTHOP},
		{DP_ADJ_GLEAN, true, DP_COUNT_RESOLVE},
		{DP_ADJ_LOCAL, false, DP_DROP_NO_HOST},
		{DP_ADJ_LOCAL, true, DP_COUNT_PUNTED},
	};

	for (unsigned int i = 0; i < RTE_DIM(rows); i++) {
		for (uint32_t side = 0; side < DP_SIDES; side++) {
			uint64_t before = count(rows[i].counter);

			set_nexthop(side, rows[i].state, ports[side]);
			worker.ctx.punt = rows[i].host ? punt : NULL;
			process(side == 0 ? &from_peer : &from_client, 1);
			assert_int_equal(count(rows[i].counter), before + 1);
		}
	}
	assert_int_equal(count(DP_COUNT_TX), 0);
}

/* What the host gets: the reason, the port, no MAC addresses to resolve, our own on what is for it. */
static void the_host_gets_whole_frames(void **state)
{
	static const uint8_t none[12];
	struct rte_mbuf *m;

	worker.ctx.punt = punt;
	set_nexthop(1, DP_ADJ_GLEAN, ports[1]);
	process(&from_client, 1);
	assert_int_equal(dp_punt_take(punt, &m, 1), 1);
	assert_int_equal(dp_punt_reason_of(m), DP_PUNT_RESOLVE);
	assert_int_equal(m->port, ports[1]);
	assert_memory_equal(rte_pktmbuf_mtod(m, void *), none, sizeof(none));
	assert_int_equal(*rte_pktmbuf_mtod_offset(m, uint8_t *, 12), 0x08);
	rte_pktmbuf_free(m);

	set_nexthop(1, DP_ADJ_LOCAL, ports[1]);
	process(&from_client, 1);
	assert_int_equal(dp_punt_take(punt, &m, 1), 1);
	assert_int_equal(dp_punt_reason_of(m), DP_PUNT_HOST);
	assert_memory_equal(rte_pktmbuf_mtod(m, void *), &worker.ctx.macs[1], 6);
	rte_pktmbuf_free(m);
}

static void a_full_ring_to_the_host_is_a_counted_drop(void **state)
{
	worker.ctx.punt = punt;
	set_nexthop(1, DP_ADJ_LOCAL, ports[1]);
	process(&from_client, DP_BURST);
	process(&from_client, DP_BURST);
	assert_true(count(DP_COUNT_PUNTED) >= HOST_RING - 1);
	assert_int_equal(count(DP_COUNT_PUNTED) + count(DP_DROP_PUNT_FULL), 2 * DP_BURST);
	assert_true(count(DP_DROP_PUNT_FULL) > 0);
	assert_int_equal(
		worker.ctx.counters.bytes[DP_DROP_PUNT_FULL], count(DP_DROP_PUNT_FULL) * (14 + 28));
}

static void a_full_port_is_a_counted_drop(void **state)
{
	for (uint32_t i = 0; i < 3; i++)
		process(&from_client, DP_BURST);
	assert_int_equal(count(DP_COUNT_TX), PORT_RING - 1);
	assert_int_equal(count(DP_DROP_TX_FULL), 3 * DP_BURST - (PORT_RING - 1));
	assert_int_equal(
		worker.ctx.counters.bytes[DP_DROP_TX_FULL], count(DP_DROP_TX_FULL) * (14 + 28));
	assert_int_equal(worker.ctx.counters.bytes[DP_COUNT_TX], (PORT_RING - 1) * (14 + 28));
}

static void a_port_that_is_not_ours_is_a_counted_drop(void **state)
{
	set_nexthop(1, DP_ADJ_RESOLVED, 31);
	process(&from_client, 1);
	assert_int_equal(count(DP_DROP_TX_NO_PORT), 1);
}

static void a_buffer_without_headroom_is_a_counted_drop(void **state)
{
	struct rte_mbuf *m = packet_make(&from_peer);

	memmove((uint8_t *)m->buf_addr + 38, rte_pktmbuf_mtod(m, void *), m->data_len);
	m->data_off = 38;
	dp_worker_process(&worker, 1, &m, 1);
	assert_int_equal(count(DP_DROP_NO_HEADROOM), 1);
}

static void a_packet_that_no_buffers_are_left_to_cut_is_a_counted_drop(void **state)
{
	const struct packet too_long = {.payload = 1500 - 28};
	struct rte_mbuf *m = packet_make(&too_long), *all[PACKET_MBUFS];
	uint32_t n = 0;

	while (n < PACKET_MBUFS && (all[n] = rte_pktmbuf_alloc(packets_pool())) != NULL)
		n++;
	dp_worker_process(&worker, 1, &m, 1);
	assert_int_equal(count(DP_DROP_FRAG_NO_MBUF), 1);
	assert_int_equal(worker.ctx.counters.bytes[DP_DROP_FRAG_NO_MBUF], 14 + 40 + 1500);
	rte_pktmbuf_free_bulk(all, n);
	process(&from_peer, 1);
	assert_int_equal(count(DP_COUNT_TX), 1);
}

static void an_address_of_a_pool_that_the_host_has_is_the_hosts(void **state)
{
	static const struct addr_v4_prefix prefix = {PACKET_PEER_V4 & 0xffffff00, 24};
	const struct dp_local_v4 local = {.n = 1, .v4 = {PACKET_PEER_V4}}, *in_use = &local;
	struct dp_pools pools;

	dp_pools_init(&pools, &prefix, 1);
	worker.ctx.pools = &pools;
	worker.ctx.hairpin = true;
	worker.ctx.punt = punt;
	process(&from_client, 1);
	assert_int_equal(count(DP_DROP_POOL_NO_BINDING), 1);
	set_nexthop(1, DP_ADJ_LOCAL, ports[1]);
	worker.ctx.local_v4 = &in_use;
	process(&from_client, 1);
	assert_int_equal(count(DP_DROP_POOL_NO_BINDING), 1);
	assert_int_equal(count(DP_COUNT_PUNTED), 1);
}

/* Waits, bounded, for as many packets in a ring; the worker may have to wait for a CPU. */
static void await(const struct rte_ring *ring, uint32_t n)
{
	for (uint32_t i = 0; i < 20000 && rte_ring_count(ring) < n; i++)
		usleep(1000);
	assert_int_equal(rte_ring_count(ring), n);
}

static struct dp_datapath *start(void)
{
	struct dp_datapath_params params = {
		.port_v6 = ports[0],
		.port_v4 = ports[1],
		.n_workers = 1,
		.n_tep_v6 = 1,
		.hop_limit = 64,
		.mtu_v6 = 1500,
		.mtu_v4 = 1500,
		.reassembly = {.max_datagrams = 8,
			.max_fragments = 64,
			.per_source = 4,
			.timeout_ms = 2000},
		.idle_sleep_us = 100,
		.bindings = bindings,
		.nexthops = nexthops,
		.punt = punt,
	};
	struct dp_datapath *datapath;

	inet_pton(AF_INET6, "2001:db8::1", &params.tep_v6[0]);
	datapath = dp_datapath_create(&params);
	assert_non_null(datapath);
	assert_int_equal(dp_datapath_start(datapath), 0);
	return datapath;
}

static void arrive(const struct packet *packet)
{
	uint32_t side = packet->tunnel ? 0 : 1;
	struct rte_mbuf *m = packet_make(packet);

	rte_eth_macaddr_get(ports[side], rte_pktmbuf_mtod(m, struct rte_ether_addr *));
	assert_int_equal(rte_ring_enqueue(rx[side], m), 0);
}

static void a_worker_carries_both_directions_and_the_hosts_frames(void **state)
{
	struct dp_datapath *datapath = start();
	struct dp_counters counters;
	struct rte_mbuf *m = packet_make(&from_peer);
	uint64_t begin = rte_rdtsc();

	for (uint32_t i = 0; i < 20; i++) {
		arrive(&from_client);
		arrive(&from_peer);
	}
	m->port = ports[0];
	assert_true(dp_punt_send(punt, m));
	await(tx[0], 21);
	await(tx[1], 20);
	assert_true(dp_datapath_last_rx_tsc(datapath) > begin);
	dp_datapath_stop(datapath);
	dp_datapath_counters(datapath, &counters);
	assert_int_equal(counters.packets[DP_COUNT_RX], 40);
	assert_int_equal(counters.packets[DP_COUNT_FROM_HOST], 1);
	assert_int_equal(counters.packets[DP_COUNT_TX], 41);
	assert_true(counters.busy_cycles > 0);
	dp_datapath_destroy(datapath);
}

/* Waits, bounded, until a counter of a running worker has this value. */
static void await_count(
	const struct dp_datapath *datapath, enum dp_counter counter, uint64_t packets)
{
	struct dp_counters counters;

	for (uint32_t i = 0; i < 20000; i++) {
		dp_datapath_counters(datapath, &counters);
		if (counters.packets[counter] == packets)
			return;
		usleep(1000);
	}
	fail_msg("%s stays at %" PRIu64, dp_counter_info[counter].name, counters.packets[counter]);
}

/* While a worker runs: the router's own address is the host's, and no longer when it is taken away. */
static void local_addresses_change_under_a_running_worker(void **state)
{
	static const uint32_t local[DP_LOCAL_V4_MAX + 1] = {PACKET_CLIENT_V4};
	const struct packet unheld = {.port = 9};
	struct dp_datapath *datapath = start();

	for (uint32_t round = 1; round <= 3; round++) {
		assert_int_equal(dp_datapath_set_local_v4(datapath, local, 1), 0);
		arrive(&unheld);
		await_count(datapath, DP_COUNT_PUNTED, round);
		assert_int_equal(dp_datapath_set_local_v4(datapath, NULL, 0), 0);
		arrive(&unheld);
		await_count(datapath, DP_DROP_NO_BINDING_V4, round);
	}
	assert_int_equal(dp_datapath_set_local_v4(datapath, local, DP_LOCAL_V4_MAX + 1), -ENOSPC);
	dp_datapath_destroy(datapath);
}

static void what_a_port_cannot_do_is_one_sentence(void **state)
{
	const struct dp_port_params params = {.n_queues = 2, .mtu = 70000, .pool = packets_pool()};
	char error[DP_PORT_ERROR_LEN];

	assert_int_equal(dp_port_start(ports[0], &params, error), -EINVAL);
	assert_string_equal(error, "port 0 (net_ring_v6): an MTU of 70000 is more than its 65535");
}

static int make_ports(void)
{
	static const char *const names[DP_SIDES] = {"v6", "v4"};
	const struct dp_port_params params = {.n_queues = 1,
		.rx_descriptors = 64,
		.tx_descriptors = 64,
		.mtu = 1500,
		.pool = packets_pool()};
	char error[DP_PORT_ERROR_LEN], name[32];

	for (uint32_t side = 0; side < DP_SIDES; side++) {
		int port;

		snprintf(name, sizeof(name), "rx_%s", names[side]);
		rx[side] = rte_ring_create(name, PORT_RING, SOCKET_ID_ANY, 0);
		snprintf(name, sizeof(name), "tx_%s", names[side]);
		tx[side] = rte_ring_create(name, PORT_RING, SOCKET_ID_ANY, 0);
		if (rx[side] == NULL || tx[side] == NULL)
			return -1;
		port = rte_eth_from_rings(names[side], &rx[side], 1, &tx[side], 1, 0);
		if (port < 0)
			return -1;
		ports[side] = (uint16_t)port;
		if (dp_port_start(ports[side], &params, error) != 0)
			return -1;
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define WITH_TABLES(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		WITH_TABLES(a_binding_forwards_until_its_end),
		WITH_TABLES(a_packet_leaves_with_the_next_hops_addresses),
		WITH_TABLES(next_hops_that_cannot_be_used_are_named),
		WITH_TABLES(the_host_gets_whole_frames),
		WITH_TABLES(a_full_ring_to_the_host_is_a_counted_drop),
		WITH_TABLES(a_full_port_is_a_counted_drop),
		WITH_TABLES(a_port_that_is_not_ours_is_a_counted_drop),
		WITH_TABLES(a_buffer_without_headroom_is_a_counted_drop),
		WITH_TABLES(a_packet_that_no_buffers_are_left_to_cut_is_a_counted_drop),
		WITH_TABLES(an_address_of_a_pool_that_the_host_has_is_the_hosts),
		WITH_TABLES(a_worker_carries_both_directions_and_the_hosts_frames),
		WITH_TABLES(local_addresses_change_under_a_running_worker),
		cmocka_unit_test(what_a_port_cannot_do_is_one_sentence),
	};
	const char *args[] = {"test", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry",
		"--log-level=lib.eal:error", "--lcores", "0@0,1@0", "-m", "128"};

	if (rte_eal_init(RTE_DIM(args), (char **)args) < 0 || make_ports() != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
