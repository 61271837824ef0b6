// SPDX-License-Identifier: BSD-3-Clause
/*
 * What classify makes of frames: sound ones, one wrong octet each, and every cut.
 */
#include "dataplane/classify.h"
#include "support/eal.h"
#include "support/packets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* A good frame with one octet changed, and what becomes of it. */
struct damage {
	const char *what;
	bool tunnel;
	uint16_t offset;
	uint8_t octet;
	bool resum; /* the header checksum is made right again */
	uint8_t verdict; /* with neighbor: static */
	uint8_t reason;
};

#define V4    PACKET_V4_OFFSET
#define INNER PACKET_INNER

static const struct damage damages[] = {
	{"another station's MAC", true, 5, 0x99, false, DP_DROP, DP_DROP_NOT_OUR_MAC},
	{"group MAC", true, 0, 0x03, false, DP_DROP, DP_DROP_GROUP_MAC},
	{"ARP", false, 13, 0x06, false, DP_DROP, DP_DROP_NO_HOST},
	{"802.1Q tag", false, 12, 0x81, false, DP_DROP, DP_DROP_VLAN},
	{"our second tunnel address", true, 53, 0x02, false, DP_CONTINUE, 0},
	{"another's IPv6 address", true, 53, 0x03, false, DP_DROP, DP_DROP_NO_HOST},
	{"IPv6 version 4", true, 14, 0x45, false, DP_DROP, DP_DROP_V6_BAD_VERSION},
	{"payload length beyond the frame", true, 19, 49, false, DP_DROP, DP_DROP_V6_BAD_LENGTH},
	{"payload length far beyond", true, 18, 0xff, false, DP_DROP, DP_DROP_V6_BAD_LENGTH},
	{"payload shorter than a header", true, 19, 19, false, DP_DROP, DP_DROP_INNER_TRUNCATED},
	{"payload shorter than the packet", true, 19, 47, false, DP_DROP, DP_DROP_INNER_BAD_LENGTH},
	{"ICMPv6 to us", true, 20, IPPROTO_ICMPV6, false, DP_DROP, DP_DROP_NO_HOST},
	{"TCP to us", true, 20, IPPROTO_TCP, false, DP_DROP, DP_DROP_NO_HOST},
	{"fragment of no tunnel packet", true, 20, IPPROTO_FRAGMENT, false, DP_DROP,
		DP_DROP_NO_HOST},
	/* An IPv4 header, read as another one. */
	{"destination options", true, 20, IPPROTO_DSTOPTS, false, DP_DROP,
		DP_DROP_V6_EXT_MALFORMED},
	{"hop-by-hop options", true, 20, IPPROTO_HOPOPTS, false, DP_DROP, DP_DROP_V6_EXT_MALFORMED},
	{"routing header", true, 20, IPPROTO_ROUTING, false, DP_DROP, DP_DROP_V6_EXT_ROUTING},
	{"authentication header", true, 20, IPPROTO_AH, false, DP_DROP, DP_DROP_V6_AH},
	{"encrypted", true, 20, IPPROTO_ESP, false, DP_DROP, DP_DROP_V6_ESP},
	{"inner version 6", true, INNER, 0x65, true, DP_DROP, DP_DROP_INNER_BAD_VERSION},
	{"inner header of 16", true, INNER, 0x44, true, DP_DROP, DP_DROP_INNER_BAD_HEADER_LENGTH},
	{"inner header of 60", true, INNER, 0x4f, false, DP_DROP, DP_DROP_INNER_BAD_HEADER_LENGTH},
	{"inner length too long", true, INNER + 3, 49, true, DP_DROP, DP_DROP_INNER_BAD_LENGTH},
	{"inner length under its header", true, INNER + 3, 19, true, DP_DROP,
		DP_DROP_INNER_BAD_HEADER_LENGTH},
	{"inner checksum", true, INNER + 10, 0x00, false, DP_DROP, DP_DROP_INNER_BAD_CHECKSUM},
	{"inner first fragment", true, INNER + 6, 0x20, true, DP_FRAGMENT, 0},
	{"inner later fragment", true, INNER + 7, 0x01, true, DP_FRAGMENT, 0},
	{"inner do not fragment", true, INNER + 6, 0x40, true, DP_CONTINUE, 0},
	{"version 5", false, V4, 0x55, true, DP_DROP, DP_DROP_V4_BAD_VERSION},
	{"header of 16", false, V4, 0x44, true, DP_DROP, DP_DROP_V4_BAD_HEADER_LENGTH},
	{"header of 60", false, V4, 0x4f, false, DP_DROP, DP_DROP_V4_BAD_HEADER_LENGTH},
	{"length beyond the frame", false, V4 + 3, 49, true, DP_DROP, DP_DROP_V4_BAD_LENGTH},
	{"length far beyond", false, V4 + 2, 0xff, true, DP_DROP, DP_DROP_V4_BAD_LENGTH},
	{"checksum", false, V4 + 10, 0x00, false, DP_DROP, DP_DROP_V4_BAD_CHECKSUM},
	{"one flipped bit", false, V4 + 5, 0x35, false, DP_DROP, DP_DROP_V4_BAD_CHECKSUM},
	{"first fragment", false, V4 + 6, 0x20, true, DP_FRAGMENT, 0},
	{"later fragment", false, V4 + 7, 0xb9, true, DP_FRAGMENT, 0},
	{"reserved flag", false, V4 + 6, 0x80, true, DP_CONTINUE, 0},
	{"from 0/8", false, V4 + 12, 0, true, DP_DROP, DP_DROP_V4_MARTIAN},
	{"from 127/8", false, V4 + 12, 127, true, DP_DROP, DP_DROP_V4_MARTIAN},
	{"from multicast", false, V4 + 12, 224, true, DP_DROP, DP_DROP_V4_MARTIAN},
	{"from 240/4", false, V4 + 12, 255, true, DP_DROP, DP_DROP_V4_MARTIAN},
	{"to multicast", false, V4 + 16, 224, true, DP_DROP, DP_DROP_NO_HOST},
	{"to broadcast", false, V4 + 16, 255, true, DP_DROP, DP_DROP_NO_HOST},
};

