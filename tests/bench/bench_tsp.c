// SPDX-License-Identifier: BSD-3-Clause
/*
 * Clients of a DSTM server, as many as it can bear.
 *
 *	bench_tsp kept ENDPOINT SESSIONS DEPTH SECONDS	creates over kept sessions, DEPTH on their way in each
 *	bench_tsp fresh ENDPOINT SESSIONS 1 SECONDS	a connection, ANONYMOUS and a create each, then accept
 *	bench_tsp idle ENDPOINT SESSIONS 0 0		sessions that ask once, and say nothing until standard input ends
 *	bench_tsp probe ENDPOINT 1 1 SECONDS		a question a millisecond that the server answers at once
 *
 * Kept sessions are of generation 1, fresh ones of generation 2, which is what such clients speak. Every connection
 * comes from an address of its own, which the host must have (a local route for 2001:db8:2::/48), and every create
 * asks for a lease of another client. The first second is not counted. Prints one JSON object: answers a second,
 * refusals, and how long an answer took. To a probe that is how long the server's event loop was busy with else.
 */
#include "common/addr.h"
#include "common/clock.h"
#include "tsp/tsp_conn.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WARM_UP_S       1
#define DEPTH_MAX       64
#define LATENCY_STEP_US 50
#define LATENCY_STEPS   20000
#define PROBE_PAUSE_US  1000
#define CONNECTING_MAX  64 /* idle: handshakes at once */

enum mode {
	KEPT,
	FRESH,
	IDLE,
	PROBE,
};

struct session {
	struct tsp_conn *conn;
	struct in6_addr addr;
	uint64_t asked_us[DEPTH_MAX]; /* when, of those on their way, oldest first */
	uint32_t n_asked;
};

static const struct tsp_auth auth = {.mechanisms = TSP_MECHANISM_ANONYMOUS};

static struct event_base *base;
static struct addr_endpoint server;
static enum mode mode;
static uint32_t n_sessions;
static uint32_t depth;
static struct session *sessions;

static uint64_t n_connections; /* ever begun: the number in an address */
static uint64_t n_clients; /* ever asked for */
static uint32_t n_idle; /* have had their answer */
static bool counting;
static bool stopping;
static uint64_t answers;
static uint64_t refusals;
static uint64_t failures; /* connections that ended before their time */
static uint32_t latencies[LATENCY_STEPS];
static uint64_t longest_us;
static char trouble[128];

