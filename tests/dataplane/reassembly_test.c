// SPDX-License-Identifier: BSD-3-Clause
/*
 * The table of waiting fragments, without headers: bounds, ages, who is evicted, and a random run beside a
 * naive model that remembers octets. After each test every buffer is back (S12, S34).
 */
#include "dataplane/reassembly.h"
#include "support/eal.h"
#include "support/packets.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define HEADER     14 /* octets before the payload of each fragment */
#define TIMEOUT_MS 2000

static const struct dp_reassembly_params params = {
	.max_datagrams = 16, .max_fragments = 64, .per_source = 8, .timeout_ms = TIMEOUT_MS};

static struct dp_ctx ctx;
static struct dp_reassembly *table;
static struct dp_whole whole;
static enum dp_frag_fault fault;

static int set_up(void **state)
{
	packets_ctx_init(&ctx);
	ctx.now_ms = 1;
	table = dp_reassembly_create(&params, DP_FRAG_V4, SOCKET_ID_ANY);
	return table != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	dp_reassembly_flush(&ctx, table);
	dp_reassembly_destroy(table);
	return packets_all_back() ? 0 : -1;
}

static uint8_t octet_at(uint32_t id, uint32_t at)
{
	return (uint8_t)(id * 77 + at * 13 + at / 256);
}

/* Adds octets offset..offset+len of packet id of a source; a refused buffer is freed. */
static enum dp_frag_result add(
	uint32_t source, uint32_t id, uint32_t offset, uint32_t len, bool more)
{
	const struct dp_frag frag = {.key = {.src = source, .id = id},
		.offset = offset,
		.len = len,
		.start = HEADER,
		.more = more};
	struct rte_mbuf *m = rte_pktmbuf_alloc(packets_pool());
	enum dp_frag_result result;
	uint8_t *to;

	assert_non_null(m);
	to = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(HEADER + len + 3));
	memset(to, 0xee, HEADER + len + 3); /* 3 octets of padding */
	for (uint32_t i = 0; i < len; i++)
		to[HEADER + i] = octet_at(id, offset + i);
	result = dp_reassembly_add(
		&ctx, table, &frag, dp_reassembly_place(table, &frag.key), m, &whole, &fault);
	if (result == DP_FRAG_REFUSED)
		rte_pktmbuf_free(m);
	return result;
}

/* The whole packet is right, its headers are in the first buffer; frees it. */
static void assert_whole(uint32_t id, uint32_t len)
{
	const uint8_t *octets;
	static uint8_t copy[UINT16_MAX];

	assert_int_equal(whole.payload_len, len);
	assert_int_equal(whole.start, HEADER);
	assert_int_equal(whole.m->pkt_len, HEADER + len);
	assert_true(whole.m->data_len >= RTE_MIN(whole.m->pkt_len, (uint32_t)DP_CONTIGUOUS));
	rte_mbuf_sanity_check(whole.m, 1);
	octets = rte_pktmbuf_read(whole.m, HEADER, len, copy);
	for (uint32_t i = 0; i < len; i++)
		assert_int_equal(octets[i], octet_at(id, i));
	rte_pktmbuf_free(whole.m);
}

static uint64_t dropped(enum dp_frag_fault why)
{
	return ctx.counters.packets[dp_frag_drop(DP_FRAG_V4, why)];
}

static void the_largest_packet_comes_whole_in_any_order(void **state)
{
	for (uint32_t round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < 45; i++) {
			uint32_t at = round == 0 ? i : round == 1 ? 44 - i : i * 19 % 45;
			uint32_t len = at < 44 ? 1480 : 65535 - 44 * 1480;

			assert_int_equal(add(1, round, at * 1480, len, at < 44),
				i < 44 ? DP_FRAG_HELD : DP_FRAG_WHOLE);
		}
		assert_whole(round, 65535);
	}
	assert_int_equal(ctx.counters.packets[DP_COUNT_V4_REASSEMBLED], 3);
	assert_int_equal(ctx.counters.packets[DP_COUNT_FRAGMENTS_JOINED], 135);
}

static void what_fits_one_buffer_is_in_one_buffer(void **state)
{
	assert_int_equal(add(1, 1, 0, 8, true), DP_FRAG_HELD);
	assert_int_equal(add(1, 1, 8, 1480, true), DP_FRAG_HELD);
	assert_int_equal(add(1, 1, 1488, 20, false), DP_FRAG_WHOLE);
	assert_int_equal(whole.m->nb_segs, 1);
	assert_whole(1, 1508);
}

/* A first fragment of 8 octets before one that leaves no room: the headers are pulled together. */
static void headers_are_in_the_first_buffer(void **state)
{
	assert_int_equal(add(1, 1, 0, 1400, true), DP_FRAG_HELD);
	assert_int_equal(add(1, 1, 1400, 1400, false), DP_FRAG_WHOLE);
	assert_int_equal(whole.m->nb_segs, 2);
	assert_whole(1, 2800);
	assert_int_equal(add(1, 2, 0, 8, true), DP_FRAG_HELD);
	assert_int_equal(add(1, 2, 8, 2024, true), DP_FRAG_HELD);
	assert_int_equal(add(1, 2, 2032, 100, false), DP_FRAG_WHOLE);
	assert_whole(2, 2132);
}

