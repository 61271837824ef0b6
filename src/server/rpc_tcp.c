// SPDX-License-Identifier: BSD-3-Clause
#include "server/rpc_tcp.h"

#include "common/clock.h"
#include "common/log.h"
#include "rpc/rpc_record.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection {
	struct srv_rpc_exchange exchange; /* first */
	struct srv_rpc_tcp *tcp;
	struct bufferevent *stream;
	struct event *patience;
	struct addr_endpoint peer;
	struct srv_gate_pass pass;
	bool is_working; /* the engine has its call */
	struct rpc_record record;
	LIST_ENTRY(connection) link;
};

struct srv_rpc_tcp {
	struct srv_rpc_tcp_params params;
	struct evconnlistener *listeners[SRV_RPC_LISTEN_MAX];
	uint32_t n_listeners;
	struct event *resume; /* accepting again after an error */
	uint32_t n_connections;
	LIST_HEAD(, connection) connections;
};

static void count(struct srv_rpc_tcp *tcp, enum srv_counter counter)
{
	tcp->params.counters->n[counter]++;
}

/* --- one connection ------------------------------------------------------------------------------ */

static void finish(struct connection *connection, const char *why)
{
	struct srv_rpc_tcp *tcp = connection->tcp;
	char peer[ADDR_ENDPOINT_STRLEN];

	log_debug("rpc: %s: closed: %s", addr_endpoint_format(&connection->peer, peer), why);
	if (connection->is_working)
		srv_rpc_front_forget(&connection->exchange);
	srv_gate_leave(tcp->params.gate, &connection->pass);
	LIST_REMOVE(connection, link);
	tcp->n_connections--;
	event_free(connection->patience);
	bufferevent_free(connection->stream);
	free(connection);
}

static void be_patient(struct connection *connection)
{
	const struct timeval patience = {.tv_sec = connection->tcp->params.config->idle_s};

	evtimer_add(connection->patience, &patience);
}

static void send_reply(struct connection *connection)
{
	const struct srv_rpc_exchange *exchange = &connection->exchange;
	struct evbuffer *out = bufferevent_get_output(connection->stream);
	uint8_t head[RPC_RECORD_HEAD];

	rpc_record_put_head(exchange->reply_len, head);
	evbuffer_add(out, head, sizeof(head));
	evbuffer_add(out, exchange->reply, exchange->reply_len);
	be_patient(connection);
}

/* The answer goes on by on_written. */
static void on_answered(struct srv_rpc_exchange *exchange)
{
	struct connection *connection = (struct connection *)exchange;

	connection->is_working = false;
	send_reply(connection);
}

/* False: the connection is gone. */
static bool work(struct connection *connection)
{
	enum srv_rpc_step step = srv_rpc_front_begin(connection->tcp->params.front,
		&connection->exchange, &connection->peer.addr, connection->record.data,
		connection->record.len);

	rpc_record_clear(&connection->record);
	if (step == SRV_RPC_DROPPED) {
		finish(connection, "sent no RPC call");
		return false;
	}
	if (step == SRV_RPC_ANSWERED)
		send_reply(connection);
	connection->is_working = step == SRV_RPC_BEGUN;
	/* The engine has bounds of its own. */
	if (connection->is_working)
		evtimer_del(connection->patience);
	return true;
}

static bool is_busy(const struct connection *connection)
{
	return connection->is_working ||
	       evbuffer_get_length(bufferevent_get_output(connection->stream)) > 0;
}

/* What has come, call by call, as long as each is answered at once. */
static void read_on(struct connection *connection)
{
	struct evbuffer *in = bufferevent_get_input(connection->stream);

	while (!is_busy(connection)) {
		size_t len = evbuffer_get_contiguous_space(in), used;
		int ret;

		if (len == 0)
			break;
		ret = rpc_record_take(
			&connection->record, evbuffer_pullup(in, (ev_ssize_t)len), len, &used);
		evbuffer_drain(in, used);
		if (ret < 0) {
			count(connection->tcp, SRV_COUNT_RPC_MALFORMED);
			return finish(connection, "sent too long a record");
		}
		if (ret == 1 && !work(connection))
			return;
	}
}

static void on_read(struct bufferevent *stream, void *arg)
{
	read_on(arg);
}

/* The answer has left. */
static void on_written(struct bufferevent *stream, void *arg)
{
	struct connection *connection = arg;

	if (!is_busy(connection))
		read_on(connection);
}

static void on_event(struct bufferevent *stream, short what, void *arg)
{
	finish(arg, (what & BEV_EVENT_EOF) != 0 ? "by the peer" : "an error");
}

static void on_impatient(evutil_socket_t fd, short what, void *arg)
{
	struct connection *connection = arg;

	count(connection->tcp, SRV_COUNT_RPC_IDLE);
	finish(connection, "idle");
}

/* --- accepting ----------------------------------------------------------------------------------- */

