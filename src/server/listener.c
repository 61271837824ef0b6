// SPDX-License-Identifier: BSD-3-Clause
#include "server/listener.h"

#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#define DRAIN_S 2 /* how long the end waits for closed connections to be gone */

struct client {
	struct srv_session session; /* first */
	struct srv_listener *listener; /* NULL: it is gone */
	struct tsp_conn *conn;
	uint32_t lifetime_unit_s; /* for the session */
	bool ready; /* authenticated: the engine knows the session */
	bool left; /* the engine knows it no more, the connection is about to be gone */
	struct srv_gate_pass pass;
	TAILQ_ENTRY(client) link;
	TAILQ_ENTRY(client) half_open; /* until it is ready, or left */
};

struct srv_listener {
	struct srv_listener_params params;
	struct srv_doors *doors;
	uint32_t n_clients;
	uint32_t n_half_open;
	TAILQ_HEAD(, client) half_open; /* oldest first */
	TAILQ_HEAD(, client) clients;
};

/* --- one connection ------------------------------------------------------------------------------ */

/* Authenticated, or about to be gone. */
static void be_no_stranger(struct client *client)
{
	struct srv_listener *listener = client->listener;

	TAILQ_REMOVE(&listener->half_open, client, half_open);
	listener->n_half_open--;
}

static void answer(struct srv_session *session, const struct tsp_msg *msg)
{
	struct client *client = (struct client *)session;
	int error = tsp_conn_send(client->conn, msg);
	char peer[ADDR_ENDPOINT_STRLEN];

	if (error < 0 && error != -ENOTCONN)
		log_warn("client %s: cannot answer: %s",
			addr_endpoint_format(tsp_conn_peer(client->conn), peer), strerror(-error));
}

static void on_ready(struct tsp_conn *conn, void *arg)
{
	struct client *client = arg;
	const char *user = tsp_conn_user(conn);

	if (client->left)
		return;
	srv_session_init(&client->session);
	client->session.answer = answer;
	client->session.peer = tsp_conn_peer(conn)->addr;
	client->session.client_v6 = client->session.peer;
	client->session.lifetime_unit_s = client->lifetime_unit_s;
	client->session.generation = tsp_conn_generation(conn);
	/* Every user but the anonymous one is from the configuration, which keeps names short. */
	strncpy(client->session.user, user, sizeof(client->session.user) - 1);
	be_no_stranger(client);
	srv_gate_authenticated(client->listener->params.gate, &client->pass);
	client->ready = true;
}

static void on_message(struct tsp_conn *conn, const struct tsp_msg *msg, void *arg)
{
	struct client *client = arg;

	if (!client->left)
		srv_engine_message(
			client->listener->params.engine, &client->session, msg, clock_boot_ms());
}

static void leave(struct client *client)
{
	struct srv_listener *listener = client->listener;

	if (client->ready)
		srv_engine_session_closed(
			listener->params.engine, &client->session, clock_boot_ms());
	else
		be_no_stranger(client);
	srv_gate_leave(listener->params.gate, &client->pass);
	client->left = true;
	listener->n_clients--;
}

static void on_closed(
	struct tsp_conn *conn, enum tsp_close_reason reason, const char *why, void *arg)
{
	struct client *client = arg;
	char peer[ADDR_ENDPOINT_STRLEN];

	if (!client->left) {
		log_debug("client %s: closed: %s", addr_endpoint_format(tsp_conn_peer(conn), peer),
			why);
		if (!client->ready)
			client->listener->params.counters->n[SRV_COUNT_AUTH_FAILED]++;
		leave(client);
	}
	if (client->listener != NULL)
		TAILQ_REMOVE(&client->listener->clients, client, link);
	free(client);
}

static const struct tsp_conn_ops conn_ops = {
	.ready = on_ready,
	.message = on_message,
	.closed = on_closed,
};

/* --- accepting ----------------------------------------------------------------------------------- */

/* False, and counted, when the connection is not to be. */
static bool is_welcome(
	struct srv_listener *listener, const struct addr_endpoint *peer, struct srv_gate_pass *pass)
{
	static const enum srv_counter counters[] = {
		[SRV_GATE_FORBIDDEN] = SRV_COUNT_CONNECTIONS_FORBIDDEN,
		[SRV_GATE_FULL] = SRV_COUNT_CONNECTIONS_OF_PREFIX,
		[SRV_GATE_FAST] = SRV_COUNT_CONNECTIONS_TOO_FAST,
		[SRV_GATE_HALF_OPEN] = SRV_COUNT_CONNECTIONS_HALF_OPEN,
	};
	enum srv_gate_verdict verdict;

	if (listener->n_clients >= listener->params.connections_max) {
		listener->params.counters->n[SRV_COUNT_CONNECTIONS_REFUSED]++;
		return false;
	}
	verdict = srv_gate_enter(listener->params.gate, &peer->addr, clock_boot_ms(), pass);
	if (verdict != SRV_GATE_OPEN)
		listener->params.counters->n[counters[verdict]]++;
	return verdict == SRV_GATE_OPEN;
}

