// SPDX-License-Identifier: BSD-3-Clause
/*
 * A connection's life: how it begins, the one deadline that holds at a time, and how it ends. Whatever
 * ends it, the way is the same: enter_closing, what is queued leaves, finish() from the timer.
 */
#include "tsp/tsp_conn.h"

#include "tsp/tsp_conn_impl.h"
#include "tsp/tsp_tls.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define INPUT_MAX    16384 /* octets read ahead */
#define DRAIN_TIME_S 1 /* how long the peer may take to see our end of stream */
#define FLUSH_TIME_S 5 /* how long the last words may take to leave */

const struct tsp_conn_limits tsp_conn_default_limits = {
	.auth_timeout_s = 30,
	.message_timeout_s = 10,
	.idle_timeout_s = 0,
	.auth_attempts = 3,
	.output_max = 256 * 1024,
	.dead_peer_s = 60,
};

void tsp_conn_arm(struct tsp_conn *conn, uint32_t seconds)
{
	struct timeval delay = {.tv_sec = seconds};

	if (seconds == 0)
		evtimer_del(conn->timer);
	else
		evtimer_add(conn->timer, &delay);
}

/* Tells the peer of a TLS stream that this is its end. */
static void end_tls(struct tsp_conn *conn)
{
	struct ssl_st *ssl = bufferevent_openssl_get_ssl(conn->bev);

	if (ssl == NULL)
		return;
	SSL_shutdown(ssl);
	ERR_clear_error();
}

/* The only place where a connection goes away; called by the timer alone. */
static void finish(struct tsp_conn *conn)
{
	conn->params.ops->closed(conn, conn->reason, conn->why, conn->params.arg);
	end_tls(conn);
	bufferevent_free(conn->bev);
	event_free(conn->timer);
	if (conn->n_parsing > 0)
		tsp_parser_cancel(conn->params.parser, conn);
	if (conn->pause != NULL)
		event_free(conn->pause);
	tsp_sasl_destroy(conn->sasl);
	tsp_frame_free(&conn->frame);
	free(conn);
}

static void finish_soon(struct tsp_conn *conn)
{
	event_active(conn->timer, EV_TIMEOUT, 0);
}

/*
 * The last words are in the kernel. A socket that is closed with unread input resets the stream, and
 * the peer may lose them: so a responder shuts its end and waits for the peer's.
 */
static void end_output(struct tsp_conn *conn)
{
	if (!conn->is_responder || conn->reason == TSP_CLOSE_PEER || conn->is_draining)
		return finish_soon(conn);
	conn->is_draining = true;
	end_tls(conn);
	shutdown(bufferevent_getfd(conn->bev), SHUT_WR);
	bufferevent_enable(conn->bev, EV_READ);
	tsp_conn_arm(conn, DRAIN_TIME_S);
}

static bool enter_closing(struct tsp_conn *conn, enum tsp_close_reason reason, const char *why)
{
	if (conn->state == TSP_CONN_CLOSING)
		return false;
	conn->state = TSP_CONN_CLOSING;
	conn->reason = reason;
	conn->why = why;
	if (conn->pause != NULL)
		evtimer_del(conn->pause);
	return true;
}

void tsp_conn_end(struct tsp_conn *conn, enum tsp_close_reason reason, const char *why)
{
	bool was_connecting = conn->state == TSP_CONN_CONNECTING;

	if (!enter_closing(conn, reason, why))
		return;
	if (was_connecting)
		finish_soon(conn);
	else if (tsp_conn_queued(conn) == 0)
		end_output(conn);
	else
		tsp_conn_arm(conn, FLUSH_TIME_S);
}

void tsp_conn_drop(struct tsp_conn *conn, enum tsp_close_reason reason, const char *why)
{
	enter_closing(conn, reason, why);
	finish_soon(conn);
}

void tsp_conn_become_ready(struct tsp_conn *conn, bool swallow_token)
{
	conn->state = TSP_CONN_READY;
	tsp_frame_begin_messages(&conn->frame, swallow_token);
	tsp_conn_arm(conn, conn->params.limits.idle_timeout_s);
	if (conn->params.ops->ready != NULL)
		conn->params.ops->ready(conn, conn->params.arg);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *input = bufferevent_get_input(bev);
	struct tsp_conn *conn = arg;

	if (conn->state == TSP_CONN_CLOSING)
		evbuffer_drain(input, evbuffer_get_length(input));
	else
		tsp_conn_consume(conn);
}

/* The output ran empty. */
static void on_write(struct bufferevent *bev, void *arg)
{
	struct tsp_conn *conn = arg;

	if (conn->state == TSP_CONN_CLOSING) {
		if (!conn->is_draining)
			end_output(conn);
		return;
	}
	tsp_conn_unthrottle(conn);
	if (conn->state == TSP_CONN_READY && conn->params.ops->drained != NULL)
		conn->params.ops->drained(conn, conn->params.arg);
}

