// SPDX-License-Identifier: BSD-3-Clause
/*
 * What has no binding and lies in a pool goes to the control thread, once for each thing to be asked, and comes back
 * through all stages (R72, D2); a worker with two net_ring ports, and the test in place of the control thread.
 */
#include "dataplane/miss.h"

#include "dataplane/port.h"
#include "dataplane/worker.h"
#include "support/eal.h"
#include "support/packets.h"

#include <rte_errno.h>
#include <rte_eth_ring.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define RING   32 /* holds 32 */
#define RATE   400 /* a bucket: 40 packets at once, then 100 a second */
#define NOW_MS 1000000

static struct rte_ring *rx[DP_SIDES], *tx[DP_SIDES];
static uint16_t ports[DP_SIDES];
static struct dp_bindings *bindings;
static struct dp_nexthops *nexthops;
static struct dp_ask *ask;
static struct dp_pools pools;
static struct dp_worker worker;

static const struct packet from_client = {.tunnel = true};
static const struct packet from_peer = {0};
static const struct packet gre_from_peer = {.protocol = IPPROTO_GRE};

static void set_clock(uint64_t now_ms)
{
	dp_worker_set_clock(&worker, now_ms);
}

static int set_up(void **state)
{
	const struct dp_bindings_params bindings_params = {
		.max_bindings = 16, .max_readers = 1, .socket = SOCKET_ID_ANY};
	const struct dp_nexthops_params nexthops_params = {
		.max_readers = 1, .socket = SOCKET_ID_ANY};
	const struct dp_ask_params ask_params = {.ring_size = RING,
		.rate = RATE,
		.of_v4 = true,
		.of_v6 = true,
		.socket = SOCKET_ID_ANY};
	const struct addr_v4_prefix prefix = {.addr = PACKET_CLIENT_V4 & 0xffffff00U, .len = 24};

	bindings = dp_bindings_create(&bindings_params);
	nexthops = dp_nexthops_create(&nexthops_params);
	ask = dp_ask_create(&ask_params);
	if (bindings == NULL || nexthops == NULL || ask == NULL)
		return -1;
	for (uint32_t side = 0; side < DP_SIDES; side++) {
		const struct dp_adjacency adjacency = {.dst_mac = {{0x02, 0, 0, 0, 0, 0x99}},
			.port = ports[side],
			.state = DP_ADJ_RESOLVED};

		if (side == 0)
			dp_nexthops_set_static_v6(nexthops, &adjacency);
		else
			dp_nexthops_set_static_v4(nexthops, &adjacency);
	}
	dp_pools_init(&pools, &prefix, 1);
	memset(&worker, 0, sizeof(worker));
	packets_ctx_init(&worker.ctx);
	worker.ctx.bindings = bindings;
	worker.ctx.nexthops = nexthops;
	worker.ctx.pools = &pools;
	worker.ctx.hairpin = true;
	worker.ctx.ask = ask;
	worker.ctx.asks[0] = worker.ctx.asks[1] = true;
	worker.ctx.ask_limits = dp_ask_limits_create(RATE, SOCKET_ID_ANY);
	memcpy(worker.ctx.ports, ports, sizeof(ports));
	worker.n_sides = DP_SIDES;
	set_clock(NOW_MS);
	return 0;
}

static int tear_down(void **state)
{
	struct rte_mbuf *m;

	for (uint32_t side = 0; side < DP_SIDES; side++)
		while (rte_ring_dequeue(tx[side], (void **)&m) == 0)
			rte_pktmbuf_free(m);
	dp_ask_limits_destroy(worker.ctx.ask_limits);
	dp_ask_destroy(ask);
	dp_nexthops_destroy(nexthops);
	dp_bindings_destroy(bindings);
	return packets_all_back() ? 0 : -1;
}

static uint64_t count(enum dp_counter counter)
{
	return worker.ctx.counters.packets[counter];
}

/* What is in is in the end somewhere. */
static void assert_adds_up(void)
{
	uint64_t ends = count(DP_COUNT_TX) + count(DP_COUNT_ASKED);

	for (unsigned int i = 0; i < DP_N_DROPS; i++)
		ends += count(i);
	assert_int_equal(count(DP_COUNT_RX) + count(DP_COUNT_ASK_RETURNED), ends);
}

