// SPDX-License-Identifier: BSD-3-Clause
/*
 * Cutting: for every payload length around the limits, the fragments read back as RFC 791 and RFC 8200 say
 * give the packet again, and none is longer than the MTU (S10). Chains of buffers, options, no buffers.
 */
#include "dataplane/fragment.h"
#include "dataplane/ipv4.h"
#include "support/eal.h"
#include "support/packets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MTU_V6 1280
#define MTU_V4 576

static struct dp_ctx ctx;
static struct dp_burst burst;
static struct dp_binding binding;
static struct rte_mbuf *out[DP_FRAGMENTS_MAX];

static int set_up(void **state)
{
	packets_ctx_init(&ctx);
	ctx.mtu_v6 = MTU_V6;
	ctx.mtu_v4 = MTU_V4;
	memset(&binding, 0, sizeof(binding));
	dp_frag_ids_init(&ctx.frag_ids, (const uint16_t[]){1, 2, 3, 4});
	return 0;
}

/* A frame with a payload whose octets differ, ready to leave. */
static struct rte_mbuf *make(const struct packet *packet)
{
	struct rte_mbuf *m = packet_make(packet);
	uint8_t *octets = rte_pktmbuf_mtod(m, uint8_t *);

	for (uint32_t i = m->pkt_len - packet->payload; i < m->pkt_len; i++)
		octets[i] = (uint8_t)(i * 31 + i / 256);
	m->port = 7;
	return m;
}

/* Fragments of an IPv6 packet, in order; returns how many octets they carry, compared with the whole. */
static uint32_t read_v6(uint32_t n, const uint8_t *whole, uint32_t *identification)
{
	uint32_t expected = 0;

	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *at = rte_pktmbuf_mtod(out[i], const uint8_t *);
		uint32_t len = (uint32_t)(at[18] << 8 | at[19]) - 8;
		uint32_t offset = (uint32_t)(at[56] << 8 | at[57]);

		assert_int_equal(out[i]->nb_segs, 1);
		assert_int_equal(out[i]->port, 7);
		assert_true(out[i]->pkt_len <= RTE_ETHER_HDR_LEN + MTU_V6);
		assert_int_equal(out[i]->pkt_len, 14 + 48 + len);
		assert_memory_equal(at, whole, 18); /* Ethernet, class and flow label */
		assert_int_equal(at[20], IPPROTO_FRAGMENT);
		assert_memory_equal(at + 21, whole + 21, 33); /* hop limit, addresses */
		assert_int_equal(at[54], whole[20]);
		assert_int_equal(at[55], 0);
		assert_int_equal(offset & ~7U, expected);
		assert_int_equal(offset & 7, i + 1 < n ? 1 : 0);
		if (i + 1 < n)
			assert_int_equal(len % 8, 0);
		assert_memory_equal(at + 62, whole + 54 + expected, len);
		if (i == 0)
			memcpy(identification, at + 58, 4);
		assert_memory_equal(at + 58, identification, 4);
		expected += len;
	}
	return expected;
}

static uint32_t read_v4(uint32_t n, const uint8_t *whole)
{
	uint32_t expected = 0, whole_header = (whole[14] & 0x0f) * 4U;

	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *at = rte_pktmbuf_mtod(out[i], const uint8_t *);
		uint32_t header = (at[14] & 0x0f) * 4U;
		uint32_t len = (uint32_t)(at[16] << 8 | at[17]) - header;
		uint32_t flags = (uint32_t)(at[20] << 8 | at[21]);

		assert_int_equal(out[i]->nb_segs, 1);
		assert_true(out[i]->pkt_len <= RTE_ETHER_HDR_LEN + MTU_V4);
		assert_int_equal(out[i]->pkt_len, 14 + header + len);
		assert_int_equal(packet_checksum(at + 14, header), 0);
		assert_memory_equal(at + 18, whole + 18, 2); /* identification */
		assert_memory_equal(at + 22, whole + 22, 2); /* TTL, protocol */
		assert_memory_equal(at + 26, whole + 26, 8);
		assert_int_equal(flags >> 13, i + 1 < n ? 1 : 0);
		assert_int_equal((flags & 0x1fff) * 8, expected);
		if (i + 1 < n)
			assert_int_equal(len % 8, 0);
		assert_memory_equal(at + 14 + header, whole + 14 + whole_header + expected, len);
		expected += len;
	}
	return expected;
}

