// SPDX-License-Identifier: BSD-3-Clause
/*
 * Tags off and on: every VLAN against every configuration of a port, every cut of a frame, buffers without room.
 */
#include "dataplane/vlan.h"
#include "support/eal.h"
#include "support/packets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define UNTAGGED UINT32_MAX

static struct dp_ctx ctx;

static void setup(uint16_t vlan_v6, uint16_t vlan_v4, bool one_port)
{
	packets_ctx_init(&ctx);
	ctx.tagged = true;
	ctx.vlans[0] = vlan_v6;
	ctx.vlans[1] = vlan_v4;
	ctx.ports[1] = one_port ? dp_datapath_number_v4(0, 0, vlan_v6, vlan_v4) : 1;
}

/* A tunnel packet; tci: UNTAGGED, or the two octets behind 0x8100. */
static struct rte_mbuf *frame_of(uint32_t tci)
{
	const struct packet packet = {.tunnel = true};
	struct rte_mbuf *m = packet_make(&packet);
	uint8_t *frame;

	if (tci == UNTAGGED)
		return m;
	m->data_off -= 4;
	m->data_len += 4;
	m->pkt_len += 4;
	frame = rte_pktmbuf_mtod(m, uint8_t *);
	memmove(frame, frame + 4, 12);
	frame[12] = 0x81;
	frame[13] = 0x00;
	frame[14] = (uint8_t)(tci >> 8);
	frame[15] = (uint8_t)tci;
	return m;
}

/* What becomes of the frame at port 0: the number of the link it came by, or -1. */
static int arrives(uint32_t tci)
{
	struct rte_mbuf *plain = frame_of(UNTAGGED), *m = frame_of(tci);
	uint64_t received = ctx.counters.bytes[DP_COUNT_RX];
	uint32_t len = m->pkt_len, n = dp_vlan_untag(&ctx, 0, &m, 1);
	int link = -1;

	if (n == 1) {
		assert_int_equal(m->pkt_len, plain->pkt_len);
		assert_int_equal(m->data_len, plain->data_len);
		assert_memory_equal(rte_pktmbuf_mtod(m, void *), rte_pktmbuf_mtod(plain, void *),
			plain->data_len);
		/* The worker counts the rest. */
		assert_int_equal(ctx.counters.bytes[DP_COUNT_RX] - received, len - m->pkt_len);
		link = m->port;
		rte_pktmbuf_free(m);
	} else {
		assert_int_equal(ctx.counters.bytes[DP_COUNT_RX] - received, len);
	}
	rte_pktmbuf_free(plain);
	return link;
}

static void a_port_takes_its_own_vlan_and_no_other(void **state)
{
	setup(7, 8, false);
	for (uint32_t tci = 0; tci <= UINT16_MAX; tci += 1 + tci / 8192)
		assert_int_equal(arrives(tci), (tci & 0xfff) == 7 ? 0 : -1);
	assert_int_equal(arrives(UNTAGGED), -1);
	assert_int_equal(ctx.counters.packets[DP_COUNT_RX], ctx.counters.packets[DP_DROP_VLAN]);
	setup(0, 8, false);
	assert_int_equal(arrives(UNTAGGED), 0);
	assert_int_equal(arrives(0), -1);
	assert_int_equal(arrives(8), -1);
	assert_true(packets_all_back());
}

static void two_vlans_on_one_port_are_two_links(void **state)
{
	setup(7, 8, true);
	assert_int_equal(arrives(7), 0);
	assert_int_equal(arrives(0xe008), DP_PORT_STICK);
	assert_int_equal(arrives(9), -1);
	assert_int_equal(arrives(0), -1);
	assert_int_equal(arrives(UNTAGGED), -1);
	setup(7, 0, true);
	assert_int_equal(arrives(7), 0);
	assert_int_equal(arrives(UNTAGGED), DP_PORT_STICK);
	assert_int_equal(arrives(0), -1);
	setup(7, 7, true);
	assert_int_equal(arrives(7), 0);
	assert_true(packets_all_back());
}

static void every_cut_is_dropped_or_left_to_classify(void **state)
{
	setup(7, 8, false);
	for (uint16_t len = 0; len <= 18; len++) {
		struct rte_mbuf *m = frame_of(7);
		uint64_t before = ctx.counters.packets[DP_DROP_FRAME_SHORT];
		uint32_t n;

		m->data_len = len;
		m->pkt_len = len;
		n = dp_vlan_untag(&ctx, 0, &m, 1);
		if (n == 1) {
			assert_int_equal(m->data_len, len < 14 ? len : 14);
			rte_pktmbuf_free(m);
		}
		assert_int_equal(n == 1, len < 14 || len == 18);
		assert_int_equal(ctx.counters.packets[DP_DROP_FRAME_SHORT] - before, n == 0);
	}
	assert_true(packets_all_back());
}

static void what_is_sent_has_the_tag_and_no_priority(void **state)
{
	struct rte_mbuf *packets[3];

	setup(7, 4094, false);
	for (uint32_t i = 0; i < RTE_DIM(packets); i++)
		packets[i] = frame_of(UNTAGGED);
	packets[1]->data_off = 3; /* no room for a tag */
	assert_int_equal(dp_vlan_tag(&ctx, 1, packets, RTE_DIM(packets)), 2);
	assert_int_equal(ctx.counters.packets[DP_DROP_NO_HEADROOM], 1);
	for (uint32_t i = 0; i < 2; i++) {
		struct rte_mbuf *want = frame_of(4094);

		assert_int_equal(packets[i]->pkt_len, want->pkt_len);
		assert_memory_equal(rte_pktmbuf_mtod(packets[i], void *),
			rte_pktmbuf_mtod(want, void *), want->data_len);
		rte_pktmbuf_free(want);
		rte_pktmbuf_free(packets[i]);
	}
	assert_true(packets_all_back());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_takes_its_own_vlan_and_no_other),
		cmocka_unit_test(two_vlans_on_one_port_are_two_links),
		cmocka_unit_test(every_cut_is_dropped_or_left_to_classify),
		cmocka_unit_test(what_is_sent_has_the_tag_and_no_priority),
	};

	if (test_eal_start(64) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
