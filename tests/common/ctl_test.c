// SPDX-License-Identifier: BSD-3-Clause
/*
 * Control sockets over a real Unix socket: the server runs in a forked child, so that the blocking
 * client and raw hostile peers talk to it as dstmctl would to a daemon.
 */
#include "common/ctl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <event2/event.h>

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#define TIMEOUT_MS 10000

static char folder[] = "/tmp/dstm-ctl-XXXXXX";
static char path[sizeof(folder) + 16];
static pid_t child;

static json_t *run_echo(void *arg, const json_t *arguments, char error[static CTL_ERROR_LEN])
{
	return json_pack("{s:s, s:O}", "arg", arg, "arguments", arguments);
}

static json_t *run_fail(void *arg, const json_t *arguments, char error[static CTL_ERROR_LEN])
{
	snprintf(error, CTL_ERROR_LEN, "pool shared: no such pool");
	return NULL;
}

/* A sentence that was cut in the middle of a character. */
static json_t *run_fail_cut(void *arg, const json_t *arguments, char error[static CTL_ERROR_LEN])
{
	snprintf(error, CTL_ERROR_LEN, "caf\xc3");
	return NULL;
}

static json_t *run_long(void *arg, const json_t *arguments, char error[static CTL_ERROR_LEN])
{
	json_t *items = json_array();

	for (int i = 0; i < 100000; i++)
		json_array_append_new(items, json_integer(i));
	return items;
}

static const struct ctl_command commands[] = {
	{"echo", run_echo},
	{"fail", run_fail},
	{"fail-cut", run_fail_cut},
	{"long", run_long},
	{NULL, NULL},
};

static void on_term(evutil_socket_t number, short events, void *arg)
{
	event_base_loopbreak(arg);
}

/* The child: serves until SIGTERM; says through ready that the socket stands, or why not. */
static int serve(int ready)
{
	struct event_base *base = event_base_new();
	struct event *term = evsignal_new(base, SIGTERM, on_term, base);
	char name[] = "daemon";
	struct ctl_server *server;
	int rc;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	event_add(term, NULL);
	server = ctl_server_create(base, path, commands, name);
	rc = server != NULL ? 0 : -errno;
	if (write(ready, &rc, sizeof(rc)) == sizeof(rc) && server != NULL)
		event_base_dispatch(base);
	ctl_server_destroy(server);
	event_free(term);
	event_base_free(base);
	return 0;
}

/* Starts the server in a child; returns what ctl_server_create() said. */
static int start(pid_t *pid)
{
	int ready[2], rc = -EIO;

	assert_int_equal(pipe(ready), 0);
	*pid = fork();
	assert_true(*pid >= 0);
	if (*pid == 0)
		_exit(serve(ready[1]));
	close(ready[1]);
	assert_int_equal(read(ready[0], &rc, sizeof(rc)), sizeof(rc));
	close(ready[0]);
	return rc;
}

