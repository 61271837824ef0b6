// SPDX-License-Identifier: BSD-3-Clause
/*
 * Our own ICMP errors, as far as frames through the whole program do not show them: the token bucket on a clock that
 * the test moves, whose address speaks, a buffer without room, and what is never answered. The octets of
 * errors stand in tests/pcap/icmp-own-*.
 */
#include "dataplane/classify.h"
#include "dataplane/icmp_err.h"
#include "support/eal.h"
#include "support/packets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define TUNNEL_V4 0xc0000001U /* 192.0.0.1 */
#define LOCAL_V4  0xc6336401U

static struct dp_ctx ctx;
static struct dp_burst burst;

static int set_up(void **state)
{
	packets_ctx_init(&ctx);
	ctx.icmp = (struct dp_icmp_params){
		.rate = 100,
		.burst = 4,
		.tunnel_v4 = TUNNEL_V4,
		.to_v4 = {[DP_ICMP_TIME_EXCEEDED] = true, [DP_ICMP_UNREACHABLE] = true},
		.to_clients = {[DP_ICMP_TIME_EXCEEDED] = true, [DP_ICMP_POLICY] = true},
	};
	ctx.now_ms = 1000000;
	return 0;
}

/* The packet, refused for this reason, through the stage. */
static const struct dp_pkt *refuse(struct rte_mbuf *m, enum dp_counter reason)
{
	struct dp_pkt *p = &burst.pkts[0];

	packets_burst_init(&burst, m);
	dp_classify(&ctx, &burst, m->port);
	assert_int_equal(p->verdict, DP_CONTINUE);
	dp_pkt_drop(p, reason);
	dp_icmp_err(&ctx, &burst);
	return p;
}

static bool is_answered(struct rte_mbuf *m, enum dp_counter reason)
{
	bool answered = refuse(m, reason)->verdict == DP_CONTINUE;

	rte_pktmbuf_free(m);
	assert_true(packets_all_back());
	return answered;
}

static uint32_t answers(uint32_t n)
{
	const struct packet packet = {.ttl = 1};
	uint32_t answered = 0;

	for (uint32_t i = 0; i < n; i++)
		answered += is_answered(packet_make(&packet), DP_DROP_V4_TTL_EXPIRED);
	return answered;
}

/* Octets of IPv4, also of an error that goes into a tunnel. */
static void errors_are_counted_with_their_octets(void **state)
{
	const struct packet from_peer = {.ttl = 1, .payload = 10};
	const struct packet from_client = {.tunnel = true, .ttl = 1, .payload = 10};
	const uint64_t *bytes = ctx.counters.bytes;

	assert_true(is_answered(packet_make(&from_peer), DP_DROP_V4_TTL_EXPIRED));
	assert_int_equal(bytes[DP_COUNT_OUT_ICMPV4_ERRORS], 28 + 38);
	assert_true(is_answered(packet_make(&from_client), DP_DROP_INNER_TTL_EXPIRED));
	assert_int_equal(bytes[DP_COUNT_OUT_ICMPV4_ERRORS], 2 * (28 + 38));
}

static void the_bucket_holds_a_burst_and_fills_at_the_rate(void **state)
{
	assert_int_equal(answers(10), 4);
	ctx.now_ms += 9;
	assert_int_equal(answers(1), 0);
	ctx.now_ms += 1;
	assert_int_equal(answers(2), 1);
	ctx.now_ms += 25;
	assert_int_equal(answers(5), 2);
	ctx.now_ms += 5; /* the half that was left over counts */
	assert_int_equal(answers(2), 1);
	ctx.now_ms += 3600000;
	assert_int_equal(answers(10), 4);
	assert_int_equal(ctx.counters.packets[DP_COUNT_OUT_ICMPV4_ERRORS], 12);
	assert_int_equal(ctx.counters.packets[DP_DROP_V4_TTL_EXPIRED], 12);
	assert_int_equal(ctx.counters.packets[DP_COUNT_ICMP_WITHHELD], 30 - 12);
}

static uint32_t source_of_an_error(bool tunnel)
{
	const struct packet packet = {.ttl = 1, .tunnel = tunnel};
	struct rte_mbuf *m = packet_make(&packet);
	const struct dp_pkt *p = refuse(
		m, tunnel ? DP_DROP_INNER_TTL_EXPIRED : DP_DROP_V4_TTL_EXPIRED);
	uint32_t source = rte_be_to_cpu_32(p->v4->src_addr);

	ctx.now_ms += 1000;
	assert_int_equal(p->verdict, DP_CONTINUE);
	assert_int_equal(p->to_v6, tunnel);
	rte_pktmbuf_free(m);
	return source;
}

