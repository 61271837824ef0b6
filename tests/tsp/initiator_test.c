// SPDX-License-Identifier: BSD-3-Clause
/* Our initiator against a socket that plays the server by hand, well, oddly and badly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "rig.h"

#include "tsp/tsp_sasl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BOTH "CAPABILITY TUNNEL=V4V6 AUTH=DIGEST-MD5 AUTH=SCRAM-SHA-256 AUTH=ANONYMOUS\r\n"

static int setup(void **state)
{
	static struct rig rig;

	rig_open(&rig);
	*state = &rig;
	return 0;
}

static int teardown(void **state)
{
	rig_close(*state);
	return 0;
}

static void log_in(struct rig *rig, const char *success)
{
	rig->initiator.auth.user = NULL;
	rig_connect_to_raw(rig);
	rig_expect(rig, "VERSION=2.0.0\r\n");
	rig_send(rig, BOTH);
	rig_expect(rig, "AUTHENTICATE ANONYMOUS\r\n");
	rig_send(rig, success);
	rig_run_until(rig, &rig->initiator.is_ready);
}

/* R103, S35: both generations, both success lines. */
static void sessions_begin_in_both_generations(void **state)
{
	struct rig *rig = *state;

	rig->initiator.auth.user = NULL;
	rig->initiator.params.generation = TSP_GENERATION_1;
	rig_connect_to_raw(rig);
	rig_expect(rig, "VERSION=1.0\r\n");
	rig_send(rig, "CAPABILITY TUNNEL=V4V6 AUTH=DIGEST-MD5 AUTH=ANONYMOUS\n");
	rig_expect(rig, "AUTHENTICATE ANONYMOUS\r\n");
	rig_send(rig, "OK Authentication successful\n");
	rig_run_until(rig, &rig->initiator.is_ready);
}

