// SPDX-License-Identifier: BSD-3-Clause
#include "server/rpc_register.h"

#include "common/clock.h"
#include "common/log.h"
#include "rpc/rpc_record.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define AGAIN_S 300
#define RETRY_S 30
#define PATIENCE            \
	(struct timeval)    \
	{                   \
		.tv_sec = 5 \
	}
#define LEAVE_MS 1000

struct srv_rpc_register {
	struct event_base *base;
	struct rpc_bind_entry *entries;
	uint32_t n;
	struct bufferevent *stream; /* NULL: nothing is asked now */
	struct rpc_record record;
	uint32_t n_asked, n_answered, n_failed;
	bool is_first; /* what an earlier server left in the list goes first */
	bool is_leaving;
	bool is_in_list, has_warned;
	struct event *again;
};

static void hang_up(struct srv_rpc_register *reg)
{
	if (reg->stream != NULL)
		bufferevent_free(reg->stream);
	reg->stream = NULL;
}

static void come_back(struct srv_rpc_register *reg, int seconds)
{
	const struct timeval when = {.tv_sec = seconds};

	hang_up(reg);
	if (!reg->is_leaving)
		evtimer_add(reg->again, &when);
}

static void fail(struct srv_rpc_register *reg, const char *why)
{
	if (!reg->has_warned && !reg->is_leaving)
		log_warn("rpc: not in the list of rpcbind (%s): %s", RPC_BIND_SOCKET, why);
	reg->has_warned = true;
	reg->is_in_list = false;
	come_back(reg, RETRY_S);
}

/* --- answers ------------------------------------------------------------------------------------- */

static void on_all_answered(struct srv_rpc_register *reg)
{
	if (reg->n_failed > 0)
		return fail(reg, "it is refused there");
	if (!reg->is_in_list && !reg->is_leaving)
		log_info("rpc: in the list of rpcbind");
	reg->is_first = false;
	reg->has_warned = false;
	reg->is_in_list = true;
	come_back(reg, AGAIN_S);
}

/* That something was not there to be taken back is no failure; calls are numbered in their order. */
static void on_record(struct srv_rpc_register *reg)
{
	bool is_unset = reg->is_leaving || (reg->is_first && reg->n_answered < reg->n);
	struct rpc_reply reply;

	if (rpc_reply_read(reg->record.data, reg->record.len, &reply) < 0 ||
		reply.xid != reg->n_answered)
		return fail(reg, "its answer is none");
	if (!rpc_bind_read_done(&reply) && !is_unset)
		reg->n_failed++;
	if (++reg->n_answered == reg->n_asked)
		on_all_answered(reg);
}

static void on_read(struct bufferevent *stream, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(stream);
	struct srv_rpc_register *reg = arg;
	size_t len, used;
	int ret;

	while (reg->stream != NULL && (len = evbuffer_get_contiguous_space(in)) > 0) {
		ret = rpc_record_take(
			&reg->record, evbuffer_pullup(in, (ev_ssize_t)len), len, &used);
		evbuffer_drain(in, used);
		if (ret < 0)
			return fail(reg, "its answer is too long");
		if (ret == 0)
			continue;
		on_record(reg);
		rpc_record_clear(&reg->record);
	}
}

static void on_event(struct bufferevent *stream, short what, void *arg)
{
	if ((what & BEV_EVENT_CONNECTED) != 0)
		return;
	fail(arg, (what & BEV_EVENT_TIMEOUT) != 0 ? "it does not answer" : "nobody is there");
}

/* --- questions ----------------------------------------------------------------------------------- */

static void put_calls(struct srv_rpc_register *reg, enum rpc_bind_procedure procedure)
{
	struct evbuffer *out = bufferevent_get_output(reg->stream);
	uint8_t head[RPC_RECORD_HEAD], data[RPC_MESSAGE_MAX];

	for (uint32_t i = 0; i < reg->n; i++) {
		size_t len = rpc_bind_write(
			procedure, reg->n_asked++, &reg->entries[i], data, sizeof(data));

		rpc_record_put_head(len, head);
		evbuffer_add(out, head, sizeof(head));
		evbuffer_add(out, data, len);
	}
}

static void ask(struct srv_rpc_register *reg)
{
	static const struct sockaddr_un path = {.sun_family = AF_UNIX, .sun_path = RPC_BIND_SOCKET};

	hang_up(reg);
	rpc_record_clear(&reg->record);
	reg->n_asked = reg->n_answered = reg->n_failed = 0;
	reg->stream = bufferevent_socket_new(
		reg->base, -1, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (reg->stream == NULL)
		return fail(reg, "out of memory");
	bufferevent_setcb(reg->stream, on_read, NULL, on_event, reg);
	bufferevent_set_timeouts(reg->stream, &PATIENCE, &PATIENCE);
	bufferevent_enable(reg->stream, EV_READ | EV_WRITE);
	if (reg->is_first || reg->is_leaving)
		put_calls(reg, RPC_BIND_UNSET);
	if (!reg->is_leaving)
		put_calls(reg, RPC_BIND_SET);
	if (bufferevent_socket_connect(reg->stream, (const struct sockaddr *)&path, sizeof(path)) <
		0)
		fail(reg, "nobody is there");
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	ask(arg);
}

struct srv_rpc_register *srv_rpc_register_create(
	struct event_base *base, const struct rpc_bind_entry *entries, uint32_t n)
{
	struct srv_rpc_register *reg = calloc(1, sizeof(*reg));

	if (reg == NULL)
		return NULL;
	reg->base = base;
	reg->n = n;
	reg->is_first = true;
	reg->entries = calloc(n, sizeof(*entries));
	reg->again = evtimer_new(base, on_again, reg);
	if (reg->entries == NULL || reg->again == NULL) {
		if (reg->again != NULL)
			event_free(reg->again);
		free(reg->entries);
		free(reg);
		return NULL;
	}
	memcpy(reg->entries, entries, n * sizeof(*entries));
	event_active(reg->again, EV_TIMEOUT, 0);
	return reg;
}

/* The timer ends each turn of the loop. */
static void leave(struct srv_rpc_register *reg)
{
	const struct timeval turn = {.tv_usec = 50000};
	int64_t end_ms = clock_boot_ms() + LEAVE_MS;

	reg->is_leaving = true;
	ask(reg);
	while (reg->stream != NULL && clock_boot_ms() < end_ms) {
		event_base_loopexit(reg->base, &turn);
		event_base_loop(reg->base, EVLOOP_ONCE);
	}
}

void srv_rpc_register_destroy(struct srv_rpc_register *reg)
{
	if (reg == NULL)
		return;
	event_del(reg->again);
	if (reg->is_in_list)
		leave(reg);
	hang_up(reg);
	event_free(reg->again);
	free(reg->entries);
	free(reg);
}
