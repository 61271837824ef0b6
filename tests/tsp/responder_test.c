// SPDX-License-Identifier: BSD-3-Clause
/* Our responder against a socket that speaks by hand: old clients, odd ones and hostile ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "rig.h"

#include "tsp/tsp_sasl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CREATE                                                                                  \
	"<tunnel action=\"create\" type=\"v4v6\"><client><address type=\"ipv6\">2001:db8:1::17" \
	"</address></client></tunnel>"
#define CAPABILITIES "CAPABILITY TUNNEL=V4V6 AUTH=SCRAM-SHA-256 AUTH=DIGEST-MD5 AUTH=ANONYMOUS\r\n"

static int setup(void **state)
{
	static struct rig rig;

	rig_open(&rig);
	rig.responder.answers = true;
	*state = &rig;
	return 0;
}

static int teardown(void **state)
{
	rig_close(*state);
	return 0;
}

/* Up to the success line, without a name. */
static void log_in(struct rig *rig)
{
	rig_connect_from_raw(rig);
	rig_send(rig, "VERSION=2.0.0\r\n");
	rig_expect(rig, CAPABILITIES);
	rig_send(rig, "AUTHENTICATE ANONYMOUS\r\n");
	rig_expect(rig, "200 Success\r\n");
}

static void expect_close(struct rig *rig, enum tsp_close_reason reason)
{
	rig_expect_end(rig);
	close(rig->raw);
	rig->raw = -1;
	rig_run_until(rig, &rig->responder.is_closed);
	assert_int_equal(rig->responder.reason, reason);
}

/* The dialogue of spec 004 section 4.1 (R103), typo included (D5); 1.x hears OK if we are told so. */
static void the_dialogue_of_spec_004(void **state)
{
	struct rig *rig = *state;

	rig->responder.params.send_ok_to_v1 = true;
	rig_connect_from_raw(rig);
	rig_send(rig, "VERSION=1.0\r\n");
	rig_expect(rig, CAPABILITIES);
	rig_send(rig, "AUTENTICATE ANONYMOUS\r\n");
	rig_expect(rig, "OK Authentication successful\r\n");
	rig_send_body(rig, "  <tunnel action=\"create\" type=\"v4v6\">\r\n"
			   "    <client>\r\n"
			   "      <address\r\n"
			   "type=\"ipv6\">fe80:0000:0000:0000:0000:0000:0000:0001</address>\r\n"
			   "      <address\r\n"
			   "type=\"ipv6\">3ffe:0b00:0c18:ffff:0000:0000:0000:0001</address>\r\n"
			   "    </client>\r\n"
			   "  </tunnel>");
	rig_send(rig, "\r\n");
	rig_run_messages(rig, &rig->responder, 1);
	assert_int_equal(rig->responder.last.client.n_v6, 2);
	assert_int_equal(tsp_conn_generation(rig->responder.conn), TSP_GENERATION_1);
	rig_expect(rig, "200 Success\r\n<tunnel action=\"info\"");
}

