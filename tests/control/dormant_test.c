// SPDX-License-Identifier: BSD-3-Clause
/* Whose bindings of a life before wake without their server's word (R30, S1). */
#include "control/dormant.h"
#include "support/binding.h"
#include "support/eal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define V4  0xc6336407u
#define NOW 1000

static void only_those_of_servers_that_are_absent_wake(void **state)
{
	struct dp_bindings *table = dp_bindings_create(&(struct dp_bindings_params){
		.max_bindings = 16, .max_readers = 1, .socket = SOCKET_ID_ANY});
	struct tep_ready ready = {
		.n_servers = 3,
		.settled = {TEP_SETTLED_NOT, TEP_SETTLED_LEVEL, TEP_SETTLED_NOT},
	};
	struct tep_dormant dormant = {};

	assert_non_null(table);
	for (uint16_t owner = 1; owner <= 3; owner++) {
		struct dp_binding binding = test_binding(V4 + owner, 1024, 2047, owner);

		binding.owner = owner;
		binding.is_dormant = 1;
		binding.dormant_end_s = NOW + owner;
		assert_int_equal(dp_bindings_add(table, &binding), 0);
	}
	tep_dormant_look(&dormant, &ready, table);
	for (uint16_t owner = 1; owner <= 3; owner++)
		assert_null(test_binding_lookup(table, V4 + owner, 1024, NOW));
	ready.settled[2] = TEP_SETTLED_ABSENT;
	tep_dormant_look(&dormant, &ready, table);
	assert_null(test_binding_lookup(table, V4 + 1, 1024, NOW));
	assert_null(test_binding_lookup(table, V4 + 2, 1024, NOW));
	assert_non_null(test_binding_lookup(table, V4 + 3, 1024, NOW + 2));
	assert_null(test_binding_lookup(table, V4 + 3, 1024, NOW + 3));
	ready.settled[0] = TEP_SETTLED_ABSENT;
	tep_dormant_look(&dormant, &ready, table);
	assert_non_null(test_binding_lookup(table, V4 + 1, 1024, NOW));
	assert_false(dormant.is_waking);
	dp_bindings_destroy(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_those_of_servers_that_are_absent_wake),
	};

	if (test_eal_start(64) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
