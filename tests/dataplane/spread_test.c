// SPDX-License-Identifier: BSD-3-Clause
/*
 * Who carries which frame of a shared queue pair, and the rings between its workers: fragments and whole
 * packets of one pair of addresses together (S12, S34), all members at work, order kept, nothing lost but counted.
 */
#include "dataplane/spread.h"

#include "support/eal.h"
#include "support/packets.h"
#include "support/random.h"

#include <rte_ether.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define RING_SIZE 40
#define PAIRS     8192

static struct dp_spread *spread;
static struct dp_ctx ctx;
static uint64_t random_state;

static struct dp_spread *create(uint32_t n_members)
{
	const struct dp_spread_params params = {
		.n_members = n_members,
		.rx_ring = RING_SIZE,
		.tx_ring = RING_SIZE,
		.socket = SOCKET_ID_ANY,
	};
	struct dp_spread *made = dp_spread_create(&params);

	assert_non_null(made);
	return made;
}

static int set_up(void **state)
{
	spread = create(2);
	packets_ctx_init(&ctx);
	return 0;
}

static int tear_down(void **state)
{
	dp_spread_destroy(spread);
	return packets_all_back() ? 0 : -1;
}

static uint8_t *at(struct rte_mbuf *m, uint32_t offset)
{
	return rte_pktmbuf_mtod_offset(m, uint8_t *, offset);
}

static uint32_t addresses_offset(const struct packet *packet)
{
	return packet->tunnel ? 14 + 8 : 14 + 12;
}

/* A frame whose outermost addresses end in these octets. */
static struct rte_mbuf *make(const struct packet *packet, uint16_t src, uint16_t dst)
{
	struct rte_mbuf *m = packet_make(packet);
	uint32_t len = packet->tunnel ? 16 : 4;
	uint8_t *addresses = at(m, addresses_offset(packet));

	addresses[len - 2] = src >> 8;
	addresses[len - 1] = src & 0xff;
	addresses[2 * len - 2] = dst >> 8;
	addresses[2 * len - 1] = dst & 0xff;
	return m;
}

static uint32_t member_of(const struct packet *packet, uint16_t src, uint16_t dst)
{
	struct rte_mbuf *m = make(packet, src, dst);
	uint32_t member = dp_spread_member_of(spread, m);

	rte_pktmbuf_free(m);
	return member;
}

static const struct packet from_client = {.tunnel = true};
static const struct packet from_peer = {0};

/* A tag of the kind given before the payload. */
static void add_tag(struct rte_mbuf *m, uint16_t kind)
{
	uint8_t *frame;

	assert_non_null(rte_pktmbuf_prepend(m, 4));
	frame = at(m, 0);
	memmove(frame, frame + 4, 12);
	frame[12] = kind >> 8;
	frame[13] = kind & 0xff;
	frame[14] = 0;
	frame[15] = 9;
}

/* All that may differ between packets of one flow, and more, without another worker. */
static void one_pair_of_addresses_has_one_worker(void **state)
{
	static const struct packet others[] = {
		{.tunnel = true, .port = 9},
		{.tunnel = true, .protocol = IPPROTO_TCP, .tos = 8, .outer_tos = 3, .ttl = 1},
		{.tunnel = true, .protocol = IPPROTO_ICMP, .options = 8, .payload = 700},
		{.port = 9},
		{.protocol = IPPROTO_TCP, .tos = 8, .ttl = 1},
		{.protocol = IPPROTO_ICMP, .options = 8, .payload = 700},
	};

	for (uint16_t pair = 0; pair < 64; pair++) {
		for (unsigned int i = 0; i < RTE_DIM(others); i++) {
			const struct packet *first = others[i].tunnel ? &from_client : &from_peer;

			assert_int_equal(member_of(first, pair, 7), member_of(&others[i], pair, 7));
		}
	}
}

