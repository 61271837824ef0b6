// SPDX-License-Identifier: BSD-3-Clause
/*
 * Into the tunnel: the outer header octet by octet (R19, R23, RFC 2473), TTL (S9), DSCP and ECN (S14, S15), and
 * what is not wrapped.
 */
#include "dataplane/encap.h"
#include "support/eal.h"
#include "support/stage.h"

static struct dp_ctx ctx;
static struct dp_burst burst;
static struct dp_binding binding;

static const struct dp_pkt *encap(struct rte_mbuf *m, const struct dp_binding *found)
{
	return stage_run(&ctx, &burst, dp_encap, m, found);
}

static void encap_writes_the_outer_header(void **state)
{
	/* clang-format off */
	static const uint8_t want[40] = {
		0x6b, 0xa0, 0x00, 0x00, 0x00, 0x1f, 4, 33, /* class 0xba, 31 octets, IPv4, hop limit 33 */
		0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01,
		0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x17,
	};
	/* clang-format on */
	const struct packet packet = {.tos = 0xba, .payload = 3, .padding = 11};
	struct rte_mbuf *m = packet_make(&packet);
	const uint8_t *v4;

	ctx.hop_limit = 33;
	assert_int_equal(encap(m, &binding)->verdict, DP_CONTINUE);
	ctx.hop_limit = 64;
	assert_int_equal(m->pkt_len, RTE_ETHER_HDR_LEN + 40 + 31);
	assert_int_equal(m->data_len, m->pkt_len);
	assert_memory_equal(rte_pktmbuf_mtod_offset(m, void *, 14), want, sizeof(want));
	v4 = rte_pktmbuf_mtod_offset(m, uint8_t *, PACKET_INNER);
	assert_int_equal(v4[1], 0xba);
	assert_int_equal(v4[8], 63);
	assert_int_equal(packet_checksum(v4, 20), 0);
	rte_pktmbuf_free(m);
	assert_true(packets_all_back());
}

static void encap_drops_what_no_binding_holds(void **state)
{
	const struct packet udp = {0}, esp = {.protocol = IPPROTO_ESP};

	assert_dropped(encap(packet_make(&udp), NULL), DP_DROP_NO_BINDING_V4);
	assert_dropped(encap(packet_make(&esp), NULL), DP_DROP_NO_PORT_V4);
}

static void encap_gives_unclaimed_packets_to_a_local_address_to_the_host(void **state)
{
	const struct dp_local_v4 local = {.n = 1, .v4 = {PACKET_CLIENT_V4}};
	const struct dp_local_v4 *in_use = &local;
	const struct packet last_hop = {.ttl = 1};
	struct dp_ctx without = ctx;
	struct rte_mbuf *m = packet_make(&last_hop);

	ctx.local_v4 = &in_use;
	ctx.punt = (struct dp_punt *)&ctx;
	assert_int_equal(encap(m, NULL)->verdict, DP_PUNT);
	assert_dropped(encap(m, &binding), DP_DROP_V4_TTL_EXPIRED);
	ctx = without;
}

static void encap_drops_a_spent_ttl(void **state)
{
	const struct packet packet = {.ttl = 1};

	assert_dropped(encap(packet_make(&packet), &binding), DP_DROP_V4_TTL_EXPIRED);
}

static void encap_drops_only_what_is_too_long_and_may_not_be_cut(void **state)
{
	const struct packet fits = {.payload = 1500 - 40 - 28},
			    longer = {.payload = 1500 - 40 - 27};
	struct rte_mbuf *m = packet_make(&fits);

	assert_int_equal(encap(m, &binding)->verdict, DP_CONTINUE);
	assert_false(burst.pkts[0].cut);
	assert_int_equal(m->pkt_len, 1514);
	rte_pktmbuf_free(m);
	m = packet_make(&longer);
	assert_int_equal(encap(m, &binding)->verdict, DP_CONTINUE);
	assert_true(burst.pkts[0].cut);
	rte_pktmbuf_free(m);
	m = packet_make(&longer);
	*rte_pktmbuf_mtod_offset(m, uint8_t *, PACKET_V4_OFFSET + 6) = 0x40; /* DF */
	packet_resum(m, PACKET_V4_OFFSET);
	assert_dropped(encap(m, &binding), DP_DROP_TOO_BIG_V6);
}

static void encap_needs_headroom(void **state)
{
	const struct packet packet = {0};
	struct rte_mbuf *m = packet_make(&packet);

	memmove((uint8_t *)m->buf_addr + 38, rte_pktmbuf_mtod(m, void *), m->data_len);
	m->data_off = 38;
	assert_dropped(encap(m, &binding), DP_DROP_NO_HEADROOM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encap_writes_the_outer_header),
		cmocka_unit_test(encap_drops_what_no_binding_holds),
		cmocka_unit_test(encap_gives_unclaimed_packets_to_a_local_address_to_the_host),
		cmocka_unit_test(encap_drops_a_spent_ttl),
		cmocka_unit_test(encap_drops_only_what_is_too_long_and_may_not_be_cut),
		cmocka_unit_test(encap_needs_headroom),
	};

	if (test_eal_start(64) != 0)
		return 1;
	packets_ctx_init(&ctx);
	packets_binding_init(&binding);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
