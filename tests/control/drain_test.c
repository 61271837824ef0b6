// SPDX-License-Identifier: BSD-3-Clause
/* When a TEP that drains may stop. */
#include "control/drain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void a_tep_that_does_not_drain_never_stops(void **state)
{
	struct tep_drain drain = {};

	assert_false(tep_drain_look(&drain, 0, 0));
	assert_false(tep_drain_look(&drain, 0, 1000000));
}

static void it_stops_a_second_after_the_last_packet(void **state)
{
	struct tep_drain drain = {};

	tep_drain_begin(&drain, 60, 5000);
	assert_false(tep_drain_look(&drain, 700, 5000));
	assert_false(tep_drain_look(&drain, 701, 5900));
	assert_false(tep_drain_look(&drain, 702, 6800));
	assert_false(tep_drain_look(&drain, 702, 7799));
	assert_true(tep_drain_look(&drain, 702, 7800));
}

static void its_patience_ends(void **state)
{
	struct tep_drain drain = {};
	uint64_t packets = 0;

	tep_drain_begin(&drain, 3, 0);
	for (int64_t now_ms = 0; now_ms < 3000; now_ms += 100)
		assert_false(tep_drain_look(&drain, packets++, now_ms));
	assert_true(tep_drain_look(&drain, packets, 3000));
}

static void asked_again_with_no_patience_it_stops_at_once(void **state)
{
	struct tep_drain drain = {};

	tep_drain_begin(&drain, 3600, 0);
	assert_false(tep_drain_look(&drain, 1, 0));
	tep_drain_begin(&drain, 0, 500);
	assert_true(tep_drain_look(&drain, 2, 500));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tep_that_does_not_drain_never_stops),
		cmocka_unit_test(it_stops_a_second_after_the_last_packet),
		cmocka_unit_test(its_patience_ends),
		cmocka_unit_test(asked_again_with_no_patience_it_stops_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
