// SPDX-License-Identifier: BSD-3-Clause
/* Identifications: the cipher as published, and what is wanted of it (RFC 7739). */
#include "dataplane/frag_id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint16_t key[] = {0x0100, 0x0908, 0x1110, 0x1918};

/* The test vector in the designers' paper. */
static void the_cipher_is_speck_32_64(void **state)
{
	struct dp_frag_ids ids;

	dp_frag_ids_init(&ids, key);
	ids.counter = 0x6574694c;
	assert_int_equal(dp_frag_ids_next(&ids), 0xa86842f2);
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void no_identification_comes_twice_and_none_follows_another(void **state)
{
	static uint32_t seen[1 << 16];
	struct dp_frag_ids ids;
	uint32_t near = 0;

	dp_frag_ids_init(&ids, key);
	for (uint32_t i = 0; i < 1 << 16; i++) {
		seen[i] = dp_frag_ids_next(&ids);
		if (i != 0 && seen[i] - seen[i - 1] < 1 << 16)
			near++;
	}
	assert_true(near < 10);
	qsort(seen, 1 << 16, sizeof(seen[0]), compare);
	for (uint32_t i = 1; i < 1 << 16; i++)
		assert_int_not_equal(seen[i], seen[i - 1]);
}

static void another_key_is_another_sequence(void **state)
{
	static const uint16_t other[] = {0x0100, 0x0908, 0x1110, 0x1919};
	struct dp_frag_ids a, b;

	dp_frag_ids_init(&a, key);
	dp_frag_ids_init(&b, other);
	assert_int_not_equal(dp_frag_ids_next(&a), dp_frag_ids_next(&b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_cipher_is_speck_32_64),
		cmocka_unit_test(no_identification_comes_twice_and_none_follows_another),
		cmocka_unit_test(another_key_is_another_sequence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