static void versions_and_their_answers(void **state)
{
	static const struct {
		const char *line, *answer;
	} rows[] = {
		{"VERSION=1.0\r\n", CAPABILITIES},
		{"VERSION=1.0.1\n", CAPABILITIES},
		{"version=1.9\r\n", CAPABILITIES},
		{"VERSION=2.0.0\n", CAPABILITIES},
		{"VERSION=2.0.1\r\n", CAPABILITIES},
		{"VERSION=2.0.2\r\n", CAPABILITIES},
		{"\r\nVERSION=2.0.0\r\n", CAPABILITIES},
		{"VERSION=2.0.3\r\n", "302 Unsupported client version\r\n"},
		{"VERSION=2.0\r\n", "302 Unsupported client version\r\n"},
		{"VERSION=3.0.0\r\n", "302 Unsupported client version\r\n"},
		{"VERSION=1\r\n", "302 Unsupported client version\r\n"},
		{"VERSION=1.\r\n", "302 Unsupported client version\r\n"},
		{"VERSION=1.0beta\r\n", "302 Unsupported client version\r\n"},
		{"VERSION=10.0\r\n", "302 Unsupported client version\r\n"},
		{"VERSION=\r\n", "302 Unsupported client version\r\n"},
		{"VERSION=%n%n%s\r\n", "302 Unsupported client version\r\n"},
		{"VERSION 2.0.0\r\n", "500 Malformed message\r\n"},
		{"AUTHENTICATE ANONYMOUS\r\n", "500 Malformed message\r\n"},
		{"GET / HTTP/1.1\r\n", "500 Malformed message\r\n"},
		{"EHLO example.org\r\n", "500 Malformed message\r\n"},
		{"\x16\x03\x01\x02\n", "500 Malformed message\r\n"},
		{"VERSION=2.0.0\xff\r\n", "500 Malformed message\r\n"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rig rig;

		rig_open(&rig);
		rig_connect_from_raw(&rig);
		rig_send(&rig, rows[i].line);
		rig_expect(&rig, rows[i].answer);
		if (strcmp(rows[i].answer, CAPABILITIES) != 0)
			expect_close(&rig,
				rows[i].answer[0] == '3' ? TSP_CLOSE_VERSION : TSP_CLOSE_PROTOCOL);
		rig_close(&rig);
	}
}

/* A version that we do not speak costs the client nothing that it had sent behind it. */
static void last_words_arrive_though_input_was_unread(void **state)
{
	struct rig *rig = *state;

	rig_connect_from_raw(rig);
	rig_send(rig, "VERSION=9\r\nAUTHENTICATE ANONYMOUS\r\n");
	rig_send_body(rig, CREATE);
	rig_expect(rig, "302 Unsupported client version\r\n");
	expect_close(rig, TSP_CLOSE_VERSION);
}

static void authentication_lines_that_are_none_get_500(void **state)
{
	static const char *const lines[] = {"LOGIN alice\r\n", "AUTHENTICATED\r\n",
		"Content-length: 3\r\nabc", "AUTH ANONYMOUS\r\n", "VERSION=2.0.0\r\n"};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct rig rig;

		rig_open(&rig);
		rig_connect_from_raw(&rig);
		rig_send(&rig, "VERSION=2.0.0\r\n");
		rig_expect(&rig, CAPABILITIES);
		rig_send(&rig, lines[i]);
		rig_expect(&rig, "500 Malformed message\r\n");
		expect_close(&rig, TSP_CLOSE_PROTOCOL);
		rig_close(&rig);
	}
}

/* R82: 300, again and again, and then the end. Every way to fail counts. */
static void three_failures_end_the_connection(void **state)
{
	struct rig *rig = *state;

	rig_connect_from_raw(rig);
	rig_send(rig, "VERSION=2.0.0\r\n");
	rig_expect(rig, CAPABILITIES);
	rig_send(rig, "AUTHENTICATE PLAIN\r\n");
	rig_expect(rig, "300 Authentication failed\r\n");
	rig_send(rig, "AUTHENTICATE\r\n");
	rig_expect(rig, "300 Authentication failed\r\n");
	rig_send(rig, "AUTHENTICATE SCRAM-SHA-256\r\n*\r\n");
	rig_expect(rig, "300 Authentication failed\r\n");
	expect_close(rig, TSP_CLOSE_AUTH);
	assert_false(rig->responder.is_ready);
}

static void after_a_failure_another_attempt_may_succeed(void **state)
{
	struct rig *rig = *state;

	rig_connect_from_raw(rig);
	rig_send(rig, "VERSION=2.0.0\r\nAUTHENTICATE DIGEST-MD5\r\n");
	rig_expect(rig, CAPABILITIES);
	rig_expect(rig, "\r\n");
	rig_send(rig, "YWJj\r\n");
	rig_expect(rig, "300 Authentication failed\r\n");
	rig_send(rig, "authenticate anonymous\r\n");
	rig_expect(rig, "200 Success\r\n");
}

