// SPDX-License-Identifier: BSD-3-Clause
#include "server/listener.h"

#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#define DRAIN_S 2 /* how long the end waits for closed connections to be gone */

struct client {
	struct srv_session session; /* first */
	struct srv_listener *listener; /* NULL: it is gone */
	struct tsp_conn *conn;
	bool ready; /* authenticated: the engine knows the session */
	bool left; /* the engine knows it no more, the connection is about to be gone */
	struct srv_gate_pass pass;
	TAILQ_ENTRY(client) link;
	TAILQ_ENTRY(client) half_open; /* until it is ready, or left */
};

/* A socket that listens. */
struct door {
	struct srv_listener *listener;
	struct evconnlistener *socket;
	bool is_tls;
};

struct srv_listener {
	struct srv_listener_params params;
	struct door *doors;
	uint32_t n_doors;
	struct event *resume; /* accepting again after an error */
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

static void on_ready(struct tsp_conn *conn, void *arg)
{
	struct client *client = arg;
	const char *user = tsp_conn_user(conn);

	if (client->left)
		return;
	srv_session_init(&client->session);
	client->session.peer = tsp_conn_peer(conn)->addr;
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

void srv_listener_answer(
	struct srv_listener *listener, struct srv_session *session, const struct tsp_msg *msg)
{
	struct client *client = (struct client *)session;
	int error = tsp_conn_send(client->conn, msg);
	char peer[ADDR_ENDPOINT_STRLEN];

	if (error < 0 && error != -ENOTCONN)
		log_warn("client %s: cannot answer: %s",
			addr_endpoint_format(tsp_conn_peer(client->conn), peer), strerror(-error));
}

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

static void on_accept(struct evconnlistener *socket, evutil_socket_t fd, struct sockaddr *sa,
	int sa_len, void *arg)
{
	const struct door *door = arg;
	struct srv_listener *listener = door->listener;
	const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)sa;
	const struct addr_endpoint peer = {sin6->sin6_addr, ntohs(sin6->sin6_port)};
	struct srv_gate_pass pass;
	struct client *client = NULL;
	struct tsp_conn_params params = {
		.base = listener->params.base,
		.ops = &conn_ops,
		.auth = &listener->params.auth->tsp,
		.limits = listener->params.limits,
		.parser = listener->params.parser,
		.tls = door->is_tls ? listener->params.auth->listen_tls : NULL,
		.withheld = srv_auth_withheld(listener->params.auth, door->is_tls, &peer.addr),
	};

	if (door->is_tls && params.tls == NULL) {
		close(fd); /* a reload has taken the certificate away */
		return;
	}
	if (!is_welcome(listener, &peer, &pass)) {
		close(fd);
		return;
	}
	params.arg = client = calloc(1, sizeof(*client));
	if (client != NULL)
		client->conn = tsp_conn_accept(&params, fd, &peer);
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
	listener->n_clients++;
	listener->params.counters->n[SRV_COUNT_CONNECTIONS]++;
	TAILQ_INSERT_TAIL(&listener->clients, client, link);
}

static void enable(struct srv_listener *listener, bool on)
{
	for (uint32_t i = 0; i < listener->n_doors; i++) {
		if (on)
			evconnlistener_enable(listener->doors[i].socket);
		else
			evconnlistener_disable(listener->doors[i].socket);
	}
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	enable(arg, true);
}

/* Out of descriptors or memory: the next ones wait in the kernel for a second. */
static void on_accept_error(struct evconnlistener *socket, void *arg)
{
	static const struct timeval pause = {.tv_sec = 1};
	struct srv_listener *listener = ((struct door *)arg)->listener;

	log_warn("client: cannot accept: %s", strerror(errno));
	enable(listener, false);
	evtimer_add(listener->resume, &pause);
}

/* Returns 0 or -errno, logged. */
static int open_door(
	struct srv_listener *listener, const struct addr_endpoint *endpoint, bool is_tls)
{
	struct door *door = &listener->doors[listener->n_doors];
	char text[ADDR_ENDPOINT_STRLEN];
	struct sockaddr_in6 sa;

	addr_endpoint_to_sockaddr(endpoint, &sa);
	*door = (struct door){.listener = listener, .is_tls = is_tls};
	door->socket = evconnlistener_new_bind(listener->params.base, on_accept, door,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE |
			LEV_OPT_BIND_IPV6ONLY,
		SOMAXCONN, (const struct sockaddr *)&sa, sizeof(sa));
	if (door->socket == NULL) {
		int error = errno;

		log_err("listen %s: %s", addr_endpoint_format(endpoint, text), strerror(error));
		return -error;
	}
	evconnlistener_set_error_cb(door->socket, on_accept_error);
	listener->n_doors++;
	return 0;
}

struct srv_listener *srv_listener_create(const struct srv_listener_params *params)
{
	struct srv_listener *listener = calloc(1, sizeof(*listener));
	int error = -ENOMEM;

	if (listener == NULL)
		return NULL;
	listener->params = *params;
	TAILQ_INIT(&listener->clients);
	TAILQ_INIT(&listener->half_open);
	listener->resume = evtimer_new(params->base, on_resume, listener);
	listener->doors = calloc(
		params->n_endpoints + params->n_tls_endpoints, sizeof(*listener->doors));
	if (listener->resume != NULL && listener->doors != NULL)
		error = 0;
	for (uint32_t i = 0; error == 0 && i < params->n_endpoints; i++)
		error = open_door(listener, &params->endpoints[i], false);
	for (uint32_t i = 0; error == 0 && i < params->n_tls_endpoints; i++)
		error = open_door(listener, &params->tls_endpoints[i], true);
	if (error == 0)
		return listener;
	srv_listener_destroy(listener);
	errno = -error;
	return NULL;
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
	for (uint32_t i = 0; i < listener->n_doors; i++)
		evconnlistener_free(listener->doors[i].socket);
	free(listener->doors);
	if (listener->resume != NULL)
		event_free(listener->resume);
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

uint32_t srv_listener_connections(const struct srv_listener *listener)
{
	return listener->n_clients;
}

uint32_t srv_listener_doors(const struct srv_listener *listener)
{
	return listener->n_doors;
}

bool srv_listener_is_tls(const struct srv_listener *listener, uint32_t i)
{
	return listener->doors[i].is_tls;
}

uint32_t srv_listener_unauthenticated(const struct srv_listener *listener)
{
	return listener->n_half_open;
}

struct addr_endpoint srv_listener_endpoint(const struct srv_listener *listener, uint32_t i)
{
	struct sockaddr_in6 sa = {0};
	socklen_t len = sizeof(sa);

	getsockname(evconnlistener_get_fd(listener->doors[i].socket), (struct sockaddr *)&sa, &len);
	return (struct addr_endpoint){sa.sin6_addr, ntohs(sa.sin6_port)};
}
