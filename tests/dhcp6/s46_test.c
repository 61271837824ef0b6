// SPDX-License-Identifier: BSD-3-Clause
/* The softwire container (RFC 7598, S17), against octets written by hand. What is malformed stands in
 * msg_hostile_test.c, what becomes a lease in lease_test.c. */
#include "dhcp6/dhcp6_s46.h"

#include "common/addr.h"

#include "octets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define BR_1 "005a 0010 20010db8 00000064 00000000 00000001 "
#define BR_2 "005a 0010 20010db8 00000064 00000000 00000002 "

static struct dhcp6_s46 s46;

static int read_hex(const char *hex)
{
	static struct octets octets;
	struct dhcp6_option option;
	struct dhcp6_cursor cursor;

	octets = octets_of(hex);
	cursor = dhcp6_cursor_over(octets.data, octets.len);
	assert_int_equal(dhcp6_cursor_next(&cursor, &option), 1);
	assert_int_equal(cursor.left, 0);
	return dhcp6_s46_read(&option, &s46);
}

static void assert_written(const char *hex)
{
	uint8_t buf[OCTETS_MAX];
	struct dhcp6_builder builder = dhcp6_builder_into(buf, sizeof(buf));

	dhcp6_s46_write(&s46, &builder);
	octets_assert_equal(buf, builder.len, hex);
}

/* A prefix has as many octets as its bits need. */
static void a_binding_names_a_prefix_of_any_length(void **state)
{
	static const struct {
		const char *hex;
		uint8_t prefix_len;
		const char *prefix;
	} cases[] = {
		{"0060 001d " BR_1 "005c 0005 c6336407 00", 0, "::"},
		{"0060 001e " BR_1 "005c 0006 c6336407 03 20", 3, "2000::"},
		{"0060 0024 " BR_1 "005c 000c c6336407 38 20010db8000100", 56, "2001:db8:1::"},
		{"0060 0025 " BR_1 "005c 000d c6336407 3c 20010db8000100f0", 60, "2001:db8:1:f0::"},
		{"0060 002d " BR_1 "005c 0015 c6336407 80 20010db8000100000000000000000017", 128,
			"2001:db8:1::17"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char buf[ADDR_V6_STRLEN];

		assert_int_equal(read_hex(cases[i].hex), 0);
		assert_true(s46.has_bind && !s46.has_psid);
		assert_int_equal(s46.v4, 0xc6336407);
		assert_int_equal(s46.prefix_len, cases[i].prefix_len);
		assert_string_equal(addr_v6_format(&s46.client_v6, buf), cases[i].prefix);
		assert_written(cases[i].hex);
	}
}

/* PSIDs stand left-aligned in two octets. */
static void a_psid_is_left_aligned(void **state)
{
	static const struct {
		const char *params;
		struct dhcp6_psid psid;
	} cases[] = {
		{"00 00 0000", {0, 0, 0}},
		{"00 01 8000", {0, 1, 1}},
		{"00 06 0400", {0, 6, 1}},
		{"00 06 fc00", {0, 6, 63}},
		{"00 10 ffff", {0, 16, 65535}},
		{"06 08 3400", {6, 8, 0x34}},
		{"10 00 0000", {16, 0, 0}},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char hex[200] = "0060 0025 " BR_1 "005c 000d c6336407 00 005d 0004 ";

		strcat(hex, cases[i].params);
		assert_int_equal(read_hex(hex), 0);
		assert_true(s46.has_psid);
		assert_memory_equal(&s46.psid, &cases[i].psid, sizeof(s46.psid));
		assert_written(hex);
	}
}

/* BRs in their order; of two bindings the first. */
static void of_several_the_first_counts(void **state)
{
	assert_int_equal(
		read_hex("0060 003a " BR_2 BR_1 "005c 0005 c6336407 00 005c 0005 cb007109 00"), 0);
	assert_int_equal(s46.n_brs, 2);
	assert_int_equal(s46.brs[0].s6_addr[15], 2);
	assert_int_equal(s46.brs[1].s6_addr[15], 1);
	assert_int_equal(s46.v4, 0xc6336407);
	assert_int_equal(read_hex("0060 0064 " BR_1 BR_2 BR_1 BR_2 BR_1), 0);
	assert_int_equal(s46.n_brs, DHCP6_TEPS_MAX);
	assert_written("0060 0050 " BR_1 BR_2 BR_1 BR_2);
	assert_int_equal(read_hex("0060 0000"), 0);
	assert_true(s46.present && s46.n_brs == 0 && !s46.has_bind);
	assert_written("0060 0000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_binding_names_a_prefix_of_any_length),
		cmocka_unit_test(a_psid_is_left_aligned),
		cmocka_unit_test(of_several_the_first_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