/* What is not offered is not taken (S36). */
static void a_mechanism_that_is_off_is_refused(void **state)
{
	struct rig *rig = *state;

	rig->responder.auth.mechanisms = TSP_MECHANISM_SCRAM_SHA_256;
	rig_connect_from_raw(rig);
	rig_send(rig, "VERSION=2.0.0\r\n");
	rig_expect(rig, "CAPABILITY TUNNEL=V4V6 AUTH=SCRAM-SHA-256\r\n");
	rig_send(rig, "AUTHENTICATE ANONYMOUS\r\n");
	rig_expect(rig, "300 Authentication failed\r\n");
	rig_send(rig, "AUTHENTICATE DIGEST-MD5\r\n");
	rig_expect(rig, "300 Authentication failed\r\n");
	assert_false(rig->responder.is_ready);
}

/* ANONYMOUS needs no token, and takes one (or NUL, or an empty line) in passing. */
static void an_anonymous_token_is_swallowed(void **state)
{
	static const char *const tokens[] = {
		"", "\r\n", "YW5vbnltb3Vz\r\n", "=\r\n", "\r\nYW5vbnltb3Vz\r\n"};

	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
		struct rig rig;

		rig_open(&rig);
		rig.responder.answers = true;
		rig_connect_from_raw(&rig);
		rig_send(&rig, "VERSION=2.0.0\r\n");
		rig_expect(&rig, CAPABILITIES);
		rig_send(&rig, "AUTHENTICATE ANONYMOUS\r\n");
		rig_send_octets(&rig, "\0", 1);
		rig_expect(&rig, "200 Success\r\n");
		rig_send(&rig, tokens[i]);
		rig_send_body(&rig, CREATE);
		rig_expect(&rig, "<tunnel action=\"info\"");
		rig_close(&rig);
	}
}

/* Reads a line, answers it with the next token. */
static void answer_token(struct rig *rig, struct tsp_sasl *sasl, enum tsp_sasl_result expected)
{
	char line[1024], *answer;

	while (strchr(rig->text, '\n') == NULL)
		rig_run_ms(rig, 1);
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(rig->text, "\r\n"), rig->text);
	rig_expect(rig, "\r\n");
	assert_int_equal(tsp_sasl_step(sasl, line, &answer), expected);
	if (answer != NULL) {
		rig_send(rig, answer);
		rig_send(rig, "\r\n");
	}
	free(answer);
}

/*
 * An old client's DIGEST-MD5. It reads the last token with one receive call and the success line with the
 * next: so the two come apart, whether it sends its empty token, goes on at once, or waits.
 */
static void the_last_token_and_the_success_line_come_apart(void **state)
{
	static const char *const then[] = {"", "\r\n", "=\r\n"};
	struct tsp_auth alice = {.user = "alice", .password = "secret"};

	for (size_t i = 0; i < sizeof(then) / sizeof(then[0]); i++) {
		struct tsp_sasl *sasl = tsp_sasl_create_initiator(
			TSP_MECHANISM_DIGEST_MD5, &alice, "[::1]");
		struct rig rig;

		rig_open(&rig);
		rig_connect_from_raw(&rig);
		rig_send(&rig, "VERSION=2.0.1\r\n");
		rig_expect(&rig, CAPABILITIES);
		rig_send(&rig, "AUTHENTICATE DIGEST-MD5\r\n");
		answer_token(&rig, sasl, TSP_SASL_MORE);
		rig_expect(&rig, "\r\n");
		assert_int_equal(rig.text_len, 0);
		rig_send(&rig, then[i]);
		rig_expect(&rig, "200 Success\r\n");
		assert_string_equal(rig.responder.user, "alice");
		rig_send_body(&rig, CREATE);
		rig_run_messages(&rig, &rig.responder, 1);
		tsp_sasl_destroy(sasl);
		rig_close(&rig);
	}
}

