// SPDX-License-Identifier: BSD-3-Clause
#include "common/port_range.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <errno.h>

static void text_is_strict(void **state)
{
	static const char *const bad[] = {"", "-", "1-", "-1", "2-1", "1-65536", "65536", "1--2",
		"1-2-3", "1 -2", "1- 2", " 1", "+1-2", "1-2x", "0x1-2", "000001-2", "1,2", "a-b"};
	struct port_range range = {3, 4};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(port_range_parse(bad[i], &range), -EINVAL);
	assert_true(port_range_equal(range, (struct port_range){3, 4}));
}

static void one_port_is_a_range(void **state)
{
	char buf[PORT_RANGE_STRLEN];
	struct port_range range;

	assert_int_equal(port_range_parse("80", &range), 0);
	assert_int_equal(port_range_size(range), 1);
	assert_string_equal(port_range_format(range, buf), "80-80");
	assert_int_equal(port_range_parse("1024-2047", &range), 0);
	assert_int_equal(port_range_size(range), 1024);
	assert_string_equal(port_range_format(range, buf), "1024-2047");
}

/* S37: 0-65535 alone is an exclusive address. */
static void only_all_ports_are_exclusive(void **state)
{
	char buf[PORT_RANGE_STRLEN];
	struct port_range range;

	assert_int_equal(port_range_parse("0-65535", &range), 0);
	assert_true(port_range_is_exclusive(range));
	assert_true(port_range_is_exclusive(PORT_RANGE_EXCLUSIVE));
	assert_int_equal(port_range_size(range), 65536);
	assert_string_equal(
		port_range_format((struct port_range){65535, 65535}, buf), "65535-65535");
	assert_false(port_range_is_exclusive((struct port_range){1, 65535}));
	assert_false(port_range_is_exclusive((struct port_range){0, 65534}));
}

/* R59: both ends belong to the range. Against the definition, over all small ranges. */
static void ends_are_inside(void **state)
{
	for (uint16_t a = 0; a < 6; a++) {
		for (uint16_t b = a; b < 6; b++) {
			const struct port_range x = {a, b};

			for (uint16_t port = 0; port < 7; port++)
				assert_int_equal(
					port_range_contains(x, port), port >= a && port <= b);
			for (uint16_t c = 0; c < 6; c++) {
				bool shared = false;

				for (uint16_t port = 0; port < 6; port++)
					shared = shared ||
						 (port >= a && port <= b && port >= c && port <= 5);
				assert_int_equal(
					port_range_overlaps(x, (struct port_range){c, 5}), shared);
				assert_int_equal(
					port_range_overlaps((struct port_range){c, 5}, x), shared);
			}
		}
	}
	assert_true(port_range_contains(PORT_RANGE_EXCLUSIVE, UINT16_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_strict),
		cmocka_unit_test(one_port_is_a_range),
		cmocka_unit_test(only_all_ports_are_exclusive),
		cmocka_unit_test(ends_are_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
