// SPDX-License-Identifier: BSD-3-Clause
/*
 * The inside of a connection, shared by its life (tsp_conn.c), its messages (tsp_exchange.c) and
 * the two handshakes (tsp_responder.c, tsp_initiator.c). Nobody else includes this.
 *
 * States go downwards only:
 *
 *	CONNECTING -> HANDSHAKE -> READY -> CLOSING
 *
 * Only the event loop frees a connection: every way to end one is tsp_conn_end, which remembers the
 * reason, and finish(), which runs from a timer or a buffer event once the last words have left.
 */
#pragma once

#include "tsp/tsp_conn.h"
#include "tsp/tsp_frame.h"
#include "tsp/tsp_parser.h"
#include "tsp/tsp_sasl.h"

struct bufferevent;
struct event;

enum tsp_conn_state {
	TSP_CONN_CONNECTING, /* TCP or TLS are not up yet */
	TSP_CONN_HANDSHAKE, /* lines; step says which is due */
	TSP_CONN_READY, /* messages */
	TSP_CONN_CLOSING, /* flushing, then waiting for the peer's end */
};

/* Which line of the handshake is due from the peer. */
enum tsp_step {
	TSP_STEP_VERSION, /* responder: VERSION=, initiator: the capabilities */
	TSP_STEP_AUTHENTICATE, /* responder: AUTHENTICATE */
	TSP_STEP_TOKEN, /* a SASL token */
	TSP_STEP_SUCCESS, /* initiator: the success line; responder: the pause before it */
};

struct tsp_conn {
	struct tsp_conn_params params;
	struct addr_endpoint peer;
	struct bufferevent *bev;
	struct event *timer; /* the one deadline that holds now */
	struct event *pause; /* responder: between the last token and the success line */
	struct tsp_frame frame;
	struct tsp_sasl *sasl;
	enum tsp_conn_state state;
	enum tsp_step step;
	enum tsp_generation generation;
	enum tsp_close_reason reason;
	const char *why;
	bool is_responder;
	bool is_half_closed; /* the peer sent its last octet; some of what it sent is still under way */
	bool is_draining; /* CLOSING: our end is shut, the peer's is awaited */
	bool is_message_timed; /* the timer runs for a message under way */
	bool is_consuming; /* inside tsp_conn_consume */
	bool is_throttled; /* responder: not reading until the output has drained */
	uint32_t n_parsing; /* bodies that the parser has */
	uint32_t failures; /* of authentication */
	uint32_t owed; /* responder: requests without an answer yet */
	enum tsp_status deferred; /* responder: our answer to a bad body, due after those */
	char certified[TSP_USER_MAX + 1]; /* whom the peer's certificate names; "": nobody */
	char user[TSP_USER_MAX + 1];
};

/* tsp_conn.c */

/* Sets the one deadline; 0 seconds: none. */
void tsp_conn_arm(struct tsp_conn *conn, uint32_t seconds);
/* The handshake is over: messages from now on, ready() is called. */
void tsp_conn_become_ready(struct tsp_conn *conn, bool swallow_token);
/* Ends the connection: what is queued leaves, then closed(reason, why) comes from the event loop. */
void tsp_conn_end(struct tsp_conn *conn, enum tsp_close_reason reason, const char *why);
/* The same for a connection that can carry no more words. */
void tsp_conn_drop(struct tsp_conn *conn, enum tsp_close_reason reason, const char *why);

/* tsp_exchange.c */

/* Reads what has come, as far as the state allows. */
void tsp_conn_consume(struct tsp_conn *conn);
/* The output ran empty: reads again, if it did not. */
void tsp_conn_unthrottle(struct tsp_conn *conn);
/* Sends a line of the handshake; CR LF is added. */
void tsp_conn_put_line(struct tsp_conn *conn, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Responder: the status as the answer that is due now, a line or a message. Initiator: nothing. */
void tsp_conn_refuse(struct tsp_conn *conn, enum tsp_status status);

/* tsp_responder.c */

void tsp_responder_line(struct tsp_conn *conn, const char *line);
void tsp_responder_put_status(struct tsp_conn *conn, enum tsp_status status);
/* Octets came, or time passed, in the pause before the success line: the line leaves now. */
void tsp_responder_succeed(struct tsp_conn *conn);

/* tsp_initiator.c */

/* TCP and TLS are up. */
void tsp_initiator_start(struct tsp_conn *conn);
void tsp_initiator_line(struct tsp_conn *conn, const char *line);
