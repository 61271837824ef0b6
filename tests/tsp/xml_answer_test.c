// SPDX-License-Identifier: BSD-3-Clause
/* Reading answers: status lines, errors, redirections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "xml_bodies.h"

#include <stdio.h>

static void status_lines_alone_are_answers(void **state)
{
	static const struct {
		const char *body;
		uint16_t code;
		enum tsp_status first, second;
	} rows[] = {
		{"200 Success\r\n", 200, TSP_STATUS_OK, TSP_STATUS_OK},
		{"200 OK", 200, TSP_STATUS_OK, TSP_STATUS_OK},
		{"200", 200, TSP_STATUS_OK, TSP_STATUS_OK},
		{"OK Authentication successful\r\n", 200, TSP_STATUS_OK, TSP_STATUS_OK},
		{"ok\n", 200, TSP_STATUS_OK, TSP_STATUS_OK},
		{"306 Address Pool Exhausted\r\n", 306, TSP_STATUS_POOL_EXHAUSTED,
			TSP_STATUS_POOL_EXHAUSTED},
		{"310\tIPv4 Invalid Address\n", 310, TSP_STATUS_BAD_V4, TSP_STATUS_TEP_ERROR},
		{"301 x", 301, TSP_STATUS_POOL_EXHAUSTED, TSP_STATUS_POOL_EXHAUSTED},
		{"1530 Elsewhere\r\n", 1530, TSP_STATUS_BUSY, TSP_STATUS_BUSY},
		{"777 Whatever\r\n", 777, TSP_STATUS_MALFORMED, TSP_STATUS_MALFORMED},
	};

	for (size_t i = 0; i < N(rows); i++) {
		struct tsp_msg msg;
		const char *why;

		assert_int_equal(parse(rows[i].body, &msg), TSP_STATUS_OK);
		assert_int_equal(msg.action, TSP_ACTION_NONE);
		assert_int_equal(msg.code, rows[i].code);
		assert_int_equal(msg.status, rows[i].first);
		assert_int_equal(tsp_xml_parse(rows[i].body, strlen(rows[i].body), TSP_GENERATION_2,
					 &msg, &why),
			TSP_STATUS_OK);
		assert_int_equal(msg.status, rows[i].second);
	}
}

/* S35: the code grown by 1000 and a list of other servers. */
static void a_redirection_lists_brokers(void **state)
{
	struct tsp_msg msg;

	assert_int_equal(parse("1530 Busy\r\n<tunnel action='list' type='broker'><broker>"
			       "<address type='dn'>tsp.example</address>" V6("2001:db8::53")
					 V4("192.0.2.53") "</broker></tunnel>",
				 &msg),
		TSP_STATUS_OK);
	assert_int_equal(msg.action, TSP_ACTION_LIST);
	assert_int_equal(msg.status, TSP_STATUS_BUSY);
	assert_int_equal(msg.n_brokers, 2);
	assert_v6(&msg.brokers[0].v6, "2001:db8::53");
	assert_true(msg.brokers[1].is_v4);
	assert_int_equal(msg.brokers[1].v4, 0xc0000235);
}

static void nine_brokers_are_read_as_eight(void **state)
{
	char body[2048] = "<tunnel action='list' type='broker'><broker>";
	size_t len = strlen(body);
	struct tsp_msg msg;

	for (unsigned int i = 0; i < 9; i++)
		len += snprintf(body + len, sizeof(body) - len, V6("2001:db8::%u"), i + 1);
	snprintf(body + len, sizeof(body) - len, "</broker></tunnel>");
	assert_int_equal(parse(body, &msg), TSP_STATUS_OK);
	assert_int_equal(msg.n_brokers, TSP_BROKERS_MAX);
	assert_v6(&msg.brokers[7].v6, "2001:db8::8");
}

/* What a client may ask about (R16): eight prefixes at most, and none that is not one. */
static void prefixes_that_may_be_asked_about(void **state)
{
#define ABOUT(addresses) \
	"200 Success\r\n<tunnel action='info' type='v4v6'><direct>" addresses "</direct></tunnel>"
	char body[2048] = "<tunnel action='info' type='v4v6'><direct>";
	size_t len = strlen(body);
	struct tsp_msg msg;

	assert_int_equal(parse(ABOUT("<address type='ipv4' length='28'>198.51.100.0</address>"
				     "<address type='dn'>tsp.example</address>"
				     "<address type='ipv4'>203.0.113.9</address>"
				     "<address type='ipv6' length='32'>2001:db8::</address>"),
				 &msg),
		TSP_STATUS_OK);
	assert_int_equal(msg.n_prefixes, 2);
	assert_int_equal(msg.prefixes[0].addr, 0xc6336400);
	assert_int_equal(msg.prefixes[0].len, 28);
	assert_int_equal(msg.prefixes[1].len, 32);
	assert_int_equal(parse(ABOUT("<address type='ipv4' length='0'>0.0.0.0</address>"), &msg),
		TSP_STATUS_OK);
	assert_int_equal(parse(ABOUT("<address type='ipv4' length='0'>0.0.0.1</address>"), &msg),
		TSP_STATUS_BAD_V4);
	assert_int_equal(
		parse(ABOUT("<address type='ipv4' length='28'>198.51.100.8</address>"), &msg),
		TSP_STATUS_BAD_V4);
	assert_int_equal(
		parse(ABOUT("<address type='ipv4' length='33'>198.51.100.0</address>"), &msg),
		TSP_STATUS_BAD_V4);
	assert_int_equal(parse(ABOUT(""), &msg), TSP_STATUS_OK);
	assert_int_equal(msg.n_prefixes, 0);
	for (unsigned int i = 0; i < 9; i++)
		len += snprintf(body + len, sizeof(body) - len, V4("192.0.2.%u"), i);
	snprintf(body + len, sizeof(body) - len, "</direct></tunnel>");
	assert_int_equal(parse(body, &msg), TSP_STATUS_OK);
	assert_int_equal(msg.n_prefixes, TSP_PREFIXES_MAX);
}

/* An error that echoes the request stays an error. */
static void an_error_with_the_request_behind_it_is_an_error(void **state)
{
	struct tsp_msg msg;

	assert_int_equal(parse("308 No\r\n" CREATE(""), &msg), TSP_STATUS_OK);
	assert_int_equal(msg.status, TSP_STATUS_UNAVAILABLE);
	assert_int_equal(parse("<tunnel action='info' type='v4v6'/>", &msg), TSP_STATUS_OK);
	assert_int_equal(msg.status, TSP_STATUS_OK);
}

static int cleanup(void **state)
{
	tsp_xml_cleanup();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_lines_alone_are_answers),
		cmocka_unit_test(a_redirection_lists_brokers),
		cmocka_unit_test(nine_brokers_are_read_as_eight),
		cmocka_unit_test(prefixes_that_may_be_asked_about),
		cmocka_unit_test(an_error_with_the_request_behind_it_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, cleanup);
}
