// SPDX-License-Identifier: BSD-3-Clause
#include "common/daemon.h"

#include "common/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <event2/event.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#define DEFAULT_PATH "/etc/dstm/tep.yaml"

static const struct {
	const char *const argv[8];
	int rc, exit_code;
	const char *config_path;
	bool check_only;
} cases[] = {
	{{"dstm-tep", "-c", "tep.yaml"}, 0, DAEMON_EXIT_OK, "tep.yaml", false},
	{{"dstm-tep", "-t", "-v", "-ctep.yaml"}, 0, DAEMON_EXIT_OK, "tep.yaml", true},
	{{"dstm-tep"}, 0, DAEMON_EXIT_OK, DEFAULT_PATH, false},
	{{"dstm-tep", "-V"}, 1, DAEMON_EXIT_OK, DEFAULT_PATH, false},
	{{"dstm-tep", "-h"}, 1, DAEMON_EXIT_OK, DEFAULT_PATH, false},
	{{"dstm-tep", "--version"}, 1, DAEMON_EXIT_OK, DEFAULT_PATH, false},
	{{"dstm-tep", "--help"}, 1, DAEMON_EXIT_OK, DEFAULT_PATH, false},
	{{"dstm-tep", "-c"}, 1, DAEMON_EXIT_CONFIG, DEFAULT_PATH, false},
	{{"dstm-tep", "-x"}, 1, DAEMON_EXIT_CONFIG, DEFAULT_PATH, false},
	{{"dstm-tep", "-c", "a", "b"}, 1, DAEMON_EXIT_CONFIG, "a", false},
	{{"dstm-tep", "-c", "a", "--none"}, 1, DAEMON_EXIT_CONFIG, "a", false},
};

static int parse(const char *const *argv, struct daemon_options *options, int *exit_code)
{
	int argc = 0, saved_out = dup(STDOUT_FILENO), saved_err = dup(STDERR_FILENO);
	int null = open("/dev/null", O_WRONLY), rc;

	while (argv[argc] != NULL)
		argc++;
	fflush(stdout);
	dup2(null, STDOUT_FILENO); /* usage and complaints */
	dup2(null, STDERR_FILENO);
	rc = daemon_parse_options(argc, (char **)argv, options, exit_code);
	fflush(stdout);
	dup2(saved_out, STDOUT_FILENO);
	dup2(saved_err, STDERR_FILENO);
	close(saved_out);
	close(saved_err);
	close(null);
	return rc;
}

static void options_say_go_on_or_how_to_end(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct daemon_options options = {.config_path = DEFAULT_PATH};
		int exit_code = -1;

		assert_int_equal(parse(cases[i].argv, &options, &exit_code), cases[i].rc);
		if (cases[i].rc != 0)
			assert_int_equal(exit_code, cases[i].exit_code);
		assert_int_equal(options.check_only, cases[i].check_only);
		assert_string_equal(options.config_path, cases[i].config_path);
	}
	log_set_level(LOG_LEVEL_INFO);
}

struct seen {
	struct event_base *base;
	int stops, reloads;
};

static void on_stop(void *arg)
{
	struct seen *seen = arg;

	if (++seen->stops == 2)
		event_base_loopbreak(seen->base);
}

static void on_reload(void *arg)
{
	struct seen *seen = arg;

	seen->reloads++;
}

static void signals_reach_their_functions(void **state)
{
	struct seen seen = {.base = event_base_new()};
	struct daemon_signals *signals;

	signals = daemon_signals_create(seen.base, on_stop, on_reload, &seen);
	assert_non_null(signals);
	raise(SIGPIPE); /* ignored */
	raise(SIGHUP);
	raise(SIGTERM);
	raise(SIGINT);
	event_base_dispatch(seen.base);
	assert_int_equal(seen.reloads, 1);
	assert_int_equal(seen.stops, 2);
	daemon_signals_destroy(signals);
	daemon_signals_destroy(NULL);
	event_base_free(seen.base);
}

/* What systemd hears, over a datagram socket as it gives one to a service. */
static void systemd_is_told_in_its_words(void **state)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	char text[256] = "";

	daemon_notify_ready(); /* outside systemd: nothing */
	snprintf(sa.sun_path, sizeof(sa.sun_path), "/tmp/dstm-notify-%d", getpid());
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	setenv("NOTIFY_SOCKET", sa.sun_path, 1);
	daemon_notify_ready();
	assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
	assert_non_null(strstr(text, "READY=1"));
	memset(text, 0, sizeof(text));
	daemon_notify_reloading();
	assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
	assert_non_null(strstr(text, "RELOADING=1\nMONOTONIC_USEC="));
	memset(text, 0, sizeof(text));
	daemon_notify_stopping();
	assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
	assert_non_null(strstr(text, "STOPPING=1"));
	unsetenv("NOTIFY_SOCKET");
	close(fd);
	unlink(sa.sun_path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_say_go_on_or_how_to_end),
		cmocka_unit_test(signals_reach_their_functions),
		cmocka_unit_test(systemd_is_told_in_its_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
