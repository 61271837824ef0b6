// SPDX-License-Identifier: BSD-3-Clause
/* What a parser may answer: every message comes back whole, and nothing else is believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tsp/tsp_pack.h"

#include "xml_bodies.h"

#include <errno.h>
#include <string.h>

#define RANGES8                                                                                 \
	"<ports start=\"1024\" end=\"2047\"/><ports start=\"0\" end=\"0\"/><ports start=\"1\" " \
	"end=\"2\"/><ports start=\"3\" end=\"3\"/><ports start=\"5\" end=\"6\"/>"               \
	"<ports start=\"4096\" end=\"5119\"/><ports start=\"8\" end=\"8\"/><ports "             \
	"start=\"65535\" end=\"65535\"/>"
#define ADDRESSES4 V6("2001:db8::1") V6("fe80::1") V6("::") V6("1:2:3:4::5:6:7:8")
#define BROKERS8        \
	V4("192.0.2.1") \
	V6("::1") V4("192.0.2.2") V4("0.0.0.0") V6("::2") V6("::3") V6("::4") V6("::5")
#define PREFIX(text, length) "<address type=\"ipv4\" length=\"" length "\">" text "</address>"
#define PREFIXES8                    \
	PREFIX("0.0.0.0", "0")       \
	PREFIX("198.51.100.0", "28") \
	PREFIX("203.0.113.9", "32")  \
	PREFIX("10.0.0.0", "8")      \
	PREFIX("0.0.0.0", "0") PREFIX("0.0.0.0", "1") PREFIX("0.0.0.0", "2") PREFIX("0.0.0.0", "3")

#define DIGEST "0123456789abcdef"

static const char *const bodies[] = {
	"200 Success",
	"306 Address pool exhausted",
	"9999 x",
	CREATE(V6("2001:db8:1::17")),
	CREATE(V6("2001:db8:1::17") "<ports/>"),
	CREATE(V6("2001:db8:1::17") "<ports count=\"65536\"/>"),
	CREATE(V4("198.51.100.7") ADDRESSES4 RANGES8 "<keepalive interval=\"30\"/>"),
	TUNNEL("action=\"delete\" type=\"v4v6\" lifetime=\"1\""),
	TUNNEL("action=\"info\" type=\"v4v6\" lifetime=\"2147483647\""),
	TUNNEL("action=\"create\" type=\"v4v6\" lifetime=\"60\" until=\"1\""),
	TUNNEL("action=\"info\" type=\"v4v6\" until=\"4294967295\""),
	TUNNEL("action=\"query\" type=\"v4v6\""),
	"<tunnel action=\"accept\"></tunnel>",
	"<tunnel action=\"reject\"></tunnel>",
	"<tunnel action=\"list\" type=\"v4v6\" sync=\"begin\"></tunnel>",
	"<tunnel action=\"list\" type=\"v4v6\" sync=\"end\"></tunnel>",
	TUNNEL("action=\"list\" type=\"v4v6\" sync=\"begin\" node=\"a3f\""),
	TUNNEL("action=\"list\" type=\"v4v6\" sync=\"digest\" digest=\"" DIGEST "\" differs=\"7\""),
	TUNNEL("action=\"list\" type=\"v4v6\" sync=\"level\" digest=\"ffffffffffffffff\""),
	"200 Success\r\n" TUNNEL("action=\"info\" type=\"v4v6\" node=\"0\" digest=\"" DIGEST DIGEST
			DIGEST DIGEST DIGEST DIGEST DIGEST DIGEST DIGEST DIGEST DIGEST DIGEST DIGEST
				DIGEST DIGEST DIGEST "\""),
	"1301 Try another\r\n<tunnel action=\"list\" type=\"broker\"><broker>" BROKERS8
	"</broker></tunnel>",
	"200 Success\r\n<tunnel action=\"info\" type=\"v4v6\" lifetime=\"60\"><server>" ADDRESSES4
		V4("192.0.2.9") RANGES8 "</server><client>" ADDRESSES4 V4("198.51.100.7") RANGES8
	"</client><broker>" BROKERS8 "</broker><direct>" PREFIXES8 "</direct></tunnel>",
};

static size_t pack(const char *body, struct tsp_msg *msg, uint8_t buf[TSP_PACK_MAX])
{
	if (parse(body, msg) != TSP_STATUS_OK)
		fail_msg("not a message: %s", body);
	return tsp_msg_pack(msg, buf);
}

static void a_message_comes_back_as_it_was(void **state)
{
	for (size_t i = 0; i < N(bodies); i++) {
		struct tsp_msg before, after;
		uint8_t buf[TSP_PACK_MAX];
		size_t len = pack(bodies[i], &before, buf);

		assert_true(len <= sizeof(buf));
		assert_int_equal(tsp_msg_unpack(buf, len, &after), 0);
		assert_memory_equal(&before, &after, sizeof(before));
	}
}

static void a_message_that_is_cut_or_too_long_is_refused(void **state)
{
	static const struct tsp_msg zero;

	for (size_t i = 0; i < N(bodies); i++) {
		uint8_t buf[TSP_PACK_MAX + 1] = {0};
		struct tsp_msg msg;
		size_t len = pack(bodies[i], &msg, buf);

		for (size_t cut = 0; cut < len; cut++) {
			assert_int_equal(tsp_msg_unpack(buf, cut, &msg), -EINVAL);
			assert_memory_equal(&msg, &zero, sizeof(msg));
		}
		assert_int_equal(tsp_msg_unpack(buf, len + 1, &msg), -EINVAL);
	}
}

/* Whatever one octet is: refused, or a message that says exactly what the octets say. */
static void no_octet_makes_an_impossible_message(void **state)
{
	for (size_t i = 0; i < N(bodies); i++) {
		uint8_t buf[TSP_PACK_MAX], again[TSP_PACK_MAX];
		struct tsp_msg msg;
		size_t len = pack(bodies[i], &msg, buf);

		for (size_t at = 0; at < len; at++) {
			uint8_t was = buf[at];

			for (int value = 0; value < 256; value++) {
				buf[at] = value;
				if (tsp_msg_unpack(buf, len, &msg) < 0)
					continue;
				memset(again, 0, sizeof(again));
				/* The spare octets of an IPv4 broker are the only ones that get lost. */
				assert_int_equal(tsp_msg_pack(&msg, again), len);
			}
			buf[at] = was;
		}
	}
}

