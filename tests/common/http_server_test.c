// SPDX-License-Identifier: BSD-3-Clause
/*
 * Pages over HTTP: real sockets on loopback, both ends in this thread. What a peer sends is a table of requests,
 * good, bad and hostile, each whole and octet by octet.
 */
#include "common/http_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#define TURNS_MAX   100000
#define LARGE       (1 << 20)
#define CLIENTS_MAX 32 /* as in http_server.c */
#define HEAD_MAX    8192

static struct event_base *base;
static struct http_server *server;
static char answer[2 * LARGE], name[] = "you";

static int get_hello(void *arg, struct evbuffer *body)
{
	evbuffer_add_printf(body, "hello %s\n", (const char *)arg);
	return 200;
}

static int get_missing(void *arg, struct evbuffer *body)
{
	evbuffer_add_printf(body, "something is missing\n");
	return 503;
}

static int get_large(void *arg, struct evbuffer *body)
{
	for (int i = 0; i < LARGE / 16; i++)
		evbuffer_add_printf(body, "%015d\n", i);
	return 200;
}

static const struct http_page pages[] = {
	{"/hello", "text/plain", get_hello},
	{"/missing", "text/plain", get_missing},
	{"/large", "text/plain", get_large},
	{NULL, NULL, NULL},
};

static int set_up(void **state)
{
	const struct addr_endpoint any = {.addr = IN6ADDR_LOOPBACK_INIT};

	base = event_base_new();
	server = http_server_create(base, &any, pages, name);
	return server == NULL;
}

static int tear_down(void **state)
{
	http_server_destroy(server);
	event_base_free(base);
	return 0;
}

static int dial(void)
{
	const struct addr_endpoint endpoint = http_server_endpoint(server);
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in6 sa;

	addr_endpoint_to_sockaddr(&endpoint, &sa);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
	return fd;
}

static void send_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			return; /* it has closed */
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
}

