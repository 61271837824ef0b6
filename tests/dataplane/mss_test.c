// SPDX-License-Identifier: BSD-3-Clause
/*
 * MSS in SYNs (S13): lowered, never raised, at any offset, with the checksum right afterwards as computed the plain
 * way; option lists that lie leave the packet as it is; and nothing outside the options is touched.
 */
#include "dataplane/classify.h"
#include "dataplane/l4_id.h"
#include "dataplane/mss.h"
#include "support/eal.h"
#include "support/packets.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define TCP     (PACKET_V4_OFFSET + 20)
#define OPTIONS (TCP + 20)
#define SYN     0x02
#define SYN_ACK 0x12
#define ACK     0x10

static struct dp_ctx ctx;
static struct dp_burst burst;
static struct dp_binding binding;

static int set_up(void **state)
{
	packets_ctx_init(&ctx);
	ctx.mss_clamp = DP_MSS_AUTO;
	return 0;
}

/* The TCP checksum over the pseudo header, as RFC 9293 section 3.1 says: 0 when it is right. */
static uint16_t tcp_checksum(const uint8_t *frame)
{
	const uint8_t *v4 = frame + PACKET_V4_OFFSET;
	uint32_t len = (uint32_t)(v4[2] << 8 | v4[3]) - 20;
	uint8_t octets[256] = {0};

	memcpy(octets, v4 + 12, 8);
	octets[9] = IPPROTO_TCP;
	octets[11] = (uint8_t)len;
	memcpy(octets + 12, v4 + 20, len);
	return packet_checksum(octets, 12 + len + len % 2);
}

/* A SYN with these option octets (a multiple of 4) and then 8 octets of data. */
static struct rte_mbuf *make(const uint8_t *options, uint32_t n, uint8_t flags)
{
	const struct packet packet = {.protocol = IPPROTO_TCP, .payload = (uint16_t)(n + 8)};
	struct rte_mbuf *m = packet_make(&packet);
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
	uint16_t checksum;

	memcpy(frame + OPTIONS, options, n);
	frame[TCP + 12] = (uint8_t)((5 + n / 4) << 4);
	frame[TCP + 13] = flags;
	frame[TCP + 16] = 0;
	frame[TCP + 17] = 0;
	checksum = tcp_checksum(frame);
	frame[TCP + 16] = (uint8_t)(checksum >> 8);
	frame[TCP + 17] = (uint8_t)checksum;
	assert_int_equal(tcp_checksum(frame), 0);
	return m;
}

static uint8_t *clamp(struct rte_mbuf *m)
{
	packets_burst_init(&burst, m);
	dp_classify(&ctx, &burst, 1);
	dp_l4_id(&ctx, &burst);
	assert_int_equal(burst.pkts[0].verdict, DP_CONTINUE);
	burst.bindings[0] = &binding;
	dp_mss_clamp(&ctx, &burst);
	assert_int_equal(burst.pkts[0].verdict, DP_CONTINUE);
	return rte_pktmbuf_mtod(m, uint8_t *);
}

struct row {
	uint8_t options[16];
	uint8_t want[16];
};

static void assert_clamped(const struct row *row, uint8_t flags)
{
	struct rte_mbuf *m = make(row->options, sizeof(row->options), flags);
	uint8_t before[128], *frame;
	uint32_t len = m->pkt_len;

	memcpy(before, rte_pktmbuf_mtod(m, void *), len);
	frame = clamp(m);
	assert_memory_equal(frame + OPTIONS, row->want, sizeof(row->want));
	assert_int_equal(tcp_checksum(frame), 0);
	memcpy(before + TCP + 16, frame + TCP + 16, 2);
	memcpy(before + OPTIONS, row->want, sizeof(row->want));
	assert_memory_equal(frame, before, len);
	rte_pktmbuf_free(m);
	assert_true(packets_all_back());
}

/* 1,500 less the outer header, less 40: 1,420 is 0x58c. */
static void the_segment_size_is_lowered_wherever_it_stands(void **state)
{
	static const struct row rows[] = {
		{{2, 4, 0x05, 0xb4}, {2, 4, 0x05, 0x8c}},
		{{2, 4, 0xff, 0xff}, {2, 4, 0x05, 0x8c}},
		{{2, 4, 0x05, 0x8d}, {2, 4, 0x05, 0x8c}},
		{{1, 2, 4, 0x05, 0xb4}, {1, 2, 4, 0x05, 0x8c}},
		{{1, 1, 2, 4, 0x05, 0xb4}, {1, 1, 2, 4, 0x05, 0x8c}},
		{{3, 3, 7, 2, 4, 0x05, 0xb4}, {3, 3, 7, 2, 4, 0x05, 0x8c}},
		{{8, 10, 9, 9, 9, 9, 9, 9, 9, 9, 1, 1, 2, 4, 0x23, 0x00},
			{8, 10, 9, 9, 9, 9, 9, 9, 9, 9, 1, 1, 2, 4, 0x05, 0x8c}},
		/* Several: a receiver may take any. */
		{{2, 4, 0x05, 0xb4, 1, 2, 4, 0x22, 0x00, 2, 4, 0x02, 0x18},
			{2, 4, 0x05, 0x8c, 1, 2, 4, 0x05, 0x8c, 2, 4, 0x02, 0x18}},
		/* An unknown option is passed over. */
		{{200, 6, 2, 4, 255, 255, 2, 4, 0x05, 0xb4},
			{200, 6, 2, 4, 255, 255, 2, 4, 0x05, 0x8c}},
	};

	for (unsigned int i = 0; i < RTE_DIM(rows); i++) {
		assert_clamped(&rows[i], SYN);
		assert_clamped(&rows[i], SYN_ACK);
	}
	assert_int_equal(ctx.counters.packets[DP_COUNT_MSS_CLAMPED], 2 * RTE_DIM(rows));
}

