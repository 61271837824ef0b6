// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "common/addr.h"
#include "tsp/tsp_msg.h"

#include <string.h>

/* R106, D6, S35: written from the two texts, not from the program. */
static void codes_follow_the_generation(void **state)
{
	static const struct {
		enum tsp_status status;
		uint16_t first, second;
	} rows[] = {
		{TSP_STATUS_OK, 200, 200},
		{TSP_STATUS_AUTH_FAILED, 300, 300},
		{TSP_STATUS_BAD_VERSION, 302, 302},
		{TSP_STATUS_BAD_TUNNEL_TYPE, 303, 303},
		{TSP_STATUS_POOL_EXHAUSTED, 306, 301},
		{TSP_STATUS_TEP_ERROR, 307, 310},
		{TSP_STATUS_UNAVAILABLE, 308, 301},
		{TSP_STATUS_RENEWAL_REFUSED, 308, 310},
		{TSP_STATUS_BAD_V6, 309, 502},
		{TSP_STATUS_BAD_V4, 310, 501},
		{TSP_STATUS_MALFORMED, 500, 500},
		{TSP_STATUS_BUSY, 530, 530},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(tsp_code(rows[i].status, TSP_GENERATION_1), rows[i].first);
		assert_int_equal(tsp_code(rows[i].status, TSP_GENERATION_2), rows[i].second);
		assert_true(strlen(tsp_status_text(rows[i].status)) > 0);
	}
}

static void a_code_has_its_first_meaning(void **state)
{
	static const struct {
		uint16_t code;
		enum tsp_status first, second;
	} rows[] = {
		{200, TSP_STATUS_OK, TSP_STATUS_OK},
		{300, TSP_STATUS_AUTH_FAILED, TSP_STATUS_AUTH_FAILED},
		{301, TSP_STATUS_POOL_EXHAUSTED, TSP_STATUS_POOL_EXHAUSTED},
		{306, TSP_STATUS_POOL_EXHAUSTED, TSP_STATUS_POOL_EXHAUSTED},
		{307, TSP_STATUS_TEP_ERROR, TSP_STATUS_TEP_ERROR},
		{308, TSP_STATUS_UNAVAILABLE, TSP_STATUS_UNAVAILABLE},
		{309, TSP_STATUS_BAD_V6, TSP_STATUS_BAD_V6},
		{310, TSP_STATUS_BAD_V4, TSP_STATUS_TEP_ERROR},
		{501, TSP_STATUS_BAD_V4, TSP_STATUS_BAD_V4},
		{502, TSP_STATUS_BAD_V6, TSP_STATUS_BAD_V6},
		{1301, TSP_STATUS_POOL_EXHAUSTED, TSP_STATUS_POOL_EXHAUSTED},
		{1530, TSP_STATUS_BUSY, TSP_STATUS_BUSY},
		{0, TSP_STATUS_MALFORMED, TSP_STATUS_MALFORMED},
		{1000, TSP_STATUS_MALFORMED, TSP_STATUS_MALFORMED},
		{999, TSP_STATUS_MALFORMED, TSP_STATUS_MALFORMED},
		{65535, TSP_STATUS_MALFORMED, TSP_STATUS_MALFORMED},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(
			tsp_status_from_code(rows[i].code, TSP_GENERATION_1), rows[i].first);
		assert_int_equal(
			tsp_status_from_code(rows[i].code, TSP_GENERATION_2), rows[i].second);
	}
}

/* An info for 198.51.100.7, ports 2048-3071, 1440 s. */
static struct tsp_msg info(void)
{
	struct tsp_msg msg = {
		.action = TSP_ACTION_INFO,
		.status = TSP_STATUS_OK,
		.has_lifetime = true,
		.lifetime_s = 1440,
		.client = {.present = true,
			.has_v4 = true,
			.v4 = 0xc6336407,
			.n_v6 = 1,
			.has_ports = true,
			.n_ranges = 1,
			.ranges = {{2048, 3071}}},
		.server = {.present = true, .n_v6 = 1},
	};

	assert_int_equal(addr_v6_parse("2001:db8:1::17", &msg.client.v6[0]), 0);
	assert_int_equal(addr_v6_parse("2001:db8::1", &msg.server.v6[0]), 0);
	return msg;
}

static void a_message_becomes_a_lease(void **state)
{
	struct tsp_msg msg = info();
	struct lease lease;
	char text[LEASE_STRLEN];

	assert_int_equal(tsp_msg_to_lease(&msg, 5000, &lease), TSP_STATUS_NONE);
	assert_string_equal(
		lease_format(&lease, text), "198.51.100.7 ports 2048-3071 for 2001:db8:1::17");
	assert_true(addr_v6_equal(&lease.tep_v6, &msg.server.v6[0]));
	assert_int_equal(lease.end_ms, 5000 + 1440 * 1000);
}

/* S37, R5: a peer that knows nothing of ports holds the whole address. */
static void no_ports_mean_an_exclusive_address(void **state)
{
	struct tsp_msg msg = info();
	struct lease lease;

	msg.client.has_ports = false;
	msg.client.n_ranges = 0;
	assert_int_equal(tsp_msg_to_lease(&msg, 0, &lease), TSP_STATUS_NONE);
	assert_true(lease_is_exclusive(&lease));
}

