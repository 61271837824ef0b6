// SPDX-License-Identifier: BSD-3-Clause
/*
 * A responder as a whole: handshake, SASL and messages over a socket. Whatever comes, every request has one
 * answer, nobody gets in by another name than the one that was proved, and the connection ends when its peer does.
 *
 * The first octet chooses the size of the pieces.
 */
#include "tsp/tsp_conn.h"
#include "tsp/tsp_secret.h"

#include <event2/event.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURNS_MAX 200 /* of the event loop, each at most as long as a timer of the responder */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	unsigned int ready, closed;
};

static void check(bool condition)
{
	if (!condition)
		abort();
}

static bool find_secret(void *arg, const char *user, struct tsp_secret *secret)
{
	if (strcmp(user, "alice") != 0)
		return false;
	snprintf(secret->password, sizeof(secret->password), "secret");
	return true;
}

static void on_ready(struct tsp_conn *conn, void *arg)
{
	struct seen *seen = arg;

	check(seen->ready++ == 0 && seen->closed == 0);
	check(tsp_conn_user(conn)[0] == '\0' || strcmp(tsp_conn_user(conn), "alice") == 0);
	check(tsp_conn_generation(conn) == TSP_GENERATION_1 ||
		tsp_conn_generation(conn) == TSP_GENERATION_2);
}

static void on_message(struct tsp_conn *conn, const struct tsp_msg *msg, void *arg)
{
	const struct tsp_msg answer = {.status = TSP_STATUS_UNAVAILABLE};
	const struct seen *seen = arg;

	check(seen->ready == 1 && seen->closed == 0);
	if (tsp_msg_is_request(msg))
		tsp_conn_send(conn, &answer);
}

static void on_closed(
	struct tsp_conn *conn, enum tsp_close_reason reason, const char *why, void *arg)
{
	struct seen *seen = arg;

	check(why != NULL && seen->closed++ == 0);
}

/* What the responder says is not looked at, but it must not wait for us. */
static void drain(int fd)
{
	char buf[4096];

	while (read(fd, buf, sizeof(buf)) > 0)
		;
}

static void speak(struct event_base *base, int fd, const uint8_t *data, size_t size)
{
	size_t piece = size > 0 ? data[0] * 16 + 1 : 1;

	for (size_t at = 1; at < size; at += piece) {
		size_t len = size - at < piece ? size - at : piece;

		if (send(fd, data + at, len, MSG_NOSIGNAL) < 0)
			break;
		event_base_loop(base, EVLOOP_NONBLOCK);
		drain(fd);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct tsp_conn_ops ops = {
		.ready = on_ready, .message = on_message, .closed = on_closed};
	static const struct tsp_auth auth = {
		.mechanisms = TSP_MECHANISM_ANONYMOUS | TSP_MECHANISM_DIGEST_MD5 |
			      TSP_MECHANISM_SCRAM_SHA_256,
		.find_secret = find_secret,
	};
	const struct addr_endpoint peer = {.port = 1};
	struct seen seen = {0};
	struct tsp_conn_params params = {
		.base = event_base_new(),
		.ops = &ops,
		.arg = &seen,
		.auth = &auth,
		.limits = tsp_conn_default_limits,
	};
	int fds[2];

	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
	check(tsp_conn_accept(&params, fds[0], &peer) != NULL);
	speak(params.base, fds[1], data, size);
	shutdown(fds[1], SHUT_WR);
	for (unsigned int i = 0; i < TURNS_MAX && seen.closed == 0; i++) {
		event_base_loop(params.base, EVLOOP_ONCE);
		drain(fds[1]);
	}
	check(seen.closed == 1);
	close(fds[1]);
	event_base_free(params.base);
	return 0;
}
