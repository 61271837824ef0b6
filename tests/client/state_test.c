// SPDX-License-Identifier: BSD-3-Clause
/*
 * The record of what a client changed on its host.
 */
#include "client/state.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/dstm_state_test_XXXXXX";
static char path[128];

static int make_folder(void **state)
{
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/run/client.state", folder);
	return 0;
}

static int remove_folder(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r '%s'", folder);
	return system(command);
}

static const struct cl_leftover example = {.device = "dstm0",
	.netns = "blue",
	.v4 = 0xc6336407,
	.lease = "198.51.100.7 ports 1-2",
	.port_range = "32768\t60999"};

static void assert_empty(const struct cl_leftover *leftover)
{
	assert_string_equal(leftover->device, "");
	assert_string_equal(leftover->port_range, "");
	assert_int_equal(leftover->v4, 0);
}

static void record_survives_a_killed_client(void **state)
{
	struct cl_leftover found;
	struct cl_state_file *file;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		file = cl_state_open(path, &found);
		if (file != NULL && cl_state_save(file, &example) == 0)
			raise(SIGKILL);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	assert_true(WIFSIGNALED(status));
	file = cl_state_open(path, &found);
	assert_non_null(file);
	assert_string_equal(found.device, "dstm0");
	assert_string_equal(found.netns, "blue");
	assert_int_equal(found.v4, 0xc6336407);
	assert_string_equal(found.lease, "198.51.100.7 ports 1-2");
	assert_string_equal(found.port_range, "32768\t60999");
	assert_int_equal(cl_state_save(file, &(struct cl_leftover){0}), 0);
	cl_state_close(file);
	assert_int_not_equal(access(path, F_OK), 0);
}

static void second_client_is_refused(void **state)
{
	struct cl_leftover found;
	struct cl_state_file *file = cl_state_open(path, &found);

	assert_non_null(file);
	assert_empty(&found);
	assert_null(cl_state_open(path, &found));
	assert_int_equal(errno, EBUSY);
	cl_state_close(file);
	file = cl_state_open(path, &found);
	assert_non_null(file);
	cl_state_close(file);
}

/* The file is not ours alone to write: nothing in it may reach nft or a sysctl unchecked. */
static void broken_record_is_as_good_as_none(void **state)
{
	static const char *const cases[] = {
		"",
		"{",
		"[]",
		"null",
		"{\"device\": \"dstm0\"}",
		"{\"device\": 1, \"v4\": \"198.51.100.7\", \"lease\": \"x\", \"port_range\": \"\"}",
		"{\"device\": \"dstm0; flush ruleset\", \"v4\": \"198.51.100.7\", \"lease\": "
		"\"x\", \"port_range\": "
		"\"\"}",
		"{\"device\": \"a\\nb\", \"v4\": \"198.51.100.7\", \"lease\": \"x\", "
		"\"port_range\": \"\"}",
		"{\"device\": \"sixteen_letters_\", \"v4\": \"198.51.100.7\", \"lease\": \"x\", "
		"\"port_range\": "
		"\"\"}",
		"{\"device\": \"\", \"v4\": \"198.51.100.7\", \"lease\": \"x\", "
		"\"port_range\": \"\"}",
		"{\"device\": \"dstm0\", \"netns\": \"../self\", \"v4\": \"198.51.100.7\", "
		"\"lease\": \"x\", \"port_range\": \"\"}",
		"{\"device\": \"dstm0\", \"v4\": \"198.51.100\", \"lease\": \"x\", \"port_range\": "
		"\"\"}",
		"{\"device\": \"dstm0\", \"v4\": \"198.51.100.7\", \"lease\": \"x\", "
		"\"port_range\": \"1 2; 3\"}",
	};
	struct cl_leftover found;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cl_state_file *file;
		FILE *f = fopen(path, "w");

		assert_non_null(f);
		fputs(cases[i], f);
		fclose(f);
		file = cl_state_open(path, &found);
		assert_non_null(file);
		assert_empty(&found);
		cl_state_close(file);
	}
}

static void unwritable_place_is_an_error(void **state)
{
	struct cl_leftover found;

	assert_null(cl_state_open("/proc/no/such/place", &found));
	assert_int_not_equal(errno, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(record_survives_a_killed_client),
		cmocka_unit_test(second_client_is_refused),
		cmocka_unit_test(broken_record_is_as_good_as_none),
		cmocka_unit_test(unwritable_place_is_an_error),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
