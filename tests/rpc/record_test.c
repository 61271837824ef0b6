// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "rpc/rpc_record.h"

#include <errno.h>
#include <string.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Two records: "abcde" in fragments of 2, 0 and 3 octets, and "xy" in one. */
static const uint8_t stream[] = {
	0, 0, 0, 2, 'a', 'b', 0, 0, 0, 0, 0x80, 0, 0, 3, 'c', 'd', 'e', 0x80, 0, 0, 2, 'x', 'y'};

static void records_are_put_together_whatever_the_pieces(void **state)
{
	static const char *const expected[] = {"abcde", "xy"};

	for (size_t piece = 1; piece <= sizeof(stream); piece++) {
		struct rpc_record record = {0};
		size_t n_records = 0, at = 0;

		while (at < sizeof(stream)) {
			size_t left = sizeof(stream) - at, used;
			int ret = rpc_record_take(
				&record, stream + at, left < piece ? left : piece, &used);

			assert_in_range(ret, 0, 1);
			at += used;
			if (ret == 0)
				continue;
			assert_int_equal(record.len, strlen(expected[n_records]));
			assert_memory_equal(record.data, expected[n_records], record.len);
			n_records++;
			rpc_record_clear(&record);
		}
		assert_int_equal(n_records, 2);
	}
}

static int take_head(struct rpc_record *record, uint32_t mark)
{
	uint8_t head[RPC_RECORD_HEAD] = {
		(uint8_t)(mark >> 24), (uint8_t)(mark >> 16), (uint8_t)(mark >> 8), (uint8_t)mark};
	size_t used;

	return rpc_record_take(record, head, sizeof(head), &used);
}

static void a_fragment_longer_than_any_message_ends_the_stream(void **state)
{
	static const uint32_t marks[] = {
		RPC_MESSAGE_MAX + 1, 0x80000000 + RPC_MESSAGE_MAX + 1, 0x7fffffff, 0xffffffff};

	for (size_t i = 0; i < LEN(marks); i++) {
		struct rpc_record record = {0};

		assert_int_equal(take_head(&record, marks[i]), -EMSGSIZE);
	}
}

static void fragments_that_are_too_long_together_end_the_stream(void **state)
{
	static const uint8_t zeros[RPC_MESSAGE_MAX];
	struct rpc_record record = {0};
	size_t used;

	assert_int_equal(take_head(&record, RPC_MESSAGE_MAX), 0);
	assert_int_equal(rpc_record_take(&record, zeros, sizeof(zeros), &used), 0);
	assert_int_equal(used, sizeof(zeros));
	assert_int_equal(take_head(&record, 0x80000001), -EMSGSIZE);
}

static void the_longest_record_fits(void **state)
{
	static const uint8_t zeros[RPC_MESSAGE_MAX];
	struct rpc_record record = {0};
	size_t used;

	assert_int_equal(take_head(&record, 0x80000000 | RPC_MESSAGE_MAX), 0);
	assert_int_equal(rpc_record_take(&record, zeros, sizeof(zeros), &used), 1);
	assert_int_equal(record.len, RPC_MESSAGE_MAX);
}

static void empty_fragments_without_end_end_the_stream(void **state)
{
	struct rpc_record record = {0};
	uint32_t n = 0;

	while (take_head(&record, 0) == 0)
		n++;
	assert_int_equal(n, RPC_RECORD_FRAGMENTS_MAX);
}

static void an_empty_record_is_one(void **state)
{
	struct rpc_record record = {0};

	assert_int_equal(take_head(&record, 0x80000000), 1);
	assert_int_equal(record.len, 0);
}

static void a_head_is_written_as_by_hand(void **state)
{
	static const uint8_t by_hand[] = {0x80, 0, 0x01, 0x58};
	uint8_t head[RPC_RECORD_HEAD];

	rpc_record_put_head(344, head);
	assert_memory_equal(head, by_hand, sizeof(by_hand));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_are_put_together_whatever_the_pieces),
		cmocka_unit_test(a_fragment_longer_than_any_message_ends_the_stream),
		cmocka_unit_test(fragments_that_are_too_long_together_end_the_stream),
		cmocka_unit_test(the_longest_record_fits),
		cmocka_unit_test(empty_fragments_without_end_end_the_stream),
		cmocka_unit_test(an_empty_record_is_one),
		cmocka_unit_test(a_head_is_written_as_by_hand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
