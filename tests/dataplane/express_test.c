// SPDX-License-Identifier: BSD-3-Clause
/*
 * The usual packet by routes: express sends each by the way that the stages would have sent it, and leaves to them what
 * cannot be sent at once. With fixed next hops, the model test compares the two for every packet.
 */
#include "dataplane/express.h"

#include "dataplane/nexthop.h"
#include "dataplane/punt.h"
#include "dataplane/worker.h"
#include "support/eal.h"
#include "support/packets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define FLOWS  64
#define NO_MSS UINT16_MAX /* a limit that no segment reaches, but the stages have to look */

static struct dp_bindings *bindings;
static struct dp_nexthops *nexthops;
static struct dp_punt *punt;
static struct dp_worker worker;

static struct dp_adjacency way(uint8_t last, enum dp_adjacency_state state, uint16_t port)
{
	return (struct dp_adjacency){
		.dst_mac = {{0x02, 0, 0, 0, 0, last}}, .port = port, .state = state};
}

static void route_v4(uint32_t v4, uint8_t len, const struct dp_adjacency *ways, uint32_t n)
{
	const struct addr_v4_prefix prefix = {v4, len};
	int group = dp_nexthops_group_add(nexthops, AF_INET, ways, n);

	assert_int_equal(dp_nexthops_route_v4_set(nexthops, &prefix, group), 0);
}

static void route_v6_default(const struct dp_adjacency *ways, uint32_t n)
{
	const struct addr_v6_prefix prefix = {.len = 0};
	int group = dp_nexthops_group_add(nexthops, AF_INET6, ways, n);

	assert_int_equal(dp_nexthops_route_v6_set(nexthops, &prefix, group), 0);
}

static int set_up(void **state)
{
	const struct dp_bindings_params bindings_params = {
		.max_bindings = 16, .max_readers = 1, .socket = SOCKET_ID_ANY};
	const struct dp_nexthops_params nexthops_params = {.fib = true,
		.max_adjacencies = 64,
		.max_groups = 64,
		.max_routes_v4 = 64,
		.max_routes_v6 = 64,
		.max_readers = 1,
		.socket = SOCKET_ID_ANY};
	const struct dp_adjacency v4 = way(4, DP_ADJ_RESOLVED, 1), v6 = way(6, DP_ADJ_RESOLVED, 0);
	struct dp_binding binding;

	bindings = dp_bindings_create(&bindings_params);
	nexthops = dp_nexthops_create(&nexthops_params);
	punt = dp_punt_create(256, SOCKET_ID_ANY);
	if (bindings == NULL || nexthops == NULL || punt == NULL)
		return -1;
	packets_binding_init(&binding);
	dp_bindings_add(bindings, &binding);
	memset(&worker, 0, sizeof(worker));
	packets_ctx_init(&worker.ctx);
	worker.ctx.bindings = bindings;
	worker.ctx.nexthops = nexthops;
	worker.ctx.punt = punt;
	route_v4(0, 0, &v4, 1);
	route_v6_default(&v6, 1);
	return 0;
}

