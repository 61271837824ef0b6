// SPDX-License-Identifier: BSD-3-Clause
/*
 * Octets of a connection in and out: frames to their readers, messages to the owner, answers to the peer.
 *
 * Answers leave in the order of their requests. The owner's own come when they come; ours, to a body that
 * does not parse, waits until the owner owes none before it, and no further message is read meanwhile. Nor
 * is one while the owner owes TSP_CONN_OWED_MAX: who asks more at once waits in TCP.
 */
#include "tsp/tsp_conn_impl.h"
#include "tsp/tsp_parser.h"
#include "tsp/tsp_xml.h"

#include "common/log.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define PARSING_MAX 256 /* answers of a responder that the parser may have at once */
#define HEADER_ROOM 32 /* "Content-length: 4096" and its end */

static struct evbuffer *output(const struct tsp_conn *conn)
{
	return bufferevent_get_output(conn->bev);
}

void tsp_conn_put_line(struct tsp_conn *conn, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	evbuffer_add_vprintf(output(conn), format, args);
	va_end(args);
	evbuffer_add(output(conn), "\r\n", 2);
}

static void answer_error(struct tsp_conn *conn, enum tsp_status status)
{
	struct tsp_msg msg = {.status = status};

	tsp_conn_send(conn, &msg);
}

/* A peer that has shut its end gets what it is owed, then ours is shut too. */
static void end_if_settled(struct tsp_conn *conn)
{
	struct evbuffer *input = bufferevent_get_input(conn->bev);

	if (conn->is_half_closed && conn->owed == 0 && conn->n_parsing == 0 &&
		evbuffer_get_length(input) == 0)
		tsp_conn_end(conn, TSP_CLOSE_PEER, "end of stream");
}

