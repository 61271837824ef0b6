// SPDX-License-Identifier: BSD-3-Clause
/*
 * What routing daemons find in the kernel (R30, R68). Each test has a network namespace of its own, and iproute2
 * says what stands there.
 */
#include "control/announce.h"

#include <rte_common.h>

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define METRIC     "213"
#define ROUTES     "ip -4 route show table main"
#define ADDRESSES  "ip -6 -o address show dev lo scope global"
#define POOL_ROUTE "unreachable 198.51.100.0/24 proto 213 metric " METRIC
#define NET_ROUTE  "unreachable 203.0.113.64/26 proto 213 metric " METRIC

static const struct addr_v4_prefix pools[] = {{0xc6336400, 24}, {0xcb007140, 26}};
static struct in6_addr tunnel_v6[2];

static const struct tep_announce_params both = {
	.pools = pools,
	.n_pools = RTE_DIM(pools),
	.tunnel_v6 = tunnel_v6,
	.n_tunnel_v6 = RTE_DIM(tunnel_v6),
	.metric = 213,
};

static int set_up(void **state)
{
	addr_v6_parse("2001:db8::1", &tunnel_v6[0]);
	addr_v6_parse("2001:db8:ffff::53", &tunnel_v6[1]);
	*state = unshare(CLONE_NEWNET) == 0 ? &tunnel_v6 : NULL;
	return 0;
}

/* What a command says; valid until the next call. */
static const char *said(const char *command)
{
	static char text[8192];
	FILE *pipe = popen(command, "r");
	size_t len;

	assert_non_null(pipe);
	len = fread(text, 1, sizeof(text) - 1, pipe);
	text[len] = '\0';
	assert_int_equal(pclose(pipe), 0);
	return text;
}

static void begin(void **state)
{
	if (*state == NULL)
		skip(); /* a network namespace needs privileges */
	said("ip link set lo up");
}

static bool stands(const char *command, const char *what)
{
	return strstr(said(command), what) != NULL;
}

static void assert_nothing_stands(void)
{
	assert_string_equal(said(ROUTES), "");
	assert_string_equal(said(ADDRESSES), "");
}

static void assert_all_stands(void)
{
	assert_true(stands(ROUTES, POOL_ROUTE));
	assert_true(stands(ROUTES, NET_ROUTE));
	assert_true(stands(ADDRESSES, "2001:db8::1/128"));
	assert_true(stands(ADDRESSES, "2001:db8:ffff::53/128"));
	assert_false(stands(ADDRESSES, "tentative"));
}

static struct tep_announce *create(const struct tep_announce_params *params)
{
	struct tep_announce *announce = tep_announce_create(params);

	assert_non_null(announce);
	return announce;
}

static void it_announces_when_told_and_withdraws_when_told(void **state)
{
	struct tep_announce *announce;

	begin(state);
	announce = create(&both);
	tep_announce_set(announce, false, 0);
	assert_nothing_stands();
	tep_announce_set(announce, true, 0);
	tep_announce_set(announce, true, 0);
	assert_true(tep_announce_stands(announce));
	assert_all_stands();
	tep_announce_set(announce, false, 0);
	assert_nothing_stands();
	tep_announce_set(announce, true, 0);
	assert_all_stands();
	tep_announce_destroy(announce);
	assert_nothing_stands();
}

static void each_half_can_stand_alone(void **state)
{
	struct tep_announce_params half = both;
	struct tep_announce *announce;

	begin(state);
	half.n_tunnel_v6 = 0;
	announce = create(&half);
	tep_announce_set(announce, true, 0);
	assert_true(stands(ROUTES, POOL_ROUTE));
	assert_string_equal(said(ADDRESSES), "");
	tep_announce_destroy(announce);
	half.n_tunnel_v6 = both.n_tunnel_v6;
	half.n_pools = 0;
	announce = create(&half);
	tep_announce_set(announce, true, 0);
	assert_true(stands(ADDRESSES, "2001:db8::1/128"));
	assert_string_equal(said(ROUTES), "");
	tep_announce_destroy(announce);
	assert_nothing_stands();
}

/* Also of pools and addresses that are no longer configured. */
static void what_a_killed_process_left_goes_before_this_one_is_ready(void **state)
{
	struct tep_announce *announce;

	begin(state);
	said("ip route add unreachable 198.51.100.0/24 proto 213 metric " METRIC);
	said("ip route add unreachable 192.0.2.0/24 proto 213 metric " METRIC);
	said("ip address add 2001:db8::1/128 dev lo nodad metric " METRIC);
	said("ip address add 2001:db8::99/128 dev lo nodad metric " METRIC);
	announce = create(&both);
	assert_nothing_stands();
	tep_announce_set(announce, true, 0);
	assert_all_stands();
	tep_announce_destroy(announce);
}

static void what_is_not_of_its_metric_protocol_and_kind_is_not_touched(void **state)
{
	char before[8192], addresses[8192];
	struct tep_announce *announce;

	begin(state);
	said("ip route add unreachable 198.51.100.0/24 proto 213 metric 300"); /* another TEP's */
	said("ip route add unreachable 192.0.2.0/24 proto static metric " METRIC);
	said("ip route add blackhole 192.0.2.0/25 proto 213 metric " METRIC);
	said("ip route add unreachable 192.0.2.128/25 proto 213 metric " METRIC " table 100");
	said("ip address add 2001:db8::77/128 dev lo nodad");
	said("ip address add 2001:db8::78/128 dev lo metric 300 nodad");
	snprintf(before, sizeof(before), "%s",
		said("ip route show table all type unreachable;" ROUTES));
	snprintf(addresses, sizeof(addresses), "%s", said(ADDRESSES));
	announce = create(&both);
	tep_announce_set(announce, true, 0);
	assert_all_stands();
	tep_announce_destroy(announce);
	assert_string_equal(said("ip route show table all type unreachable;" ROUTES), before);
	assert_string_equal(said(ADDRESSES), addresses);
}

/* It is the operator's, and no failure of ours may remove it; it is tried again. */
static void what_the_kernel_refuses_is_tried_again_and_not_removed(void **state)
{
	struct tep_announce *announce;

	begin(state);
	said("ip route add blackhole 198.51.100.0/24 metric " METRIC);
	announce = create(&both);
	tep_announce_set(announce, true, 0);
	assert_false(tep_announce_stands(announce));
	assert_true(stands(ROUTES, NET_ROUTE));
	assert_true(stands(ROUTES, "blackhole 198.51.100.0/24"));
	tep_announce_set(announce, false, 0);
	assert_true(stands(ROUTES, "blackhole 198.51.100.0/24"));
	tep_announce_set(announce, true, 0);
	said("ip route del blackhole 198.51.100.0/24");
	tep_announce_set(announce, true, 4999);
	assert_false(tep_announce_stands(announce));
	tep_announce_set(announce, true, 5000);
	assert_true(tep_announce_stands(announce));
	assert_all_stands();
	tep_announce_destroy(announce);
	assert_nothing_stands();
}

#define ANNOUNCE_TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ANNOUNCE_TEST(it_announces_when_told_and_withdraws_when_told),
		ANNOUNCE_TEST(each_half_can_stand_alone),
		ANNOUNCE_TEST(what_a_killed_process_left_goes_before_this_one_is_ready),
		ANNOUNCE_TEST(what_is_not_of_its_metric_protocol_and_kind_is_not_touched),
		ANNOUNCE_TEST(what_the_kernel_refuses_is_tried_again_and_not_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
