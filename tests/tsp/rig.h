// SPDX-License-Identifier: BSD-3-Clause
/*
 * Connections over real sockets on ::1, one event loop for both ends: two of ours against each other, or
 * one of ours against a socket that the test speaks through by hand.
 */
#pragma once

#include "tsp/tsp_conn.h"

#include <event2/event.h>

/* One of our connections and what its callbacks saw. */
struct side {
	struct tsp_conn *conn; /* NULL after closed */
	struct tsp_conn_params params;
	struct tsp_auth auth;
	bool is_ready;
	bool is_closed;
	enum tsp_close_reason reason;
	char why[128];
	char user[256]; /* at ready */
	unsigned int n_messages;
	struct tsp_msg last;
	bool answers; /* every create is answered with an info that carries its lifetime */
	bool closes_on_ready, closes_on_message;
};

struct rig {
	struct event_base *base;
	int listen_fd;
	struct addr_endpoint at;
	struct side initiator, responder;
	int raw; /* the test's own socket, or -1 */
	char text[65536]; /* what it received */
	size_t text_len;
	bool raw_eof;
};

/* alice and secret on both sides, all mechanisms; change params and auth before connecting. */
void rig_open(struct rig *rig);
/* Closes what is open, runs until both are closed, frees. */
void rig_close(struct rig *rig);

/* Our initiator to our responder. */
void rig_connect(struct rig *rig);
/* Our initiator to rig->raw; rig->raw to our responder. */
void rig_connect_to_raw(struct rig *rig);
void rig_connect_from_raw(struct rig *rig);

/* Runs the loop until *flag, failing the test after 5 s. */
void rig_run_until(struct rig *rig, const bool *flag);
/* Runs the loop until side has n messages. */
void rig_run_messages(struct rig *rig, const struct side *side, unsigned int n);
/* Runs the loop for that long at most. */
void rig_run_ms(struct rig *rig, unsigned int ms);

void rig_send(struct rig *rig, const char *text);
void rig_send_octets(struct rig *rig, const char *data, size_t len);
/* Runs the loop until the text received so far has the part, and takes everything up to its end. */
void rig_expect(struct rig *rig, const char *part);
/* Runs the loop until the raw socket sees the end of the stream. */
void rig_expect_end(struct rig *rig);
/* "Content-length: n" and the body. */
void rig_send_body(struct rig *rig, const char *body);

struct tsp_msg create_message(uint32_t lifetime_s);