static void on_connected(struct tsp_conn *conn)
{
	struct timeval stalled = {.tv_sec = conn->params.limits.message_timeout_s};

	if (conn->state != TSP_CONN_CONNECTING)
		return;
	conn->state = TSP_CONN_HANDSHAKE;
	if (conn->params.tls != NULL)
		tsp_tls_peer_name(bufferevent_openssl_get_ssl(conn->bev), conn->certified);
	if (stalled.tv_sec > 0)
		bufferevent_set_timeouts(conn->bev, NULL, &stalled);
	if (!conn->is_responder)
		tsp_initiator_start(conn);
}

static void on_end_of_stream(struct tsp_conn *conn)
{
	if (conn->state == TSP_CONN_CLOSING) {
		if (tsp_conn_queued(conn) == 0)
			finish_soon(conn);
		return;
	}
	/* A TLS stream ends both ways at once. */
	if (conn->params.tls != NULL)
		return tsp_conn_drop(conn, TSP_CLOSE_PEER, "end of stream");
	if (conn->state == TSP_CONN_READY && (conn->owed > 0 || conn->n_parsing > 0)) {
		conn->is_half_closed = true;
		return tsp_conn_arm(conn, conn->params.limits.message_timeout_s);
	}
	tsp_conn_end(conn, TSP_CLOSE_PEER, "end of stream");
}

static void on_socket_error(struct tsp_conn *conn)
{
	const char *why = strerrordesc_np(EVUTIL_SOCKET_ERROR());
	bool is_tls = bufferevent_get_openssl_error(conn->bev) != 0;

	if (conn->state != TSP_CONN_CONNECTING)
		tsp_conn_drop(conn, TSP_CLOSE_ERROR, is_tls ? "TLS failed" : why);
	else if (conn->is_responder)
		tsp_conn_drop(conn, TSP_CLOSE_PROTOCOL, "TLS handshake failed");
	else
		tsp_conn_drop(conn, TSP_CLOSE_CONNECT, is_tls ? "TLS handshake failed" : why);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct tsp_conn *conn = arg;

	if (what & BEV_EVENT_CONNECTED)
		on_connected(conn);
	else if (what & BEV_EVENT_EOF)
		on_end_of_stream(conn);
	else if (what & BEV_EVENT_TIMEOUT)
		tsp_conn_drop(conn, TSP_CLOSE_TIMEOUT, "the peer does not read what we send");
	else if (what & BEV_EVENT_ERROR)
		on_socket_error(conn);
}

static void on_deadline(struct tsp_conn *conn)
{
	if (conn->is_half_closed)
		return tsp_conn_end(conn, TSP_CLOSE_PEER, "end of stream");
	if (!conn->is_message_timed)
		return tsp_conn_end(conn, TSP_CLOSE_TIMEOUT, "idle for too long");
	tsp_conn_refuse(conn, TSP_STATUS_MALFORMED);
	tsp_conn_end(conn, TSP_CLOSE_TIMEOUT, "a message was not completed in time");
}

static void on_timer(evutil_socket_t fd, short events, void *arg)
{
	struct tsp_conn *conn = arg;

	switch (conn->state) {
	case TSP_CONN_CONNECTING:
		tsp_conn_drop(conn, conn->is_responder ? TSP_CLOSE_TIMEOUT : TSP_CLOSE_CONNECT,
			"no connection in time");
		break;
	case TSP_CONN_HANDSHAKE:
		tsp_conn_refuse(conn, TSP_STATUS_AUTH_FAILED);
		tsp_conn_end(conn, TSP_CLOSE_TIMEOUT, "not authenticated in time");
		break;
	case TSP_CONN_READY:
		on_deadline(conn);
		break;
	case TSP_CONN_CLOSING:
		finish(conn);
		break;
	}
}

/*
 * What was written leaves at once. A peer whose host is gone is noticed after dead_peer_s: by probes
 * while nothing is said (half the time idle, then three), by what stays unacknowledged otherwise.
 */
