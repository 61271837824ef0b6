// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tsp/tsp_frame.h"
#include "tsp/tsp_msg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OCTETS(text) text, sizeof(text) - 1

/* Writes every event as text: "L(line)", "B(body)", "!" for an error. */
static void describe(struct tsp_frame *frame, enum tsp_frame_event event, char *out, size_t size)
{
	size_t len = strlen(out);

	if (event == TSP_FRAME_LINE)
		snprintf(out + len, size - len, "L(%s)", frame->buf);
	else if (event == TSP_FRAME_BODY)
		snprintf(out + len, size - len, "B(%.*s)", (int)frame->len, frame->buf);
	else if (event == TSP_FRAME_ERROR)
		snprintf(out + len, size - len, "!");
}

/* Pushes the stream in pieces of that many octets, and says what came out. */
static void run(enum tsp_frame_mode mode, bool swallow_token, const char *data, size_t len,
	size_t piece, char *out, size_t size)
{
	enum tsp_frame_event event = TSP_FRAME_MORE;
	struct tsp_frame frame;

	out[0] = '\0';
	tsp_frame_init(&frame);
	if (mode == TSP_FRAME_MESSAGES)
		tsp_frame_begin_messages(&frame, swallow_token);
	while (len > 0 && event != TSP_FRAME_ERROR) {
		size_t n = len < piece ? len : piece;
		size_t taken = tsp_frame_push(&frame, data, n, &event);

		assert_in_range(taken, 1, n);
		assert_true(event != TSP_FRAME_MORE || taken == n);
		describe(&frame, event, out, size);
		if (event == TSP_FRAME_ERROR)
			assert_non_null(frame.why);
		data += taken;
		len -= taken;
	}
	if (event != TSP_FRAME_ERROR && tsp_frame_is_partial(&frame))
		strcat(out, "...");
	tsp_frame_free(&frame);
}

struct row {
	const char *data;
	size_t len;
	const char *events; /* "..." at the end: something is under way */
};

static void check_rows(
	const struct row *rows, size_t n, enum tsp_frame_mode mode, bool swallow_token)
{
	static const size_t pieces[] = {1, 2, 3, 7, 100000};
	char out[1024];

	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < sizeof(pieces) / sizeof(pieces[0]); k++) {
			run(mode, swallow_token, rows[i].data, rows[i].len, pieces[k], out,
				sizeof(out));
			assert_string_equal(out, rows[i].events);
		}
	}
}

/* D5: header case and blanks, LF without CR, exact counts, strays between messages. */
static void messages_are_framed_exactly(void **state)
{
	static const struct row rows[] = {
		{OCTETS("Content-length: 3\r\nabc"), "B(abc)"},
		{OCTETS("Content-length: 3\nabc"), "B(abc)"},
		{OCTETS("content-LENGTH:3\r\nabc"), "B(abc)"},
		{OCTETS("Content-length \t:\t 3 \t\r\nabc"), "B(abc)"},
		{OCTETS("Content-length: 0003\r\nabc"), "B(abc)"},
		{OCTETS("Content-length: 1\r\n\n"), "B(\n)"},
		{OCTETS("\r\n\0\nContent-length: 3\r\nabc\r\n"), "B(abc)"},
		{OCTETS("Content-length: 3\r\nabcContent-length: 2\r\nde"), "B(abc)B(de)"},
		{OCTETS("Content-length: 3\r\nabc\r\n\r\n\0Content-length: 2\nde"), "B(abc)B(de)"},
		{OCTETS("Content-length: 4\r\n\r\nab"), "B(\r\nab)"},
		{OCTETS("Content-length: 4\r\nab"), "..."},
		{OCTETS("Content-length: 4\r\n"), "..."},
		{OCTETS("Content-length: 4"), "..."},
		{OCTETS("C"), "..."},
		{OCTETS("\r\n"), ""},
		{OCTETS("Content-length: 3\r\nabcd"), "B(abc)..."},
		{OCTETS("Content-length: 3\r\nabcdef\r\n"), "B(abc)!"},
	};

	check_rows(rows, sizeof(rows) / sizeof(rows[0]), TSP_FRAME_MESSAGES, false);
}

