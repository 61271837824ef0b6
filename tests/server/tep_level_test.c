// SPDX-License-Identifier: BSD-3-Clause
/* Getting level with a TEP that is a digest and nothing else. */
#include "server/tep_level.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct digest ours, theirs;
static struct srv_tep_level level;
static struct srv_leaves busy;

static int setup(void **state)
{
	level = (struct srv_tep_level){0};
	busy = (struct srv_leaves){0};
	for (uint32_t i = 0; i < DIGEST_LEAVES; i++)
		ours.leaves[i] = (uint64_t)random() << 31 ^ (uint64_t)random();
	theirs = ours;
	return 0;
}

static enum srv_level_event answer(const struct srv_tep_request *request)
{
	struct tsp_msg msg = {.status = TSP_STATUS_OK};

	if (request->kind == SRV_TEP_DIGEST) {
		msg.n_digests = DIGEST_FANOUT;
		msg.node = request->node;
		digest_children(&theirs, request->node, msg.digests);
	}
	return srv_tep_level_answered(&level, request, &msg, &ours, &busy);
}

/* Answers whatever is asked, everything that there is to send on its way at once. Returns how many questions. */
static uint32_t run(enum srv_level_event until)
{
	static struct srv_tep_request requests[2 * DIGEST_LEAVES];
	enum srv_level_event event = SRV_LEVEL_GOES_ON;
	uint32_t n = 0, n_answered = 0;

	while (event == SRV_LEVEL_GOES_ON) {
		while (srv_tep_level_next(&level, &requests[n]) == SRV_LEVEL_REQUEST)
			n++;
		if (n == n_answered)
			fail_msg("it waits for nothing");
		while (n_answered < n && event == SRV_LEVEL_GOES_ON)
			event = answer(&requests[n_answered++]);
	}
	assert_int_equal(event, until);
	return n_answered;
}

static void equal_tables_take_one_question(void **state)
{
	srv_tep_level_walk(&level, true);
	assert_int_equal(run(SRV_LEVEL_WALKED), 1);
	assert_int_equal(srv_leaves_count(&level.differing), 0);
	assert_true(level.knows_digests);
	assert_true(level.theirs == digest_root(&ours));
	srv_tep_level_close(&level);
	assert_int_equal(run(SRV_LEVEL_CLOSED), 1);
	assert_int_equal(level.step, SRV_LEVEL_IDLE);
}

/* Whatever differs is found, and nothing else. */
static void a_walk_finds_the_leaves_that_differ(void **state)
{
	for (uint32_t n = 1; n < DIGEST_LEAVES; n = 2 * n + 1) {
		struct srv_leaves expected = {0};

		setup(state);
		for (uint32_t i = 0; i < n; i++) {
			uint32_t leaf = (uint32_t)random() % DIGEST_LEAVES;

			theirs.leaves[leaf]++;
			srv_leaves_add(&expected, leaf);
		}
		srv_tep_level_walk(&level, true);
		assert_in_range(run(SRV_LEVEL_WALKED), 3, SRV_LEVEL_NODES);
		assert_memory_equal(&level.differing, &expected, sizeof(expected));
	}
}

static void a_leaf_with_changes_on_their_way_is_judged_at_the_start_alone(void **state)
{
	theirs.leaves[0x123]++;
	theirs.leaves[0xabc]++;
	srv_leaves_add(&busy, 0x123);
	srv_tep_level_walk(&level, true);
	run(SRV_LEVEL_WALKED);
	assert_true(srv_leaves_has(&level.differing, 0x123));
	level.step = SRV_LEVEL_IDLE;
	srv_tep_level_walk(&level, false);
	run(SRV_LEVEL_WALKED);
	assert_false(srv_leaves_has(&level.differing, 0x123));
	assert_true(srv_leaves_has(&level.unclear, 0x123));
	assert_true(srv_leaves_has(&level.differing, 0xabc));
}