static void fragments_and_whole_packets_have_one_worker(void **state)
{
	for (uint16_t pair = 0; pair < 64; pair++) {
		struct rte_mbuf *m = make(&from_client, pair, 7);
		uint32_t member = dp_spread_member_of(spread, m);

		*at(m, PACKET_INNER + 6) = 0x20; /* the first of the inner packet */
		assert_int_equal(dp_spread_member_of(spread, m), member);
		*at(m, PACKET_INNER + 7) = 40; /* a later one */
		*at(m, PACKET_INNER + 13) = 99; /* whose addresses may lie */
		assert_int_equal(dp_spread_member_of(spread, m), member);
		*at(m, 20) = IPPROTO_FRAGMENT; /* of the outer packet */
		assert_int_equal(dp_spread_member_of(spread, m), member);
		rte_pktmbuf_free(m);

		m = make(&from_peer, pair, 7);
		member = dp_spread_member_of(spread, m);
		*at(m, PACKET_V4_OFFSET + 6) = 0x20;
		assert_int_equal(dp_spread_member_of(spread, m), member);
		*at(m, PACKET_V4_OFFSET + 7) = 40;
		memset(at(m, PACKET_V4_OFFSET + 20), 0x55, 8); /* no ports there */
		assert_int_equal(dp_spread_member_of(spread, m), member);
		rte_pktmbuf_free(m);
	}
}

static void tags_do_not_matter(void **state)
{
	const struct packet *const kinds[] = {&from_client, &from_peer};

	for (uint16_t pair = 0; pair < 64; pair++) {
		for (unsigned int i = 0; i < RTE_DIM(kinds); i++) {
			struct rte_mbuf *m = make(kinds[i], pair, 7);
			uint32_t member = dp_spread_member_of(spread, m);

			add_tag(m, RTE_ETHER_TYPE_VLAN);
			assert_int_equal(dp_spread_member_of(spread, m), member);
			add_tag(m, RTE_ETHER_TYPE_QINQ);
			assert_int_equal(dp_spread_member_of(spread, m), member);
			add_tag(m, RTE_ETHER_TYPE_QINQ);
			assert_int_equal(dp_spread_member_of(spread, m), 0);
			rte_pktmbuf_free(m);
		}
	}
}

static void both_addresses_choose(void **state)
{
	const struct packet *const kinds[] = {&from_client, &from_peer};

	for (unsigned int i = 0; i < RTE_DIM(kinds); i++) {
		uint32_t by_src = 0, by_dst = 0;

		for (uint16_t n = 0; n < 128; n++) {
			by_src += member_of(kinds[i], n, 7);
			by_dst += member_of(kinds[i], 7, n);
		}
		assert_in_range(by_src, 1, 127);
		assert_in_range(by_dst, 1, 127);
	}
}

/* Neighbours in a prefix, as clients are: each member within a fifth of its share. */
static void all_members_work(void **state)
{
	const struct packet *const kinds[] = {&from_client, &from_peer};

	for (uint32_t n_members = 2; n_members <= 7; n_members++) {
		struct dp_spread *many = create(n_members);

		for (unsigned int i = 0; i < RTE_DIM(kinds); i++) {
			uint32_t share = PAIRS / n_members, counts[7] = {0};
			struct rte_mbuf *m = make(kinds[i], 0, 7);
			uint8_t *low = at(
				m, addresses_offset(kinds[i]) + (kinds[i]->tunnel ? 14 : 2));

			for (uint32_t n = 0; n < PAIRS; n++) {
				low[0] = n >> 8;
				low[1] = n & 0xff;
				counts[dp_spread_member_of(many, m)]++;
			}
			rte_pktmbuf_free(m);
			for (uint32_t member = 0; member < n_members; member++)
				assert_in_range(
					counts[member], share - share / 5, share + share / 5);
		}
		dp_spread_destroy(many);
	}
}

/* The owner keeps what has no addresses, or ends before them. */
static void what_has_no_addresses_stays(void **state)
{
	const struct packet *const kinds[] = {&from_client, &from_peer};

	for (unsigned int i = 0; i < RTE_DIM(kinds); i++) {
		uint32_t headers = kinds[i]->tunnel ? 54 : 34;

		for (uint16_t pair = 0; pair < 16; pair++) {
			struct rte_mbuf *m = make(kinds[i], pair, 7);

			for (uint32_t len = 0; len < headers; len++) {
				m->data_len = len;
				assert_int_equal(dp_spread_member_of(spread, m), 0);
			}
			m->data_len = headers;
			*at(m, 12) = 0x08;
			*at(m, 13) = 0x06;
			assert_int_equal(dp_spread_member_of(spread, m), 0);
			rte_pktmbuf_free(m);
		}
	}
}

/* A burst of n frames, whose ports number them, with random addresses. */
static void make_burst(struct rte_mbuf **packets, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		packets[i] = make(&from_peer, test_random(&random_state), 7);
		packets[i]->hash.usr = i;
	}
}