/* An answer has left. */
static void settle_debt(struct tsp_conn *conn)
{
	enum tsp_status deferred = conn->deferred;

	if (conn->owed == TSP_CONN_OWED_MAX)
		bufferevent_trigger(conn->bev, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
	if (conn->owed > 0)
		conn->owed--;
	if (conn->owed > 0)
		return;
	if (deferred != TSP_STATUS_NONE) {
		conn->deferred = TSP_STATUS_NONE;
		answer_error(conn, deferred);
		bufferevent_trigger(conn->bev, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
	}
	end_if_settled(conn);
}

/*
 * An answer that comes by itself goes straight to the socket, if nothing is before it there: that spares the
 * event loop to be asked, and to tell, that the socket takes it. Answers to what is being read leave together.
 */
static size_t send_at_once(const struct tsp_conn *conn, const char *octets, size_t len)
{
	ssize_t sent;

	if (!conn->is_responder || conn->is_consuming || conn->params.tls != NULL ||
		tsp_conn_queued(conn) > 0)
		return 0;
	sent = send(bufferevent_getfd(conn->bev), octets, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	return sent > 0 ? (size_t)sent : 0;
}

/* The header goes right before the body of len octets that begins HEADER_ROOM behind octets. */
static void put_body(struct tsp_conn *conn, char octets[static HEADER_ROOM], int len)
{
	char header[HEADER_ROOM];
	int header_len = snprintf(header, sizeof(header), "Content-length: %d\r\n", len);
	char *begin = octets + HEADER_ROOM - header_len;
	size_t sent;

	memcpy(begin, header, header_len);
	sent = send_at_once(conn, begin, header_len + len);
	if (sent < (size_t)header_len + len)
		evbuffer_add(output(conn), begin + sent, header_len + len - sent);
}

int tsp_conn_send(struct tsp_conn *conn, const struct tsp_msg *msg)
{
	char octets[HEADER_ROOM + TSP_SEND_MAX];
	int len;

	if (conn->state != TSP_CONN_READY)
		return -ENOTCONN;
	len = tsp_xml_write(msg, conn->generation, octets + HEADER_ROOM, TSP_SEND_MAX);
	if (len < 0)
		return len;
	if (tsp_conn_queued(conn) + len + HEADER_ROOM > conn->params.limits.output_max) {
		tsp_conn_drop(conn, TSP_CLOSE_TIMEOUT, "the peer does not read what we send");
		return -ENOBUFS;
	}
	put_body(conn, octets, len);
	if (msg->status != TSP_STATUS_NONE)
		settle_debt(conn);
	return 0;
}

size_t tsp_conn_queued(const struct tsp_conn *conn)
{
	return evbuffer_get_length(output(conn));
}

void tsp_conn_refuse(struct tsp_conn *conn, enum tsp_status status)
{
	if (!conn->is_responder)
		return;
	if (conn->state == TSP_CONN_READY)
		answer_error(conn, status);
	else if (conn->state == TSP_CONN_HANDSHAKE)
		tsp_responder_put_status(conn, status);
}

static void on_bad_body(struct tsp_conn *conn, enum tsp_status status, const char *why)
{
	char peer[ADDR_ENDPOINT_STRLEN];

	log_debug("tsp %s: bad message: %s", addr_endpoint_format(&conn->peer, peer), why);
	if (!conn->is_responder)
		tsp_conn_end(conn, TSP_CLOSE_PROTOCOL, why);
	else if (conn->owed > 0)
		conn->deferred = status;
	else
		answer_error(conn, status);
}

/* A responder whose answers are not read reads no more requests. */
static void throttle(struct tsp_conn *conn)
{
	if (!conn->is_responder || tsp_conn_queued(conn) < conn->params.limits.output_max / 2)
		return;
	conn->is_throttled = true;
	bufferevent_disable(conn->bev, EV_READ);
}

static void on_parsed(struct tsp_conn *conn, const struct tsp_parsed *parsed)
{
	if (parsed->status != TSP_STATUS_OK)
		return on_bad_body(conn, parsed->status, parsed->why);
	if (conn->is_responder && tsp_msg_is_request(&parsed->msg))
		conn->owed++;
	conn->params.ops->message(conn, &parsed->msg, conn->params.arg);
}

/* The parser has answered: what came behind that body is read now. */
static void on_parser_answer(void *arg, const struct tsp_parsed *parsed)
{
	struct tsp_conn *conn = arg;

	conn->n_parsing--;
	if (conn->state != TSP_CONN_READY)
		return;
	if (parsed->is_deadly) {
		tsp_conn_refuse(conn, TSP_STATUS_MALFORMED);
		return tsp_conn_end(conn, TSP_CLOSE_PROTOCOL, parsed->why);
	}
	on_parsed(conn, parsed);
	throttle(conn);
	tsp_conn_consume(conn);
}

static void on_body(struct tsp_conn *conn)
{
	struct tsp_parsed parsed = {0};
	size_t len;

	if (conn->params.parser == NULL) {
		parsed.status = tsp_xml_parse(conn->frame.buf, conn->frame.len, conn->generation,
			&parsed.msg, &parsed.why);
		return on_parsed(conn, &parsed);
	}
	len = conn->frame.len;
	if (tsp_parser_submit(conn->params.parser, tsp_frame_take(&conn->frame), len,
		    conn->generation, on_parser_answer, conn) < 0)
		return tsp_conn_drop(conn, TSP_CLOSE_ERROR, "out of memory");
	conn->n_parsing++;
}

static void on_frame(struct tsp_conn *conn, enum tsp_frame_event event)
{
	switch (event) {
	case TSP_FRAME_MORE:
		break;
	case TSP_FRAME_LINE:
		if (conn->is_responder)
			tsp_responder_line(conn, conn->frame.buf);
		else
			tsp_initiator_line(conn, conn->frame.buf);
		break;
	case TSP_FRAME_BODY:
		on_body(conn);
		break;
	case TSP_FRAME_ERROR:
		/* Where the next message begins is lost: say so and close. */
		tsp_conn_refuse(conn, TSP_STATUS_MALFORMED);
		tsp_conn_end(conn, TSP_CLOSE_PROTOCOL, conn->frame.why);
		break;
	}
}

void tsp_conn_unthrottle(struct tsp_conn *conn)
{
	if (!conn->is_throttled)
		return;
	conn->is_throttled = false;
	bufferevent_enable(conn->bev, EV_READ);
	tsp_conn_consume(conn);
}

static bool is_listening(const struct tsp_conn *conn)
{
	return (conn->state == TSP_CONN_HANDSHAKE || conn->state == TSP_CONN_READY) &&
	       !conn->is_throttled && conn->deferred == TSP_STATUS_NONE &&
	       conn->owed < TSP_CONN_OWED_MAX &&
	       conn->n_parsing < (conn->is_responder ? 1 : PARSING_MAX);
}

/*
 * A message has its time from its first octet on, however slowly the others come; stray octets between
 * messages keep no idle connection alive. While we do not read, the clock of the output runs instead.
 */
static void keep_time(struct tsp_conn *conn, bool had_message)
{
	bool is_partial = tsp_frame_is_partial(&conn->frame) && !conn->is_throttled;

	if (conn->state != TSP_CONN_READY || conn->is_half_closed)
		return;
	if (is_partial == conn->is_message_timed && !had_message)
		return;
	conn->is_message_timed = is_partial;
	tsp_conn_arm(conn, is_partial ? conn->params.limits.message_timeout_s
				      : conn->params.limits.idle_timeout_s);
}

void tsp_conn_consume(struct tsp_conn *conn)
{
	struct evbuffer *input = bufferevent_get_input(conn->bev);
	enum tsp_frame_event event;
	struct evbuffer_iovec chunk;
	bool had_message = false;
	size_t taken;

	conn->is_consuming = true;
	while (is_listening(conn) && evbuffer_get_length(input) > 0) {
		if (conn->pause != NULL) {
			tsp_responder_succeed(conn);
			continue;
		}
		evbuffer_peek(input, 1, NULL, &chunk, 1); /* the first piece, whole */
		taken = tsp_frame_push(&conn->frame, chunk.iov_base, chunk.iov_len, &event);
		evbuffer_drain(input, taken);
		had_message |= event == TSP_FRAME_BODY;
		on_frame(conn, event);
		throttle(conn);
	}
	conn->is_consuming = false;
	keep_time(conn, had_message);
	end_if_settled(conn);
}