/* Until the server closes, into answer. Returns the status, 0: it closed without a word. */
static int read_answer(int fd)
{
	size_t len = 0;
	ssize_t n = -1;

	for (int turns = 0; turns < TURNS_MAX && n != 0; turns++) {
		n = recv(fd, answer + len, sizeof(answer) - 1 - len, MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN)
			break;
		len += n > 0 ? (size_t)n : 0;
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	answer[len] = '\0';
	assert_int_not_equal(n, -1);
	close(fd);
	event_base_loop(base, EVLOOP_NONBLOCK);
	return len > 12 ? atoi(answer + strlen("HTTP/1.1 ")) : 0;
}

static int ask(const char *request, size_t len, size_t piece)
{
	int fd = dial();

	for (size_t at = 0; at < len; at += piece)
		send_all(fd, request + at, len - at < piece ? len - at : piece);
	return read_answer(fd);
}

static const char *body_of(void)
{
	const char *end = strstr(answer, "\r\n\r\n");

	assert_non_null(end);
	return end + 4;
}

#define REQUEST(line) line "\r\nHost: x\r\n\r\n"
#define ROW(s, status)                   \
	{                                \
		s, sizeof(s) - 1, status \
	}

static const struct {
	const char *text;
	size_t len;
	int status;
} rows[] = {
	ROW(REQUEST("GET /hello HTTP/1.1"), 200),
	ROW(REQUEST("GET /hello?a=b&c HTTP/1.0"), 200),
	ROW("GET /hello HTTP/1.1\n\n", 200),
	ROW(REQUEST("GET /missing HTTP/1.1"), 503),
	ROW(REQUEST("GET / HTTP/1.1"), 404),
	ROW(REQUEST("GET /hello/ HTTP/1.1"), 404),
	ROW(REQUEST("GET /hello/../../etc/passwd HTTP/1.1"), 404),
	ROW(REQUEST("GET hello HTTP/1.1"), 404),
	ROW(REQUEST("GET * HTTP/1.1"), 404),
	ROW(REQUEST("GET http://x/hello HTTP/1.1"), 404),
	ROW(REQUEST("GET ? HTTP/1.1"), 404),
	ROW(REQUEST("GET /%68ello HTTP/1.1"), 404),
	ROW(REQUEST("GET /%s%n%s%n HTTP/1.1"), 404),
	ROW(REQUEST("POST /hello HTTP/1.1\r\nContent-Length: 3") "abc", 405),
	ROW(REQUEST("PUT /hello HTTP/1.1"), 405),
	ROW(REQUEST("DELETE /hello HTTP/1.1"), 405),
	ROW(REQUEST("OPTIONS * HTTP/1.1"), 405),
	ROW(REQUEST("TRACE /hello HTTP/1.1"), 405),
	ROW(REQUEST("CONNECT x:1 HTTP/1.1"), 405),
	ROW(REQUEST("get /hello HTTP/1.1"), 405),
	ROW(REQUEST("GETX /hello HTTP/1.1"), 405),
	ROW(REQUEST("GET /hello"), 400),
	ROW(REQUEST("GET  /hello HTTP/1.1"), 400),
	ROW(REQUEST("GET /hello HTTP/1.1 x"), 400),
	ROW(REQUEST("GET /hello HTTP/1.1 "), 400),
	ROW(REQUEST("GET /he llo HTTP/1.1"), 400),
	ROW(REQUEST(" GET /hello HTTP/1.1"), 400),
	ROW(REQUEST("GET /hello http/1.1"), 400),
	ROW(REQUEST("GET /hello FTP/1.1"), 400),
	ROW(REQUEST("GET /hello HTTP/2.0"), 505),
	ROW(REQUEST("GET /hello HTTP/"), 505),
	ROW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
	ROW("\r\n\r\n", 400),
	ROW("\n\n\n\n", 400),
	ROW("GET /hello\0 HTTP/1.1\r\n\r\n", 400),
	ROW("\0\0\0\0\r\n\r\n", 400),
	ROW("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
};

static void assert_status(size_t i, size_t piece)
{
	int status = ask(rows[i].text, rows[i].len, piece);

	if (status != rows[i].status)
		fail_msg("request %zu: %d instead of %d", i, status, rows[i].status);
	assert_non_null(strstr(answer, "\r\nConnection: close\r\n"));
	assert_true((strstr(answer, "\r\nAllow: GET, HEAD\r\n") != NULL) == (status == 405));
}

static void each_request_has_its_status(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_status(i, rows[i].len);
		assert_status(i, 1);
	}
}

static void a_page_is_what_its_owner_writes(void **state)
{
	const char *text = REQUEST("GET /hello HTTP/1.1");

	assert_int_equal(ask(text, strlen(text), strlen(text)), 200);
	assert_non_null(strstr(answer, "\r\nContent-Length: 10\r\n"));
	assert_string_equal(body_of(), "hello you\n");
}

static void head_is_told_the_length_alone(void **state)
{
	const char *text = REQUEST("HEAD /hello HTTP/1.1");

	assert_int_equal(ask(text, strlen(text), strlen(text)), 200);
	assert_non_null(strstr(answer, "\r\nContent-Length: 10\r\n"));
	assert_string_equal(body_of(), "");
}

static void a_connection_is_good_for_one_request(void **state)
{
	const char *text = REQUEST("GET /hello HTTP/1.1") REQUEST("GET /missing HTTP/1.1");

	assert_int_equal(ask(text, strlen(text), strlen(text)), 200);
	assert_string_equal(body_of(), "hello you\n");
}

/* Whatever comes behind the request, and however long: the answer arrives whole. */
static void what_comes_behind_a_request_is_thrown_away(void **state)
{
	const char *text = REQUEST("POST /large HTTP/1.1\r\nContent-Length: 1048576");
	int fd = dial();
	static char body[LARGE];

	send_all(fd, text, strlen(text));
	send_all(fd, body, sizeof(body));
	assert_int_equal(read_answer(fd), 405);
	text = REQUEST("GET /large HTTP/1.1");
	fd = dial();
	send_all(fd, text, strlen(text));
	send_all(fd, body, sizeof(body));
	assert_int_equal(read_answer(fd), 200);
	assert_int_equal(strlen(body_of()), LARGE);
}

static void a_head_without_an_end_is_refused(void **state)
{
	static char text[4 * HEAD_MAX];
	size_t len = (size_t)snprintf(text, sizeof(text), "GET /hello HTTP/1.1\r\nX: ");

	memset(text + len, 'x', sizeof(text) - len);
	assert_int_equal(ask(text, sizeof(text), sizeof(text)), 431);
	memset(text, 'G', sizeof(text));
	assert_int_equal(ask(text, sizeof(text), 1000), 431);
	memset(text, '\r', sizeof(text));
	assert_int_equal(ask(text, sizeof(text), 1000), 431);
}

static void who_has_said_all_still_hears_the_answer(void **state)
{
	const char *text = REQUEST("GET /large HTTP/1.1");
	int fd = dial();

	send_all(fd, text, strlen(text));
	shutdown(fd, SHUT_WR);
	assert_int_equal(read_answer(fd), 200);
	assert_int_equal(strlen(body_of()), LARGE);
}

static void who_ends_inside_a_request_hears_nothing(void **state)
{
	int fd = dial();

	send_all(fd, "GET /mis", 8);
	shutdown(fd, SHUT_WR);
	assert_int_equal(read_answer(fd), 0);
}

/* The oldest go; whoever asks at once is served. */
static void silent_connections_lock_nobody_out(void **state)
{
	const char *text = REQUEST("GET /hello HTTP/1.1");
	int silent[3 * CLIENTS_MAX];
	char octet;

	for (int i = 0; i < 3 * CLIENTS_MAX; i++) {
		silent[i] = dial();
		send_all(silent[i], "GET ", 4);
	}
	assert_int_equal(ask(text, strlen(text), strlen(text)), 200);
	for (int i = 0; i < 3 * CLIENTS_MAX; i++) {
		ssize_t n = recv(silent[i], &octet, 1, MSG_DONTWAIT);

		/* One more of them went for the one that was served. */
		assert_true((n < 0 && errno == EAGAIN) == (i > 2 * CLIENTS_MAX));
	}
	for (int i = 0; i < 3 * CLIENTS_MAX; i++)
		close(silent[i]);
}

static void who_never_reads_holds_one_answer(void **state)
{
	const char *text = REQUEST("GET /large HTTP/1.1");
	int fds[CLIENTS_MAX];

	for (int i = 0; i < CLIENTS_MAX; i++) {
		fds[i] = dial();
		send_all(fds[i], text, strlen(text));
	}
	text = REQUEST("GET /hello HTTP/1.1");
	assert_int_equal(ask(text, strlen(text), 1), 200);
	for (int i = 0; i < CLIENTS_MAX; i++)
		close(fds[i]);
}

static void the_same_place_cannot_be_taken_twice(void **state)
{
	const struct addr_endpoint taken = http_server_endpoint(server);

	assert_null(http_server_create(base, &taken, pages, NULL));
	assert_int_equal(errno, EADDRINUSE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_request_has_its_status),
		TEST(a_page_is_what_its_owner_writes),
		TEST(head_is_told_the_length_alone),
		TEST(a_connection_is_good_for_one_request),
		TEST(what_comes_behind_a_request_is_thrown_away),
		TEST(a_head_without_an_end_is_refused),
		TEST(who_has_said_all_still_hears_the_answer),
		TEST(who_ends_inside_a_request_hears_nothing),
		TEST(silent_connections_lock_nobody_out),
		TEST(who_never_reads_holds_one_answer),
		TEST(the_same_place_cannot_be_taken_twice),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