static void process_one(struct rte_mbuf *m, uint32_t side)
{
	dp_worker_process(&worker, side, &m, 1);
	dp_worker_carry_on(&worker);
	assert_adds_up();
}

static void process(const struct packet *packet)
{
	process_one(packet_make(packet), packet->tunnel ? 0 : 1);
}

static struct dp_question take(void)
{
	struct dp_question question;

	assert_int_equal(dp_ask_take(ask, &question, 1), 1);
	return question;
}

static void give_back(const struct dp_question *question)
{
	assert_true(dp_ask_give_back(ask, question));
	dp_worker_carry_on(&worker);
	assert_adds_up();
}

static void add_binding(void)
{
	struct dp_binding binding;

	packets_binding_init(&binding);
	binding.end_s = DP_BINDING_ENDLESS;
	assert_int_equal(dp_bindings_add(bindings, &binding), 0);
}

static struct rte_mbuf *to_client_of_pool(uint8_t last_octet)
{
	struct rte_mbuf *m = packet_make(&from_client);
	struct rte_ipv4_hdr *v4 = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, PACKET_INNER);

	v4->dst_addr = rte_cpu_to_be_32((PACKET_CLIENT_V4 & 0xffffff00U) | last_octet);
	packet_resum(m, PACKET_INNER);
	return m;
}

static void a_miss_is_asked_and_goes_on_when_the_binding_stands(void **state)
{
	const struct packet *packets[] = {&from_peer, &from_client};

	for (uint32_t i = 0; i < RTE_DIM(packets); i++) {
		struct dp_question question;

		process(packets[i]);
		assert_int_equal(count(DP_COUNT_ASKED), i + 1);
		question = take();
		assert_int_equal(question.key.v4, PACKET_CLIENT_V4);
		assert_int_equal(question.key.port, PACKET_CLIENT_PORT);
		assert_true(question.key.has_port);
		assert_int_equal(question.from_v6, packets[i]->tunnel);
		assert_int_equal(question.side, packets[i]->tunnel ? 0 : 1);
		add_binding();
		give_back(&question);
		assert_int_equal(count(DP_COUNT_ASK_RETURNED), i + 1);
		assert_int_equal(count(DP_COUNT_TX), i + 1);
		dp_bindings_remove(bindings, PACKET_CLIENT_V4,
			(struct port_range){.first = 1024, .last = 2047});
	}
}

/* A packet that comes back and still finds nothing is refused by the name that it always had. */
static void nothing_is_asked_twice(void **state)
{
	const struct packet *packets[] = {&from_peer, &from_client, &gre_from_peer};
	const enum dp_counter reasons[] = {
		DP_DROP_NO_BINDING_V4, DP_DROP_NO_BINDING_V6, DP_DROP_NO_PORT_V4};

	for (uint32_t i = 0; i < RTE_DIM(packets); i++) {
		struct dp_question question;

		process(packets[i]);
		question = take();
		assert_int_equal(question.key.has_port, packets[i] != &gre_from_peer);
		give_back(&question);
		assert_int_equal(count(reasons[i]), 1);
		assert_int_equal(count(DP_COUNT_ASKED), i + 1);
	}
}

static void outside_the_pools_nothing_is_asked(void **state)
{
	const struct addr_v4_prefix elsewhere = {.addr = 0xc6336400U, .len = 30};

	dp_pools_init(&pools, &elsewhere, 1);
	process(&from_peer);
	process(&from_client);
	process(&gre_from_peer);
	assert_int_equal(count(DP_COUNT_ASKED), 0);
	assert_int_equal(count(DP_DROP_NO_BINDING_V4) + count(DP_DROP_NO_BINDING_V6), 2);
}

