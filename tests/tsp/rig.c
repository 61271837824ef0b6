// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "rig.h"

#include "tsp/tsp_secret.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 5000

static bool find_secret(void *arg, const char *user, struct tsp_secret *secret)
{
	if (strcmp(user, "alice") != 0)
		return false;
	snprintf(secret->password, sizeof(secret->password), "secret");
	return true;
}

static void on_ready(struct tsp_conn *conn, void *arg)
{
	struct side *side = arg;

	assert_false(side->is_ready);
	side->is_ready = true;
	snprintf(side->user, sizeof(side->user), "%s", tsp_conn_user(conn));
	if (side->closes_on_ready)
		tsp_conn_close(conn);
}

static void on_message(struct tsp_conn *conn, const struct tsp_msg *msg, void *arg)
{
	struct side *side = arg;

	assert_false(side->is_closed);
	side->n_messages++;
	side->last = *msg;
	if (side->answers && msg->action == TSP_ACTION_CREATE) {
		struct tsp_msg answer = *msg;

		answer.status = TSP_STATUS_OK;
		answer.action = TSP_ACTION_INFO;
		tsp_conn_send(conn, &answer);
	}
	if (side->closes_on_message)
		tsp_conn_close(conn);
}

static void on_closed(
	struct tsp_conn *conn, enum tsp_close_reason reason, const char *why, void *arg)
{
	struct side *side = arg;

	assert_false(side->is_closed);
	side->is_closed = true;
	side->conn = NULL;
	side->reason = reason;
	snprintf(side->why, sizeof(side->why), "%s", why);
	tsp_conn_close(conn); /* harmless here */
}

static const struct tsp_conn_ops ops = {
	.ready = on_ready,
	.message = on_message,
	.closed = on_closed,
};

static void init_side(struct rig *rig, struct side *side)
{
	side->auth = (struct tsp_auth){
		.mechanisms = TSP_MECHANISM_ANONYMOUS | TSP_MECHANISM_DIGEST_MD5 |
			      TSP_MECHANISM_SCRAM_SHA_256,
		.find_secret = find_secret,
		.user = "alice",
		.password = "secret",
	};
	side->params = (struct tsp_conn_params){
		.base = rig->base,
		.ops = &ops,
		.arg = side,
		.auth = &side->auth,
		.limits = tsp_conn_default_limits,
		.generation = TSP_GENERATION_2,
	};
}