static void what_fits_or_lies_or_is_no_syn_is_left_alone(void **state)
{
	static const uint8_t lists[][16] = {
		{2, 4, 0x05, 0x8c}, /* fits */
		{2, 4, 0, 0},
		{0, 2, 4, 0x05, 0xb4}, /* after the end of the list */
		{2, 3, 0xff}, /* an MSS option of another length is none ... */
		{2, 6, 0x05, 0xb4, 0x05, 0xb4},
		{9, 0, 2, 4, 0x05, 0xb4}, /* ... and lengths that cannot be end the list */
		{9, 1, 2, 4, 0x05, 0xb4},
		{9, 17, 2, 4, 0x05, 0xb4},
		{9, 255, 2, 4, 0x05, 0xb4},
		{2, 0, 0x05, 0xb4},
		{2, 1, 0x05, 0xb4},
		{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2}, /* cut off at the end */
		{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 4},
		{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 4, 0xff},
	};
	static const uint8_t large[16] = {2, 4, 0x05, 0xb4};
	struct row row;

	for (unsigned int i = 0; i < RTE_DIM(lists); i++) {
		memcpy(row.options, lists[i], sizeof(row.options));
		memcpy(row.want, lists[i], sizeof(row.want));
		assert_clamped(&row, SYN);
	}
	memcpy(row.options, large, sizeof(large));
	memcpy(row.want, large, sizeof(large));
	assert_clamped(&row, ACK);
	assert_clamped(&row, 0x11); /* FIN */
	assert_int_equal(ctx.counters.packets[DP_COUNT_MSS_CLAMPED], 0);
}

/* The data offset says that options lie beyond the packet, or before them. */
static void a_header_longer_than_the_packet_is_left_alone(void **state)
{
	static const uint8_t options[16] = {2, 4, 0x05, 0xb4};
	static const uint8_t offsets[] = {0x00, 0x40, 0x50, 0xc0, 0xf0};

	for (unsigned int i = 0; i < RTE_DIM(offsets); i++) {
		struct rte_mbuf *m = make(options, sizeof(options), SYN);
		uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
		uint8_t before[128];

		frame[TCP + 12] = offsets[i];
		memcpy(before, frame, m->pkt_len);
		assert_memory_equal(clamp(m), before, m->pkt_len);
		rte_pktmbuf_free(m);
	}
	assert_true(packets_all_back());
}

static uint16_t clamped_by(uint32_t setting, uint32_t mtu_v6, uint32_t mtu_v4, uint32_t overhead)
{
	static const uint8_t options[16] = {2, 4, 0xff, 0xff};
	struct rte_mbuf *m = make(options, sizeof(options), SYN);
	const uint8_t *frame;
	uint16_t mss;

	ctx.mss_clamp = setting;
	ctx.mtu_v6 = mtu_v6;
	ctx.mtu_v4 = mtu_v4;
	ctx.tunnel_overhead = overhead;
	frame = clamp(m);
	assert_int_equal(tcp_checksum(frame), 0);
	mss = (uint16_t)(frame[OPTIONS + 2] << 8 | frame[OPTIONS + 3]);
	rte_pktmbuf_free(m);
	return mss;
}

static void the_smaller_side_sets_the_size(void **state)
{
	assert_int_equal(clamped_by(DP_MSS_AUTO, 1500, 1500, 40), 1420);
	assert_int_equal(clamped_by(DP_MSS_AUTO, 1500, 1500, 48), 1412);
	assert_int_equal(clamped_by(DP_MSS_AUTO, 1280, 1500, 40), 1200);
	assert_int_equal(clamped_by(DP_MSS_AUTO, 1540, 1500, 40), 1460);
	assert_int_equal(clamped_by(DP_MSS_AUTO, 9000, 576, 40), 536);
	assert_int_equal(clamped_by(1000, 1500, 1500, 40), 1000);
	assert_int_equal(clamped_by(9000, 1500, 1500, 40), 9000);
}

/* Random option octets: never a wrong checksum, never a larger size, never another octet changed. */
static void random_options_keep_a_sound_packet(void **state)
{
	uint64_t seed = test_seed();

	for (uint32_t i = 0; i < 20000; i++) {
		uint8_t options[40], before[128];
		uint32_t n = (uint32_t)(test_random(&seed) % 11) * 4;
		const uint8_t *frame;
		struct rte_mbuf *m;

		for (uint32_t k = 0; k < n; k++)
			options[k] = (uint8_t)(test_random(&seed) % (k % 3 == 0 ? 256 : 6));
		m = make(options, n, SYN);
		memcpy(before, rte_pktmbuf_mtod(m, void *), m->pkt_len);
		frame = clamp(m);
		assert_int_equal(tcp_checksum(frame), 0);
		memcpy(before + TCP + 16, frame + TCP + 16, 2);
		for (uint32_t k = 0; k < n; k++)
			if (frame[OPTIONS + k] == 0x05 || frame[OPTIONS + k] == 0x8c)
				before[OPTIONS + k] = frame[OPTIONS + k]; /* of 1,420 */
		assert_memory_equal(frame, before, m->pkt_len);
		rte_pktmbuf_free(m);
	}
	assert_true(packets_all_back());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define WITH_CTX(test) cmocka_unit_test_setup(test, set_up)
		WITH_CTX(the_segment_size_is_lowered_wherever_it_stands),
		WITH_CTX(what_fits_or_lies_or_is_no_syn_is_left_alone),
		WITH_CTX(a_header_longer_than_the_packet_is_left_alone),
		WITH_CTX(the_smaller_side_sets_the_size),
		WITH_CTX(random_options_keep_a_sound_packet),
	};

	if (test_eal_start(64) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
