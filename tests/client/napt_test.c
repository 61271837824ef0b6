// SPDX-License-Identifier: BSD-3-Clause
/*
 * The nftables rules of a lease, word for word.
 */
#include "client/napt.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define REPLACE "add table ip dstm_dstm0\ndelete table ip dstm_dstm0\n"
#define NAT                                                               \
	"table ip dstm_dstm0 {\n\tchain postrouting {\n"                  \
	"\t\ttype nat hook postrouting priority srcnat; policy accept;\n" \
	"\t\toifname \"dstm0\" "
static void rules_are_those_of_the_lease(void **state)
{
	static const struct {
		enum cl_mode mode;
		struct lease lease;
		const char *rules;
	} cases[] = {
		{CL_MODE_NAPT, {.v4 = 0xc6336407, .n_ranges = 1, .ranges = {{2048, 3071}}},
			REPLACE NAT "meta l4proto { tcp, udp, icmp } "
				    "snat to 198.51.100.7:2048-3071\n\t}\n}\n"},
		{CL_MODE_NAPT,
			{.v4 = 0xc6336407,
				.n_ranges = 3,
				.ranges = {{2048, 3071}, {5000, 5000}, {64512, 65535}}},
			REPLACE NAT
			"meta l4proto { tcp, udp, icmp } snat to numgen inc mod 3 map { "
			"0 : 198.51.100.7 . 2048-3071, 1 : 198.51.100.7 . 5000-5000, "
			"2 : 198.51.100.7 . 64512-65535 }\n\t}\n}\n"},
		/* Port 0 is never a source. */
		{CL_MODE_NAPT, {.v4 = 0xc6336407, .n_ranges = 1, .ranges = {{0, 1023}}},
			REPLACE NAT "meta l4proto { tcp, udp, icmp } "
				    "snat to 198.51.100.7:1-1023\n\t}\n}\n"},
		{CL_MODE_NAPT, {.v4 = 0xc6336407, .n_ranges = 1, .ranges = {{0, 65535}}},
			REPLACE NAT "snat to 198.51.100.7\n\t}\n}\n"},
		{CL_MODE_HOST, {.v4 = 0xc6336407, .n_ranges = 1, .ranges = {{2048, 3071}}},
			REPLACE NAT "icmp type echo-request "
				    "snat to 198.51.100.7:2048-3071\n\t}\n}\n"},
		{CL_MODE_HOST, {.v4 = 0xc6336407, .n_ranges = 1, .ranges = {{0, 65535}}}, REPLACE},
	};
	char text[4096];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int len = cl_napt_ruleset(
			"dstm0", cases[i].mode, &cases[i].lease, text, sizeof(text));

		assert_string_equal(text, cases[i].rules);
		assert_int_equal(len, strlen(cases[i].rules));
	}
}

static void short_buffer_is_an_error(void **state)
{
	struct lease lease = {.v4 = 0xc6336407, .n_ranges = LEASE_RANGES_MAX};
	char text[1024], fits[1024];
	int len;

	for (uint16_t i = 0; i < LEASE_RANGES_MAX; i++)
		lease.ranges[i] = (struct port_range){60000 + i * 10, 60009 + i * 10};
	len = cl_napt_ruleset("dstm-0.long_one", CL_MODE_NAPT, &lease, fits, sizeof(fits));
	assert_in_range(len, 1, sizeof(fits) - 1);
	for (int size = 0; size <= len; size++)
		assert_int_equal(
			cl_napt_ruleset("dstm-0.long_one", CL_MODE_NAPT, &lease, text, size),
			-ENOSPC);
	assert_int_equal(
		cl_napt_ruleset("dstm-0.long_one", CL_MODE_NAPT, &lease, text, len + 1), len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_are_those_of_the_lease),
		cmocka_unit_test(short_buffer_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
