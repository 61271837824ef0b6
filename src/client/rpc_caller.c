// SPDX-License-Identifier: BSD-3-Clause
#include "client/rpc_caller.h"

#include "rpc/rpc_record.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TCP_PATIENCE_S 8 /* to connect and to be answered */
#define XID_SIZE       4

/* By UDP: how long each time before the call is sent again; after the last it has failed. */
static const int udp_waits_s[] = {1, 1, 2, 3};
#define UDP_SENDS (sizeof(udp_waits_s) / sizeof(udp_waits_s[0]))

struct cl_rpc_caller {
	struct cl_rpc_caller_params params;
	struct in6_addr bound, local; /* as configured; as it is */
	bool is_calling;
	size_t len;
	uint8_t call[RPC_MESSAGE_MAX];
	struct event *patience;

	int fd; /* UDP; -1: none */
	struct event *readable;
	uint32_t n_sent;

	struct bufferevent *stream; /* TCP; NULL: not connected */
	struct rpc_record record;
};

static void fail(struct cl_rpc_caller *caller, const char *why)
{
	caller->is_calling = false;
	evtimer_del(caller->patience);
	caller->params.failed(caller->params.arg, why);
}

static void be_patient(struct cl_rpc_caller *caller, int seconds)
{
	const struct timeval patience = {.tv_sec = seconds};

	evtimer_add(caller->patience, &patience);
}

/* What is no answer to this call is somebody else's, or a late one. True: the caller may be gone. */
static bool take(struct cl_rpc_caller *caller, const uint8_t *data, size_t len, int fd)
{
	struct sockaddr_in6 sa;
	socklen_t sa_len = sizeof(sa);
	struct rpc_reply reply;

	if (!caller->is_calling || len < XID_SIZE || memcmp(data, caller->call, XID_SIZE) != 0 ||
		rpc_reply_read(data, len, &reply) < 0)
		return false;
	if (getsockname(fd, (struct sockaddr *)&sa, &sa_len) == 0)
		caller->local = sa.sin6_addr;
	caller->is_calling = false;
	evtimer_del(caller->patience);
	caller->params.answered(caller->params.arg, &reply);
	return true;
}

/* --- UDP ----------------------------------------------------------------------------------------- */

static void send_datagram(struct cl_rpc_caller *caller)
{
	ssize_t sent = send(caller->fd, caller->call, caller->len, MSG_DONTWAIT);

	/* A refusal of the one before may be told here; the answer to this one is waited for. */
	if (sent < 0 && errno == ECONNREFUSED)
		sent = send(caller->fd, caller->call, caller->len, MSG_DONTWAIT);
	(void)sent;
	be_patient(caller, udp_waits_s[caller->n_sent++]);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct cl_rpc_caller *caller = arg;
	uint8_t data[RPC_MESSAGE_MAX + 1];
	ssize_t len = recv(fd, data, sizeof(data), MSG_DONTWAIT);

	if (len >= 0)
		take(caller, data, (size_t)len, fd);
	else if (errno != EAGAIN && errno != EINTR && caller->is_calling)
		fail(caller, strerrordesc_np(errno));
}

/* --- TCP ----------------------------------------------------------------------------------------- */

static void hang_up(struct cl_rpc_caller *caller)
{
	if (caller->stream != NULL)
		bufferevent_free(caller->stream);
	caller->stream = NULL;
}

static void on_read(struct bufferevent *stream, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(stream);
	struct cl_rpc_caller *caller = arg;
	size_t len, used, whole;
	int ret;

	while ((len = evbuffer_get_contiguous_space(in)) > 0) {
		ret = rpc_record_take(
			&caller->record, evbuffer_pullup(in, (ev_ssize_t)len), len, &used);
		evbuffer_drain(in, used);
		if (ret < 0) {
			hang_up(caller);
			if (caller->is_calling)
				fail(caller, "its answer is too long");
			return;
		}
		if (ret == 0)
			continue;
		whole = caller->record.len;
		rpc_record_clear(&caller->record); /* its octets stay until there are others */
		if (take(caller, caller->record.data, whole, bufferevent_getfd(stream)))
			return;
	}
}

/* A server may hang up on who says nothing; that matters to nobody. */
static void on_event(struct bufferevent *stream, short what, void *arg)
{
	struct cl_rpc_caller *caller = arg;
	int error = EVUTIL_SOCKET_ERROR();
	const char *why = (what & BEV_EVENT_EOF) != 0 ? "connection closed"
						      : strerrordesc_np(error);

	if ((what & BEV_EVENT_CONNECTED) != 0)
		return;
	hang_up(caller);
	if (caller->is_calling)
		fail(caller, why != NULL ? why : "connection lost");
}

