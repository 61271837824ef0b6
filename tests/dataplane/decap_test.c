// SPDX-License-Identifier: BSD-3-Clause
/*
 * Out of the tunnel: only the holder's packets (R54, R86, S2), TTL (S9), DSCP (S14), ECN (RFC 6040, S15),
 * and octets that match a header built by hand.
 */
#include "dataplane/decap.h"
#include "support/eal.h"
#include "support/stage.h"

static struct dp_ctx ctx;
static struct dp_burst burst;
static struct dp_binding binding;

static const struct dp_pkt *decap(struct rte_mbuf *m, const struct dp_binding *found)
{
	return stage_run(&ctx, &burst, dp_decap, m, found);
}

static void decap_strips_the_outer_header_and_the_padding(void **state)
{
	const struct packet packet = {.tunnel = true, .payload = 7, .padding = 5};
	struct rte_mbuf *m = packet_make(&packet);
	uint8_t want[35];
	uint16_t sum;

	memcpy(want, rte_pktmbuf_mtod_offset(m, void *, PACKET_INNER), sizeof(want));
	want[8] = 63;
	want[10] = 0;
	want[11] = 0;
	sum = packet_checksum(want, 20);
	want[10] = sum >> 8;
	want[11] = sum & 0xff;
	assert_int_equal(decap(m, &binding)->verdict, DP_CONTINUE);
	assert_int_equal(m->pkt_len, RTE_ETHER_HDR_LEN + sizeof(want));
	assert_int_equal(m->data_len, m->pkt_len);
	assert_memory_equal(
		rte_pktmbuf_mtod_offset(m, void *, RTE_ETHER_HDR_LEN), want, sizeof(want));
	rte_pktmbuf_free(m);
	assert_true(packets_all_back());
}

static void decap_drops_what_no_binding_holds(void **state)
{
	const struct packet udp = {.tunnel = true}, gre = {.tunnel = true, .protocol = IPPROTO_GRE};

	assert_dropped(decap(packet_make(&udp), NULL), DP_DROP_NO_BINDING_V6);
	assert_dropped(decap(packet_make(&gre), NULL), DP_DROP_NO_PORT_V6);
}

/* Every single octet of the outer addresses counts (S2). */
static void decap_drops_every_outer_address_but_the_holders(void **state)
{
	const struct packet packet = {.tunnel = true};

	for (uint16_t i = 0; i < 32; i++) {
		struct rte_mbuf *m = packet_make(&packet);
		struct dp_binding other = binding;
		uint8_t *octets = (uint8_t *)&other;

		/* tep_v6 is the first 16 octets of a binding, client_v6 the next. */
		octets[i] ^= 0x01;
		assert_dropped(
			decap(m, &other), i < 16 ? DP_DROP_WRONG_TEP : DP_DROP_SPOOFED_CLIENT);
	}
}

static void decap_drops_destinations_that_are_not_unicast(void **state)
{
	static const uint8_t first_octets[] = {0, 127, 224, 239, 240, 255};
	const struct packet packet = {.tunnel = true};

	for (unsigned int i = 0; i < RTE_DIM(first_octets); i++) {
		struct rte_mbuf *m = packet_make(&packet);

		*rte_pktmbuf_mtod_offset(m, uint8_t *, PACKET_INNER + 16) = first_octets[i];
		packet_resum(m, PACKET_INNER);
		assert_dropped(decap(m, &binding), DP_DROP_INNER_MARTIAN);
	}
}

static void decap_drops_a_spent_ttl_and_passes_two(void **state)
{
	const struct packet one = {.tunnel = true, .ttl = 1}, two = {.tunnel = true, .ttl = 2};
	struct rte_mbuf *m = packet_make(&one);

	assert_dropped(decap(m, &binding), DP_DROP_INNER_TTL_EXPIRED);
	m = packet_make(&one);
	*rte_pktmbuf_mtod_offset(m, uint8_t *, PACKET_INNER + 8) = 0;
	packet_resum(m, PACKET_INNER);
	assert_dropped(decap(m, &binding), DP_DROP_INNER_TTL_EXPIRED);
	m = packet_make(&two);
	assert_int_equal(decap(m, &binding)->verdict, DP_CONTINUE);
	assert_int_equal(*rte_pktmbuf_mtod_offset(m, uint8_t *, PACKET_V4_OFFSET + 8), 1);
	rte_pktmbuf_free(m);
}