static void die(const char *what)
{
	fprintf(stderr, "bench_tsp: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* 2001:db8:2:0:... for connections, 2001:db8:3:0:... for clients that only lease. */
static struct in6_addr address(uint8_t net, uint64_t number)
{
	struct in6_addr addr = {.s6_addr = {0x20, 0x01, 0x0d, 0xb8, 0, net}};

	for (int i = 0; i < 8; i++)
		addr.s6_addr[15 - i] = (uint8_t)(number >> 8 * i);
	return addr;
}

static void begin(struct session *session);

static void say(struct session *session, const struct tsp_msg *msg)
{
	session->asked_us[session->n_asked++] = now_us();
	tsp_conn_send(session->conn, msg);
}

static void ask(struct session *session)
{
	struct tsp_msg msg = {
		.action = TSP_ACTION_CREATE,
		.client = {.present = true, .has_ports = true, .n_v6 = 1, .v6 = {session->addr}},
	};

	if (mode == KEPT)
		msg.client.v6[0] = address(3, ++n_clients);
	say(session, &msg);
}

/* A client may not query: the refusal comes without a step by the store or a TEP. */
static void probe(evutil_socket_t fd, short what, void *arg)
{
	static const struct tsp_msg msg = {.action = TSP_ACTION_QUERY};

	say(arg, &msg);
}

static void count_answer(struct session *session, const struct tsp_msg *msg)
{
	uint64_t took_us = now_us() - session->asked_us[0], step = took_us / LATENCY_STEP_US;

	session->n_asked--;
	memmove(session->asked_us, session->asked_us + 1,
		session->n_asked * sizeof(session->asked_us[0]));
	if (msg->status != TSP_STATUS_OK && (mode == KEPT || mode == FRESH)) {
		refusals++;
		snprintf(
			trouble, sizeof(trouble), "%u %s", msg->code, tsp_status_text(msg->status));
	} else if (counting) {
		answers++;
		latencies[step < LATENCY_STEPS ? step : LATENCY_STEPS - 1]++;
		longest_us = took_us > longest_us ? took_us : longest_us;
	}
}

static void count_idle(void)
{
	if (++n_idle == n_sessions) {
		puts("ready");
		fflush(stdout);
	} else if (n_connections < n_sessions) {
		begin(&sessions[n_connections]);
	}
}

static void on_message(struct tsp_conn *conn, const struct tsp_msg *msg, void *arg)
{
	static const struct tsp_msg accept = {.action = TSP_ACTION_ACCEPT};
	static const struct timeval pause = {.tv_usec = PROBE_PAUSE_US};
	struct session *session = arg;

	if (session->n_asked == 0 || msg->status == TSP_STATUS_NONE)
		return;
	count_answer(session, msg);
	if (mode == IDLE)
		return count_idle();
	if (mode == KEPT && !stopping)
		return ask(session);
	if (mode == PROBE) {
		event_base_once(base, -1, EV_TIMEOUT, probe, session, &pause);
		return;
	}
	if (mode == FRESH && msg->status == TSP_STATUS_OK)
		tsp_conn_send(conn, &accept);
	tsp_conn_close(conn);
}

static void on_ready(struct tsp_conn *conn, void *arg)
{
	struct session *session = arg;

	if (mode == PROBE || mode == IDLE)
		return probe(-1, 0, session);
	for (uint32_t i = 0; i < (mode == KEPT ? depth : 1); i++)
		ask(session);
}

static void on_closed(
	struct tsp_conn *conn, enum tsp_close_reason reason, const char *why, void *arg)
{
	struct session *session = arg;

	if (reason != TSP_CLOSE_LOCAL && !stopping) {
		failures++;
		snprintf(trouble, sizeof(trouble), "%s", why);
	}
	if (mode == FRESH && !stopping)
		begin(session);
	else if (mode == IDLE && !stopping)
		event_base_loopbreak(base);
}

static const struct tsp_conn_ops ops = {
	.ready = on_ready,
	.message = on_message,
	.closed = on_closed,
};

static void begin(struct session *session)
{
	struct tsp_conn_params params = {
		.base = base,
		.ops = &ops,
		.arg = session,
		.auth = &auth,
		.limits = tsp_conn_default_limits,
		.generation = mode == FRESH ? TSP_GENERATION_2 : TSP_GENERATION_1,
		.local = &session->addr,
	};

	session->addr = address(2, ++n_connections);
	session->n_asked = 0;
	session->conn = tsp_conn_connect(&params, &server);
	if (session->conn == NULL)
		die("connect");
}

static void on_warm(evutil_socket_t fd, short what, void *arg)
{
	counting = true;
}

static void on_end(evutil_socket_t fd, short what, void *arg)
{
	counting = false;
	stopping = true;
	event_base_loopbreak(base);
}

/* In milliseconds, what part of the answers took at most. */
static double latency_ms(double part)
{
	uint64_t sum = 0;
	uint32_t i = 0;

	while (i < LATENCY_STEPS - 1 && (sum += latencies[i]) < (uint64_t)(answers * part))
		i++;
	return (i + 1) * LATENCY_STEP_US / 1000.0;
}

static void measure(uint32_t seconds)
{
	const struct timeval warm = {.tv_sec = WARM_UP_S}, end = {.tv_sec = WARM_UP_S + seconds};

	event_base_once(base, -1, EV_TIMEOUT, on_warm, NULL, &warm);
	event_base_once(base, -1, EV_TIMEOUT, on_end, NULL, &end);
	for (uint32_t i = 0; i < n_sessions; i++)
		begin(&sessions[i]);
	event_base_dispatch(base);
	printf("{\"tps\": %.0f, \"refusals\": %llu, \"failures\": %llu, \"p50_ms\": %.2f, "
	       "\"p99_ms\": %.2f, \"longest_ms\": %.2f, \"trouble\": \"%s\"}\n",
		(double)answers / seconds, (unsigned long long)refusals,
		(unsigned long long)failures, latency_ms(0.50), latency_ms(0.99),
		longest_us / 1000.0, trouble);
}

static void hold(void)
{
	struct event *input = event_new(base, STDIN_FILENO, EV_READ, on_end, NULL);

	event_add(input, NULL);
	for (uint32_t i = 0; i < n_sessions && i < CONNECTING_MAX; i++)
		begin(&sessions[i]);
	event_base_dispatch(base);
	event_free(input);
	if (failures > 0)
		die(trouble);
}

int main(int argc, char **argv)
{
	static const char *const modes[] = {"kept", "fresh", "idle", "probe"};

	if (argc != 6 || addr_endpoint_parse(argv[2], &server) < 0) {
		fprintf(stderr,
			"usage: bench_tsp kept|fresh|idle|probe ENDPOINT SESSIONS DEPTH SECONDS\n");
		return 1;
	}
	while (mode < PROBE && strcmp(argv[1], modes[mode]) != 0)
		mode++;
	n_sessions = strtoul(argv[3], NULL, 10);
	depth = strtoul(argv[4], NULL, 10);
	if (depth > DEPTH_MAX)
		depth = DEPTH_MAX;
	sessions = calloc(n_sessions, sizeof(*sessions));
	base = event_base_new();
	if (sessions == NULL || base == NULL)
		die("memory");
	if (mode == IDLE)
		hold();
	else
		measure(strtoul(argv[5], NULL, 10));
	event_base_free(base);
	free(sessions);
	return 0;
}