static void put_record(struct cl_rpc_caller *caller)
{
	struct evbuffer *out = bufferevent_get_output(caller->stream);
	uint8_t head[RPC_RECORD_HEAD];

	rpc_record_put_head(caller->len, head);
	evbuffer_add(out, head, sizeof(head));
	evbuffer_add(out, caller->call, caller->len);
	be_patient(caller, TCP_PATIENCE_S);
}

/* --- both ---------------------------------------------------------------------------------------- */

/* A socket with our address, if there is to be one. Returns it or -errno. */
static int open_socket(const struct cl_rpc_caller *caller)
{
	int kind = caller->params.is_tcp ? SOCK_STREAM : SOCK_DGRAM, error;
	struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_addr = caller->bound};
	int fd = socket(AF_INET6, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (caller->params.local == NULL || bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0)
		return fd;
	error = errno;
	close(fd);
	return -error;
}

static int open_stream(struct cl_rpc_caller *caller)
{
	struct sockaddr_in6 sa;
	int fd = open_socket(caller);

	if (fd < 0)
		return fd;
	caller->stream = bufferevent_socket_new(
		caller->params.base, fd, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (caller->stream == NULL) {
		close(fd);
		return -ENOMEM;
	}
	rpc_record_clear(&caller->record);
	addr_endpoint_to_sockaddr(&caller->params.peer, &sa);
	bufferevent_setcb(caller->stream, on_read, NULL, on_event, caller);
	bufferevent_enable(caller->stream, EV_READ | EV_WRITE);
	/* What fails at once fails from the event loop, too. */
	bufferevent_socket_connect(caller->stream, (const struct sockaddr *)&sa, sizeof(sa));
	return 0;
}

static int open_datagrams(struct cl_rpc_caller *caller)
{
	struct sockaddr_in6 sa;
	int fd = open_socket(caller);

	if (fd < 0)
		return fd;
	caller->fd = fd;
	addr_endpoint_to_sockaddr(&caller->params.peer, &sa);
	if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -errno;
	caller->readable = event_new(
		caller->params.base, fd, EV_READ | EV_PERSIST, on_readable, caller);
	return caller->readable != NULL && event_add(caller->readable, NULL) == 0 ? 0 : -ENOMEM;
}

static void on_impatient(evutil_socket_t fd, short what, void *arg)
{
	struct cl_rpc_caller *caller = arg;

	if (!caller->params.is_tcp && caller->n_sent < UDP_SENDS)
		return send_datagram(caller);
	hang_up(caller);
	fail(caller, "no answer in time");
}

int cl_rpc_caller_call(struct cl_rpc_caller *caller, const uint8_t *data, size_t len)
{
	int ret;

	if (len < XID_SIZE || len > sizeof(caller->call))
		return -EMSGSIZE;
	if (caller->params.is_tcp && caller->stream == NULL) {
		ret = open_stream(caller);
		if (ret < 0)
			return ret;
	}
	memcpy(caller->call, data, len);
	caller->len = len;
	caller->is_calling = true;
	caller->n_sent = 0;
	if (caller->params.is_tcp)
		put_record(caller);
	else
		send_datagram(caller);
	return 0;
}

const struct in6_addr *cl_rpc_caller_local(const struct cl_rpc_caller *caller)
{
	return &caller->local;
}

struct cl_rpc_caller *cl_rpc_caller_create(const struct cl_rpc_caller_params *params)
{
	struct cl_rpc_caller *caller = calloc(1, sizeof(*caller));
	int ret = -ENOMEM;

	if (caller == NULL)
		return NULL;
	caller->params = *params;
	caller->fd = -1;
	if (params->local != NULL)
		caller->bound = *params->local;
	caller->patience = evtimer_new(params->base, on_impatient, caller);
	if (caller->patience != NULL)
		ret = params->is_tcp ? 0 : open_datagrams(caller);
	if (ret == 0)
		return caller;
	cl_rpc_caller_destroy(caller);
	errno = -ret;
	return NULL;
}

void cl_rpc_caller_destroy(struct cl_rpc_caller *caller)
{
	if (caller == NULL)
		return;
	hang_up(caller);
	if (caller->readable != NULL)
		event_free(caller->readable);
	if (caller->fd >= 0)
		close(caller->fd);
	if (caller->patience != NULL)
		event_free(caller->patience);
	free(caller);
}