static void the_speaker_to_the_ipv4_side_is_the_best_address_known(void **state)
{
	const struct dp_local_v4 local = {.n = 2, .v4 = {0x7f000001, LOCAL_V4}};
	const struct dp_local_v4 loopback = {.n = 1, .v4 = {0x7f000001}};
	const struct dp_local_v4 *in_use = &loopback;

	assert_int_equal(source_of_an_error(false), TUNNEL_V4);
	ctx.local_v4 = &in_use;
	assert_int_equal(source_of_an_error(false), TUNNEL_V4);
	in_use = &local;
	assert_int_equal(source_of_an_error(false), LOCAL_V4);
	ctx.icmp.v4_source = 0xc0000202;
	assert_int_equal(source_of_an_error(false), 0xc0000202);
	assert_int_equal(source_of_an_error(true), TUNNEL_V4);
}

/* Less room than an error needs is a counted failure, and the packet a plain drop. Headers lie at even addresses. */
static void a_buffer_without_room_is_counted(void **state)
{
	static const struct {
		bool tunnel;
		enum dp_counter reason;
		uint16_t need;
	} rows[] = {
		{false, DP_DROP_V4_TTL_EXPIRED, 28},
		{true, DP_DROP_INNER_TTL_EXPIRED, 28},
		{true, DP_DROP_SPOOFED_CLIENT, 48},
	};

	for (unsigned int i = 0; i < RTE_DIM(rows); i++) {
		const struct packet packet = {.tunnel = rows[i].tunnel};

		for (uint16_t room = rows[i].need - 2; room <= rows[i].need; room += 2) {
			struct rte_mbuf *m = packet_make(&packet);

			ctx.now_ms += 1000;
			memmove((uint8_t *)m->buf_addr + room, rte_pktmbuf_mtod(m, void *),
				m->data_len);
			m->data_off = room;
			assert_int_equal(is_answered(m, rows[i].reason), room == rows[i].need);
		}
		assert_int_equal(ctx.counters.packets[DP_COUNT_ICMP_WITHHELD], i + 1);
	}
}

static void later_fragments_and_strange_sources_are_never_answered(void **state)
{
	static const struct {
		uint8_t offset, value;
	} rows[] = {
		{12, 0}, /* source 0/8 */
		{12, 127}, {12, 224}, {12, 255}, /* ... and others */
		{16, 127}, /* destination */
		{7, 1}, /* fragment offset 8 */
		{6, 0x10}, /* and 32,768 */
		{5, 1}, /* the identification: nothing wrong with it */
	};
	const struct packet packet = {.ttl = 1}, error = {.protocol = IPPROTO_ICMP, .icmp_type = 5};

	for (unsigned int i = 0; i < RTE_DIM(rows); i++) {
		struct rte_mbuf *m = packet_make(&packet);
		struct dp_pkt *p = &burst.pkts[0];

		packets_burst_init(&burst, m);
		dp_classify(&ctx, &burst, 1);
		dp_pkt_drop(p, DP_DROP_V4_TTL_EXPIRED);
		((uint8_t *)p->v4)[rows[i].offset] = rows[i].value;
		dp_icmp_err(&ctx, &burst);
		assert_int_equal(p->verdict, rows[i].offset == 5 ? DP_CONTINUE : DP_DROP);
		rte_pktmbuf_free(m);
	}
	assert_false(is_answered(packet_make(&error), DP_DROP_V4_TTL_EXPIRED));
}

/* Every drop by itself: what has no kind, or a kind that is off, rests untouched. */
static void other_reasons_stay_as_they_are(void **state)
{
	const struct packet packet = {.tunnel = true};

	memset(ctx.icmp.to_clients, 0, sizeof(ctx.icmp.to_clients));
	for (unsigned int reason = 0; reason < DP_N_DROPS; reason++)
		assert_false(is_answered(packet_make(&packet), reason));
	assert_int_equal(ctx.counters.packets[DP_COUNT_ICMP_WITHHELD], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(errors_are_counted_with_their_octets, set_up),
		cmocka_unit_test_setup(the_bucket_holds_a_burst_and_fills_at_the_rate, set_up),
		cmocka_unit_test_setup(
			the_speaker_to_the_ipv4_side_is_the_best_address_known, set_up),
		cmocka_unit_test_setup(a_buffer_without_room_is_counted, set_up),
		cmocka_unit_test_setup(
			later_fragments_and_strange_sources_are_never_answered, set_up),
		cmocka_unit_test_setup(other_reasons_stay_as_they_are, set_up),
	};

	if (test_eal_start(64) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
