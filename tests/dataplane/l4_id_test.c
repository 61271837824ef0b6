// SPDX-License-Identifier: BSD-3-Clause
/*
 * Which address and port a packet is looked up by: TCP, UDP, ICMP queries by identifier (R59, R60), ICMP
 * errors by the packet that they quote (S5, S6), and protocols without ports (S37).
 */
#include "dataplane/classify.h"
#include "dataplane/l4_id.h"
#include "support/eal.h"
#include "support/packets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct dp_ctx ctx;
static struct dp_burst burst;

static const struct packet sent_udp = {.tunnel = true, .port = 1500};
static const struct packet sent_tcp = {.tunnel = true, .port = 1501, .protocol = IPPROTO_TCP};
static const struct packet sent_echo = {
	.tunnel = true, .port = 1502, .protocol = IPPROTO_ICMP, .icmp_type = 8};
static const struct packet sent_options = {.tunnel = true, .port = 1503, .options = 12};
static const struct packet sent_gre = {.tunnel = true, .protocol = IPPROTO_GRE};
static const struct packet sent_error = {
	.tunnel = true, .protocol = IPPROTO_ICMP, .icmp_type = 3, .quote = &sent_udp};
static const struct packet got_udp = {.port = 1600};
static const struct packet got_echo_reply = {
	.port = 1601, .protocol = IPPROTO_ICMP, .icmp_type = 0};

struct identity {
	const char *what;
	struct packet packet;
	uint16_t port;
	bool has_port;
	uint8_t reason; /* DP_N_DROPS: passes */
};

#define PASSES DP_N_DROPS
#define ICMP   .protocol = IPPROTO_ICMP, .icmp_type

static const struct identity identities[] = {
	{"UDP out", {.tunnel = true, .port = 1024}, 1024, true, PASSES},
	{"UDP in", {.port = 2047}, 2047, true, PASSES},
	{"TCP out", {.tunnel = true, .port = 1030, .protocol = IPPROTO_TCP}, 1030, true, PASSES},
	{"TCP in", {.port = 1031, .protocol = IPPROTO_TCP}, 1031, true, PASSES},
	{"UDP behind options", {.port = 1032, .options = 40}, 1032, true, PASSES},
	{"echo request out", {.tunnel = true, .port = 1040, ICMP = 8}, 1040, true, PASSES},
	{"echo reply out", {.tunnel = true, .port = 1041, ICMP = 0}, 1041, true, PASSES},
	{"echo request in", {.port = 1042, ICMP = 8}, 1042, true, PASSES},
	{"echo reply in", {.port = 1043, ICMP = 0}, 1043, true, PASSES},
	{"timestamp out", {.tunnel = true, .port = 1044, ICMP = 13}, 1044, true, PASSES},
	{"timestamp reply in", {.port = 1045, ICMP = 14}, 1045, true, PASSES},
	{"GRE", {.tunnel = true, .protocol = IPPROTO_GRE}, 0, false, PASSES},
	{"ESP in", {.protocol = IPPROTO_ESP}, 0, false, PASSES},
	{"SCTP", {.protocol = IPPROTO_SCTP}, 0, false, PASSES},
	{"redirect in", {ICMP = 5}, 0, true, DP_DROP_V4_ICMP_TYPE},
	{"redirect out", {.tunnel = true, ICMP = 5}, 0, true, DP_DROP_INNER_ICMP_TYPE},
	{"source quench in", {ICMP = 4, .quote = &sent_udp}, 0, true, DP_DROP_V4_ICMP_TYPE},
	{"router advertisement in", {ICMP = 9}, 0, true, DP_DROP_V4_ICMP_TYPE},
	{"unreachable in", {ICMP = 3, .quote = &sent_udp}, 1500, true, PASSES},
	{"time exceeded in, TCP", {ICMP = 11, .quote = &sent_tcp}, 1501, true, PASSES},
	{"problem in, echo", {ICMP = 12, .quote = &sent_echo}, 1502, true, PASSES},
	{"quoted options", {ICMP = 3, .quote = &sent_options}, 1503, true, PASSES},
	{"long quote", {ICMP = 3, .quote = &sent_tcp, .quote_l4 = 20}, 1501, true, PASSES},
	{"quote of GRE", {ICMP = 3, .quote = &sent_gre}, 0, false, PASSES},
	{"quote cut short", {ICMP = 3, .quote = &sent_udp, .quote_l4 = 7}, 0, true,
		DP_DROP_V4_ICMP_ERROR},
	{"no quote", {ICMP = 3}, 0, true, DP_DROP_V4_ICMP_ERROR},
	{"error about an error", {ICMP = 3, .quote = &sent_error}, 0, true, DP_DROP_V4_ICMP_ERROR},
	{"quote of a packet to the client", {ICMP = 3, .quote = &got_udp}, 0, true,
		DP_DROP_V4_ICMP_ERROR},
	{"unreachable out", {.tunnel = true, ICMP = 3, .quote = &got_udp}, 1600, true, PASSES},
	{"error out about a reply", {.tunnel = true, ICMP = 3, .quote = &got_echo_reply}, 1601,
		true, PASSES},
	{"error out about its own packet", {.tunnel = true, ICMP = 3, .quote = &sent_udp}, 0, true,
		DP_DROP_INNER_ICMP_ERROR},
	{"no quote out", {.tunnel = true, ICMP = 3}, 0, true, DP_DROP_INNER_ICMP_ERROR},
};

static const struct dp_pkt *identify(struct rte_mbuf *m)
{
	packets_burst_init(&burst, m);
	dp_classify(&ctx, &burst, m->port);
	dp_l4_id(&ctx, &burst);
	return &burst.pkts[0];
}