static void set_socket_options(int fd, uint32_t dead_peer_s)
{
	int seconds = dead_peer_s > 0 ? dead_peer_s : tsp_conn_default_limits.dead_peer_s;
	const struct {
		int level, name, value;
	} options[] = {
		{IPPROTO_TCP, TCP_NODELAY, 1},
		{SOL_SOCKET, SO_KEEPALIVE, 1},
		{IPPROTO_TCP, TCP_KEEPIDLE, (seconds + 1) / 2},
		{IPPROTO_TCP, TCP_KEEPINTVL, (seconds + 5) / 6},
		{IPPROTO_TCP, TCP_KEEPCNT, 3},
		{IPPROTO_TCP, TCP_USER_TIMEOUT, seconds * 1000},
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		setsockopt(fd, options[i].level, options[i].name, &options[i].value,
			sizeof(options[i].value));
}

static struct bufferevent *create_bufferevent(const struct tsp_conn_params *params, int fd,
	enum bufferevent_ssl_state tls_state, const struct in6_addr *peer)
{
	struct bufferevent *bev;
	struct ssl_st *ssl;

	if (params->tls == NULL)
		return bufferevent_socket_new(params->base, fd, BEV_OPT_CLOSE_ON_FREE);
	ssl = SSL_new(params->tls);
	if (ssl == NULL)
		return NULL;
	if (tls_state == BUFFEREVENT_SSL_CONNECTING &&
		!tsp_tls_expect(ssl, params->tls_name, peer)) {
		SSL_free(ssl);
		return NULL;
	}
	bev = bufferevent_openssl_socket_new(
		params->base, fd, ssl, tls_state, BEV_OPT_CLOSE_ON_FREE);
	if (bev != NULL)
		bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	return bev;
}

static struct tsp_conn *create(const struct tsp_conn_params *params, int fd, bool is_responder,
	const struct addr_endpoint *peer)
{
	struct tsp_conn *conn = calloc(1, sizeof(*conn));

	if (conn == NULL)
		goto fail;
	conn->params = *params;
	conn->peer = *peer;
	conn->is_responder = is_responder;
	conn->state = TSP_CONN_CONNECTING;
	conn->generation = is_responder ? 0 : params->generation;
	tsp_frame_init(&conn->frame);
	set_socket_options(fd, params->limits.dead_peer_s);
	conn->timer = evtimer_new(params->base, on_timer, conn);
	if (conn->timer == NULL)
		goto fail;
	conn->bev = create_bufferevent(params, fd,
		is_responder ? BUFFEREVENT_SSL_ACCEPTING : BUFFEREVENT_SSL_CONNECTING, &peer->addr);
	if (conn->bev == NULL)
		goto fail;
	bufferevent_setcb(conn->bev, on_read, on_write, on_event, conn);
	bufferevent_setwatermark(conn->bev, EV_READ, 0, INPUT_MAX);
	bufferevent_enable(conn->bev, EV_READ | EV_WRITE);
	tsp_conn_arm(conn, params->limits.auth_timeout_s);
	return conn;
fail:
	if (conn != NULL && conn->timer != NULL)
		event_free(conn->timer);
	free(conn);
	errno = ENOMEM;
	return NULL;
}

/* A socket to connect from, bound where the caller says. Returns it, or -1 + errno. */
static int open_socket(const struct in6_addr *local)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in6 sa = {.sin6_family = AF_INET6};

	if (fd < 0 || local == NULL)
		return fd;
	sa.sin6_addr = *local;
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

struct tsp_conn *tsp_conn_connect(
	const struct tsp_conn_params *params, const struct addr_endpoint *peer)
{
	int fd = open_socket(params->local);
	struct sockaddr_in6 sa;
	struct tsp_conn *conn;

	if (fd < 0)
		return NULL;
	conn = create(params, fd, false, peer);
	if (conn == NULL) {
		close(fd);
		errno = ENOMEM;
		return NULL;
	}
	addr_endpoint_to_sockaddr(peer, &sa);
	if (bufferevent_socket_connect(conn->bev, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		tsp_conn_drop(conn, TSP_CLOSE_CONNECT, "cannot connect");
	return conn;
}

struct tsp_conn *tsp_conn_accept(
	const struct tsp_conn_params *params, int fd, const struct addr_endpoint *peer)
{
	struct tsp_conn *conn;

	if (evutil_make_socket_nonblocking(fd) < 0)
		return NULL;
	conn = create(params, fd, true, peer);
	if (conn != NULL && params->tls == NULL)
		on_connected(conn);
	return conn;
}

void tsp_conn_close(struct tsp_conn *conn)
{
	tsp_conn_end(conn, TSP_CLOSE_LOCAL, "closed");
}

void tsp_conn_set_arg(struct tsp_conn *conn, void *arg)
{
	conn->params.arg = arg;
}

const struct addr_endpoint *tsp_conn_peer(const struct tsp_conn *conn)
{
	return &conn->peer;
}

enum tsp_generation tsp_conn_generation(const struct tsp_conn *conn)
{
	return conn->generation;
}

const char *tsp_conn_user(const struct tsp_conn *conn)
{
	return conn->user;
}

int tsp_conn_local(const struct tsp_conn *conn, struct in6_addr *addr)
{
	struct sockaddr_in6 sa;
	socklen_t len = sizeof(sa);

	if (getsockname(bufferevent_getfd(conn->bev), (struct sockaddr *)&sa, &len) < 0)
		return -errno;
	*addr = sa.sin6_addr;
	return 0;
}