static void time_runs_from_the_first_fragment(void **state)
{
	assert_int_equal(add(1, 1, 0, 8, true), DP_FRAG_HELD);
	ctx.now_ms += TIMEOUT_MS - 1;
	assert_int_equal(add(1, 1, 8, 8, true), DP_FRAG_HELD);
	dp_reassembly_expire(&ctx, table);
	assert_int_equal(dropped(DP_FRAG_TIMEOUT), 0);
	ctx.now_ms++;
	dp_reassembly_expire(&ctx, table);
	assert_int_equal(dropped(DP_FRAG_TIMEOUT), 2);
	assert_true(packets_all_back());
	assert_int_equal(ctx.counters.bytes[DP_DROP_V4_FRAG_TIMEOUT], 2 * (HEADER + 8 + 3));
	assert_int_equal(add(1, 1, 16, 8, false), DP_FRAG_HELD);
}

static void a_refused_packet_stays_refused_until_its_time_is_up(void **state)
{
	assert_int_equal(add(1, 1, 0, 16, true), DP_FRAG_HELD);
	assert_int_equal(add(1, 1, 8, 16, true), DP_FRAG_REFUSED);
	assert_int_equal(fault, DP_FRAG_OVERLAP);
	assert_int_equal(dropped(DP_FRAG_OVERLAP), 1); /* the other one is the caller's to drop */
	assert_int_equal(add(1, 1, 0, 16, true), DP_FRAG_REFUSED);
	assert_int_equal(add(1, 1, 16, 8, false), DP_FRAG_REFUSED);
	ctx.now_ms += TIMEOUT_MS;
	assert_int_equal(add(1, 1, 0, 16, true), DP_FRAG_HELD);
	assert_int_equal(add(1, 1, 16, 8, false), DP_FRAG_WHOLE);
	assert_whole(1, 24);
}

static void a_full_table_lets_the_oldest_go(void **state)
{
	for (uint32_t source = 1; source <= params.max_datagrams; source++)
		assert_int_equal(add(source, 1, 0, 8, true), DP_FRAG_HELD);
	assert_int_equal(add(100, 1, 0, 8, true), DP_FRAG_HELD);
	assert_int_equal(dropped(DP_FRAG_EVICTED), 1);
	assert_int_equal(add(100, 1, 8, 8, false), DP_FRAG_WHOLE);
	assert_whole(1, 16);
	assert_int_equal(add(2, 1, 8, 8, false), DP_FRAG_WHOLE);
	assert_whole(1, 16);
	assert_int_equal(add(1, 1, 8, 8, false), DP_FRAG_HELD); /* its first part is gone */
}

static void one_sender_cannot_fill_the_table(void **state)
{
	assert_int_equal(add(2, 1, 0, 8, true), DP_FRAG_HELD);
	for (uint32_t id = 1; id <= 100; id++)
		assert_int_equal(add(1, id, 0, 8, true), DP_FRAG_HELD);
	assert_true(dropped(DP_FRAG_EVICTED) >= 100 - params.per_source);
	assert_true(rte_mempool_in_use_count(packets_pool()) <= params.per_source + 1);
}

static void buffers_that_wait_are_bounded(void **state)
{
	for (uint32_t source = 1; source <= 8; source++)
		for (uint32_t i = 0; i < 30; i++) {
			add(source, 1, i * 8, 8, true);
			assert_true(
				rte_mempool_in_use_count(packets_pool()) <= params.max_fragments);
		}
	assert_int_equal(dropped(DP_FRAG_EVICTED), 8 * 30 - 60);
}

/* Random cuts, orders, copies and overlaps of one packet at a time; whole exactly when the model says so. */
static void random_fragments_give_what_the_model_gives(void **state)
{
	uint32_t seed = (uint32_t)time(NULL), completed = 0;
	bool seen[64];

	printf("seed %" PRIu32 "\n", seed);
	srandom(seed);
	for (uint32_t id = 1; id <= 20000; id++) {
		uint32_t n = 2 + (uint32_t)random() % 20, len = n * 8 - (uint32_t)random() % 8;
		uint32_t have = 0;
		bool refused = false;

		memset(seen, 0, sizeof(seen));
		for (uint32_t turn = 0; turn < 60; turn++) {
			uint32_t first = (uint32_t)random() % n, last = first;
			bool overlap = false;
			enum dp_frag_result got;

			if (random() % 50 == 0 && last + 1 < n)
				last++;
			for (uint32_t i = first; i <= last; i++)
				overlap |= seen[i];
			got = add(id % 2, id, first * 8, RTE_MIN(len, (last + 1) * 8) - first * 8,
				last + 1 < n);
			if (refused || overlap) {
				assert_int_equal(got, DP_FRAG_REFUSED);
				refused |= fault != DP_FRAG_DUPLICATE;
				continue;
			}
			for (uint32_t i = first; i <= last; i++, have++)
				seen[i] = true;
			assert_int_equal(got, have == n ? DP_FRAG_WHOLE : DP_FRAG_HELD);
			if (have == n) {
				assert_whole(id, len);
				completed++;
				break;
			}
		}
	}
	assert_in_range(completed, 1000, 19999);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define WITH_TABLE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		WITH_TABLE(the_largest_packet_comes_whole_in_any_order),
		WITH_TABLE(what_fits_one_buffer_is_in_one_buffer),
		WITH_TABLE(headers_are_in_the_first_buffer),
		WITH_TABLE(time_runs_from_the_first_fragment),
		WITH_TABLE(a_refused_packet_stays_refused_until_its_time_is_up),
		WITH_TABLE(a_full_table_lets_the_oldest_go),
		WITH_TABLE(one_sender_cannot_fill_the_table),
		WITH_TABLE(buffers_that_wait_are_bounded),
		WITH_TABLE(random_fragments_give_what_the_model_gives),
	};

	if (test_eal_start(64) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