static void stop(pid_t pid, int number)
{
	int status;

	kill(pid, number);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (number == SIGTERM)
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int setup(void **state)
{
	return start(&child);
}

static int teardown(void **state)
{
	stop(child, SIGTERM);
	return access(path, F_OK) == 0; /* the socket file goes with its server */
}

/* A raw connection. */
static int dial(void)
{
	const struct timeval timeout = {.tv_sec = TIMEOUT_MS / 1000};
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static void send_text(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Reads until the peer closes. */
static void receive_all(int fd, char *buf, size_t size)
{
	size_t used = 0;
	ssize_t n;

	while ((n = recv(fd, buf + used, size - 1 - used, 0)) > 0)
		used += n;
	assert_int_equal(n, 0);
	buf[used] = '\0';
}

static void assert_alive(void)
{
	char error[CTL_ERROR_LEN];
	json_t *result = NULL;

	assert_int_equal(ctl_request(path, "echo", NULL, TIMEOUT_MS, &result, error), 0);
	json_decref(result);
}

static void a_request_reaches_its_command_and_comes_back(void **state)
{
	char error[CTL_ERROR_LEN];
	json_t *arguments = json_pack("{s:i}", "limit", 5);
	json_t *result = NULL;

	assert_int_equal(ctl_request(path, "echo", arguments, TIMEOUT_MS, &result, error), 0);
	assert_string_equal(json_string_value(json_object_get(result, "arg")), "daemon");
	assert_true(json_equal(json_object_get(result, "arguments"), arguments));
	json_decref(result);
	json_decref(arguments);

	assert_int_equal(ctl_request(path, "echo", NULL, TIMEOUT_MS, &result, error), 0);
	assert_int_equal(json_object_size(json_object_get(result, "arguments")), 0);
	json_decref(result);
}

static void a_long_answer_arrives_whole(void **state)
{
	char error[CTL_ERROR_LEN];
	json_t *result = NULL;

	assert_int_equal(ctl_request(path, "long", NULL, TIMEOUT_MS, &result, error), 0);
	assert_int_equal(json_array_size(result), 100000);
	json_decref(result);
}

static void a_commands_refusal_is_eremoteio_with_its_sentence(void **state)
{
	char error[CTL_ERROR_LEN];
	json_t *result = NULL;

	assert_int_equal(ctl_request(path, "fail", NULL, TIMEOUT_MS, &result, error), -EREMOTEIO);
	assert_string_equal(error, "pool shared: no such pool");
	assert_int_equal(
		ctl_request(path, "fail-cut", NULL, TIMEOUT_MS, &result, error), -EREMOTEIO);
	assert_int_equal(ctl_request(path, "nope", NULL, TIMEOUT_MS, &result, error), -EREMOTEIO);
	assert_string_equal(error, "there is no such command");
	assert_null(result);
}

static const struct {
	const char *request, *error;
} bad_requests[] = {
	{"\n", "the request is not JSON"},
	{"show\n", "the request is not JSON"},
	{"{\"command\": \"echo\"\n", "the request is not JSON"},
	{"{\"command\": \"echo\", \"command\": \"fail\"}\n", "the request is not JSON"},
	{"{\"command\": \"\xff\"}\n", "the request is not JSON"},
	{"{\"command\": \"echo\"} {}\n", "the request is not JSON"},
	{"[]\n", "is not an object with"},
	{"{}\n", "is not an object with"},
	{"{\"command\": 7}\n", "is not an object with"},
	{"{\"command\": \"echo\", \"arguments\": []}\n", "\\\"arguments\\\" is not an object"},
	{"{\"command\": \"echo\", \"arguments\": null}\n", "\\\"arguments\\\" is not an object"},
	{"{\"command\": \"nope\"}\n", "there is no such command"},
	{"{\"command\": \"\"}\n", "there is no such command"},
};

static void a_bad_request_gets_a_sentence(void **state)
{
	for (size_t i = 0; i < sizeof(bad_requests) / sizeof(bad_requests[0]); i++) {
		char answer[1024];
		int fd = dial();

		send_text(fd, bad_requests[i].request);
		shutdown(fd, SHUT_WR);
		receive_all(fd, answer, sizeof(answer));
		close(fd);
		if (strncmp(answer, "{\"ok\":false,", 12) != 0 ||
			strstr(answer, bad_requests[i].error) == NULL)
			fail_msg("%s got %s", bad_requests[i].request, answer);
	}
	assert_alive();
}

static void a_deep_request_is_refused(void **state)
{
	static char request[60001];
	char answer[1024];
	int fd = dial();

	memset(request, '[', sizeof(request) - 2);
	request[sizeof(request) - 2] = '\n';
	send_text(fd, request);
	shutdown(fd, SHUT_WR);
	receive_all(fd, answer, sizeof(answer));
	close(fd);
	assert_non_null(strstr(answer, "the request is not JSON"));
}

static void an_oversize_request_is_refused_and_hung_up_on(void **state)
{
	static char request[65536];
	char answer[1024];
	int fd = dial();

	memset(request, ' ', sizeof(request));
	assert_int_equal(send(fd, request, sizeof(request), MSG_NOSIGNAL), sizeof(request));
	receive_all(fd, answer, sizeof(answer)); /* without our closing first */
	close(fd);
	assert_string_equal(
		answer, "{\"ok\":false,\"error\":\"the request is longer than 64 KiB\"}\n");
	assert_alive();
}

static void requests_in_one_segment_are_answered_in_order(void **state)
{
	char answer[1024], *second;
	int fd = dial();

	send_text(fd, "{\"command\":\"echo\"}\n{\"command\":\"fail\"}\n{\"comm");
	shutdown(fd, SHUT_WR); /* the third is cut off: it is dropped */
	receive_all(fd, answer, sizeof(answer));
	close(fd);
	second = strchr(answer, '\n');
	assert_non_null(second);
	assert_int_equal(strncmp(answer, "{\"ok\":true", 10), 0);
	assert_int_equal(strncmp(second + 1, "{\"ok\":false", 11), 0);
	assert_ptr_equal(strchr(second + 1, '\n'), answer + strlen(answer) - 1);
}

/* Peers that leave early, never speak, or never read do not stop the others. */
static void half_open_clients_harm_nobody(void **state)
{
	int silent[8], greedy = dial();

	for (int i = 0; i < 100; i++) {
		int fd = dial();

		send_text(fd, i % 2 != 0 ? "{\"command\":\"long\"}\n" : "{\"comm");
		close(fd);
	}
	for (int i = 0; i < 8; i++)
		silent[i] = dial();
	for (int i = 0; i < 100; i++)
		send_text(greedy, "{\"command\":\"long\"}\n");
	assert_alive();
	for (int i = 0; i < 8; i++)
		close(silent[i]);
	close(greedy);
	assert_alive();
}

/* The seventeenth waits until one of the sixteen has left. */
static void the_number_of_clients_is_bounded(void **state)
{
	char answer[256];
	int fds[16], extra;

	for (int i = 0; i < 16; i++)
		fds[i] = dial();
	extra = dial();
	send_text(extra, "{\"command\":\"fail\"}\n");
	shutdown(extra, SHUT_WR);
	send_text(fds[15], "{\"command\":\"fail\"}\n");
	shutdown(fds[15], SHUT_WR);
	receive_all(fds[15], answer, sizeof(answer));
	receive_all(extra, answer, sizeof(answer));
	assert_string_equal(answer, "{\"ok\":false,\"error\":\"pool shared: no such pool\"}\n");
	for (int i = 0; i < 16; i++)
		close(fds[i]);
	close(extra);
	assert_alive();
}

static void the_socket_is_for_its_owner_alone(void **state)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void a_live_socket_is_not_taken_over(void **state)
{
	pid_t second;

	assert_int_equal(start(&second), -EADDRINUSE);
	stop(second, 0); /* it ended by itself */
	assert_alive();
}

static void a_stale_socket_file_is_replaced(void **state)
{
	stop(child, SIGKILL);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(start(&child), 0);
	assert_alive();
}

static void a_file_that_is_no_socket_is_left_alone(void **state)
{
	struct event_base *base = event_base_new();
	char file[sizeof(path) + 8];
	FILE *f;

	snprintf(file, sizeof(file), "%s.txt", path);
	f = fopen(file, "w");
	assert_non_null(f);
	fclose(f);
	assert_null(ctl_server_create(base, file, commands, NULL));
	assert_int_equal(errno, EADDRINUSE);
	assert_int_equal(unlink(file), 0);

	memset(file, 'x', sizeof(file));
	assert_null(ctl_server_create(base, "/proc/none/x.sock", commands, NULL));
	event_base_free(base);
}

static void a_path_that_is_too_long_is_refused(void **state)
{
	char error[CTL_ERROR_LEN], longer[200];
	json_t *result = NULL;

	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_null(ctl_server_create(NULL, longer, commands, NULL));
	assert_int_equal(errno, ENAMETOOLONG);
	assert_int_equal(ctl_request(longer, "show", NULL, 100, &result, error), -ENAMETOOLONG);
}

static void without_a_daemon_the_client_says_so(void **state)
{
	char error[CTL_ERROR_LEN], expected[CTL_ERROR_LEN];
	json_t *result = NULL;

	assert_int_equal(ctl_request(path, "show", NULL, 100, &result, error), -ENOENT);
	snprintf(expected, sizeof(expected),
		"%s: no daemon answers here: No such file or directory", path);
	assert_string_equal(error, expected);
	assert_null(result);
}

/* A listener that accepts into its backlog and never answers, and one that answers rubbish. */
static void a_silent_or_foreign_server_is_an_error(void **state)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), peer;
	char error[CTL_ERROR_LEN];
	json_t *result = NULL;
	pid_t pid;

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(ctl_request(path, "show", NULL, 20, &result, error), -ETIMEDOUT);
	peer = accept(fd, NULL, NULL);
	close(peer);

	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (int i = 0; i < 3; i++) {
			static const char *const answers[] = {"hello\n", "{\"ok\":true}\n", ""};

			peer = accept(fd, NULL, NULL);
			if (write(peer, answers[i], strlen(answers[i])) < 0)
				_exit(1);
			close(peer);
		}
		_exit(0);
	}
	assert_int_equal(ctl_request(path, "show", NULL, TIMEOUT_MS, &result, error), -EPROTO);
	assert_int_equal(ctl_request(path, "show", NULL, TIMEOUT_MS, &result, error), -EPROTO);
	assert_int_equal(ctl_request(path, "show", NULL, TIMEOUT_MS, &result, error), -ECONNRESET);
	assert_null(result);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(fd);
	unlink(path);
}

