// SPDX-License-Identifier: BSD-3-Clause
/* Pools: the edges of every prefix, and what lies between them. */
#include "dataplane/pools.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define V4(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))

static void pools_without_a_prefix_hold_nothing(void **state)
{
	struct dp_pools pools;

	dp_pools_init(&pools, NULL, 0);
	assert_false(dp_pools_contain(&pools, 0));
	assert_false(dp_pools_contain(&pools, V4(198, 51, 100, 7)));
	assert_false(dp_pools_contain(&pools, UINT32_MAX));
}

static void pools_end_at_their_first_and_last_address(void **state)
{
	static const struct addr_v4_prefix prefixes[] = {
		{V4(198, 51, 100, 0), 24},
		{V4(10, 0, 0, 0), 7}, /* two first octets */
		{V4(192, 0, 2, 1), 32},
		{V4(198, 51, 102, 0), 23},
	};
	static const struct {
		uint32_t v4;
		bool is_in;
	} cases[] = {
		{V4(9, 255, 255, 255), false},
		{V4(10, 0, 0, 0), true},
		{V4(11, 255, 255, 255), true},
		{V4(12, 0, 0, 0), false},
		{V4(192, 0, 2, 0), false},
		{V4(192, 0, 2, 1), true},
		{V4(192, 0, 2, 2), false},
		{V4(198, 51, 99, 255), false},
		{V4(198, 51, 100, 0), true},
		{V4(198, 51, 100, 255), true},
		{V4(198, 51, 101, 0), false},
		{V4(198, 51, 102, 0), true},
		{V4(198, 51, 103, 255), true},
		{V4(198, 51, 104, 0), false},
		{V4(255, 255, 255, 255), false},
	};
	struct dp_pools pools;

	dp_pools_init(&pools, prefixes, sizeof(prefixes) / sizeof(prefixes[0]));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (dp_pools_contain(&pools, cases[i].v4) != cases[i].is_in)
			fail_msg("%08x", cases[i].v4);
}

/* Beside one prefix after the other: as many as there may be, at addresses spread by a fixed stride. */
static void pools_agree_with_a_look_at_every_prefix(void **state)
{
	struct addr_v4_prefix prefixes[DP_POOLS_MAX];
	struct dp_pools pools;

	for (uint32_t i = 0; i < DP_POOLS_MAX; i++) /* odd blocks, falling */
		prefixes[i] = (struct addr_v4_prefix){
			.addr = (2 * (DP_POOLS_MAX - i) + 1) << 24, .len = 8 + i % 25};
	dp_pools_init(&pools, prefixes, DP_POOLS_MAX);
	for (uint64_t v4 = 0; v4 <= UINT32_MAX; v4 += 65521) {
		bool want = false;

		for (uint32_t i = 0; i < DP_POOLS_MAX; i++)
			want |= addr_v4_prefix_contains(&prefixes[i], (uint32_t)v4);
		assert_int_equal(dp_pools_contain(&pools, (uint32_t)v4), want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pools_without_a_prefix_hold_nothing),
		cmocka_unit_test(pools_end_at_their_first_and_last_address),
		cmocka_unit_test(pools_agree_with_a_look_at_every_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
