// SPDX-License-Identifier: BSD-3-Clause
/* S17: port ranges and PSID triplets. */
#include "dhcp6/dhcp6_psid.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

/* S17, RFC 7596 section 5.1: offset 0. */
static void an_aligned_power_of_two_is_a_psid(void **state)
{
	static const struct {
		struct port_range range;
		struct dhcp6_psid psid;
	} cases[] = {
		{{0, 65535}, {0, 0, 0}},
		{{0, 32767}, {0, 1, 0}},
		{{32768, 65535}, {0, 1, 1}},
		{{1024, 2047}, {0, 6, 1}},
		{{64512, 65535}, {0, 6, 63}},
		{{2048, 2303}, {0, 8, 8}},
		{{0, 1023}, {0, 6, 0}},
		{{4242, 4242}, {0, 16, 4242}},
		{{65534, 65535}, {0, 15, 32767}},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dhcp6_psid psid;
		struct port_range ranges[LEASE_RANGES_MAX];

		assert_int_equal(dhcp6_psid_from_range(cases[i].range, &psid), 0);
		assert_int_equal(psid.offset, cases[i].psid.offset);
		assert_int_equal(psid.len, cases[i].psid.len);
		assert_int_equal(psid.psid, cases[i].psid.psid);
		assert_int_equal(dhcp6_psid_to_ranges(&psid, ranges), 1);
		assert_true(port_range_equal(ranges[0], cases[i].range));
	}
}

/* S17: what 000's start and end can say and a PSID cannot. */
static void other_ranges_have_no_psid(void **state)
{
	static const struct port_range ranges[] = {{1025, 1034}, {1024, 2048}, {1024, 2046},
		{1023, 2046}, {1024, 4095}, {1536, 2559}, {1, 65535}, {0, 65534}, {2, 1}};

	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		struct dhcp6_psid psid = {.psid = 77};

		assert_int_equal(dhcp6_psid_from_range(ranges[i], &psid), -EINVAL);
		assert_int_equal(psid.psid, 77);
	}
}

/* S17, RFC 7597 section 5.1: an offset makes several blocks, and keeps the lowest ports out. */
static void an_offset_makes_several_ranges(void **state)
{
	struct port_range ranges[LEASE_RANGES_MAX];
	const struct dhcp6_psid three = {.offset = 2, .len = 8, .psid = 0x34};
	const struct dhcp6_psid seven = {.offset = 3, .len = 13, .psid = 5};
	const struct dhcp6_psid all = {.offset = 6, .len = 0, .psid = 0};

	assert_int_equal(dhcp6_psid_to_ranges(&three, ranges), 3);
	assert_true(port_range_equal(ranges[0], (struct port_range){0x4d00, 0x4d3f}));
	assert_true(port_range_equal(ranges[1], (struct port_range){0x8d00, 0x8d3f}));
	assert_true(port_range_equal(ranges[2], (struct port_range){0xcd00, 0xcd3f}));
	assert_int_equal(dhcp6_psid_to_ranges(&seven, ranges), 7);
	assert_true(port_range_equal(ranges[6], (struct port_range){0xe005, 0xe005}));
	assert_int_equal(dhcp6_psid_to_ranges(&all, ranges), 1);
	assert_true(port_range_equal(ranges[0], (struct port_range){1024, 65535}));
}

/* Every port of a naive model, for every triplet: RFC 7597's own rule, port by port. */
static void ranges_hold_the_ports_that_the_standard_says(void **state)
{
	for (uint32_t offset = 0; offset <= 16; offset++) {
		for (uint32_t len = 0; offset + len <= 16; len++) {
			const struct dhcp6_psid psid = {(uint8_t)offset, (uint8_t)len,
				(uint16_t)(0x5a5a & ((1u << len) - 1))};
			struct port_range ranges[LEASE_RANGES_MAX];
			int n = dhcp6_psid_to_ranges(&psid, ranges);

			if (n == -E2BIG)
				continue;
			assert_true(n >= 1 && n <= LEASE_RANGES_MAX);
			for (uint32_t port = 0; port <= UINT16_MAX; port++) {
				uint32_t upper = port >> (16 - offset);
				uint32_t middle = port >> (16 - offset - len) & ((1u << len) - 1);
				bool is_ours = middle == psid.psid && (offset == 0 || upper > 0);
				bool is_there = false;

				for (int i = 0; i < n; i++)
					is_there |= port_range_contains(ranges[i], port);
				assert_int_equal(is_there, is_ours);
			}
		}
	}
}

/* S17: more than a lease holds, and no triplet at all, are refused clearly. */
static void triplets_that_lead_nowhere_are_refused(void **state)
{
	static const struct {
		struct dhcp6_psid psid;
		int rc;
	} cases[] = {
		{{4, 8, 0x34}, -E2BIG},
		{{6, 8, 0x34}, -E2BIG},
		{{16, 1, 0}, -EINVAL},
		{{17, 0, 0}, -EINVAL},
		{{0, 17, 0}, -EINVAL},
		{{9, 8, 0}, -EINVAL},
		{{255, 255, 0}, -EINVAL},
		{{0, 4, 16}, -EINVAL},
		{{0, 0, 1}, -EINVAL},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct port_range ranges[LEASE_RANGES_MAX];

		assert_int_equal(dhcp6_psid_to_ranges(&cases[i].psid, ranges), cases[i].rc);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_aligned_power_of_two_is_a_psid),
		cmocka_unit_test(other_ranges_have_no_psid),
		cmocka_unit_test(an_offset_makes_several_ranges),
		cmocka_unit_test(ranges_hold_the_ports_that_the_standard_says),
		cmocka_unit_test(triplets_that_lead_nowhere_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