static int make_paths(void **state)
{
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/run/tep.sock", folder); /* its folder is made */
	return 0;
}

static int remove_paths(void **state)
{
	*strrchr(path, '/') = '\0';
	rmdir(path);
	return rmdir(folder);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SERVER(a_request_reaches_its_command_and_comes_back),
		WITH_SERVER(a_long_answer_arrives_whole),
		WITH_SERVER(a_commands_refusal_is_eremoteio_with_its_sentence),
		WITH_SERVER(a_bad_request_gets_a_sentence),
		WITH_SERVER(a_deep_request_is_refused),
		WITH_SERVER(an_oversize_request_is_refused_and_hung_up_on),
		WITH_SERVER(requests_in_one_segment_are_answered_in_order),
		WITH_SERVER(half_open_clients_harm_nobody),
		WITH_SERVER(the_number_of_clients_is_bounded),
		WITH_SERVER(the_socket_is_for_its_owner_alone),
		WITH_SERVER(a_live_socket_is_not_taken_over),
		WITH_SERVER(a_stale_socket_file_is_replaced),
		cmocka_unit_test(a_file_that_is_no_socket_is_left_alone),
		cmocka_unit_test(a_path_that_is_too_long_is_refused),
		cmocka_unit_test(without_a_daemon_the_client_says_so),
		cmocka_unit_test(a_silent_or_foreign_server_is_an_error),
	};

	return cmocka_run_group_tests(tests, make_paths, remove_paths);
}
