// SPDX-License-Identifier: BSD-3-Clause
/* What we write: its one form, that it is read back the same, and that it validates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tsp/tsp_xml.h"

#include <libxml/parser.h>
#include <libxml/valid.h>

#include <errno.h>
#include <string.h>

#define N(rows) (sizeof(rows) / sizeof((rows)[0]))

#define ZEROS "00000000000000000000000000000000" /* of two digests */

/* One message of each kind that our programs send, and how it looks. */
static const struct sample {
	struct tsp_msg msg;
	const char *text;
} samples[] = {
	{{.action = TSP_ACTION_CREATE,
		 .has_lifetime = true,
		 .lifetime_s = 1440,
		 .client = {.present = true, .n_v6 = 1, .has_ports = true, .ports_count = 1024}},
		"<tunnel action=\"create\" type=\"v4v6\" lifetime=\"1440\"><client>"
		"<address type=\"ipv6\">::</address><ports count=\"1024\"/></client></tunnel>"},
	{{.action = TSP_ACTION_CREATE,
		 .wants_keepalive = true,
		 .client = {.present = true, .n_v6 = 1, .has_ports = true}},
		"<tunnel action=\"create\" type=\"v4v6\"><client><address "
		"type=\"ipv6\">::</address>"
		"<ports/><keepalive interval=\"30\"></keepalive></client></tunnel>"},
	{{.action = TSP_ACTION_INFO,
		 .status = TSP_STATUS_OK,
		 .code = 200,
		 .wants_keepalive = true,
		 .server = {.present = true, .has_v4 = true, .v4 = 0xc0000001, .n_v6 = 1},
		 .client = {.present = true,
			 .has_v4 = true,
			 .v4 = 0xc6336407,
			 .n_v6 = 1,
			 .has_ports = true,
			 .n_ranges = 2,
			 .ranges = {{2048, 3071}, {0, 0}}}},
		"200 Success\r\n<tunnel action=\"info\" type=\"v4v6\"><server>"
		"<address type=\"ipv4\" length=\"32\">192.0.0.1</address>"
		"<address type=\"ipv6\">::</address></server><client>"
		"<address type=\"ipv4\" length=\"32\">198.51.100.7</address>"
		"<address type=\"ipv6\">::</address><ports start=\"2048\" end=\"3071\"/>"
		"<ports start=\"0\" end=\"0\"/><keepalive interval=\"30\">"
		"<address type=\"ipv4\" length=\"32\">192.0.0.1</address></keepalive>"
		"</client></tunnel>"},
	{{.action = TSP_ACTION_CREATE,
		 .client = {.present = true,
			 .has_v4 = true,
			 .v4 = 1,
			 .n_v6 = 1,
			 .has_ports = true,
			 .ports_count = 64,
			 .n_ranges = 1,
			 .ranges = {{2048, 2111}}}},
		"<tunnel action=\"create\" type=\"v4v6\"><client>"
		"<address type=\"ipv4\" length=\"32\">0.0.0.1</address>"
		"<address type=\"ipv6\">::</address><ports start=\"2048\" end=\"2111\"/>"
		"<ports count=\"64\"/></client></tunnel>"},
	{{.action = TSP_ACTION_CREATE,
		 .has_lifetime = true,
		 .lifetime_s = 60,
		 .until_s = UINT32_MAX,
		 .server = {.present = true, .n_v6 = 1}},
		"<tunnel action=\"create\" type=\"v4v6\" lifetime=\"60\" until=\"4294967295\">"
		"<server><address type=\"ipv6\">::</address></server></tunnel>"},
	{{.action = TSP_ACTION_DELETE, .client = {.present = true, .has_v4 = true, .v4 = 1}},
		"<tunnel action=\"delete\" type=\"v4v6\"><client>"
		"<address type=\"ipv4\" length=\"32\">0.0.0.1</address></client></tunnel>"},
	{{.action = TSP_ACTION_QUERY, .server = {.present = true, .has_v4 = true, .v4 = 1}},
		"<tunnel action=\"query\" type=\"v4v6\"><server>"
		"<address type=\"ipv4\" length=\"32\">0.0.0.1</address></server></tunnel>"},
	{{.status = TSP_STATUS_OK,
		 .code = 200,
		 .action = TSP_ACTION_INFO,
		 .n_prefixes = 2,
		 .prefixes = {{0xc6336400, 28}, {0xcb007109, 32}}},
		"200 Success\r\n<tunnel action=\"info\" type=\"v4v6\"><direct>"
		"<address type=\"ipv4\" length=\"28\">198.51.100.0</address>"
		"<address type=\"ipv4\" length=\"32\">203.0.113.9</address></direct></tunnel>"},
	{{.action = TSP_ACTION_ACCEPT}, "<tunnel action=\"accept\"></tunnel>"},
	{{.action = TSP_ACTION_REJECT}, "<tunnel action=\"reject\"></tunnel>"},
	{{.action = TSP_ACTION_LIST, .sync = TSP_SYNC_BEGIN},
		"<tunnel action=\"list\" type=\"v4v6\" sync=\"begin\"></tunnel>"},
	{{.action = TSP_ACTION_LIST, .sync = TSP_SYNC_END},
		"<tunnel action=\"list\" type=\"v4v6\" sync=\"end\"></tunnel>"},
	{{.action = TSP_ACTION_LIST, .sync = TSP_SYNC_END, .node = {3, 0x03f}},
		"<tunnel action=\"list\" type=\"v4v6\" sync=\"end\" node=\"03f\"></tunnel>"},
	{{.action = TSP_ACTION_LIST, .sync = TSP_SYNC_DIGEST, .node = {2, 0xa3}},
		"<tunnel action=\"list\" type=\"v4v6\" sync=\"digest\" node=\"a3\"></tunnel>"},
	{{.action = TSP_ACTION_LIST,
		 .sync = TSP_SYNC_LEVEL,
		 .n_digests = 1,
		 .digests = {0xfedcba9876543210},
		 .has_differs = true},
		"<tunnel action=\"list\" type=\"v4v6\" sync=\"level\" "
		"digest=\"fedcba9876543210\" differs=\"0\"></tunnel>"},
	{{.status = TSP_STATUS_OK,
		 .code = 200,
		 .action = TSP_ACTION_INFO,
		 .node = {1, 0xa},
		 .n_digests = DIGEST_FANOUT,
		 .digests = {1, [15] = UINT64_MAX}},
		"200 Success\r\n<tunnel action=\"info\" type=\"v4v6\" node=\"a\" digest=\""
		"0000000000000001" ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS
		"ffffffffffffffff\"></tunnel>"},
	{{.status = TSP_STATUS_OK, .code = 200}, "200 Success\r\n"},
	{{.status = TSP_STATUS_MALFORMED, .code = 500}, "500 Malformed message\r\n"},
	{{.action = TSP_ACTION_LIST,
		 .status = TSP_STATUS_BUSY,
		 .code = 1530,
		 .n_brokers = 2,
		 .brokers = {{.v6 = {{{0}}}}, {.is_v4 = true, .v4 = 0xc0000235}}},
		"1530 Too busy\r\n<tunnel action=\"list\" type=\"broker\"><broker>"
		"<address type=\"ipv6\">::</address>"
		"<address type=\"ipv4\" length=\"32\">192.0.2.53</address></broker></tunnel>"},
};