/* The sender is proven first; who is not gets no question out of us about anybody else. */
static void a_receiver_is_asked_about_for_a_proven_sender_alone(void **state)
{
	struct rte_mbuf *m = to_client_of_pool(9);
	struct dp_question question;

	process_one(m, 0);
	question = take();
	assert_int_equal(question.key.v4, PACKET_CLIENT_V4);
	add_binding();
	give_back(&question);
	question = take();
	assert_int_equal(question.key.v4, (PACKET_CLIENT_V4 & 0xffffff00U) | 9);
	assert_int_equal(question.key.port, PACKET_PEER_PORT);
	assert_int_equal(question.asked, DP_ASKED_HOLDER | DP_ASKED_TARGET);
	assert_ptr_equal(question.m, m);
	give_back(&question);
	assert_int_equal(count(DP_DROP_POOL_NO_BINDING), 1);

	m = to_client_of_pool(9);
	rte_pktmbuf_mtod_offset(m, struct rte_ipv6_hdr *, RTE_ETHER_HDR_LEN)->src_addr[15] ^= 1;
	process_one(m, 0);
	assert_int_equal(count(DP_DROP_SPOOFED_CLIENT), 1);
	assert_int_equal(count(DP_COUNT_ASKED), 2);
}

static void what_nobody_holds_is_not_asked_again_until_somebody_may(void **state)
{
	const struct dp_binding_key key = {
		.v4 = PACKET_CLIENT_V4, .port = PACKET_CLIENT_PORT, .has_port = true};

	dp_negative_add(dp_ask_negative(ask), &key, NOW_MS, 2000);
	process(&from_peer);
	assert_int_equal(count(DP_COUNT_ASK_KNOWN), 1);
	assert_int_equal(count(DP_DROP_NO_BINDING_V4), 1);
	assert_int_equal(count(DP_COUNT_ASKED), 0);
	set_clock(NOW_MS + 2000);
	process(&from_peer);
	assert_int_equal(count(DP_COUNT_ASKED), 1);
}

/* Who scans has used up his own prefix's share (D2). */
static void each_prefix_has_its_own_share(void **state)
{
	struct rte_mbuf *m;
	uint64_t asked;

	for (uint32_t i = 0; i < 100; i++) {
		struct dp_question question;

		process(&from_peer);
		if (dp_ask_take(ask, &question, 1) == 1)
			rte_pktmbuf_free(question.m);
	}
	asked = count(DP_COUNT_ASKED);
	assert_int_equal(asked, RATE / 10);
	assert_int_equal(count(DP_DROP_ASK_LIMIT), 100 - asked);
	process(&from_client); /* a tunnel's share is another one */
	assert_int_equal(count(DP_COUNT_ASKED), ++asked);
	for (uint32_t other = 1; other <= 8; other++) { /* not all of them in the same bucket */
		m = packet_make(&from_peer);
		rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, PACKET_V4_OFFSET)
			->src_addr = rte_cpu_to_be_32(PACKET_PEER_V4 + (other << 8));
		packet_resum(m, PACKET_V4_OFFSET);
		process_one(m, 1);
	}
	assert_true(count(DP_COUNT_ASKED) > asked);
	asked = count(DP_COUNT_ASKED);
	set_clock(NOW_MS + 1000);
	process(&from_peer);
	assert_int_equal(count(DP_COUNT_ASKED), asked + 1);
}

static void a_full_ring_is_a_counted_drop(void **state)
{
	for (uint32_t i = 0; i < RING + 3; i++)
		process(&from_peer);
	assert_int_equal(count(DP_COUNT_ASKED), RING);
	assert_int_equal(count(DP_DROP_ASK_FULL), 3);
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
		rx[side] = rte_ring_create(name, 64, SOCKET_ID_ANY, 0);
		snprintf(name, sizeof(name), "tx_%s", names[side]);
		tx[side] = rte_ring_create(name, 64, SOCKET_ID_ANY, 0);
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
		WITH_TABLES(a_miss_is_asked_and_goes_on_when_the_binding_stands),
		WITH_TABLES(nothing_is_asked_twice),
		WITH_TABLES(outside_the_pools_nothing_is_asked),
		WITH_TABLES(a_receiver_is_asked_about_for_a_proven_sender_alone),
		WITH_TABLES(what_nobody_holds_is_not_asked_again_until_somebody_may),
		WITH_TABLES(each_prefix_has_its_own_share),
		WITH_TABLES(a_full_ring_is_a_counted_drop),
	};

	if (test_eal_start(64) != 0 || make_ports() != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
