// SPDX-License-Identifier: BSD-3-Clause
/* DUIDs (RFC 8415 section 11). */
#include "dhcp6/dhcp6_duid.h"

#include "octets.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

static void duids_are_made_as_the_standard_says(void **state)
{
	static const uint8_t uuid[16] = "0123456789abcdef";
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 0x17};
	struct dhcp6_duid duid = dhcp6_duid_from_uuid(uuid);

	octets_assert_equal(duid.octets, duid.len, "0004 30313233343536373839616263646566");
	duid = dhcp6_duid_from_mac(mac);
	octets_assert_equal(duid.octets, duid.len, "0003 0001 020000000017");
}

static void a_duid_has_3_to_130_octets(void **state)
{
	static const uint8_t octets[DHCP6_DUID_MAX + 1] = {0, 2, 3};
	struct dhcp6_duid duid = {.len = 5};

	for (size_t len = 0; len <= sizeof(octets); len++)
		assert_int_equal(
			dhcp6_duid_set(&duid, octets, len), len >= 3 && len <= 130 ? 0 : -EINVAL);
	assert_int_equal(duid.len, 130);
}

static void duids_are_equal_by_all_their_octets(void **state)
{
	struct dhcp6_duid a, b;

	assert_int_equal(dhcp6_duid_parse("00:02:03", &a), 0);
	assert_int_equal(dhcp6_duid_parse("000203", &b), 0);
	assert_true(dhcp6_duid_equal(&a, &b));
	assert_int_equal(dhcp6_duid_parse("00020300", &b), 0);
	assert_false(dhcp6_duid_equal(&a, &b));
	assert_int_equal(dhcp6_duid_parse("000204", &b), 0);
	assert_false(dhcp6_duid_equal(&a, &b));
}

static void duids_are_written_and_read_as_text(void **state)
{
	static const char *const bad[] = {"", "0", "00", "0002", "00:02", "00:02:3",
		"00:02:03:", ":00:02:03", "00:0203", "0002:03", "00-02-03", "00 02 03", "0g0203",
		"00::02:03", "0x000203"};
	char long_text[2 * (DHCP6_DUID_MAX + 1) + 1];
	char buf[DHCP6_DUID_STRLEN];
	struct dhcp6_duid duid;

	assert_int_equal(dhcp6_duid_parse("00:03:00:01:02:00:00:00:00:aB", &duid), 0);
	assert_string_equal(dhcp6_duid_format(&duid, buf), "00:03:00:01:02:00:00:00:00:ab");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(dhcp6_duid_parse(bad[i], &duid), -EINVAL);
	assert_int_equal(duid.len, 10);
	memset(long_text, 'f', sizeof(long_text));
	long_text[sizeof(long_text) - 1] = '\0';
	assert_int_equal(dhcp6_duid_parse(long_text, &duid), -EINVAL);
	long_text[2 * DHCP6_DUID_MAX] = '\0';
	assert_int_equal(dhcp6_duid_parse(long_text, &duid), 0);
	assert_int_equal(strlen(dhcp6_duid_format(&duid, buf)), DHCP6_DUID_STRLEN - 1);
	duid = (struct dhcp6_duid){0};
	assert_string_equal(dhcp6_duid_format(&duid, buf), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(duids_are_made_as_the_standard_says),
		cmocka_unit_test(a_duid_has_3_to_130_octets),
		cmocka_unit_test(duids_are_equal_by_all_their_octets),
		cmocka_unit_test(duids_are_written_and_read_as_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
