// SPDX-License-Identifier: BSD-3-Clause
#include "octets.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct octets octets_of(const char *hex)
{
	struct octets octets = {0};

	while (*hex != '\0') {
		char pair[3] = {hex[0], hex[1], '\0'};

		if (isspace((unsigned char)*hex)) {
			hex++;
			continue;
		}
		assert_true(isxdigit((unsigned char)pair[0]) && isxdigit((unsigned char)pair[1]));
		assert_true(octets.len < OCTETS_MAX);
		octets.data[octets.len++] = (uint8_t)strtoul(pair, NULL, 16);
		hex += 2;
	}
	return octets;
}

void octets_assert_equal(const uint8_t *data, size_t len, const char *hex)
{
	struct octets expected = octets_of(hex);

	if (len == expected.len && memcmp(data, expected.data, len) == 0)
		return;
	print_error("expected:");
	for (size_t i = 0; i < expected.len; i++)
		print_error(" %02x", expected.data[i]);
	print_error("\n     got:");
	for (size_t i = 0; i < len; i++)
		print_error(" %02x", data[i]);
	print_error("\n");
	fail();
}
