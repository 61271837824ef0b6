// SPDX-License-Identifier: BSD-3-Clause
#include "tsp/tsp_frame.h"

#include "tsp/tsp_msg.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FIRST_CAPACITY 128

void tsp_frame_init(struct tsp_frame *frame)
{
	*frame = (struct tsp_frame){.mode = TSP_FRAME_LINES};
}

void tsp_frame_free(struct tsp_frame *frame)
{
	free(frame->buf);
	frame->buf = NULL;
	frame->len = 0;
	frame->capacity = 0;
	frame->body_len = 0;
	frame->done = false;
}

char *tsp_frame_take(struct tsp_frame *frame)
{
	char *buf = frame->buf;

	frame->buf = NULL;
	tsp_frame_free(frame);
	return buf;
}

void tsp_frame_begin_messages(struct tsp_frame *frame, bool swallow_token)
{
	frame->mode = TSP_FRAME_MESSAGES;
	frame->swallow_token = swallow_token;
	frame->strays = 0;
}

bool tsp_frame_is_partial(const struct tsp_frame *frame)
{
	return !frame->done && (frame->len > 0 || frame->body_len > 0);
}

static enum tsp_frame_event fail(struct tsp_frame *frame, const char *why)
{
	frame->why = why;
	return TSP_FRAME_ERROR;
}

/* Room for size octets and a NUL. */
static bool reserve(struct tsp_frame *frame, size_t size)
{
	size_t capacity = frame->capacity > 0 ? frame->capacity : FIRST_CAPACITY;
	char *buf;

	if (size < frame->capacity)
		return true;
	while (capacity <= size)
		capacity *= 2;
	buf = realloc(frame->buf, capacity);
	if (buf == NULL)
		return false;
	frame->buf = buf;
	frame->capacity = capacity;
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* "Content-length: n", any case, any blanks. 0: it is no such line, or n is out of bounds. */
static size_t parse_header(const char *line)
{
	static const char name[] = "Content-length";
	size_t n = 0;

	if (strncasecmp(line, name, sizeof(name) - 1) != 0)
		return 0;
	line += sizeof(name) - 1;
	while (is_blank(*line))
		line++;
	if (*line++ != ':')
		return 0;
	while (is_blank(*line))
		line++;
	for (; *line >= '0' && *line <= '9'; line++) {
		n = n * 10 + (*line - '0');
		if (n > TSP_MESSAGE_MAX)
			return 0;
	}
	while (is_blank(*line))
		line++;
	return *line == '\0' ? n : 0;
}

static bool is_base64(const char *line)
{
	return line[strspn(line,
		       "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")] ==
	       '\0';
}

/* A line is whole: hand it up, or, among messages, take it as the header of a body. */
static enum tsp_frame_event end_line(struct tsp_frame *frame)
{
	bool swallow = frame->swallow_token;

	if (frame->len > 0 && frame->buf[frame->len - 1] == '\r')
		frame->len--;
	if (!reserve(frame, frame->len))
		return fail(frame, "out of memory");
	frame->buf[frame->len] = '\0';
	if (!frame->is_raw && memchr(frame->buf, '\r', frame->len) != NULL)
		return fail(frame, "carriage return inside a line");
	if (frame->mode == TSP_FRAME_LINES) {
		frame->done = true;
		return TSP_FRAME_LINE;
	}
	frame->swallow_token = false;
	frame->len = 0;
	if (swallow && is_base64(frame->buf))
		return TSP_FRAME_MORE;
	frame->body_len = parse_header(frame->buf);
	if (frame->body_len == 0)
		return fail(frame, "no Content-length, or one out of bounds");
	return TSP_FRAME_MORE;
}

static bool is_stray(const struct tsp_frame *frame, char c)
{
	if (frame->len > 0)
		return false;
	if (frame->mode == TSP_FRAME_LINES)
		return c == '\0';
	return c == '\0' || c == '\r' || c == '\n';
}

static enum tsp_frame_event push_line_octet(struct tsp_frame *frame, char c)
{
	size_t max = frame->mode == TSP_FRAME_LINES || frame->swallow_token ? TSP_LINE_MAX
									    : TSP_HEADER_MAX;

	if (is_stray(frame, c)) {
		if (++frame->strays > TSP_STRAYS_MAX)
			return fail(frame, "too many octets between messages");
		return TSP_FRAME_MORE;
	}
	frame->strays = 0;
	if (c == '\n')
		return end_line(frame);
	if (!frame->is_raw && ((c < ' ' && c != '\t' && c != '\r') || c > '~'))
		return fail(frame, "line is not printable ASCII");
	if (frame->len > max)
		return fail(frame, "line too long");
	if (!reserve(frame, frame->len + 1))
		return fail(frame, "out of memory");
	frame->buf[frame->len++] = c;
	return TSP_FRAME_MORE;
}

/* Takes what belongs to the body under way. */
static size_t push_body(
	struct tsp_frame *frame, const char *data, size_t len, enum tsp_frame_event *event)
{
	size_t n = frame->body_len - frame->len;

	if (n > len)
		n = len;
	if (!reserve(frame, frame->body_len)) {
		*event = fail(frame, "out of memory");
		return 0;
	}
	memcpy(frame->buf + frame->len, data, n);
	frame->len += n;
	if (frame->len == frame->body_len) {
		frame->buf[frame->len] = '\0';
		frame->body_len = 0;
		frame->done = true;
		*event = TSP_FRAME_BODY;
	}
	return n;
}

size_t tsp_frame_push(
	struct tsp_frame *frame, const char *data, size_t len, enum tsp_frame_event *event)
{
	size_t taken = 0;

	if (frame->done)
		tsp_frame_free(frame);
	*event = TSP_FRAME_MORE;
	while (taken < len && *event == TSP_FRAME_MORE) {
		if (frame->body_len > 0)
			taken += push_body(frame, data + taken, len - taken, event);
		else
			*event = push_line_octet(frame, data[taken++]);
	}
	return taken;
}