static void hostile_headers_are_refused(void **state)
{
	static const struct row rows[] = {
		{OCTETS("Content-length: 0\r\n"), "!"},
		{OCTETS("Content-length: 8193\r\n"), "!"},
		{OCTETS("Content-length: 4294967297\r\n"), "!"},
		{OCTETS("Content-length: 18446744073709551617\r\n"), "!"},
		{OCTETS("Content-length: 99999999999999999999999999999999\r\n"), "!"},
		{OCTETS("Content-length: -1\r\n"), "!"},
		{OCTETS("Content-length: +3\r\nabc"), "!"},
		{OCTETS("Content-length: 0x3\r\nabc"), "!"},
		{OCTETS("Content-length: 3.0\r\nabc"), "!"},
		{OCTETS("Content-length: 3 3\r\nabc"), "!"},
		{OCTETS("Content-length: 3;\r\nabc"), "!"},
		{OCTETS("Content-length: three\r\n"), "!"},
		{OCTETS("Content-length:\r\n"), "!"},
		{OCTETS("Content-length 3\r\nabc"), "!"},
		{OCTETS("Content-length\r\n"), "!"},
		{OCTETS(" Content-length: 3\r\nabc"), "!"},
		{OCTETS("Content-lengthy: 3\r\nabc"), "!"},
		{OCTETS("Content length: 3\r\nabc"), "!"},
		{OCTETS("<tunnel action=\"create\"/>\r\n"), "!"},
		{OCTETS("GET / HTTP/1.1\r\n"), "!"},
		{OCTETS("Content-length: 3\rabc\n"), "!"},
		{OCTETS("Content-\0length: 3\r\nabc"), "!"},
		{OCTETS("Content-length: \0003\r\nabc"), "!"},
		{OCTETS("Content-length: 3\x80\r\nabc"), "!"},
		{OCTETS("\xef\xbb\xbf"
			"Content-length: 3\r\nabc"),
			"!"},
		{OCTETS("\x16\x03\x01\x02"), "!"},
		{OCTETS("YWJj\r\nContent-length: 3\r\nabc"), "!"},
	};

	check_rows(rows, sizeof(rows) / sizeof(rows[0]), TSP_FRAME_MESSAGES, false);
}

static void lines_end_in_lf_with_or_without_cr(void **state)
{
	static const struct row rows[] = {
		{OCTETS("VERSION=2.0.0\r\n"), "L(VERSION=2.0.0)"},
		{OCTETS("VERSION=2.0.0\n"), "L(VERSION=2.0.0)"},
		{OCTETS("A\r\n\0B\r\n"), "L(A)L(B)"},
		{OCTETS("A\r\n\r\n\n"), "L(A)L()L()"},
		{OCTETS("A\tB\r\n"), "L(A\tB)"},
		{OCTETS("VERSION"), "..."},
		{OCTETS("A\rB\r\n"), "!"},
		{OCTETS("A\r\r\n"), "!"},
		{OCTETS("A\0B\r\n"), "!"},
		{OCTETS("A\x01\r\n"), "!"},
		{OCTETS("A\x7f\r\n"), "!"},
		{OCTETS("\xff\r\n"), "!"},
		{OCTETS("\x1b[2J\r\n"), "!"},
	};

	check_rows(rows, sizeof(rows) / sizeof(rows[0]), TSP_FRAME_LINES, false);
}

/* A client may still send the token that its mechanism has, after it was let in. */
static void one_late_token_is_swallowed(void **state)
{
	static const struct row rows[] = {
		{OCTETS("YW5vbnltb3Vz\r\nContent-length: 3\r\nabc"), "B(abc)"},
		{OCTETS("\r\nContent-length: 3\r\nabc"), "B(abc)"},
		{OCTETS("=\r\nContent-length: 3\r\nabc"), "B(abc)"},
		{OCTETS("Content-length: 3\r\nabc"), "B(abc)"},
		{OCTETS("YWJj\r\nYWJj\r\nContent-length: 3\r\nabc"), "!"},
		{OCTETS("not a token\r\nContent-length: 3\r\nabc"), "!"},
		{OCTETS("Content-length: 3\r\nabcYWJj\r\n"), "B(abc)!"},
	};

	check_rows(rows, sizeof(rows) / sizeof(rows[0]), TSP_FRAME_MESSAGES, true);
}

