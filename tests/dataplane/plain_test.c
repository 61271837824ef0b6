// SPDX-License-Identifier: BSD-3-Clause
/*
 * The short way decides as the long one: whatever dp_plain takes, classify and l4_id make the same of.
 */
#include "dataplane/classify.h"
#include "dataplane/l4_id.h"
#include "dataplane/plain.h"
#include "support/eal.h"
#include "support/packets.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define ROUNDS      50000
#define HEADERS_MAX 90 /* octets of a frame that may be changed */

static const struct packet shapes[] = {
	{.tunnel = true},
	{.tunnel = true, .protocol = IPPROTO_TCP},
	{.tunnel = true, .protocol = IPPROTO_ICMP, .icmp_type = 8},
	{.tunnel = true, .options = 8},
	{.tunnel = true, .padding = 6, .payload = 100},
	{0},
	{.protocol = IPPROTO_TCP, .payload = 5},
	{.protocol = IPPROTO_ICMP, .icmp_type = 0},
	{.options = 40},
	{.padding = 18},
};

/* Up to three octets are another, and the checksum is right again in most cases. */
static void damage(uint64_t *state, struct rte_mbuf *m, bool tunnel)
{
	uint32_t n = test_random(state) % 4;

	for (uint32_t i = 0; i < n; i++)
		rte_pktmbuf_mtod(
			m, uint8_t *)[test_random(state) % RTE_MIN(m->data_len, HEADERS_MAX)] =
			(uint8_t)test_random(state);
	if (test_random(state) % 4 != 0)
		packet_resum(m, tunnel ? PACKET_INNER : PACKET_V4_OFFSET);
}

static void assert_same(const struct dp_burst *plain, const struct dp_burst *full)
{
	const struct dp_pkt *a = &plain->pkts[0], *b = &full->pkts[0];

	assert_int_equal(b->verdict, DP_CONTINUE);
	assert_int_equal(a->verdict, DP_CONTINUE);
	assert_ptr_equal(a->v4, b->v4);
	assert_ptr_equal(a->v6, b->v6);
	assert_int_equal(a->v4_len, b->v4_len);
	assert_int_equal(a->l4_offset, b->l4_offset);
	assert_int_equal(a->from_v6, b->from_v6);
	assert_int_equal(a->to_v6, b->to_v6);
	assert_int_equal(a->cut, b->cut);
	assert_int_equal(plain->keys[0].v4, full->keys[0].v4);
	assert_int_equal(plain->keys[0].port, full->keys[0].port);
	assert_int_equal(plain->keys[0].has_port, full->keys[0].has_port);
}

static void plain_packets_are_what_the_long_way_makes_of_them(void **state)
{
	struct dp_burst plain, full;
	struct dp_ctx ctx;
	uint64_t random = test_seed();
	uint32_t n_plain = 0;

	packets_ctx_init(&ctx);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		const struct packet *shape = &shapes[i % RTE_DIM(shapes)];
		struct rte_mbuf *m = packet_make(shape);

		damage(&random, m, shape->tunnel);
		packets_burst_init(&plain, m);
		packets_burst_init(&full, m);
		full.plain = 0;
		full.held = 0;
		if (dp_plain(&ctx, m->port, &plain.pkts[0], &plain.keys[0]) != DP_PLAIN_NOT) {
			n_plain++;
			dp_classify_whole(&ctx, &full.pkts[0]);
			dp_l4_id(&ctx, &full);
			assert_same(&plain, &full);
		}
		rte_pktmbuf_free(m);
	}
	assert_in_range(n_plain, ROUNDS / 10, ROUNDS / 2);
	assert_true(packets_all_back());
}

/* What is only a little different is not plain. */
static void plain_leaves_what_is_rare_to_classify(void **state)
{
	static const bool is_plain[RTE_DIM(shapes)] = {
		true, true, false, false, true, true, true, false, false, true};
	struct dp_binding_key key;
	struct dp_ctx ctx;

	packets_ctx_init(&ctx);
	for (uint32_t i = 0; i < RTE_DIM(shapes); i++) {
		struct rte_mbuf *m = packet_make(&shapes[i]);
		struct dp_pkt p = {.m = m};

		assert_int_equal(dp_plain(&ctx, m->port, &p, &key) != DP_PLAIN_NOT, is_plain[i]);
		ctx.macs[m->port].addr_bytes[5] ^= 1;
		assert_int_equal(dp_plain(&ctx, m->port, &p, &key), DP_PLAIN_NOT);
		ctx.macs[m->port].addr_bytes[5] ^= 1;
		rte_pktmbuf_free(m);
	}
}

/* A frame that ends before its packet does. */
static void plain_refuses_every_cut(void **state)
{
	struct dp_binding_key key;
	struct dp_ctx ctx;

	packets_ctx_init(&ctx);
	for (uint32_t i = 0; i < RTE_DIM(shapes); i++) {
		struct rte_mbuf *m = packet_make(&shapes[i]);
		uint32_t whole = m->pkt_len - shapes[i].padding;

		for (uint32_t len = 0; len < whole; len++) {
			struct dp_pkt p = {.m = m};

			m->pkt_len = len;
			m->data_len = (uint16_t)len;
			assert_int_equal(dp_plain(&ctx, m->port, &p, &key), DP_PLAIN_NOT);
		}
		rte_pktmbuf_free(m);
	}
	assert_true(packets_all_back());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_packets_are_what_the_long_way_makes_of_them),
		cmocka_unit_test(plain_leaves_what_is_rare_to_classify),
		cmocka_unit_test(plain_refuses_every_cut),
	};

	if (test_eal_start(64) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
