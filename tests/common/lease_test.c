// SPDX-License-Identifier: BSD-3-Clause
#include "common/lease.h"

#include "common/addr.h"
#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static struct lease make_lease(uint32_t n_ranges)
{
	struct lease lease = {.v4 = 0xc6336407, .n_ranges = n_ranges, .end_ms = 10000};

	assert_int_equal(addr_v6_parse("2001:db8:1::17", &lease.client_v6), 0);
	for (uint32_t i = 0; i < n_ranges; i++)
		lease.ranges[i] = (struct port_range){1024 + i * 2048, 1024 + i * 2048 + 1023};
	return lease;
}

/* S1: each of a client's ranges counts, and nothing between them. */
static void a_port_is_in_one_of_the_ranges(void **state)
{
	const struct lease lease = make_lease(2);

	assert_false(lease_has_port(&lease, 1023));
	assert_true(lease_has_port(&lease, 1024));
	assert_true(lease_has_port(&lease, 2047));
	assert_false(lease_has_port(&lease, 2048));
	assert_true(lease_has_port(&lease, 3072));
	assert_false(lease_has_port(&lease, 0));
	assert_false(lease_has_port(&(struct lease){}, 0));
}

static void exclusive_is_one_range_of_all_ports(void **state)
{
	struct lease lease = make_lease(1);

	assert_false(lease_is_exclusive(&lease));
	lease.ranges[0] = PORT_RANGE_EXCLUSIVE;
	assert_true(lease_is_exclusive(&lease));
	assert_false(lease_is_exclusive(&(struct lease){.n_ranges = 0}));
}

/* R94: what is left is never overstated, and an ended lease has nothing left. */
static void seconds_left_round_down(void **state)
{
	struct lease lease = make_lease(1);

	assert_int_equal(lease_seconds_left(&lease, 0), 10);
	assert_int_equal(lease_seconds_left(&lease, 9000), 1);
	assert_int_equal(lease_seconds_left(&lease, 9001), 0);
	assert_int_equal(lease_seconds_left(&lease, 10000), 0);
	assert_int_equal(lease_seconds_left(&lease, 99999), 0);
	lease.end_ms = LEASE_ENDLESS;
	assert_true(lease_seconds_left(&lease, 0) == UINT32_MAX);
	lease.end_ms = LEASE_ENDLESS - 1; /* far away is not endless */
	assert_true(lease_seconds_left(&lease, 0) == UINT32_MAX - 1);
}

static void text_names_address_ranges_and_client(void **state)
{
	struct lease lease = make_lease(2);
	char buf[LEASE_STRLEN];

	assert_string_equal(lease_format(&lease, buf),
		"198.51.100.7 ports 1024-2047,3072-4095 for 2001:db8:1::17");
	lease.n_ranges = 1;
	lease.ranges[0] = PORT_RANGE_EXCLUSIVE;
	assert_string_equal(lease_format(&lease, buf), "198.51.100.7 for 2001:db8:1::17");
}

static void the_longest_text_fits(void **state)
{
	struct lease lease = {.v4 = UINT32_MAX, .n_ranges = LEASE_RANGES_MAX};
	char buf[LEASE_STRLEN];

	memset(&lease.client_v6, 0xff, sizeof(lease.client_v6));
	for (uint32_t i = 0; i < LEASE_RANGES_MAX; i++)
		lease.ranges[i] = (struct port_range){65535, 65535};
	lease_format(&lease, buf);
	assert_non_null(strstr(buf, " for ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
	assert_string_equal(buf + strlen(buf) - 5, ":ffff");
}

static void the_clocks_run_forward(void **state)
{
	int64_t boot_ms = clock_boot_ms(), utc_ms = clock_utc_ms();

	assert_true(boot_ms > 0);
	assert_true(clock_boot_ms() >= boot_ms);
	assert_true(utc_ms > INT64_C(1600000000000)); /* after 2020: milliseconds, not seconds */
}

static void ports_of_all_ranges_are_counted(void **state)
{
	const struct lease whole = {.n_ranges = 1, .ranges = {{0, 65535}}};
	const struct lease parts = {.n_ranges = 2, .ranges = {{2048, 3071}, {9000, 9000}}};

	assert_int_equal(lease_ports(&whole), 65536);
	assert_int_equal(lease_ports(&parts), 1025);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_is_in_one_of_the_ranges),
		cmocka_unit_test(exclusive_is_one_range_of_all_ports),
		cmocka_unit_test(seconds_left_round_down),
		cmocka_unit_test(text_names_address_ranges_and_client),
		cmocka_unit_test(the_longest_text_fits),
		cmocka_unit_test(the_clocks_run_forward),
		cmocka_unit_test(ports_of_all_ranges_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