static void each_kind_of_packet_has_its_key(void **state)
{
	for (unsigned int i = 0; i < RTE_DIM(identities); i++) {
		const struct identity *want = &identities[i];
		struct rte_mbuf *m = packet_make(&want->packet);
		const struct dp_pkt *p = identify(m);
		const struct dp_binding_key *key = &burst.keys[0];

		if (want->reason != PASSES) {
			if (p->verdict != DP_DROP || p->reason != want->reason)
				fail_msg("%s: not dropped as %s", want->what,
					dp_counter_info[want->reason].name);
		} else if (p->verdict != DP_CONTINUE || key->v4 != PACKET_CLIENT_V4 ||
			   key->port != want->port || key->has_port != want->has_port) {
			fail_msg("%s: verdict %u, port %u (%d)", want->what, p->verdict, key->port,
				key->has_port);
		}
		rte_pktmbuf_free(m);
	}
	assert_true(packets_all_back());
}

static void cut_transport_headers_are_named(void **state)
{
	static const struct {
		uint8_t protocol;
		uint8_t enough;
	} rows[] = {{IPPROTO_UDP, 8}, {IPPROTO_TCP, 20}, {IPPROTO_ICMP, 8}};

	for (unsigned int i = 0; i < RTE_DIM(rows); i++) {
		for (uint8_t len = 0; len <= rows[i].enough; len++) {
			const struct packet packet = {
				.tunnel = true, .protocol = rows[i].protocol, .icmp_type = 8};
			struct rte_mbuf *m = packet_make(&packet);
			uint8_t *inner = rte_pktmbuf_mtod_offset(m, uint8_t *, PACKET_INNER);
			const struct dp_pkt *p;

			inner[3] = 20 + len;
			packet_resum(m, PACKET_INNER);
			p = identify(m);
			if (len == rows[i].enough) {
				assert_int_equal(p->verdict, DP_CONTINUE);
			} else {
				assert_int_equal(p->verdict, DP_DROP);
				assert_int_equal(p->reason, DP_DROP_INNER_L4_TRUNCATED);
			}
			rte_pktmbuf_free(m);
		}
	}
	assert_true(packets_all_back());
}

/* Any octet of an error changed: its own checksum tells (RFC 5508 REQ-3). */
static void a_damaged_error_is_dropped(void **state)
{
	const struct packet packet = {ICMP = 3, .quote = &sent_udp};

	for (uint16_t offset = PACKET_V4_OFFSET + 21; offset < PACKET_V4_OFFSET + 56; offset++) {
		struct rte_mbuf *m = packet_make(&packet);
		const struct dp_pkt *p;

		*rte_pktmbuf_mtod_offset(m, uint8_t *, offset) ^= 0x10;
		p = identify(m);
		assert_int_equal(p->verdict, DP_DROP);
		assert_int_equal(p->reason, DP_DROP_V4_ICMP_ERROR);
		rte_pktmbuf_free(m);
	}
	assert_true(packets_all_back());
}

/* The quoted header at fault, and the ICMP checksum right again. */
static void a_quote_with_a_bad_header_is_dropped(void **state)
{
	static const struct {
		uint8_t offset;
		uint8_t octet;
	} rows[] = {{0, 0x65}, {0, 0x44}, {0, 0x4f}, {3, 27}, {7, 1}, {10, 0}, {12, 10}};
	const struct packet packet = {ICMP = 3, .quote = &sent_udp};

	for (unsigned int i = 0; i < RTE_DIM(rows); i++) {
		struct rte_mbuf *m = packet_make(&packet);
		uint8_t *icmp = rte_pktmbuf_mtod_offset(m, uint8_t *, PACKET_V4_OFFSET + 20);
		const struct dp_pkt *p;
		uint16_t sum;

		icmp[8 + rows[i].offset] = rows[i].octet;
		if (rows[i].offset != 10)
			packet_resum(m, PACKET_V4_OFFSET + 28);
		icmp[2] = 0;
		icmp[3] = 0;
		sum = packet_checksum(icmp, 36);
		icmp[2] = sum >> 8;
		icmp[3] = sum & 0xff;
		p = identify(m);
		if (p->verdict != DP_DROP || p->reason != DP_DROP_V4_ICMP_ERROR)
			fail_msg("quote octet %u as %u passed", rows[i].offset, rows[i].octet);
		rte_pktmbuf_free(m);
	}
	assert_true(packets_all_back());
}

static void what_no_binding_can_claim_is_the_hosts_on_a_local_address(void **state)
{
	const struct dp_local_v4 local = {.n = 2, .v4 = {1, PACKET_CLIENT_V4}};
	const struct dp_local_v4 *in_use = &local;
	const struct packet redirect = {ICMP = 5};
	struct dp_ctx without = ctx;
	struct rte_mbuf *m = packet_make(&redirect);

	ctx.local_v4 = &in_use;
	ctx.punt = (struct dp_punt *)&ctx;
	assert_int_equal(identify(m)->verdict, DP_PUNT);
	ctx = without;
	assert_int_equal(identify(m)->verdict, DP_DROP);
	rte_pktmbuf_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_of_packet_has_its_key),
		cmocka_unit_test(cut_transport_headers_are_named),
		cmocka_unit_test(a_damaged_error_is_dropped),
		cmocka_unit_test(a_quote_with_a_bad_header_is_dropped),
		cmocka_unit_test(what_no_binding_can_claim_is_the_hosts_on_a_local_address),
	};

	if (test_eal_start(64) != 0)
		return 1;
	packets_ctx_init(&ctx);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
