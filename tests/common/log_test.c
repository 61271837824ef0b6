// SPDX-License-Identifier: BSD-3-Clause
#include "common/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static char output[4096];

/* Runs body with standard error in output[]. */
static void capture(void (*body)(void))
{
	int saved = dup(STDERR_FILENO), pipe_fds[2];
	ssize_t n;

	assert_int_equal(pipe(pipe_fds), 0);
	dup2(pipe_fds[1], STDERR_FILENO);
	close(pipe_fds[1]);
	body();
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	n = read(pipe_fds[0], output, sizeof(output) - 1);
	close(pipe_fds[0]);
	output[n > 0 ? n : 0] = '\0';
}

static void write_all_levels(void)
{
	log_err("pool %s: full", "a");
	log_warn("b");
	log_info("c");
	log_debug("d");
}

static void lines_carry_their_level(void **state)
{
	unsetenv("JOURNAL_STREAM");
	capture(write_all_levels);
	assert_string_equal(output, "error: pool a: full\nwarning: b\ninfo: c\n");
	log_set_level(LOG_LEVEL_DEBUG);
	capture(write_all_levels);
	assert_non_null(strstr(output, "debug: d\n"));
	log_set_level(LOG_LEVEL_ERR);
	capture(write_all_levels);
	assert_string_equal(output, "error: pool a: full\n");
	log_set_level(LOG_LEVEL_INFO);
}

static void write_journal(void)
{
	setenv("JOURNAL_STREAM", "9:12345", 1);
	log_err("a");
	log_info("c");
	unsetenv("JOURNAL_STREAM");
}

static void the_journal_gets_its_prefix(void **state)
{
	capture(write_journal);
	assert_string_equal(output, "<3>a\n<6>c\n");
}

/* A name from the network must not forge a second line or drive a terminal. */
static void write_hostile(void)
{
	log_warn("user %s: refused", "eve\nerror: all is lost\x1b[2J\x7f caf\xc3\xa9");
}

static void control_characters_do_not_pass(void **state)
{
	capture(write_hostile);
	assert_string_equal(
		output, "warning: user eve?error: all is lost?[2J? caf\xc3\xa9: refused\n");
}

static void write_long(void)
{
	char text[3000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_err("%s", text);
}

static void a_long_line_is_cut(void **state)
{
	capture(write_long);
	assert_true(strlen(output) <= 1024);
	assert_string_equal(output + strlen(output) - 2, "x\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_carry_their_level),
		cmocka_unit_test(the_journal_gets_its_prefix),
		cmocka_unit_test(control_characters_do_not_pass),
		cmocka_unit_test(a_long_line_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
