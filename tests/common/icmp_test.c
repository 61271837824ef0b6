// SPDX-License-Identifier: BSD-3-Clause
/* All 256 types of ICMPv4, against the list that the registry of types gives (R60, S5). */
#include "common/icmp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void icmp_types_have_one_class_each(void **state)
{
	static const uint8_t requests[] = {8, 13, 15, 17}, replies[] = {0, 14, 16, 18},
			     errors[] = {3, 11, 12};
	enum icmp_class want[256];

	for (unsigned int type = 0; type < 256; type++)
		want[type] = ICMP_OTHER;
	for (size_t i = 0; i < sizeof(requests); i++) {
		want[requests[i]] = ICMP_REQUEST;
		want[replies[i]] = ICMP_REPLY;
	}
	for (size_t i = 0; i < sizeof(errors); i++)
		want[errors[i]] = ICMP_ERROR;
	for (unsigned int type = 0; type < 256; type++) {
		assert_int_equal(icmp_classify((uint8_t)type), want[type]);
		assert_int_equal(icmp_is_query((uint8_t)type),
			want[type] == ICMP_REQUEST || want[type] == ICMP_REPLY);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(icmp_types_have_one_class_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