/* Octet by octet, everything from the version to the second message. */
static void a_dribbled_session_works(void **state)
{
	static const char all[] = "VERSION=2.0.0\r\nAUTHENTICATE ANONYMOUS\r\n";
	struct rig *rig = *state;
	char body[512];
	size_t len;

	rig_connect_from_raw(rig);
	len = snprintf(
		body, sizeof(body), "%sContent-length: %zu\r\n%s\r\n", all, strlen(CREATE), CREATE);
	for (size_t i = 0; i < len; i++) {
		rig_send_octets(rig, body + i, 1);
		rig_run_ms(rig, 1);
	}
	rig_expect(rig, "<tunnel action=\"info\"");
}

/* A whole session in one segment, then the end of the stream: it is answered all the same. */
static void a_half_closed_peer_gets_its_answer(void **state)
{
	struct rig *rig = *state;
	char all[1024];

	rig_connect_from_raw(rig);
	snprintf(all, sizeof(all),
		"VERSION=2.0.0\r\nAUTHENTICATE ANONYMOUS\r\nContent-length: %zu\r\n%s",
		strlen(CREATE), CREATE);
	rig_send(rig, all);
	shutdown(rig->raw, SHUT_WR);
	rig_expect(rig, "<tunnel action=\"info\"");
	expect_close(rig, TSP_CLOSE_PEER);
}

/* The same when the owner answers later, from elsewhere. */
static void a_half_closed_peer_gets_a_late_answer(void **state)
{
	struct tsp_msg answer = {.status = TSP_STATUS_TEP_ERROR};
	struct rig *rig = *state;

	rig->responder.answers = false;
	log_in(rig);
	rig_send_body(rig, CREATE);
	shutdown(rig->raw, SHUT_WR);
	rig_run_messages(rig, &rig->responder, 1);
	rig_run_ms(rig, 30);
	assert_false(rig->responder.is_closed);
	assert_int_equal(tsp_conn_send(rig->responder.conn, &answer), 0);
	rig_expect(rig, "310 Configuration error at TEP");
	expect_close(rig, TSP_CLOSE_PEER);
}

/* XML that is wrong costs an answer, not the connection; framing that is lost costs both. */
static void bad_xml_is_answered_and_the_session_goes_on(void **state)
{
	struct rig *rig = *state;

	log_in(rig);
	rig_send_body(rig, "<tunnel action=\"create\" type=\"v4v6\">");
	rig_expect(rig, "Content-length: 23\r\n500 Malformed message\r\n");
	rig_send_body(rig, "<!DOCTYPE tunnel>" CREATE);
	rig_expect(rig, "500 Malformed message\r\n");
	rig_send_body(rig, "<tunnel action=\"create\" type=\"v6v4\"/>");
	rig_expect(rig, "303 Unsupported tunnel type\r\n");
	rig_send_body(rig, "<tunnel action='create' type='v4v6'><client><address type='ipv6'>x"
			   "</address></client></tunnel>");
	rig_expect(rig, "502 Invalid IPv6 address\r\n");
	rig_send_body(rig, "<tunnel action='create' type='v4v6'><client><address type='ipv4'>x"
			   "</address></client></tunnel>");
	rig_expect(rig, "501 Invalid IPv4 address\r\n");
	assert_int_equal(rig->responder.n_messages, 0);
	rig_send_body(rig, CREATE);
	rig_expect(rig, "<tunnel action=\"info\"");
	assert_int_equal(rig->responder.n_messages, 1);
}

static void lost_framing_is_answered_and_closed(void **state)
{
	static const char *const streams[] = {
		"<tunnel action=\"create\" type=\"v4v6\"/>\r\n",
		"Content-length: 0\r\n",
		"Content-length: 8193\r\n",
		"Content-length: 99999999999999999999\r\n",
		"Content-length: -5\r\n",
		"Content-length: abc\r\n",
		"not base64 !\r\n",
		"Host: example.org\r\n",
		"\x01\x02\x03\r\n",
	};

	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
		struct rig rig;

		rig_open(&rig);
		log_in(&rig);
		rig_send(&rig, streams[i]);
		rig_expect(&rig, "Content-length: 23\r\n500 Malformed message\r\n");
		expect_close(&rig, TSP_CLOSE_PROTOCOL);
		assert_int_equal(rig.responder.n_messages, 0);
		rig_close(&rig);
	}
}