/* Lines before the session that end it, and how. */
static void a_server_that_does_not_suit_is_left(void **state)
{
	static const struct {
		const char *user;
		const char *line;
		enum tsp_close_reason reason;
	} rows[] = {
		{NULL, "302 Unsupported client version\r\n", TSP_CLOSE_VERSION},
		{NULL, "500 Malformed message\r\n", TSP_CLOSE_PROTOCOL},
		{NULL, "hello\r\n", TSP_CLOSE_PROTOCOL},
		{NULL, "CAPABILITY\r\n", TSP_CLOSE_PROTOCOL},
		{NULL, "CAPABILITYTUNNEL=V4V6 AUTH=ANONYMOUS\r\n", TSP_CLOSE_PROTOCOL},
		{NULL, "CAPABILITY TUNNEL=V6V4 AUTH=ANONYMOUS\r\n", TSP_CLOSE_PROTOCOL},
		{NULL, "CAPABILITY TUNNEL=V4V6V4 AUTH=ANONYMOUS\r\n", TSP_CLOSE_PROTOCOL},
		{NULL, "CAPABILITY TUNNEL=V4V6\r\n", TSP_CLOSE_AUTH},
		{NULL, "CAPABILITY TUNNEL=V4V6 AUTH=SCRAM-SHA-256\r\n", TSP_CLOSE_AUTH},
		{"alice", "CAPABILITY TUNNEL=V4V6 AUTH=ANONYMOUS\r\n", TSP_CLOSE_AUTH},
		{"alice", "CAPABILITY TUNNEL=V4V6 AUTH=PLAIN AUTH=DIGEST\r\n", TSP_CLOSE_AUTH},
		{NULL, "\x01\r\n", TSP_CLOSE_PROTOCOL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rig rig;

		rig_open(&rig);
		rig.initiator.auth.user = rows[i].user;
		rig_connect_to_raw(&rig);
		rig_expect(&rig, "\r\n");
		rig_send(&rig, rows[i].line);
		rig_run_until(&rig, &rig.initiator.is_closed);
		assert_int_equal(rig.initiator.reason, rows[i].reason);
		assert_false(rig.initiator.is_ready);
		rig_close(&rig);
	}
}

/* The strongest that both have, whatever the order of the list; and only what we allow. */
static void the_strongest_mechanism_is_chosen(void **state)
{
	static const struct {
		uint32_t allowed;
		const char *line, *choice;
	} rows[] = {
		{UINT32_MAX, BOTH, "AUTHENTICATE SCRAM-SHA-256\r\n"},
		{UINT32_MAX, "capability tunnel=v4v6 auth=digest-md5 auth=x\r\n",
			"AUTHENTICATE DIGEST-MD5\r\n"},
		{TSP_MECHANISM_DIGEST_MD5, BOTH, "AUTHENTICATE DIGEST-MD5\r\n"},
		{UINT32_MAX,
			"CAPABILITY TUNNEL=V6V4 TUNNEL=V4V6\tAUTH=PLAIN  AUTH=SCRAM-SHA-256 \r\n",
			"AUTHENTICATE SCRAM-SHA-256\r\n"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rig rig;

		rig_open(&rig);
		rig.initiator.auth.mechanisms = rows[i].allowed;
		rig_connect_to_raw(&rig);
		rig_send(&rig, rows[i].line);
		rig_expect(&rig, rows[i].choice);
		rig_close(&rig);
	}
}

/* R107: who has not proved that it knows the password is not believed. */
static void a_success_that_comes_too_early_is_refused(void **state)
{
	static const char *const offers[] = {
		"CAPABILITY TUNNEL=V4V6 AUTH=SCRAM-SHA-256\r\n",
		"CAPABILITY TUNNEL=V4V6 AUTH=DIGEST-MD5\r\n",
	};

	for (size_t i = 0; i < 2; i++) {
		struct rig rig;

		rig_open(&rig);
		rig_connect_to_raw(&rig);
		rig_send(&rig, offers[i]);
		rig_expect(&rig, "AUTHENTICATE");
		rig_send(&rig, "200 Success\r\n");
		rig_run_until(&rig, &rig.initiator.is_closed);
		assert_int_equal(rig.initiator.reason, TSP_CLOSE_AUTH);
		assert_false(rig.initiator.is_ready);
		rig_close(&rig);
	}
}

/* Takes the line that has come, without its end. */
static void take_line(struct rig *rig, char *line, size_t size)
{
	while (strchr(rig->text, '\n') == NULL)
		rig_run_ms(rig, 1);
	snprintf(line, size, "%.*s", (int)strcspn(rig->text, "\r\n"), rig->text);
	rig_expect(rig, "\r\n");
}

static bool any_secret(void *arg, const char *user, struct tsp_secret *secret)
{
	snprintf(secret->password, sizeof(secret->password), "a guess");
	return true;
}

/* An impostor can begin both mechanisms; what it cannot make is the last token. */
static void a_server_that_does_not_know_the_password_is_left(void **state)
{
	static const struct {
		const char *offer;
		enum tsp_mechanism mechanism;
		const char *proof;
	} rows[] = {
		{"CAPABILITY TUNNEL=V4V6 AUTH=SCRAM-SHA-256\r\n", TSP_MECHANISM_SCRAM_SHA_256,
			"dj1Dd3M5U3hyUTdjYXVlRVZnc3ljSW9FdmxpN0Z1elhadyt5NUNKRVZ3M200PQ==\r\n"},
		{"CAPABILITY TUNNEL=V4V6 AUTH=DIGEST-MD5\r\n", TSP_MECHANISM_DIGEST_MD5,
			"cnNwYXV0aD03ZTBjYTk1ZGViZTQwYjRmMzIwZTVkYjFlYjE2YmJmZg==\r\n"},
	};
	static const struct tsp_auth impostor = {.find_secret = any_secret};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tsp_sasl *sasl = tsp_sasl_create_responder(rows[i].mechanism, &impostor);
		char line[1024] = "", *answer;
		struct rig rig;

		rig_open(&rig);
		rig_connect_to_raw(&rig);
		rig_send(&rig, rows[i].offer);
		rig_expect(&rig, "AUTHENTICATE");
		rig_expect(&rig, "\r\n");
		if (!tsp_sasl_begins(sasl))
			take_line(&rig, line, sizeof(line));
		assert_int_equal(tsp_sasl_step(sasl, line, &answer), TSP_SASL_MORE);
		rig_send(&rig, answer);
		rig_send(&rig, "\r\n");
		take_line(&rig, line, sizeof(line)); /* the client's proof */
		rig_send(&rig, rows[i].proof);
		rig_send(&rig, "200 Success\r\n");
		rig_run_until(&rig, &rig.initiator.is_closed);
		assert_int_equal(rig.initiator.reason, TSP_CLOSE_AUTH);
		assert_string_equal(rig.initiator.why, "the peer's proof is wrong");
		assert_false(rig.initiator.is_ready);
		free(answer);
		tsp_sasl_destroy(sasl);
		rig_close(&rig);
	}
}

static void tokens_that_are_none_end_the_connection(void **state)
{
	static const char *const lines[] = {"!\r\n", "\r\n", "AAAA\r\n", "=\r\n",
		"cj14LHM9eCxpPTA=\r\n", "300 Authentication failed\r\n", "300\r\n"};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct rig rig;

		rig_open(&rig);
		rig_connect_to_raw(&rig);
		rig_send(&rig, BOTH);
		rig_expect(&rig, "AUTHENTICATE SCRAM-SHA-256\r\n");
		rig_expect(&rig, "\r\n");
		rig_send(&rig, lines[i]);
		rig_run_until(&rig, &rig.initiator.is_closed);
		assert_int_equal(rig.initiator.reason, TSP_CLOSE_AUTH);
		rig_close(&rig);
	}
}