/* The packet as it is after encap or decap. */
static void lay(struct rte_mbuf *m, bool tunnel)
{
	packets_burst_init(&burst, m);
	burst.pkts[0].v6 = rte_pktmbuf_mtod_offset(m, struct rte_ipv6_hdr *, 14);
	burst.pkts[0].v4 = rte_pktmbuf_mtod_offset(
		m, struct rte_ipv4_hdr *, tunnel ? PACKET_INNER : PACKET_V4_OFFSET);
	burst.pkts[0].from_v6 = !tunnel;
	burst.pkts[0].to_v6 = tunnel;
	burst.bindings[0] = &binding;
}

static uint32_t cut(struct rte_mbuf *m)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	uint32_t n;

	lay(m, frame[12] == 0x86);
	n = dp_fragment(&ctx, &burst, 0, out);
	assert_true(n > 0);
	return n;
}

static void free_all(uint32_t n)
{
	rte_pktmbuf_free_bulk(out, n);
	assert_true(packets_all_back());
}

static void fragments_of_ipv6_give_the_packet_again(void **state)
{
	uint32_t identification[2] = {0};

	for (uint16_t payload = 1213; payload < 1313; payload++) {
		const struct packet packet = {
			.tunnel = true, .outer_tos = 0xb8, .payload = payload};
		struct rte_mbuf *m = make(&packet);
		uint8_t whole[2048];
		uint32_t n;

		memcpy(whole, rte_pktmbuf_mtod(m, void *), m->pkt_len);
		n = cut(m);
		assert_int_equal(n, 2);
		assert_int_equal(read_v6(n, whole, &identification[payload % 2]), 28 + payload);
		assert_int_not_equal(identification[0], identification[1]);
		free_all(n);
	}
	assert_int_equal(ctx.counters.packets[DP_COUNT_FRAGMENTED], 100);
	assert_int_equal(ctx.counters.packets[DP_COUNT_FRAGMENTS_MADE], 200);
}

static void fragments_of_ipv4_give_the_packet_again(void **state)
{
	for (uint16_t payload = 1080; payload < 1180; payload++) {
		const struct packet packet = {.payload = payload};
		struct rte_mbuf *m = make(&packet);
		uint8_t whole[2048];
		uint32_t n;

		memcpy(whole, rte_pktmbuf_mtod(m, void *), m->pkt_len);
		n = cut(m);
		assert_int_equal(n, (8 + payload + 551) / 552);
		assert_int_equal(read_v4(n, whole), 8 + payload);
		free_all(n);
	}
}

/*
 * Inner fragments (S11): each an outer packet with the length of its own; what is inside reads like fragments on the IPv4
 * side. From a chain as well, and by the tunnel's own MTU.
 */
static void inner_fragments_give_the_packet_again(void **state)
{
	ctx.fragment_inner = true;
	ctx.mtu_v6 = 1500;
	for (uint16_t payload = 1100; payload < 1400; payload += 7) {
		const struct packet packet = {
			.tunnel = true, .outer_tos = 0xb8, .options = 8, .payload = payload};
		struct rte_mbuf *m = make(&packet), *rest = make(&packet);
		uint32_t first = 100 + payload % 900, read = 0, n;
		uint8_t whole[2048];

		binding.mtu_less = payload % 2 == 0 ? 220 : 100;
		memcpy(whole, rte_pktmbuf_mtod(m, void *), m->pkt_len);
		rte_pktmbuf_adj(rest, (uint16_t)first);
		rte_pktmbuf_trim(m, (uint16_t)(m->pkt_len - first));
		assert_int_equal(rte_pktmbuf_chain(m, rest), 0);
		n = cut(m);
		for (uint32_t i = 0; i < n; i++) {
			const uint8_t *at = rte_pktmbuf_mtod(out[i], const uint8_t *);
			uint32_t header = (at[54] & 0x0f) * 4U, len = out[i]->pkt_len - 54 - header;

			assert_true(out[i]->pkt_len <= 14U + 1500 - binding.mtu_less);
			assert_int_equal(out[i]->nb_segs, 1);
			assert_memory_equal(at, whole, 18);
			assert_int_equal(at[18] << 8 | at[19], header + len);
			assert_memory_equal(at + 20, whole + 20, 34);
			assert_int_equal(at[56] << 8 | at[57], header + len);
			assert_int_equal((at[60] << 8 | at[61]) & 0x1fff, read / 8);
			assert_int_equal(at[60] >> 5, i + 1 < n ? 1 : 0);
			assert_int_equal(packet_checksum(at + 54, header), 0);
			assert_memory_equal(at + 54 + header, whole + 82 + read, len);
			read += len;
		}
		assert_int_equal(read, 8U + payload);
		free_all(n);
	}
}