static void messages_are_written_in_one_form(void **state)
{
	for (size_t i = 0; i < N(samples); i++) {
		char buf[TSP_SEND_MAX];
		int len = tsp_xml_write(&samples[i].msg, TSP_GENERATION_2, buf, sizeof(buf));

		assert_int_equal(len, strlen(samples[i].text));
		assert_string_equal(buf, samples[i].text);
	}
}

static void what_is_written_is_read_back_the_same(void **state)
{
	for (size_t i = 0; i < N(samples); i++) {
		struct tsp_msg msg;
		const char *why;

		assert_int_equal(tsp_xml_parse(samples[i].text, strlen(samples[i].text),
					 TSP_GENERATION_2, &msg, &why),
			TSP_STATUS_OK);
		assert_memory_equal(&msg, &samples[i].msg, sizeof(msg));
	}
}

static void say_nothing(void *ctx, const char *format, ...)
{
}

static bool is_valid(xmlDtd *dtd, const char *text)
{
	const char *xml = strchr(text, '<');
	xmlValidCtxt *ctxt;
	xmlDoc *doc;
	bool valid;

	if (xml == NULL)
		return true; /* a status line alone */
	doc = xmlReadMemory(xml, strlen(xml), NULL, NULL, XML_PARSE_NONET);
	ctxt = xmlNewValidCtxt();
	ctxt->error = say_nothing;
	valid = xmlValidateDtd(ctxt, doc, dtd) == 1;
	xmlFreeValidCtxt(ctxt);
	xmlFreeDoc(doc);
	return valid;
}