static void an_empty_tep_is_not_walked(void **state)
{
	memset(&theirs, 0, sizeof(theirs));
	srv_tep_level_walk(&level, true);
	assert_int_equal(run(SRV_LEVEL_WALKED), 1);
	assert_int_equal(srv_leaves_count(&level.differing), DIGEST_LEAVES);
}

/* A TEP of before there were digests, and one that answers what it does not understand with success. */
static void a_tep_may_know_no_digests(void **state)
{
	static const struct tsp_msg nothing = {.status = TSP_STATUS_OK};
	const struct tsp_msg *answers[] = {NULL, &nothing};
	struct srv_tep_request request;

	for (int i = 0; i < 2; i++) {
		srv_tep_level_walk(&level, true);
		assert_int_equal(srv_tep_level_next(&level, &request), SRV_LEVEL_REQUEST);
		assert_int_equal(srv_tep_level_answered(&level, &request, answers[i], &ours, &busy),
			SRV_LEVEL_UNKNOWN);
		assert_false(level.knows_digests);
	}
}

/* A lease that is created just before a list begins has been answered when the list goes on. */
static void a_list_goes_on_when_its_marks_are_answered(void **state)
{
	struct srv_leaves leaves = {0};
	struct srv_tep_request marks[3];

	srv_leaves_add(&leaves, 7);
	srv_leaves_add(&leaves, DIGEST_LEAVES - 1);
	srv_tep_level_list(&level, &leaves);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(srv_tep_level_next(&level, &marks[i]), SRV_LEVEL_REQUEST);
		assert_int_equal(marks[i].kind, SRV_TEP_BEGIN);
		assert_int_equal(marks[i].node.depth, DIGEST_DEPTH);
	}
	assert_int_equal(marks[0].node.number, 7);
	assert_int_equal(marks[1].node.number, DIGEST_LEAVES - 1);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(srv_tep_level_next(&level, &marks[2]), SRV_LEVEL_NOTHING);
		assert_int_equal(answer(&marks[i]), SRV_LEVEL_GOES_ON);
	}
	assert_int_equal(srv_tep_level_next(&level, &marks[2]), SRV_LEVEL_LEASE);
	srv_tep_level_list_ends(&level);
	assert_int_equal(srv_tep_level_next(&level, &marks[2]), SRV_LEVEL_REQUEST);
	assert_int_equal(marks[2].kind, SRV_TEP_END);
	assert_int_equal(answer(&marks[2]), SRV_LEVEL_GOES_ON);
	assert_int_equal(run(SRV_LEVEL_LISTED), 1);
	assert_int_equal(level.step, SRV_LEVEL_IDLE);
}

static void a_whole_list_has_one_mark(void **state)
{
	struct srv_tep_request mark;

	srv_tep_level_list(&level, NULL);
	assert_int_equal(srv_tep_level_next(&level, &mark), SRV_LEVEL_REQUEST);
	assert_int_equal(mark.node.depth, 0);
	assert_int_equal(srv_tep_level_next(&level, &mark), SRV_LEVEL_NOTHING);
	mark.kind = SRV_TEP_BEGIN;
	assert_int_equal(answer(&mark), SRV_LEVEL_GOES_ON);
	assert_int_equal(srv_tep_level_next(&level, &mark), SRV_LEVEL_LEASE);
	srv_tep_level_list_ends(&level);
	assert_int_equal(run(SRV_LEVEL_LISTED), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(equal_tables_take_one_question, setup),
		cmocka_unit_test_setup(a_walk_finds_the_leaves_that_differ, setup),
		cmocka_unit_test_setup(
			a_leaf_with_changes_on_their_way_is_judged_at_the_start_alone, setup),
		cmocka_unit_test_setup(an_empty_tep_is_not_walked, setup),
		cmocka_unit_test_setup(a_tep_may_know_no_digests, setup),
		cmocka_unit_test_setup(a_list_goes_on_when_its_marks_are_answered, setup),
		cmocka_unit_test_setup(a_whole_list_has_one_mark, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