static void classify(struct dp_ctx *ctx, struct dp_burst *burst, struct rte_mbuf *m)
{
	packets_burst_init(burst, m);
	dp_classify(ctx, burst, m->port);
}

static struct rte_mbuf *damaged(const struct damage *damage)
{
	const struct packet good = {.tunnel = damage->tunnel, .payload = 20};
	struct rte_mbuf *m = packet_make(&good);

	*rte_pktmbuf_mtod_offset(m, uint8_t *, damage->offset) = damage->octet;
	if (damage->resum)
		packet_resum(m, damage->tunnel ? INNER : V4);
	return m;
}

static void classify_names_what_is_wrong_with_a_frame(void **state)
{
	struct dp_ctx ctx;
	struct dp_burst burst;

	packets_ctx_init(&ctx);
	for (unsigned int i = 0; i < RTE_DIM(damages); i++) {
		struct rte_mbuf *m = damaged(&damages[i]);

		classify(&ctx, &burst, m);
		if (burst.pkts[0].verdict != damages[i].verdict ||
			(damages[i].verdict == DP_DROP &&
				burst.pkts[0].reason != damages[i].reason))
			fail_msg("%s: verdict %u, %s", damages[i].what, burst.pkts[0].verdict,
				burst.pkts[0].verdict == DP_DROP
					? dp_counter_info[burst.pkts[0].reason].name
					: "no drop");
		rte_pktmbuf_free(m);
	}
	assert_true(packets_all_back());
}

/* With a host, what is for the router goes to it unchanged, and what is damaged does not (R4). */
static void classify_punts_instead_of_no_host(void **state)
{
	struct dp_ctx ctx;
	struct dp_burst burst;

	packets_ctx_init(&ctx);
	ctx.punt = (struct dp_punt *)&ctx;
	for (unsigned int i = 0; i < RTE_DIM(damages); i++) {
		struct rte_mbuf *m = damaged(&damages[i]);
		uint32_t len = m->pkt_len;
		uint8_t before[256];

		memcpy(before, rte_pktmbuf_mtod(m, void *), len);
		classify(&ctx, &burst, m);
		if (damages[i].reason == DP_DROP_NO_HOST && damages[i].verdict == DP_DROP)
			assert_int_equal(burst.pkts[0].verdict, DP_PUNT);
		else
			assert_int_equal(burst.pkts[0].verdict, damages[i].verdict);
		assert_int_equal(m->pkt_len, len);
		assert_memory_equal(rte_pktmbuf_mtod(m, void *), before, len);
		rte_pktmbuf_free(m);
	}
	assert_true(packets_all_back());
}

