// SPDX-License-Identifier: BSD-3-Clause
/*
 * Framing: a stream of octets in any pieces -> lines and bodies. No I/O, no time.
 *
 * A connection begins with lines (version, capabilities, authentication) and goes on with messages:
 * "Content-length: n" and then exactly n octets. Between messages stray CR, LF and NUL are swallowed.
 * A line ends in LF, with or without CR before it. Memory is held only while a line or a body is under
 * way, and never more than its limit.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define TSP_LINE_MAX   4096 /* a line of the handshake, its end aside: the longest base64 token */
#define TSP_HEADER_MAX 128 /* a Content-length line */
#define TSP_STRAYS_MAX 64 /* CR, LF and NUL in a row between messages */

enum tsp_frame_mode {
	TSP_FRAME_LINES,
	TSP_FRAME_MESSAGES,
};

enum tsp_frame_event {
	TSP_FRAME_MORE, /* all octets taken, nothing whole yet */
	TSP_FRAME_LINE, /* buf holds a line of len octets without its end, NUL-terminated, printable ASCII */
	TSP_FRAME_BODY, /* buf holds a body of len octets */
	TSP_FRAME_ERROR, /* why says what; nothing more can be read from this stream */
};

struct tsp_frame {
	enum tsp_frame_mode mode;
	bool is_raw; /* LINES: the line under way may hold any octets; set by the owner */
	bool swallow_token; /* MESSAGES: one base64 line before the first header is skipped */
	bool done; /* buf was handed out by the last push */
	char *buf; /* valid from an event until the next push */
	size_t len;
	size_t capacity;
	size_t body_len; /* of the body under way; 0: none */
	unsigned int strays;
	const char *why;
};

void tsp_frame_init(struct tsp_frame *frame);
void tsp_frame_free(struct tsp_frame *frame);

/* From lines to messages. */
void tsp_frame_begin_messages(struct tsp_frame *frame, bool swallow_token);

/*
 * Takes octets up to the next event and says which; returns how many it took. Call it again with the
 * rest until there is none.
 */
size_t tsp_frame_push(
	struct tsp_frame *frame, const char *data, size_t len, enum tsp_frame_event *event);

/* The buf of the line or body that was handed out last, for the caller to free. */
char *tsp_frame_take(struct tsp_frame *frame);

/* True between the first and the last octet of a line or message. */
bool tsp_frame_is_partial(const struct tsp_frame *frame);