static int tear_down(void **state)
{
	struct rte_mbuf *m;

	while (dp_punt_take(punt, &m, 1) == 1)
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

static struct rte_mbuf *make(bool tunnel, uint16_t port, uint32_t peer)
{
	const struct packet packet = {.tunnel = tunnel, .port = port};
	struct rte_mbuf *m = packet_make(&packet);
	uint16_t at = tunnel ? PACKET_INNER : PACKET_V4_OFFSET;
	rte_be32_t peer_be = rte_cpu_to_be_32(peer);

	memcpy(rte_pktmbuf_mtod_offset(m, void *, at + (tunnel ? 16 : 12)), &peer_be, 4);
	packet_resum(m, at);
	return m;
}

static void forget_sent(void)
{
	for (uint32_t side = 0; side < DP_SIDES; side++) {
		rte_pktmbuf_free_bulk(worker.tx[side].packets, worker.tx[side].n);
		worker.tx[side].n = 0;
	}
}

/* A burst of usual packets that leave by both ports: each by its own. */
static void each_packet_leaves_by_its_own_route(void **state)
{
	const struct dp_adjacency back = way(9, DP_ADJ_RESOLVED, 0);
	struct rte_mbuf *packets[16];

	route_v4(0x0a000000, 8, &back, 1);
	for (uint32_t i = 0; i < RTE_DIM(packets); i++)
		packets[i] = make(true, 1024, i % 2 == 0 ? PACKET_PEER_V4 : 0x0a000001);
	dp_worker_process(&worker, 0, packets, RTE_DIM(packets));
	for (uint32_t side = 0; side < DP_SIDES; side++) {
		assert_int_equal(worker.tx[side].n, RTE_DIM(packets) / 2);
		for (uint32_t i = 0; i < worker.tx[side].n; i++)
			assert_int_equal(rte_pktmbuf_mtod(worker.tx[side].packets[i], uint8_t *)[5],
				side == 0 ? 9 : 4);
	}
	assert_int_equal(count(DP_COUNT_DECAPSULATED), RTE_DIM(packets));
	forget_sent();

	/* All of them by the port that they came by. */
	for (uint32_t i = 0; i < RTE_DIM(packets); i++)
		packets[i] = make(true, 1024, 0x0a000001);
	dp_worker_process(&worker, 0, packets, RTE_DIM(packets));
	assert_int_equal(worker.tx[0].n, RTE_DIM(packets));
	assert_int_equal(worker.tx[1].n, 0);
	forget_sent();
}

static void what_cannot_be_sent_at_once_is_left_to_the_stages(void **state)
{
	const struct dp_adjacency ways[] = {way(0, DP_ADJ_PENDING, 1), way(0, DP_ADJ_GLEAN, 1),
		way(0, DP_ADJ_LOCAL, 1), way(0, DP_ADJ_NO_ROUTE, 1)};
	struct rte_mbuf *packets[RTE_DIM(ways) + 2];

	for (uint32_t i = 0; i < RTE_DIM(ways); i++) {
		route_v4(0x0a000000 + (i << 16), 16, &ways[i], 1);
		packets[i] = make(true, 1024, 0x0a000001 + (i << 16));
	}
	packets[RTE_DIM(ways)] = make(true, 1024, PACKET_PEER_V4);
	packets[RTE_DIM(ways) + 1] = make(true, 9999, PACKET_PEER_V4); /* nobody's */
	dp_worker_process(&worker, 0, packets, RTE_DIM(packets));
	assert_int_equal(worker.tx[1].n, 1);
	assert_int_equal(count(DP_COUNT_RESOLVE), 2);
	assert_int_equal(count(DP_COUNT_PUNTED), 1);
	assert_int_equal(count(DP_DROP_NO_ROUTE), 1);
	assert_int_equal(count(DP_DROP_NO_BINDING_V6), 1);
	assert_int_equal(count(DP_COUNT_DECAPSULATED), RTE_DIM(ways) + 1);
	forget_sent();
}

/* Between bound packets of the other direction, which have no binding to look up for. */
static void packets_without_a_binding_do_not_shift_the_others(void **state)
{
	struct rte_mbuf *packets[8];

	for (uint32_t i = 0; i < RTE_DIM(packets); i++)
		packets[i] = make(false, i % 3 == 1 ? 9999 : 1024, PACKET_PEER_V4);
	dp_worker_process(&worker, 1, packets, RTE_DIM(packets));
	assert_int_equal(worker.tx[0].n, 5);
	assert_int_equal(count(DP_DROP_NO_BINDING_V4), 3);
	for (uint32_t i = 0; i < worker.tx[0].n; i++)
		assert_int_equal(rte_pktmbuf_mtod(worker.tx[0].packets[i], uint8_t *)[5], 6);
	forget_sent();
}

/* The way of a flow: the last octet of the next hop's MAC address. */
static uint8_t way_of(bool tunnel, uint16_t port, bool by_stages)
{
	uint32_t side = tunnel ? 1 : 0;
	struct rte_mbuf *m = make(tunnel, port, PACKET_PEER_V4);
	uint8_t last;

	worker.ctx.mss_clamp = by_stages ? NO_MSS : 0;
	dp_worker_process(&worker, !side, &m, 1);
	assert_int_equal(worker.tx[side].n, 1);
	last = rte_pktmbuf_mtod(worker.tx[side].packets[0], uint8_t *)[5];
	forget_sent();
	return last;
}

static void a_flow_has_one_way_whoever_sends_it(void **state)
{
	const struct dp_adjacency v4[] = {
		way(0, DP_ADJ_RESOLVED, 1), way(1, DP_ADJ_RESOLVED, 1), way(2, DP_ADJ_RESOLVED, 1)};
	const struct dp_adjacency v6[] = {
		way(0, DP_ADJ_RESOLVED, 0), way(1, DP_ADJ_RESOLVED, 0), way(2, DP_ADJ_RESOLVED, 0)};

	route_v4(0, 0, v4, RTE_DIM(v4));
	route_v6_default(v6, RTE_DIM(v6));
	for (uint32_t tunnel = 0; tunnel < 2; tunnel++) {
		uint32_t seen[3] = {0};

		for (uint16_t i = 0; i < FLOWS; i++) {
			uint8_t express = way_of(tunnel != 0, 1024 + i, false);

			assert_in_range(express, 0, 2);
			assert_int_equal(way_of(tunnel != 0, 1024 + i, true), express);
			seen[express]++;
		}
		for (uint32_t i = 0; i < RTE_DIM(seen); i++)
			assert_in_range(seen[i], FLOWS / 8, FLOWS / 2 + FLOWS / 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			each_packet_leaves_by_its_own_route, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_cannot_be_sent_at_once_is_left_to_the_stages, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			packets_without_a_binding_do_not_shift_the_others, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_flow_has_one_way_whoever_sends_it, set_up, tear_down),
	};

	if (test_eal_start(128) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