/* False, and counted, when the connection is not to be. */
static bool is_welcome(
	struct srv_rpc_tcp *tcp, const struct in6_addr *peer, struct srv_gate_pass *pass)
{
	if (!srv_rpc_front_allows(tcp->params.front, peer))
		return false;
	if (tcp->n_connections < tcp->params.config->connections &&
		srv_gate_enter(tcp->params.gate, peer, clock_boot_ms(), pass) == SRV_GATE_OPEN) {
		srv_gate_authenticated(tcp->params.gate, pass);
		return true;
	}
	count(tcp, SRV_COUNT_RPC_CONNECTIONS_REFUSED);
	return false;
}

/* NULL: out of memory, and fd is still open. */
static struct connection *create_connection(struct srv_rpc_tcp *tcp, evutil_socket_t fd)
{
	struct connection *connection = calloc(1, sizeof(*connection));

	if (connection == NULL)
		return NULL;
	connection->tcp = tcp;
	connection->exchange.answered = on_answered;
	connection->patience = evtimer_new(tcp->params.base, on_impatient, connection);
	if (connection->patience != NULL)
		connection->stream = bufferevent_socket_new(
			tcp->params.base, fd, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (connection->stream != NULL)
		return connection;
	if (connection->patience != NULL)
		event_free(connection->patience);
	free(connection);
	return NULL;
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *sa,
	int sa_len, void *arg)
{
	const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)sa;
	struct srv_rpc_tcp *tcp = arg;
	struct connection *connection;
	struct srv_gate_pass pass;

	if (!is_welcome(tcp, &sin6->sin6_addr, &pass)) {
		close(fd);
		return;
	}
	connection = create_connection(tcp, fd);
	if (connection == NULL) {
		srv_gate_leave(tcp->params.gate, &pass);
		close(fd);
		return;
	}
	count(tcp, SRV_COUNT_RPC_CONNECTIONS);
	connection->peer = (struct addr_endpoint){sin6->sin6_addr, ntohs(sin6->sin6_port)};
	connection->pass = pass;
	LIST_INSERT_HEAD(&tcp->connections, connection, link);
	tcp->n_connections++;
	bufferevent_setcb(connection->stream, on_read, on_written, on_event, connection);
	/* A call that waits for its turn stays in the kernel, but for the longest there is. */
	bufferevent_setwatermark(connection->stream, EV_READ, 0, RPC_MESSAGE_MAX);
	bufferevent_enable(connection->stream, EV_READ | EV_WRITE);
	be_patient(connection);
}

static void enable(struct srv_rpc_tcp *tcp, bool on)
{
	for (uint32_t i = 0; i < tcp->n_listeners; i++) {
		if (on)
			evconnlistener_enable(tcp->listeners[i]);
		else
			evconnlistener_disable(tcp->listeners[i]);
	}
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	enable(arg, true);
}

/* Out of descriptors or memory: the next ones wait in the kernel for a second. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	static const struct timeval pause = {.tv_sec = 1};
	struct srv_rpc_tcp *tcp = arg;

	log_warn("rpc: cannot accept: %s", strerror(errno));
	enable(tcp, false);
	evtimer_add(tcp->resume, &pause);
}

int srv_rpc_tcp_listen(struct srv_rpc_tcp *tcp, struct addr_endpoint *at)
{
	struct evconnlistener *listener;
	struct sockaddr_in6 sa;
	socklen_t len = sizeof(sa);

	addr_endpoint_to_sockaddr(at, &sa);
	listener = evconnlistener_new_bind(tcp->params.base, on_accept, tcp,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE |
			LEV_OPT_BIND_IPV6ONLY,
		SOMAXCONN, (const struct sockaddr *)&sa, sizeof(sa));
	if (listener == NULL)
		return -errno;
	evconnlistener_set_error_cb(listener, on_accept_error);
	if (getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&sa, &len) < 0) {
		evconnlistener_free(listener);
		return -errno;
	}
	at->port = ntohs(sa.sin6_port);
	tcp->listeners[tcp->n_listeners++] = listener;
	return 0;
}

/* --- all of them --------------------------------------------------------------------------------- */

struct srv_rpc_tcp *srv_rpc_tcp_create(const struct srv_rpc_tcp_params *params)
{
	struct srv_rpc_tcp *tcp = calloc(1, sizeof(*tcp));

	if (tcp == NULL)
		return NULL;
	tcp->params = *params;
	LIST_INIT(&tcp->connections);
	tcp->resume = evtimer_new(params->base, on_resume, tcp);
	if (tcp->resume != NULL)
		return tcp;
	free(tcp);
	errno = ENOMEM;
	return NULL;
}

void srv_rpc_tcp_destroy(struct srv_rpc_tcp *tcp)
{
	struct connection *connection, *next;

	if (tcp == NULL)
		return;
	for (uint32_t i = 0; i < tcp->n_listeners; i++)
		evconnlistener_free(tcp->listeners[i]);
	for (connection = LIST_FIRST(&tcp->connections); connection != NULL; connection = next) {
		next = LIST_NEXT(connection, link);
		finish(connection, "the server ends");
	}
	event_free(tcp->resume);
	free(tcp);
}

uint32_t srv_rpc_tcp_connections(const struct srv_rpc_tcp *tcp)
{
	return tcp->n_connections;
}