/* RFC 6864: what was never to be cut may all have identification 0. */
static void inner_fragments_of_what_had_df_get_an_identification(void **state)
{
	const struct packet packet = {.tunnel = true, .payload = 1300};
	uint8_t ids[2][2];

	ctx.fragment_inner = true;
	for (uint32_t i = 0; i < 2; i++) {
		struct rte_mbuf *m = make(&packet);
		uint8_t *at = rte_pktmbuf_mtod(m, uint8_t *);

		memset(at + PACKET_INNER + 4, 0, 2);
		at[PACKET_INNER + 6] = 0x40;
		packet_resum(m, PACKET_INNER);
		assert_int_equal(cut(m), 2);
		for (uint32_t k = 0; k < 2; k++) {
			at = rte_pktmbuf_mtod(out[k], uint8_t *) + PACKET_INNER;
			assert_int_equal(at[6] & 0x40, 0);
			assert_int_equal(packet_checksum(at, 20), 0);
			if (k == 0)
				memcpy(ids[i], at + 4, 2);
			assert_memory_equal(at + 4, ids[i], 2);
		}
		free_all(2);
	}
	assert_memory_not_equal(ids[0], ids[1], 2);
}

/* Security (0x82) is copied, record route (0x07) only in the first (RFC 791 section 3.1). */
static void only_copied_options_are_in_later_fragments(void **state)
{
	static const uint8_t options[12] = {1, 0x07, 4, 4, 0, 0x82, 3, 0xaa, 1, 0x83, 3, 0xbb};
	static const uint8_t later[8] = {0x82, 3, 0xaa, 0x83, 3, 0xbb, 0, 0};
	const struct packet packet = {.options = 12, .payload = 1000};
	struct rte_mbuf *m = make(&packet);
	uint8_t whole[2048];
	uint32_t n;

	memcpy(rte_pktmbuf_mtod_offset(m, void *, 34), options, sizeof(options));
	packet_resum(m, 14);
	memcpy(whole, rte_pktmbuf_mtod(m, void *), m->pkt_len);
	whole[38] = 1; /* nothing after the route: the octet 0 would end the list */
	memcpy(rte_pktmbuf_mtod(m, void *), whole, 42);
	packet_resum(m, 14);
	memcpy(whole, rte_pktmbuf_mtod(m, void *), 42);
	n = cut(m);
	assert_int_equal(n, 2);
	assert_int_equal(read_v4(n, whole), 1008);
	assert_memory_equal(rte_pktmbuf_mtod(out[0], uint8_t *) + 34, whole + 34, 12);
	assert_int_equal(*rte_pktmbuf_mtod_offset(out[1], uint8_t *, 14), 0x47);
	assert_memory_equal(rte_pktmbuf_mtod(out[1], uint8_t *) + 34, later, sizeof(later));
	free_all(n);
}