static void what_no_parser_says_is_refused(void **state)
{
	struct tsp_msg good, bad, out;
	uint8_t buf[TSP_PACK_MAX];

	pack(bodies[N(bodies) - 1], &good, buf);
#define REFUSED(change) \
	bad = good;     \
	change;         \
	assert_int_equal(tsp_msg_unpack(buf, tsp_msg_pack(&bad, buf), &out), -EINVAL)
	REFUSED(bad.status = TSP_STATUS_BUSY + 1);
	REFUSED(bad.status = TSP_STATUS_NONE);
	REFUSED(bad.action = TSP_ACTION_LIST + 1);
	REFUSED(bad.sync = TSP_SYNC_BEGIN);
	REFUSED(bad.lifetime_s = 0);
	REFUSED(bad.lifetime_s = UINT32_MAX);
	REFUSED(bad.has_lifetime = false);
	REFUSED(bad.code = 10000);
	REFUSED(bad.client.present = false);
	REFUSED(bad.client.has_v4 = false);
	REFUSED(bad.client.has_ports = false);
	REFUSED(bad.client.ports_count = 65537);
	REFUSED(bad.client.ranges[0].last = 0);
	REFUSED(bad.client.ranges[1] = bad.client.ranges[0]);
	REFUSED(bad.client.ranges[0].last = 4096);
	REFUSED(bad.node.depth = DIGEST_DEPTH + 1);
	REFUSED(bad.node = ((struct digest_node){1, 16}));
	REFUSED(bad.n_digests = 2);
	REFUSED(bad.differs_s = 1);
	REFUSED(bad.action = TSP_ACTION_CREATE; bad.n_digests = 1);
	REFUSED(bad.prefixes[1].len = 33);
	REFUSED(bad.prefixes[1].addr++);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_comes_back_as_it_was),
		cmocka_unit_test(a_message_that_is_cut_or_too_long_is_refused),
		cmocka_unit_test(no_octet_makes_an_impossible_message),
		cmocka_unit_test(what_no_parser_says_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