/* A stream of one octet over and over: the frame says when it had enough. */
static size_t octets_until_error(enum tsp_frame_mode mode, bool swallow_token, char c)
{
	enum tsp_frame_event event = TSP_FRAME_MORE;
	struct tsp_frame frame;
	size_t n = 0;

	tsp_frame_init(&frame);
	if (mode == TSP_FRAME_MESSAGES)
		tsp_frame_begin_messages(&frame, swallow_token);
	for (; event == TSP_FRAME_MORE && n < 100000; n++)
		tsp_frame_push(&frame, &c, 1, &event);
	assert_int_equal(event, TSP_FRAME_ERROR);
	tsp_frame_free(&frame);
	return n;
}

static void endless_streams_are_cut(void **state)
{
	assert_in_range(
		octets_until_error(TSP_FRAME_LINES, false, 'A'), TSP_LINE_MAX, TSP_LINE_MAX + 8);
	assert_in_range(octets_until_error(TSP_FRAME_MESSAGES, false, 'A'), TSP_HEADER_MAX,
		TSP_HEADER_MAX + 8);
	assert_in_range(
		octets_until_error(TSP_FRAME_MESSAGES, true, 'A'), TSP_LINE_MAX, TSP_LINE_MAX + 8);
	assert_int_equal(octets_until_error(TSP_FRAME_MESSAGES, false, '\n'), TSP_STRAYS_MAX + 1);
	assert_int_equal(octets_until_error(TSP_FRAME_MESSAGES, false, '\0'), TSP_STRAYS_MAX + 1);
	assert_int_equal(octets_until_error(TSP_FRAME_LINES, false, '\0'), TSP_STRAYS_MAX + 1);
}

static void the_longest_message_passes_whole(void **state)
{
	static char stream[TSP_MESSAGE_MAX + 64];
	enum tsp_frame_event event;
	struct tsp_frame frame;
	int header = snprintf(stream, sizeof(stream), "Content-length: %d\r\n", TSP_MESSAGE_MAX);

	memset(stream + header, 'x', TSP_MESSAGE_MAX);
	tsp_frame_init(&frame);
	tsp_frame_begin_messages(&frame, false);
	assert_int_equal(tsp_frame_push(&frame, stream, header + TSP_MESSAGE_MAX, &event),
		header + TSP_MESSAGE_MAX);
	assert_int_equal(event, TSP_FRAME_BODY);
	assert_int_equal(frame.len, TSP_MESSAGE_MAX);
	assert_memory_equal(frame.buf, stream + header, TSP_MESSAGE_MAX);
	tsp_frame_free(&frame);
}

/* Ten thousand idle sessions: what waits for a message holds no buffer. */
static void an_idle_frame_holds_no_memory(void **state)
{
	enum tsp_frame_event event;
	struct tsp_frame frame;

	tsp_frame_init(&frame);
	tsp_frame_begin_messages(&frame, false);
	tsp_frame_push(&frame, "Content-length: 1\r\nx", 20, &event);
	assert_int_equal(event, TSP_FRAME_BODY);
	tsp_frame_push(&frame, "\r\n", 2, &event);
	assert_int_equal(event, TSP_FRAME_MORE);
	assert_null(frame.buf);
	tsp_frame_free(&frame);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_are_framed_exactly),
		cmocka_unit_test(hostile_headers_are_refused),
		cmocka_unit_test(lines_end_in_lf_with_or_without_cr),
		cmocka_unit_test(one_late_token_is_swallowed),
		cmocka_unit_test(endless_streams_are_cut),
		cmocka_unit_test(the_longest_message_passes_whole),
		cmocka_unit_test(an_idle_frame_holds_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
