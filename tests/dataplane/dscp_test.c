// SPDX-License-Identifier: BSD-3-Clause
/*
 * The modes of RFC 2983 (S14), each for every octet either way.
 */
#include "dataplane/dscp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define OUTER 10
#define INNER 46
#define ECN   3

static void the_outer_octet_is_the_modes_with_the_inner_ecn(void **state)
{
	for (int mode = DP_DSCP_UNIFORM; mode <= DP_DSCP_FIXED; mode++) {
		const struct dp_dscp dscp = dp_dscp_make((enum dp_dscp_mode)mode, OUTER, INNER);

		for (uint32_t inner = 0; inner < 256; inner++) {
			uint8_t outer = dp_dscp_outer(&dscp, (uint8_t)inner);

			assert_int_equal(outer & ECN, inner & ECN);
			assert_int_equal(outer >> 2, mode == DP_DSCP_UNIFORM ? inner >> 2 : OUTER);
		}
	}
}

static void the_inner_octet_is_the_modes_without_ecn(void **state)
{
	const uint8_t fixed = INNER << 2;

	for (int mode = DP_DSCP_UNIFORM; mode <= DP_DSCP_FIXED; mode++) {
		const struct dp_dscp dscp = dp_dscp_make((enum dp_dscp_mode)mode, OUTER, INNER);

		for (uint32_t i = 0; i < 65536; i++) {
			uint8_t outer = (uint8_t)(i >> 8), inner = (uint8_t)i;
			uint8_t want = mode == DP_DSCP_UNIFORM ? outer & ~ECN
				       : mode == DP_DSCP_PIPE  ? inner & ~ECN
							       : fixed;

			assert_int_equal(dp_dscp_inner(&dscp, outer, inner), want);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_outer_octet_is_the_modes_with_the_inner_ecn),
		cmocka_unit_test(the_inner_octet_is_the_modes_without_ecn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