static void classify_finds_the_inner_header_behind_options_and_before_padding(void **state)
{
	const struct packet packet = {
		.tunnel = true, .protocol = IPPROTO_TCP, .options = 40, .padding = 9};
	struct dp_ctx ctx;
	struct dp_burst burst;
	struct rte_mbuf *m = packet_make(&packet);
	const struct dp_pkt *p = &burst.pkts[0];

	packets_ctx_init(&ctx);
	classify(&ctx, &burst, m);
	assert_int_equal(p->verdict, DP_CONTINUE);
	assert_true(p->from_v6);
	assert_ptr_equal(p->v6, rte_pktmbuf_mtod_offset(m, void *, 14));
	assert_ptr_equal(p->v4, rte_pktmbuf_mtod_offset(m, void *, INNER));
	assert_int_equal(p->l4_offset, 60);
	assert_int_equal(p->v4_len, 80);
	rte_pktmbuf_free(m);
}

static void classify_survives_every_cut(void **state)
{
	struct dp_ctx ctx;
	struct dp_burst burst;

	packets_ctx_init(&ctx);
	for (unsigned int tunnel = 0; tunnel < 2; tunnel++) {
		const struct packet packet = {.tunnel = tunnel, .options = 8};
		struct rte_mbuf *m = packet_make(&packet);
		uint32_t whole = m->pkt_len;

		for (uint32_t len = 0; len < whole; len++) {
			m->data_len = len;
			m->pkt_len = len;
			classify(&ctx, &burst, m);
			assert_int_equal(burst.pkts[0].verdict, DP_DROP);
			assert_true(dp_counter_is_drop(burst.pkts[0].reason));
		}
		rte_pktmbuf_free(m);
	}
	assert_true(packets_all_back());
}

static void classify_refuses_a_chain_of_buffers(void **state)
{
	const struct packet packet = {.tunnel = true};
	struct dp_ctx ctx;
	struct dp_burst burst;
	struct rte_mbuf *m = packet_make(&packet);

	packets_ctx_init(&ctx);
	assert_int_equal(rte_pktmbuf_chain(m, packet_make(&packet)), 0);
	classify(&ctx, &burst, m);
	assert_int_equal(burst.pkts[0].verdict, DP_DROP);
	assert_int_equal(burst.pkts[0].reason, DP_DROP_FRAME_SEGMENTED);
	rte_pktmbuf_free(m);
	assert_true(packets_all_back());
}

/* icmp_err looks at what the sender knows, which is the outer packet (S8). */
static void classify_refuses_a_second_fragment_header_as_a_tunnel_packets(void **state)
{
	const struct packet packet = {.tunnel = true, .payload = 20};
	struct rte_mbuf *m = packet_make(&packet);
	struct dp_burst burst;
	struct dp_ctx ctx;

	packets_ctx_init(&ctx);
	*rte_pktmbuf_mtod_offset(m, uint8_t *, 20) = IPPROTO_FRAGMENT;
	*rte_pktmbuf_mtod_offset(m, uint8_t *, INNER) = IPPROTO_FRAGMENT;
	classify(&ctx, &burst, m);
	assert_int_equal(burst.pkts[0].verdict, DP_DROP);
	assert_int_equal(burst.pkts[0].reason, DP_DROP_V6_EXT_ORDER);
	assert_true(burst.pkts[0].from_v6);

	*rte_pktmbuf_mtod_offset(m, uint8_t *, INNER) = IPPROTO_IPIP;
	dp_classify_whole(&ctx, &burst.pkts[0]);
	assert_int_equal(burst.pkts[0].reason, DP_DROP_V6_EXT_ORDER);
	assert_true(burst.pkts[0].from_v6);
	rte_pktmbuf_free(m);
	assert_true(packets_all_back());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classify_names_what_is_wrong_with_a_frame),
		cmocka_unit_test(classify_punts_instead_of_no_host),
		cmocka_unit_test(classify_finds_the_inner_header_behind_options_and_before_padding),
		cmocka_unit_test(classify_survives_every_cut),
		cmocka_unit_test(classify_refuses_a_chain_of_buffers),
		cmocka_unit_test(classify_refuses_a_second_fragment_header_as_a_tunnel_packets),
	};

	if (test_eal_start(64) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