void rig_open(struct rig *rig)
{
	struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	socklen_t len = sizeof(sa);

	memset(rig, 0, sizeof(*rig));
	rig->raw = -1;
	rig->base = event_base_new();
	assert_non_null(rig->base);
	rig->listen_fd = socket(AF_INET6, SOCK_STREAM, 0);
	assert_int_equal(bind(rig->listen_fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(rig->listen_fd, 8), 0);
	assert_int_equal(getsockname(rig->listen_fd, (struct sockaddr *)&sa, &len), 0);
	rig->at = (struct addr_endpoint){.addr = sa.sin6_addr, .port = ntohs(sa.sin6_port)};
	init_side(rig, &rig->initiator);
	init_side(rig, &rig->responder);
}

void rig_close(struct rig *rig)
{
	struct side *sides[] = {&rig->initiator, &rig->responder};

	if (rig->raw >= 0)
		close(rig->raw);
	for (size_t i = 0; i < 2; i++) {
		if (sides[i]->conn != NULL)
			tsp_conn_close(sides[i]->conn);
	}
	for (size_t i = 0; i < 2; i++) {
		if (sides[i]->conn != NULL)
			rig_run_until(rig, &sides[i]->is_closed);
	}
	close(rig->listen_fd);
	event_base_free(rig->base);
}

static void accept_side(struct rig *rig)
{
	struct side *side = &rig->responder;
	struct addr_endpoint peer = {.addr = IN6ADDR_LOOPBACK_INIT};
	int fd = accept(rig->listen_fd, NULL, NULL);

	assert_true(fd >= 0);
	side->conn = tsp_conn_accept(&side->params, fd, &peer);
	assert_non_null(side->conn);
}

static void connect_side(struct rig *rig)
{
	struct side *side = &rig->initiator;

	side->conn = tsp_conn_connect(&side->params, &rig->at);
	assert_non_null(side->conn);
}

void rig_connect(struct rig *rig)
{
	connect_side(rig);
	accept_side(rig);
}

/* Pieces leave as they are sent. */
static void send_at_once(int fd)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

void rig_connect_to_raw(struct rig *rig)
{
	connect_side(rig);
	rig->raw = accept(rig->listen_fd, NULL, NULL);
	assert_true(rig->raw >= 0);
	send_at_once(rig->raw);
}

void rig_connect_from_raw(struct rig *rig)
{
	struct sockaddr_in6 sa;

	addr_endpoint_to_sockaddr(&rig->at, &sa);
	rig->raw = socket(AF_INET6, SOCK_STREAM, 0);
	assert_int_equal(connect(rig->raw, (struct sockaddr *)&sa, sizeof(sa)), 0);
	send_at_once(rig->raw);
	accept_side(rig);
}

/* One turn of the loop, at most 10 ms, and whatever the raw socket has received. */
static void turn(struct rig *rig)
{
	struct timeval short_while = {.tv_usec = 10000};
	ssize_t n;

	event_base_loopexit(rig->base, &short_while);
	event_base_loop(rig->base, EVLOOP_ONCE);
	if (rig->raw < 0)
		return;
	n = recv(rig->raw, rig->text + rig->text_len, sizeof(rig->text) - rig->text_len - 1,
		MSG_DONTWAIT);
	if (n > 0)
		rig->text_len += n;
	else if (n == 0 || errno != EAGAIN)
		rig->raw_eof = true;
	rig->text[rig->text_len] = '\0';
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void rig_run_until(struct rig *rig, const bool *flag)
{
	int64_t end = now_ms() + PATIENCE_MS;

	while (!*flag && now_ms() < end)
		turn(rig);
	assert_true(*flag);
}

void rig_run_messages(struct rig *rig, const struct side *side, unsigned int n)
{
	int64_t end = now_ms() + PATIENCE_MS;

	while (side->n_messages < n && now_ms() < end)
		turn(rig);
	assert_int_equal(side->n_messages, n);
}

void rig_run_ms(struct rig *rig, unsigned int ms)
{
	int64_t end = now_ms() + ms;

	while (now_ms() < end)
		turn(rig);
}

void rig_send_octets(struct rig *rig, const char *data, size_t len)
{
	assert_int_equal(send(rig->raw, data, len, MSG_NOSIGNAL), len);
}

void rig_send(struct rig *rig, const char *text)
{
	rig_send_octets(rig, text, strlen(text));
}

void rig_send_body(struct rig *rig, const char *body)
{
	char header[64];

	snprintf(header, sizeof(header), "Content-length: %zu\r\n", strlen(body));
	rig_send(rig, header);
	rig_send(rig, body);
}

void rig_expect(struct rig *rig, const char *part)
{
	int64_t end = now_ms() + PATIENCE_MS;
	char *found = strstr(rig->text, part);

	while (found == NULL && now_ms() < end && !rig->raw_eof) {
		turn(rig);
		found = strstr(rig->text, part);
	}
	if (found == NULL) {
		fail_msg("waited for \"%s\", received \"%s\"", part, rig->text);
		return;
	}
	found += strlen(part);
	rig->text_len -= found - rig->text;
	memmove(rig->text, found, rig->text_len + 1);
}

void rig_expect_end(struct rig *rig)
{
	rig_run_until(rig, &rig->raw_eof);
}

struct tsp_msg create_message(uint32_t lifetime_s)
{
	struct tsp_msg msg = {
		.action = TSP_ACTION_CREATE,
		.has_lifetime = true,
		.lifetime_s = lifetime_s,
		.client = {.present = true, .n_v6 = 1},
	};

	addr_v6_parse("2001:db8:1::17", &msg.client.v6[0]);
	return msg;
}