/* R102: the server's own requests come over the client's session. */
static void requests_of_the_server_are_handed_up(void **state)
{
	struct tsp_msg ack = {.status = TSP_STATUS_OK, .action = TSP_ACTION_INFO};
	struct rig *rig = *state;

	log_in(rig, "200 Success\r\n");
	rig_send_body(rig, "200 OK\r\n<tunnel action=\"delete\" type=\"v4v6\"></tunnel>\r\n");
	rig_send(rig, "\r\n");
	rig_send_body(rig, "<tunnel action=\"delete\" type=\"v4v6\"></tunnel>");
	rig_run_messages(rig, &rig->initiator, 2);
	assert_int_equal(rig->initiator.last.action, TSP_ACTION_DELETE);
	assert_int_equal(tsp_conn_send(rig->initiator.conn, &ack), 0);
	rig_expect(rig, "Content-length: 56\r\n200 Success\r\n<tunnel action=\"info\"");
}

/* The initiator answers nothing that it cannot read: it leaves. */
static void what_does_not_parse_ends_the_connection(void **state)
{
	static const char *const streams[] = {
		"Content-length: 5\r\n<tunn",
		"Content-length: 9000\r\n",
		"hello\r\n",
		"Content-length: 34\r\n<!DOCTYPE t><tunnel action='info'/>",
	};

	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
		struct rig rig;

		rig_open(&rig);
		log_in(&rig, "200 Success\r\n");
		rig_send(&rig, streams[i]);
		rig_run_until(&rig, &rig.initiator.is_closed);
		assert_int_equal(rig.initiator.reason, TSP_CLOSE_PROTOCOL);
		assert_int_equal(rig.initiator.n_messages, 0);
		assert_int_equal(rig.text_len, 0);
		rig_close(&rig);
	}
}

static void the_end_of_the_stream_is_the_peers(void **state)
{
	struct rig *rig = *state;

	log_in(rig, "200 Success\r\n");
	close(rig->raw);
	rig->raw = -1;
	rig_run_until(rig, &rig->initiator.is_closed);
	assert_int_equal(rig->initiator.reason, TSP_CLOSE_PEER);
}

static void nobody_at_the_other_end_is_a_connect_failure(void **state)
{
	struct rig *rig = *state;
	struct addr_endpoint nobody = {.addr = IN6ADDR_LOOPBACK_INIT, .port = 1};

	rig->initiator.conn = tsp_conn_connect(&rig->initiator.params, &nobody);
	assert_non_null(rig->initiator.conn);
	rig_run_until(rig, &rig->initiator.is_closed);
	assert_int_equal(rig->initiator.reason, TSP_CLOSE_CONNECT);
}

static void a_server_that_says_nothing_is_left(void **state)
{
	struct rig *rig = *state;

	rig->initiator.params.limits.auth_timeout_s = 1;
	rig_connect_to_raw(rig);
	rig_run_until(rig, &rig->initiator.is_closed);
	assert_int_equal(rig->initiator.reason, TSP_CLOSE_TIMEOUT);
}

static void nothing_is_sent_before_ready(void **state)
{
	struct rig *rig = *state;
	struct tsp_msg msg = create_message(60);

	rig_connect_to_raw(rig);
	assert_int_equal(tsp_conn_send(rig->initiator.conn, &msg), -ENOTCONN);
	rig_expect(rig, "VERSION=2.0.0\r\n");
	assert_int_equal(tsp_conn_send(rig->initiator.conn, &msg), -ENOTCONN);
	tsp_conn_close(rig->initiator.conn);
	assert_int_equal(tsp_conn_send(rig->initiator.conn, &msg), -ENOTCONN);
	assert_false(rig->initiator.is_closed); /* it comes from the loop */
	rig_run_until(rig, &rig->initiator.is_closed);
	assert_int_equal(rig->initiator.reason, TSP_CLOSE_LOCAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(sessions_begin_in_both_generations),
		TEST(a_server_that_does_not_suit_is_left),
		TEST(the_strongest_mechanism_is_chosen),
		TEST(a_success_that_comes_too_early_is_refused),
		TEST(a_server_that_does_not_know_the_password_is_left),
		TEST(tokens_that_are_none_end_the_connection),
		TEST(requests_of_the_server_are_handed_up),
		TEST(what_does_not_parse_ends_the_connection),
		TEST(the_end_of_the_stream_is_the_peers),
		TEST(nobody_at_the_other_end_is_a_connect_failure),
		TEST(a_server_that_says_nothing_is_left),
		TEST(nothing_is_sent_before_ready),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
