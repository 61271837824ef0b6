// SPDX-License-Identifier: BSD-3-Clause
/* What is made of looks at a TEP's digest: what counts as a divergence, and how often it is mended. */
#include "server/tep_compare.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define LEAF 0xa3f

static struct srv_tep_compare compare;
static struct srv_leaves mend;

static int setup(void **state)
{
	compare = (struct srv_tep_compare){0};
	return 0;
}

enum seen {
	EQUAL,
	DIFFERENT,
	UNCLEAR
};

static enum srv_compare_verdict look(uint32_t leaf, enum seen seen, int64_t now_ms)
{
	struct srv_tep_level level = {.knows_digests = true, .theirs = 17};

	if (seen == DIFFERENT)
		srv_leaves_add(&level.differing, leaf);
	else if (seen == UNCLEAR)
		srv_leaves_add(&level.unclear, leaf);
	return srv_tep_compare_look(&compare, &level, now_ms, &mend);
}

static void what_differs_once_is_no_divergence(void **state)
{
	assert_int_equal(look(LEAF, DIFFERENT, 1000), SRV_COMPARE_UNCERTAIN);
	assert_int_equal(srv_tep_compare_differs_s(&compare, 1000), 0);
	assert_int_equal(look(LEAF, EQUAL, 2000), SRV_COMPARE_EQUAL);
	assert_int_equal(look(LEAF, DIFFERENT, 3000), SRV_COMPARE_UNCERTAIN);
	assert_int_equal(look(LEAF + 1, DIFFERENT, 4000), SRV_COMPARE_UNCERTAIN);
	assert_int_equal(compare.mended, 0);
	assert_true(compare.is_known && compare.theirs == 17 && compare.looked_ms == 4000);
}

/* S1: told and mended within two looks, a second apart. */
static void what_differs_twice_is_mended(void **state)
{
	look(LEAF, DIFFERENT, 1000);
	assert_int_equal(look(LEAF, DIFFERENT, 2000), SRV_COMPARE_MEND);
	assert_int_equal(srv_leaves_count(&mend), 1);
	assert_true(srv_leaves_has(&mend, LEAF));
	assert_int_equal(srv_tep_compare_differs_s(&compare, 2000), 2);
	assert_int_equal(compare.mended, 1);
	assert_int_equal(look(LEAF, EQUAL, 3000), SRV_COMPARE_EQUAL);
	assert_int_equal(srv_tep_compare_differs_s(&compare, 3000), 0);
}

static void a_leaf_with_changes_on_their_way_is_neither(void **state)
{
	assert_int_equal(look(LEAF, UNCLEAR, 1000), SRV_COMPARE_EQUAL);
	look(LEAF, DIFFERENT, 2000);
	assert_int_equal(look(LEAF, UNCLEAR, 3000), SRV_COMPARE_UNCERTAIN);
	assert_int_equal(look(LEAF, DIFFERENT, 4000), SRV_COMPARE_MEND);
}

/* A TEP that cannot be mended, because it refuses a binding, say, is not asked every second. */
static void what_cannot_be_mended_is_tried_less_and_less_often(void **state)
{
	int64_t last_ms = 0, pause_ms = 0;
	uint32_t n = 0;

	for (int64_t now_ms = 1000; now_ms < 1000000; now_ms += 1000) {
		enum srv_compare_verdict verdict = look(LEAF, DIFFERENT, now_ms);

		if (now_ms > 1000)
			assert_true(verdict == SRV_COMPARE_MEND || verdict == SRV_COMPARE_DIFFERS);
		if (verdict != SRV_COMPARE_MEND)
			continue;
		assert_true(n == 0 || now_ms - last_ms >= pause_ms);
		pause_ms = n > 0 ? now_ms - last_ms : 5000;
		last_ms = now_ms;
		n++;
	}
	assert_in_range(n, 15, 25);
	assert_int_equal(pause_ms, 60000);
	assert_int_equal(srv_tep_compare_differs_s(&compare, 1000000), 1000);
}

static void a_new_session_forgets_what_was_suspected(void **state)
{
	const struct srv_tep_level level = {.knows_digests = true, .theirs = 18};

	look(LEAF, DIFFERENT, 1000);
	look(LEAF, DIFFERENT, 2000);
	srv_tep_compare_begin(&compare, &level, 3000);
	assert_int_equal(srv_tep_compare_differs_s(&compare, 3000), 0);
	assert_true(compare.theirs == 18);
	assert_int_equal(look(LEAF, DIFFERENT, 4000), SRV_COMPARE_UNCERTAIN);
	assert_int_equal(compare.mended, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_differs_once_is_no_divergence, setup),
		cmocka_unit_test_setup(what_differs_twice_is_mended, setup),
		cmocka_unit_test_setup(a_leaf_with_changes_on_their_way_is_neither, setup),
		cmocka_unit_test_setup(what_cannot_be_mended_is_tried_less_and_less_often, setup),
		cmocka_unit_test_setup(a_new_session_forgets_what_was_suspected, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
