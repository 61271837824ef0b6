// SPDX-License-Identifier: BSD-3-Clause
#include "server/request.h"

#include "common/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define PEER "2001:db8:1::a"

static struct in6_addr v6(const char *text)
{
	struct in6_addr addr;

	assert_int_equal(addr_v6_parse(text, &addr), 0);
	return addr;
}

static struct tsp_msg message(enum tsp_action action, const char *first, const char *second)
{
	struct tsp_msg msg = {.action = action, .client = {.present = true}};

	if (first != NULL)
		msg.client.v6[msg.client.n_v6++] = v6(first);
	if (second != NULL)
		msg.client.v6[msg.client.n_v6++] = v6(second);
	return msg;
}

/* R83, D8: which tunnel end a request means, or 309/502. NULL: refused. */
static const struct {
	enum tsp_action action;
	bool require_peer;
	const char *peer, *first, *second, *expected;
} ends[] = {
	{TSP_ACTION_CREATE, true, PEER, PEER, NULL, PEER},
	{TSP_ACTION_CREATE, true, PEER, "fe80::1", PEER, PEER},
	{TSP_ACTION_CREATE, true, PEER, PEER, "fe80::1", PEER},
	{TSP_ACTION_CREATE, true, PEER, "2001:db8:9::9", PEER, PEER},
	{TSP_ACTION_CREATE, true, PEER, "2001:db8:9::9", NULL, NULL},
	{TSP_ACTION_CREATE, true, PEER, "fe80::1", NULL, NULL},
	{TSP_ACTION_CREATE, true, PEER, NULL, NULL, NULL},
	{TSP_ACTION_CREATE, true, "fe80::1", "fe80::1", NULL, NULL},
	{TSP_ACTION_CREATE, false, PEER, "2001:db8:9::9", NULL, "2001:db8:9::9"},
	{TSP_ACTION_CREATE, false, PEER, "fe80::1", "2001:db8:9::9", "2001:db8:9::9"},
	{TSP_ACTION_CREATE, false, PEER, "::", NULL, NULL},
	{TSP_ACTION_CREATE, false, PEER, "::ffff:192.0.2.1", NULL, NULL},
	{TSP_ACTION_CREATE, false, PEER, NULL, NULL, NULL},
	{TSP_ACTION_DELETE, true, PEER, NULL, NULL, PEER},
	{TSP_ACTION_DELETE, false, PEER, NULL, NULL, PEER},
	{TSP_ACTION_DELETE, true, PEER, "2001:db8:9::9", NULL, NULL},
	{TSP_ACTION_DELETE, false, "::1", NULL, NULL, NULL},
};

static void the_tunnel_end_is_a_global_address_and_the_peers_where_policy_says(void **state)
{
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct tsp_msg msg = message(ends[i].action, ends[i].first, ends[i].second);
		struct srv_policy policy = {.lifetime_s = 10,
			.lifetime_min_s = 1,
			.require_peer_address = ends[i].require_peer};
		struct in6_addr peer = v6(ends[i].peer), expected;
		struct srv_wish wish;

		print_message("row %zu\n", i);
		if (ends[i].expected == NULL) {
			assert_int_equal(
				srv_request_read(&msg, &policy, &peer, &wish), TSP_STATUS_BAD_V6);
			continue;
		}
		expected = v6(ends[i].expected);
		assert_int_equal(srv_request_read(&msg, &policy, &peer, &wish), TSP_STATUS_NONE);
		assert_true(addr_v6_equal(&wish.client_v6, &expected));
	}
}

/* R28, D7 */
static void lifetimes_are_bounded_by_policy(void **state)
{
	static const struct {
		bool has;
		uint32_t asked, granted;
	} rows[] = {{false, 0, 3600}, {true, 600, 600}, {true, 3601, 3600},
		{true, TSP_LIFETIME_MAX_S, 3600}, {true, 1, 60}, {true, 60, 60}};
	static const struct srv_policy policy = {.lifetime_s = 3600, .lifetime_min_s = 60};
	struct in6_addr peer = v6(PEER);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tsp_msg msg = message(TSP_ACTION_CREATE, PEER, NULL);
		struct srv_wish wish;

		msg.has_lifetime = rows[i].has;
		msg.lifetime_s = rows[i].asked;
		assert_int_equal(srv_request_read(&msg, &policy, &peer, &wish), TSP_STATUS_NONE);
		assert_int_equal(wish.lifetime_s, rows[i].granted);
	}
}

static void ports_decide_between_a_range_and_a_whole_address(void **state)
{
	static const struct srv_policy policy = {.lifetime_s = 1, .lifetime_min_s = 1};
	struct tsp_msg msg = message(TSP_ACTION_CREATE, PEER, NULL);
	struct in6_addr peer = v6(PEER);
	struct srv_wish wish;

	srv_request_read(&msg, &policy, &peer, &wish);
	assert_false(wish.shared);
	msg.client.has_ports = true;
	msg.client.ports_count = 2000;
	srv_request_read(&msg, &policy, &peer, &wish);
	assert_true(wish.shared);
	assert_int_equal(wish.ports, 2000);
	assert_false(wish.names_v4);
}

/* R92: a renewal names the address, and the ranges if it likes. */
static void a_wish_names_a_lease_by_address_and_ranges(void **state)
{
	static const struct lease lease = {
		.v4 = 10, .n_ranges = 2, .ranges = {{1024, 2047}, {4096, 5119}}};
	struct srv_wish wish = {.names_v4 = false, .v4 = 11};

	assert_true(srv_wish_names(&wish, &lease));
	wish.names_v4 = true;
	assert_false(srv_wish_names(&wish, &lease));
	wish.v4 = 10;
	assert_true(srv_wish_names(&wish, &lease));
	wish.n_ranges = 1;
	wish.ranges[0] = (struct port_range){4096, 5119};
	assert_true(srv_wish_names(&wish, &lease));
	wish.ranges[0] = (struct port_range){4096, 5118};
	assert_false(srv_wish_names(&wish, &lease));
	wish.n_ranges = 2;
	wish.ranges[0] = (struct port_range){1024, 2047};
	wish.ranges[1] = (struct port_range){2048, 3071};
	assert_false(srv_wish_names(&wish, &lease));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			the_tunnel_end_is_a_global_address_and_the_peers_where_policy_says),
		cmocka_unit_test(lifetimes_are_bounded_by_policy),
		cmocka_unit_test(ports_decide_between_a_range_and_a_whole_address),
		cmocka_unit_test(a_wish_names_a_lease_by_address_and_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