/* Who floods from many prefixes pushes out itself: an honest client is ready long before it is the oldest. */
static void make_room(struct srv_listener *listener)
{
	struct client *oldest = TAILQ_FIRST(&listener->half_open);

	if (listener->params.unauthenticated_max == 0 ||
		listener->n_half_open < listener->params.unauthenticated_max)
		return;
	listener->params.counters->n[SRV_COUNT_CONNECTIONS_HALF_OPEN]++;
	leave(oldest);
	tsp_conn_close(oldest->conn);
}

static void on_come(void *arg, enum srv_door_kind kind, int fd, const struct addr_endpoint *peer)
{
	struct srv_listener *listener = arg;
	bool is_tls = kind == SRV_DOOR_TLS;
	struct srv_gate_pass pass;
	struct client *client = NULL;
	struct tsp_conn_params params = {
		.base = listener->params.base,
		.ops = &conn_ops,
		.auth = &listener->params.auth->tsp,
		.limits = listener->params.limits,
		.send_ok_to_v1 = listener->params.auth->config->auth.send_ok_to_v1,
		.parser = listener->params.parser,
		.tls = is_tls ? listener->params.auth->listen_tls : NULL,
		.withheld = srv_auth_withheld(listener->params.auth, is_tls, &peer->addr),
	};

	if (is_tls && params.tls == NULL) {
		close(fd); /* a reload has taken the certificate away */
		return;
	}
	if (!is_welcome(listener, peer, &pass)) {
		close(fd);
		return;
	}
	params.arg = client = calloc(1, sizeof(*client));
	if (client != NULL)
		client->conn = tsp_conn_accept(&params, fd, peer);
	if (client == NULL || client->conn == NULL) {
		log_warn("client: cannot accept: %s", strerror(errno));
		srv_gate_leave(listener->params.gate, &pass);
		free(client);
		close(fd);
		return;
	}
	make_room(listener);
	client->listener = listener;
	client->pass = pass;
	TAILQ_INSERT_TAIL(&listener->half_open, client, half_open);
	listener->n_half_open++;
	client->lifetime_unit_s = kind == SRV_DOOR_MINUTES ? 60 : 1;
	listener->n_clients++;
	listener->params.counters->n[SRV_COUNT_CONNECTIONS]++;
	TAILQ_INSERT_TAIL(&listener->clients, client, link);
}

struct srv_listener *srv_listener_create(const struct srv_listener_params *params)
{
	struct srv_listener *listener = calloc(1, sizeof(*listener));

	if (listener == NULL)
		return NULL;
	listener->params = *params;
	TAILQ_INIT(&listener->clients);
	TAILQ_INIT(&listener->half_open);
	listener->doors = srv_doors_create(params->base, on_come, listener);
	if (listener->doors == NULL) {
		free(listener);
		errno = ENOMEM;
		return NULL;
	}
	return listener;
}

struct srv_doors *srv_listener_doors(const struct srv_listener *listener)
{
	return listener->doors;
}

/*
 * Connections free themselves, from the event loop, once the peer has seen our end: it gets the time
 * that a living peer needs. One that takes longer never looks at us again.
 */
static void wait_for_clients(struct srv_listener *listener)
{
	static const struct timeval patience = {.tv_sec = DRAIN_S};
	struct client *client;

	event_base_loopexit(listener->params.base, &patience);
	while (!TAILQ_EMPTY(&listener->clients) && !event_base_got_exit(listener->params.base))
		event_base_loop(listener->params.base, EVLOOP_ONCE);
	TAILQ_FOREACH(client, &listener->clients, link)
		client->listener = NULL;
}

void srv_listener_destroy(struct srv_listener *listener)
{
	struct client *client;

	if (listener == NULL)
		return;
	srv_doors_destroy(listener->doors);
	TAILQ_FOREACH(client, &listener->clients, link) {
		if (client->left)
			continue;
		leave(client);
		tsp_conn_close(client->conn);
	}
	if (!TAILQ_EMPTY(&listener->clients))
		wait_for_clients(listener);
	free(listener);
}

void srv_listener_set_limits(struct srv_listener *listener, const struct tsp_conn_limits *limits,
	uint32_t connections_max, uint32_t unauthenticated_max)
{
	listener->params.limits = *limits;
	listener->params.unauthenticated_max = unauthenticated_max;
	listener->params.connections_max = connections_max;
}

struct srv_session *srv_listener_find(
	struct srv_listener *listener, const struct in6_addr *client_v6)
{
	struct client *client;

	TAILQ_FOREACH(client, &listener->clients, link) {
		struct srv_session *session = &client->session;

		if (client->ready && !client->left && session->generation == TSP_GENERATION_1 &&
			addr_v6_equal(&session->client_v6, client_v6))
			return session;
	}
	return NULL;
}

uint32_t srv_listener_connections(const struct srv_listener *listener)
{
	return listener->n_clients;
}

uint32_t srv_listener_unauthenticated(const struct srv_listener *listener)
{
	return listener->n_half_open;
}