/* Spec 004 prints 228 above an XML of another length: what it cuts is 500 (D5). */
static void a_count_that_cuts_the_xml_gets_500(void **state)
{
	struct rig *rig = *state;
	char text[512];

	log_in(rig);
	snprintf(text, sizeof(text), "Content-length: %zu\r\n%s\r\n", strlen(CREATE) - 10, CREATE);
	rig_send(rig, text);
	rig_expect(rig, "500 Malformed message\r\n");
	expect_close(rig, TSP_CLOSE_PROTOCOL);
	assert_int_equal(rig->responder.n_messages, 0);
}

/* Answers come in the order of requests, ours to a bad body too. */
static void a_bad_body_waits_for_the_answers_before_it(void **state)
{
	struct tsp_msg answer = {.status = TSP_STATUS_BUSY};
	struct rig *rig = *state;

	rig->responder.answers = false;
	log_in(rig);
	rig_send_body(rig, CREATE);
	rig_send_body(rig, "<broken");
	rig_send_body(rig, CREATE);
	rig_run_messages(rig, &rig->responder, 1);
	rig_run_ms(rig, 30);
	assert_int_equal(rig->responder.n_messages, 1);
	assert_int_equal(rig->text_len, 0);
	assert_int_equal(tsp_conn_send(rig->responder.conn, &answer), 0);
	rig_expect(rig, "530 Too busy\r\nContent-length: 23\r\n500 Malformed message\r\n");
	rig_run_messages(rig, &rig->responder, 2);
}

static void a_silent_peer_is_closed(void **state)
{
	struct rig *rig = *state;

	rig->responder.params.limits.auth_timeout_s = 1;
	rig_connect_from_raw(rig);
	rig_expect(rig, "300 Authentication failed\r\n");
	expect_close(rig, TSP_CLOSE_TIMEOUT);
}

/* Dribble keeps nobody alive: the time runs from the first octet. */
static void a_message_that_never_ends_is_closed(void **state)
{
	struct rig *rig = *state;

	rig->responder.params.limits.message_timeout_s = 1;
	log_in(rig);
	rig_send(rig, "Content-length: 1000\r\n");
	for (unsigned int i = 0; i < 40 && strstr(rig->text, "500") == NULL; i++) {
		rig_send(rig, "x");
		rig_run_ms(rig, 50);
	}
	rig_expect(rig, "500 Malformed message\r\n");
	expect_close(rig, TSP_CLOSE_TIMEOUT);
	assert_string_equal(rig->responder.why, "a message was not completed in time");
}

/* Stray octets are no sign of life. */
static void an_idle_session_is_closed(void **state)
{
	struct rig *rig = *state;

	rig->responder.params.limits.idle_timeout_s = 1;
	log_in(rig);
	for (unsigned int i = 0; i < 40 && !rig->raw_eof; i++) {
		if (!rig->raw_eof)
			rig_send(rig, "\n");
		rig_run_ms(rig, 50);
	}
	expect_close(rig, TSP_CLOSE_TIMEOUT);
	assert_string_equal(rig->responder.why, "idle for too long");
}

static void a_session_without_limits_stays(void **state)
{
	struct rig *rig = *state;

	rig->responder.params.limits.message_timeout_s = 1;
	log_in(rig);
	rig_run_ms(rig, 1300);
	assert_false(rig->responder.is_closed);
	rig_send_body(rig, CREATE);
	rig_expect(rig, "<tunnel action=\"info\"");
}