/* R104: the DTD's default; and the longest lifetime does not overflow. */
static void lifetimes_become_ends(void **state)
{
	struct tsp_msg msg = info();
	struct lease lease;

	msg.has_lifetime = false;
	msg.lifetime_s = 0;
	assert_int_equal(tsp_msg_to_lease(&msg, 7, &lease), TSP_STATUS_NONE);
	assert_int_equal(lease.end_ms, 1440007);
	msg.has_lifetime = true;
	msg.lifetime_s = TSP_LIFETIME_MAX_S;
	assert_int_equal(tsp_msg_to_lease(&msg, 0, &lease), TSP_STATUS_NONE);
	assert_true(lease.end_ms == INT64_C(2147483647000));
	msg.action = TSP_ACTION_DELETE;
	assert_int_equal(tsp_msg_to_lease(&msg, 7, &lease), TSP_STATUS_NONE);
	assert_int_equal(lease.end_ms, 7);
}

/* R83: link-local and global, in either order; the tunnel end is the global one. */
static void the_global_address_is_the_tunnel_end(void **state)
{
	static const struct {
		const char *v6[3];
		const char *found; /* NULL: none */
	} rows[] = {
		{{"fe80::1", "2001:db8:1::17"}, "2001:db8:1::17"},
		{{"2001:db8:1::17", "fe80::1"}, "2001:db8:1::17"},
		{{"2001:db8:1::17"}, "2001:db8:1::17"},
		{{"fe80::1", "fe80::2", "fd00::1"}, "fd00::1"},
		{{"2001:db8:1::17", "2001:db8:1::18"}, "2001:db8:1::17"},
		{{"fe80::1"}, NULL},
		{{"::"}, NULL},
		{{"::1"}, NULL},
		{{"ff02::1"}, NULL},
		{{"::ffff:192.0.2.1"}, NULL},
		{{NULL}, NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tsp_msg msg = info();
		struct lease lease;
		char text[ADDR_V6_STRLEN];
		enum tsp_status status;

		msg.client.n_v6 = 0;
		for (size_t k = 0; k < 3 && rows[i].v6[k] != NULL; k++)
			assert_int_equal(
				addr_v6_parse(rows[i].v6[k], &msg.client.v6[msg.client.n_v6++]), 0);
		status = tsp_msg_to_lease(&msg, 0, &lease);
		assert_int_equal(
			status, rows[i].found != NULL ? TSP_STATUS_NONE : TSP_STATUS_BAD_V6);
		if (rows[i].found != NULL)
			assert_string_equal(addr_v6_format(&lease.client_v6, text), rows[i].found);
	}
}

static void what_is_no_lease_is_refused_and_nothing_is_written(void **state)
{
	static const uint32_t bad_v4[] = {0, 0x7f000001, 0xe0000001, 0xf0000001, 0xffffffff};
	struct lease lease, before;
	struct tsp_msg msg;

	memset(&before, 0xa5, sizeof(before));
	lease = before;
	for (size_t i = 0; i < sizeof(bad_v4) / sizeof(bad_v4[0]); i++) {
		msg = info();
		msg.client.v4 = bad_v4[i];
		assert_int_equal(tsp_msg_to_lease(&msg, 0, &lease), TSP_STATUS_BAD_V4);
	}
	msg = info();
	msg.client.has_v4 = false;
	assert_int_equal(tsp_msg_to_lease(&msg, 0, &lease), TSP_STATUS_BAD_V4);
	msg = info();
	msg.server = (struct tsp_party){0};
	assert_int_equal(tsp_msg_to_lease(&msg, 0, &lease), TSP_STATUS_BAD_V6);
	msg = info();
	msg.client.n_ranges = 0; /* <ports/>: a wish, not a range */
	assert_int_equal(tsp_msg_to_lease(&msg, 0, &lease), TSP_STATUS_MALFORMED);
	assert_memory_equal(&lease, &before, sizeof(lease));
}

static void a_lease_becomes_a_party_and_comes_back(void **state)
{
	struct tsp_msg msg = info();
	struct lease lease, again;

	msg.client.n_ranges = 2;
	msg.client.ranges[1] = (struct port_range){4096, 5119};
	assert_int_equal(tsp_msg_to_lease(&msg, 0, &lease), TSP_STATUS_NONE);
	tsp_party_from_lease(&msg.client, &lease);
	assert_true(msg.client.has_ports);
	assert_int_equal(msg.client.n_ranges, 2);
	assert_int_equal(tsp_msg_to_lease(&msg, 0, &again), TSP_STATUS_NONE);
	assert_memory_equal(&lease, &again, sizeof(lease));
	lease.n_ranges = 1;
	lease.ranges[0] = PORT_RANGE_EXCLUSIVE;
	tsp_party_from_lease(&msg.client, &lease);
	assert_false(msg.client.has_ports);
	assert_int_equal(msg.client.n_ranges, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codes_follow_the_generation),
		cmocka_unit_test(a_code_has_its_first_meaning),
		cmocka_unit_test(a_message_becomes_a_lease),
		cmocka_unit_test(no_ports_mean_an_exclusive_address),
		cmocka_unit_test(lifetimes_become_ends),
		cmocka_unit_test(the_global_address_is_the_tunnel_end),
		cmocka_unit_test(what_is_no_lease_is_refused_and_nothing_is_written),
		cmocka_unit_test(a_lease_becomes_a_party_and_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