static void decap_drops_only_what_is_too_long_and_may_not_be_cut(void **state)
{
	const struct packet fits = {.tunnel = true, .payload = 1472},
			    longer = {.tunnel = true, .payload = 1473};
	struct rte_mbuf *m = packet_make(&fits);

	assert_int_equal(decap(m, &binding)->verdict, DP_CONTINUE);
	rte_pktmbuf_free(m);
	m = packet_make(&longer);
	assert_int_equal(decap(m, &binding)->verdict, DP_CONTINUE);
	assert_true(burst.pkts[0].cut);
	rte_pktmbuf_free(m);
	m = packet_make(&longer);
	*rte_pktmbuf_mtod_offset(m, uint8_t *, PACKET_INNER + 6) = 0x40; /* DF */
	packet_resum(m, PACKET_INNER);
	assert_dropped(decap(m, &binding), DP_DROP_TOO_BIG_V4);
}

/* RFC 6040, figure 4, written out: rows inner, columns outer, both Not-ECT, ECT(0), ECT(1), CE. */
static void decap_follows_the_ecn_table(void **state)
{
	enum {
		NOT = 0,
		ECT1 = 1,
		ECT0 = 2,
		CE = 3,
		DROP = 4,
		ODD = 8
	};
	static const uint8_t codes[4] = {NOT, ECT0, ECT1, CE};
	static const uint8_t want[4][4] = {
		{NOT, NOT | ODD, NOT | ODD, DROP},
		{ECT0, ECT0, ECT1, CE},
		{ECT1, ECT1 | ODD, ECT1, CE},
		{CE, CE, CE | ODD, CE},
	};

	for (unsigned int inner = 0; inner < 4; inner++) {
		for (unsigned int outer = 0; outer < 4; outer++) {
			/* The DSCP of the outer header, 46, comes along (S14). */
			const struct packet packet = {.tunnel = true,
				.tos = 10 << 2 | codes[inner],
				.outer_tos = 46 << 2 | codes[outer]};
			struct rte_mbuf *m = packet_make(&packet);
			uint64_t odd = ctx.counters.packets[DP_COUNT_ECN_ODD];
			const struct dp_pkt *p = decap(m, &binding);
			const uint8_t *v4;

			if (want[inner][outer] == DROP) {
				assert_dropped(p, DP_DROP_OUTER_CE);
				continue;
			}
			v4 = rte_pktmbuf_mtod_offset(m, uint8_t *, PACKET_V4_OFFSET);
			assert_int_equal(p->verdict, DP_CONTINUE);
			assert_int_equal(v4[1], 46 << 2 | (want[inner][outer] & 3));
			assert_int_equal(packet_checksum(v4, 20), 0);
			assert_int_equal(ctx.counters.packets[DP_COUNT_ECN_ODD] - odd,
				(want[inner][outer] & ODD) != 0);
			rte_pktmbuf_free(m);
		}
	}
}

/* The checksum by increment is right for every TTL and many a header (RFC 1624). */
static void decap_keeps_the_checksum_right(void **state)
{
	for (unsigned int i = 0; i < 255 * 256; i++) {
		const struct packet packet = {.tunnel = true, .ttl = 2 + i % 254};
		struct rte_mbuf *m = packet_make(&packet);
		uint8_t *v4 = rte_pktmbuf_mtod_offset(m, uint8_t *, PACKET_INNER);

		v4[4] = i >> 8;
		v4[5] = i & 0xff;
		packet_resum(m, PACKET_INNER);
		assert_int_equal(decap(m, &binding)->verdict, DP_CONTINUE);
		assert_int_equal(packet_checksum(v4, 20), 0);
		assert_int_equal(v4[8], 1 + i % 254);
		rte_pktmbuf_free(m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decap_strips_the_outer_header_and_the_padding),
		cmocka_unit_test(decap_drops_what_no_binding_holds),
		cmocka_unit_test(decap_drops_every_outer_address_but_the_holders),
		cmocka_unit_test(decap_drops_destinations_that_are_not_unicast),
		cmocka_unit_test(decap_drops_a_spent_ttl_and_passes_two),
		cmocka_unit_test(decap_drops_only_what_is_too_long_and_may_not_be_cut),
		cmocka_unit_test(decap_follows_the_ecn_table),
		cmocka_unit_test(decap_keeps_the_checksum_right),
	};

	if (test_eal_start(64) != 0)
		return 1;
	packets_ctx_init(&ctx);
	packets_binding_init(&binding);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