static void assert_in_order(struct rte_mbuf **packets, uint32_t n, uint32_t member)
{
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(dp_spread_member_of(spread, packets[i]), member);
		assert_true(i == 0 || packets[i - 1]->hash.usr < packets[i]->hash.usr);
		rte_pktmbuf_free(packets[i]);
	}
}

static void a_burst_is_handed_out_in_order(void **state)
{
	struct rte_mbuf *packets[DP_BURST], *taken[DP_BURST];
	uint32_t len, own, n;

	make_burst(packets, DP_BURST);
	len = packets[0]->pkt_len;
	own = dp_spread_hand_out(spread, &ctx, packets, DP_BURST);
	n = dp_spread_take(spread, 1, taken, DP_BURST);
	assert_int_equal(own + n, DP_BURST);
	assert_in_order(packets, own, 0);
	assert_in_order(taken, n, 1);
	assert_int_equal(ctx.counters.packets[DP_COUNT_RX_HANDED], n);
	assert_int_equal(ctx.counters.bytes[DP_COUNT_RX_HANDED], n * len);
	assert_int_equal(
		ctx.counters.packets[DP_COUNT_RX], 0); /* whoever carries them counts them */
	assert_int_equal(dp_spread_take(spread, 1, taken, DP_BURST), 0);
}

static void a_full_ring_to_a_member_is_a_counted_drop(void **state)
{
	struct rte_mbuf *packets[DP_BURST];
	uint32_t handed = 0, len = 0, own;

	while (handed <= RING_SIZE) {
		make_burst(packets, DP_BURST);
		len = packets[0]->pkt_len;
		own = dp_spread_hand_out(spread, &ctx, packets, DP_BURST);
		handed += DP_BURST - own;
		rte_pktmbuf_free_bulk(packets, own);
	}
	assert_int_equal(ctx.counters.packets[DP_COUNT_RX_HANDED], RING_SIZE);
	assert_int_equal(ctx.counters.packets[DP_DROP_RX_RING_FULL], handed - RING_SIZE);
	assert_int_equal(ctx.counters.bytes[DP_DROP_RX_RING_FULL], (handed - RING_SIZE) * len);
	assert_int_equal(ctx.counters.packets[DP_COUNT_RX], handed - RING_SIZE);
}

static void a_full_ring_to_the_owner_is_a_counted_drop(void **state)
{
	struct rte_mbuf *packets[DP_BURST];
	uint32_t len = 0;

	for (uint32_t i = 0; i < 2; i++) {
		make_burst(packets, DP_BURST);
		len = packets[0]->pkt_len;
		dp_spread_send(spread, 1, &ctx, packets, DP_BURST);
	}
	assert_int_equal(ctx.counters.packets[DP_COUNT_TX_HANDED], RING_SIZE);
	assert_int_equal(ctx.counters.bytes[DP_COUNT_TX_HANDED], RING_SIZE * len);
	assert_int_equal(ctx.counters.packets[DP_DROP_TX_RING_FULL], 2 * DP_BURST - RING_SIZE);
	assert_int_equal(dp_spread_collect(spread, 1, packets, DP_BURST), DP_BURST);
	for (uint32_t i = 0; i < DP_BURST; i++)
		assert_int_equal(packets[i]->hash.usr, i);
	rte_pktmbuf_free_bulk(packets, DP_BURST);
	assert_int_equal(dp_spread_collect(spread, 1, packets, DP_BURST), RING_SIZE - DP_BURST);
	rte_pktmbuf_free_bulk(packets, RING_SIZE - DP_BURST);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define WITH_SPREAD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		WITH_SPREAD(one_pair_of_addresses_has_one_worker),
		WITH_SPREAD(fragments_and_whole_packets_have_one_worker),
		WITH_SPREAD(tags_do_not_matter),
		WITH_SPREAD(both_addresses_choose),
		WITH_SPREAD(all_members_work),
		WITH_SPREAD(what_has_no_addresses_stays),
		WITH_SPREAD(a_burst_is_handed_out_in_order),
		WITH_SPREAD(a_full_ring_to_a_member_is_a_counted_drop),
		WITH_SPREAD(a_full_ring_to_the_owner_is_a_counted_drop),
	};

	random_state = test_seed();
	if (test_eal_start(64) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
