// SPDX-License-Identifier: BSD-3-Clause
/* When a TEP is ready (R30, R68). */
#include "control/ready.h"

#include <rte_common.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define CONFIRM_MS 2000

static struct tep_ready running(void)
{
	return (struct tep_ready){.confirm_ms = CONFIRM_MS, .is_running = true};
}

static void without_servers_it_is_ready_once_the_workers_run(void **state)
{
	struct tep_ready ready = {.confirm_ms = CONFIRM_MS};
	char reason[TEP_READY_REASON_LEN];

	tep_ready_look(&ready, NULL, 0, 0);
	assert_int_equal(tep_ready_state(&ready), TEP_READY_WAITING);
	assert_string_equal(tep_ready_reason(&ready, reason), "the workers do not run");
	ready.is_running = true;
	assert_int_equal(tep_ready_state(&ready), TEP_READY);
	assert_string_equal(tep_ready_reason(&ready, reason), "");
}

static void before_it_has_looked_it_is_starting(void **state)
{
	struct tep_ready ready = running();

	assert_int_equal(tep_ready_state(&ready), TEP_READY_WAITING);
}

static void each_server_is_level_or_was_absent_long_enough(void **state)
{
	struct tep_server_status servers[] = {
		{.name = "alpha", .since_ms = 100}, {.name = "beta", .since_ms = 100}};
	struct tep_ready ready = running();
	char reason[TEP_READY_REASON_LEN];

	tep_ready_look(&ready, servers, 2, 100);
	assert_int_equal(tep_ready_state(&ready), TEP_READY_WAITING);
	assert_string_equal(
		tep_ready_reason(&ready, reason), "server alpha has not told all its bindings yet");
	servers[0].connected = true;
	servers[0].is_level = true;
	tep_ready_look(&ready, servers, 2, 100 + CONFIRM_MS - 1);
	assert_string_equal(
		tep_ready_reason(&ready, reason), "server beta has not told all its bindings yet");
	tep_ready_look(&ready, servers, 2, 100 + CONFIRM_MS);
	assert_int_equal(tep_ready_state(&ready), TEP_READY);
	assert_int_equal(ready.settled[0], TEP_SETTLED_LEVEL);
	assert_int_equal(ready.settled[1], TEP_SETTLED_ABSENT);
}

static void a_server_that_is_there_is_waited_for_until_it_has_been_gone(void **state)
{
	struct tep_server_status server = {.name = "alpha", .since_ms = 0, .connected = true};
	struct tep_ready ready = running();

	tep_ready_look(&ready, &server, 1, 100 * CONFIRM_MS);
	assert_int_equal(tep_ready_state(&ready), TEP_READY_WAITING);
	server.connected = false;
	server.since_ms = 100 * CONFIRM_MS;
	tep_ready_look(&ready, &server, 1, 100 * CONFIRM_MS);
	assert_int_equal(tep_ready_state(&ready), TEP_READY_WAITING);
	tep_ready_look(&ready, &server, 1, 101 * CONFIRM_MS);
	assert_int_equal(tep_ready_state(&ready), TEP_READY);
}

static void what_settled_once_stays_so(void **state)
{
	struct tep_server_status server = {.name = "alpha", .since_ms = 0, .is_level = true};
	struct tep_ready ready = running();

	tep_ready_look(&ready, &server, 1, 0);
	server = (struct tep_server_status){.name = "alpha", .since_ms = 10, .connected = true};
	tep_ready_look(&ready, &server, 1, 10);
	assert_int_equal(tep_ready_state(&ready), TEP_READY);
}

static void a_route_that_is_missing_or_lost_ends_it_until_it_is_there(void **state)
{
	struct tep_ready ready = running();
	char reason[TEP_READY_REASON_LEN];

	tep_ready_look(&ready, NULL, 0, 0);
	ready.unreached = "192.0.2.80";
	assert_int_equal(tep_ready_state(&ready), TEP_READY_WAITING);
	assert_string_equal(tep_ready_reason(&ready, reason), "there is no route to 192.0.2.80");
	ready.unreached = NULL;
	assert_int_equal(tep_ready_state(&ready), TEP_READY);
}

static void draining_ends_it(void **state)
{
	struct tep_ready ready = running();
	char reason[TEP_READY_REASON_LEN];

	tep_ready_look(&ready, NULL, 0, 0);
	ready.is_draining = true;
	assert_int_equal(tep_ready_state(&ready), TEP_READY_DRAINING);
	assert_string_equal(tep_ready_reason(&ready, reason), "draining");
	assert_string_equal(tep_ready_name(TEP_READY_DRAINING), "draining");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_servers_it_is_ready_once_the_workers_run),
		cmocka_unit_test(before_it_has_looked_it_is_starting),
		cmocka_unit_test(each_server_is_level_or_was_absent_long_enough),
		cmocka_unit_test(a_server_that_is_there_is_waited_for_until_it_has_been_gone),
		cmocka_unit_test(what_settled_once_stays_so),
		cmocka_unit_test(a_route_that_is_missing_or_lost_ends_it_until_it_is_there),
		cmocka_unit_test(draining_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