/* A reset at any time is a closed callback, nothing else. */
static void a_reset_is_survived(void **state)
{
	static const char *const before[] = {"", "VERSION=2.0.0\r\n",
		"VERSION=2.0.0\r\nAUTHENTICATE DIGEST-MD5\r\n",
		"VERSION=2.0.0\r\nAUTHENTICATE ANONYMOUS\r\n",
		"VERSION=2.0.0\r\nAUTHENTICATE ANONYMOUS\r\nContent-length: 100\r\nxyz"};
	static const struct linger reset = {.l_onoff = 1, .l_linger = 0};

	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
		struct rig rig;

		rig_open(&rig);
		rig_connect_from_raw(&rig);
		rig_send(&rig, before[i]);
		rig_run_ms(&rig, 30);
		setsockopt(rig.raw, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(rig.raw);
		rig.raw = -1;
		rig_run_until(&rig, &rig.responder.is_closed);
		assert_int_equal(rig.responder.reason, TSP_CLOSE_ERROR);
		rig_close(&rig);
	}
}

/* The end of the stream at any time is a closed callback too; half a message is none. */
static void an_early_end_is_survived(void **state)
{
	static const char *const before[] = {"", "VERSION=2.0", "VERSION=2.0.0\r\n",
		"VERSION=2.0.0\r\nAUTHENTICATE DIGEST-MD5\r\n",
		"VERSION=2.0.0\r\nAUTHENTICATE SCRAM-SHA-256\r\nbixsbj1hbGljZSxyPXg=\r\n",
		"VERSION=2.0.0\r\nAUTHENTICATE ANONYMOUS\r\nContent-length: 100\r\nxyz"};

	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
		struct rig rig;

		rig_open(&rig);
		rig_connect_from_raw(&rig);
		rig_send(&rig, before[i]);
		shutdown(rig.raw, SHUT_WR);
		rig_run_until(&rig, &rig.responder.is_closed);
		assert_int_equal(rig.responder.reason, TSP_CLOSE_PEER);
		assert_int_equal(rig.responder.n_messages, 0);
		rig_close(&rig);
	}
}

/* Who never reads is no reason to hold its answers without end. */
static void a_peer_that_does_not_read_is_dropped(void **state)
{
	struct rig *rig = *state;
	int small = 4096;

	rig->responder.params.limits.message_timeout_s = 1;
	rig->responder.params.limits.output_max = 16384;
	log_in(rig);
	setsockopt(rig->raw, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	{
		int raw = rig->raw;

		rig->raw = -1; /* the rig no longer reads it */
		while (!rig->responder.is_closed) {
			char text[512];

			snprintf(text, sizeof(text), "Content-length: %zu\r\n%s", strlen(CREATE),
				CREATE);
			for (unsigned int i = 0; i < 100; i++)
				send(raw, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
			rig_run_ms(rig, 10);
		}
		close(raw);
	}
	assert_int_equal(rig->responder.reason, TSP_CLOSE_TIMEOUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(the_dialogue_of_spec_004),
		TEST(versions_and_their_answers),
		TEST(last_words_arrive_though_input_was_unread),
		TEST(authentication_lines_that_are_none_get_500),
		TEST(three_failures_end_the_connection),
		TEST(after_a_failure_another_attempt_may_succeed),
		TEST(a_mechanism_that_is_off_is_refused),
		TEST(an_anonymous_token_is_swallowed),
		TEST(the_last_token_and_the_success_line_come_apart),
		TEST(a_dribbled_session_works),
		TEST(a_half_closed_peer_gets_its_answer),
		TEST(a_half_closed_peer_gets_a_late_answer),
		TEST(bad_xml_is_answered_and_the_session_goes_on),
		TEST(lost_framing_is_answered_and_closed),
		TEST(a_count_that_cuts_the_xml_gets_500),
		TEST(a_bad_body_waits_for_the_answers_before_it),
		TEST(a_silent_peer_is_closed),
		TEST(a_message_that_never_ends_is_closed),
		TEST(an_idle_session_is_closed),
		TEST(a_session_without_limits_stays),
		TEST(a_reset_is_survived),
		TEST(an_early_end_is_survived),
		TEST(a_peer_that_does_not_read_is_dropped),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