static void what_is_written_validates_against_the_dtd(void **state)
{
	xmlDtd *dtd = xmlParseDTD(NULL, (const xmlChar *)TSP_DTD);

	assert_non_null(dtd);
	for (size_t i = 0; i < N(samples); i++)
		assert_true(is_valid(dtd, samples[i].text));
	assert_false(is_valid(dtd, "<tunnel action='renew'/>"));
	xmlFreeDtd(dtd);
}

/* The fullest message that a struct tsp_msg can hold fits what we send; a smaller buffer says so. */
static void the_longest_message_fits(void **state)
{
	struct tsp_msg msg = {
		.status = TSP_STATUS_UNAVAILABLE,
		.action = TSP_ACTION_INFO,
		.has_lifetime = true,
		.lifetime_s = TSP_LIFETIME_MAX_S,
		.until_s = UINT32_MAX,
		.wants_keepalive = true,
		.n_brokers = TSP_BROKERS_MAX,
		.n_prefixes = TSP_PREFIXES_MAX,
		.node = {DIGEST_DEPTH, 0xfff},
		.n_digests = DIGEST_FANOUT,
		.has_differs = true,
		.differs_s = UINT32_MAX,
	};
	struct tsp_party *parties[] = {&msg.server, &msg.client};
	char buf[TSP_SEND_MAX];
	int len;

	for (size_t i = 0; i < 2; i++) {
		struct tsp_party *party = parties[i];

		*party = (struct tsp_party){.present = true, .has_v4 = true, .has_ports = true};
		party->v4 = UINT32_MAX;
		party->n_v6 = TSP_PARTY_V6_MAX;
		memset(party->v6, 0xff, sizeof(party->v6));
		party->n_ranges = LEASE_RANGES_MAX;
		for (uint32_t k = 0; k < LEASE_RANGES_MAX; k++)
			party->ranges[k] = (struct port_range){10000 + k, 10000 + k};
	}
	for (size_t i = 0; i < TSP_BROKERS_MAX; i++)
		memset(&msg.brokers[i].v6, 0xff, sizeof(msg.brokers[i].v6));
	len = tsp_xml_write(&msg, TSP_GENERATION_1, buf, sizeof(buf));
	assert_in_range(len, 1000, TSP_SEND_MAX - 1);
	for (int size = 1; size <= len; size += 7)
		assert_int_equal(tsp_xml_write(&msg, TSP_GENERATION_1, buf, size), -ENOSPC);
	assert_int_equal(tsp_xml_write(&msg, TSP_GENERATION_1, buf, len + 1), len);
}

static void a_message_that_says_nothing_is_not_written(void **state)
{
	struct tsp_msg msg = {0};
	char buf[64];

	assert_int_equal(tsp_xml_write(&msg, TSP_GENERATION_1, buf, sizeof(buf)), -EINVAL);
}

static int cleanup(void **state)
{
	tsp_xml_cleanup();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_are_written_in_one_form),
		cmocka_unit_test(what_is_written_is_read_back_the_same),
		cmocka_unit_test(what_is_written_validates_against_the_dtd),
		cmocka_unit_test(the_longest_message_fits),
		cmocka_unit_test(a_message_that_says_nothing_is_not_written),
	};

	return cmocka_run_group_tests(tests, NULL, cleanup);
}
