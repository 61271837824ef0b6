// SPDX-License-Identifier: BSD-3-Clause
/* When it is told that a pool runs full, and when no more (S32). */
#include "server/pool_level.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static enum srv_pool_level next(enum srv_pool_level level, uint32_t used, uint32_t total)
{
	const struct srv_pool_thresholds thresholds = {80, 95};
	const struct srv_pool_counts counts = {.total = total,
		.leased = used / 2,
		.resting = used - used / 2,
		.free = total - used};

	return srv_pool_next_level(level, &counts, &thresholds);
}

static void a_step_up_is_at_its_threshold_and_a_step_down_below_it(void **state)
{
	static const struct {
		enum srv_pool_level from;
		uint32_t used; /* of 1000 */
		enum srv_pool_level to;
	} cases[] = {
		{SRV_POOL_NORMAL, 0, SRV_POOL_NORMAL},
		{SRV_POOL_NORMAL, 799, SRV_POOL_NORMAL},
		{SRV_POOL_NORMAL, 800, SRV_POOL_WARNING},
		{SRV_POOL_NORMAL, 950, SRV_POOL_ALARM},
		{SRV_POOL_NORMAL, 1000, SRV_POOL_EXHAUSTED},
		{SRV_POOL_WARNING, 799, SRV_POOL_WARNING},
		{SRV_POOL_WARNING, 750, SRV_POOL_WARNING},
		{SRV_POOL_WARNING, 749, SRV_POOL_NORMAL},
		{SRV_POOL_WARNING, 949, SRV_POOL_WARNING},
		{SRV_POOL_WARNING, 950, SRV_POOL_ALARM},
		{SRV_POOL_ALARM, 949, SRV_POOL_ALARM},
		{SRV_POOL_ALARM, 899, SRV_POOL_WARNING},
		{SRV_POOL_ALARM, 0, SRV_POOL_NORMAL},
		{SRV_POOL_ALARM, 1000, SRV_POOL_EXHAUSTED},
		{SRV_POOL_EXHAUSTED, 999, SRV_POOL_EXHAUSTED},
		{SRV_POOL_EXHAUSTED, 960, SRV_POOL_EXHAUSTED},
		{SRV_POOL_EXHAUSTED, 959, SRV_POOL_ALARM},
		{SRV_POOL_EXHAUSTED, 800, SRV_POOL_WARNING},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (next(cases[i].from, cases[i].used, 1000) != cases[i].to)
			fail_msg("%s, %u used", srv_pool_level_name(cases[i].from), cases[i].used);
}

static void a_pool_of_one_is_free_or_exhausted(void **state)
{
	assert_int_equal(next(SRV_POOL_NORMAL, 1, 1), SRV_POOL_EXHAUSTED);
	assert_int_equal(next(SRV_POOL_EXHAUSTED, 1, 1), SRV_POOL_EXHAUSTED);
	assert_int_equal(next(SRV_POOL_EXHAUSTED, 0, 1), SRV_POOL_NORMAL);
}

static void without_thresholds_only_exhaustion_is_told(void **state)
{
	const struct srv_pool_thresholds none = {0, 0};
	struct srv_pool_counts counts = {.total = 100, .leased = 99, .free = 1};

	assert_int_equal(srv_pool_next_level(SRV_POOL_NORMAL, &counts, &none), SRV_POOL_NORMAL);
	counts.free = 0;
	assert_int_equal(srv_pool_next_level(SRV_POOL_NORMAL, &counts, &none), SRV_POOL_EXHAUSTED);
}

/* A pool that breathes by less than the margin is told about once. */
static void breathing_around_a_threshold_is_told_once(void **state)
{
	enum srv_pool_level level = SRV_POOL_NORMAL;
	int told = 0;

	for (int i = 0; i < 1000; i++) {
		enum srv_pool_level to = next(level, i % 2 == 0 ? 801 : 770, 1000);

		told += to != level;
		level = to;
	}
	assert_int_equal(told, 1);
}

static void a_change_of_level_is_an_event(void **state)
{
	assert_int_equal(
		srv_pool_level_event(SRV_POOL_NORMAL, SRV_POOL_ALARM), SRV_RECORD_THRESHOLD);
	assert_int_equal(
		srv_pool_level_event(SRV_POOL_ALARM, SRV_POOL_EXHAUSTED), SRV_RECORD_EXHAUSTED);
	assert_int_equal(
		srv_pool_level_event(SRV_POOL_EXHAUSTED, SRV_POOL_ALARM), SRV_RECORD_RELAXED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_step_up_is_at_its_threshold_and_a_step_down_below_it),
		cmocka_unit_test(a_pool_of_one_is_free_or_exhausted),
		cmocka_unit_test(without_thresholds_only_exhaustion_is_told),
		cmocka_unit_test(breathing_around_a_threshold_is_told_once),
		cmocka_unit_test(a_change_of_level_is_an_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