/* Options that lie about their length end the copying, within the header. */
static void lying_options_are_not_copied(void **state)
{
	static const uint8_t lies[][2] = {{0x82, 0}, {0x82, 1}, {0x82, 5}, {0x82, 255}};

	for (unsigned int i = 0; i < RTE_DIM(lies); i++) {
		const struct packet packet = {.options = 4, .payload = 1000};
		struct rte_mbuf *m = make(&packet);
		uint32_t n;

		memcpy(rte_pktmbuf_mtod_offset(m, void *, 34), lies[i], 2);
		packet_resum(m, 14);
		n = cut(m);
		assert_int_equal(*rte_pktmbuf_mtod_offset(out[1], uint8_t *, 14), 0x45);
		free_all(n);
	}
}

/* A payload that is spread over buffers, with the cuts anywhere. */
static void a_chain_of_buffers_is_cut_like_one(void **state)
{
	for (uint32_t first = 62; first < 1400; first += 41) {
		const struct packet packet = {.tunnel = true, .payload = 1400};
		struct rte_mbuf *m = make(&packet), *rest = make(&packet);
		uint32_t identification, n;
		uint8_t whole[2048];

		memcpy(whole, rte_pktmbuf_mtod(m, void *), m->pkt_len);
		rte_pktmbuf_adj(rest, (uint16_t)first);
		rte_pktmbuf_trim(m, (uint16_t)(m->pkt_len - first));
		assert_int_equal(rte_pktmbuf_chain(m, rest), 0);
		n = cut(m);
		assert_int_equal(n, 2);
		assert_int_equal(read_v6(n, whole, &identification), 1428);
		free_all(n);
	}
}

static void a_chain_that_fits_leaves_in_one_buffer(void **state)
{
	const struct packet packet = {.tunnel = true, .payload = 1212};
	struct rte_mbuf *m = make(&packet), *rest = make(&packet);
	uint8_t whole[2048];
	uint32_t len = m->pkt_len;

	memcpy(whole, rte_pktmbuf_mtod(m, void *), len);
	rte_pktmbuf_adj(rest, 900);
	rte_pktmbuf_trim(m, (uint16_t)(len - 900));
	assert_int_equal(rte_pktmbuf_chain(m, rest), 0);
	assert_int_equal(cut(m), 1);
	assert_int_equal(out[0]->nb_segs, 1);
	assert_int_equal(out[0]->port, 7);
	assert_int_equal(out[0]->pkt_len, len);
	assert_memory_equal(rte_pktmbuf_mtod(out[0], void *), whole, len);
	assert_int_equal(ctx.counters.packets[DP_COUNT_FRAGMENTED], 0);
	free_all(1);
}

static void without_buffers_the_packet_stays_whole(void **state)
{
	static struct rte_mbuf *all[PACKET_MBUFS];
	const struct packet packet = {.tunnel = true, .payload = 1400};
	struct rte_mbuf *m = make(&packet);
	uint32_t len = m->pkt_len;

	assert_int_equal(rte_pktmbuf_alloc_bulk(packets_pool(), all, PACKET_MBUFS - 2), 0);
	lay(m, true);
	assert_int_equal(dp_fragment(&ctx, &burst, 0, out), 0);
	assert_int_equal(m->pkt_len, len);
	assert_int_equal(ctx.counters.packets[DP_COUNT_FRAGMENTED], 0);
	rte_pktmbuf_free_bulk(all, PACKET_MBUFS - 2);
	rte_pktmbuf_free(m);
	assert_true(packets_all_back());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define WITH_CTX(test) cmocka_unit_test_setup(test, set_up)
		WITH_CTX(fragments_of_ipv6_give_the_packet_again),
		WITH_CTX(fragments_of_ipv4_give_the_packet_again),
		WITH_CTX(inner_fragments_give_the_packet_again),
		WITH_CTX(inner_fragments_of_what_had_df_get_an_identification),
		WITH_CTX(only_copied_options_are_in_later_fragments),
		WITH_CTX(lying_options_are_not_copied),
		WITH_CTX(a_chain_of_buffers_is_cut_like_one),
		WITH_CTX(a_chain_that_fits_leaves_in_one_buffer),
		WITH_CTX(without_buffers_the_packet_stays_whole),
	};

	if (test_eal_start(64) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
