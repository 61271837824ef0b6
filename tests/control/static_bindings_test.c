// SPDX-License-Identifier: BSD-3-Clause
/* Replacing the static bindings of a running table (R25). */
#include "control/static_bindings.h"
#include "support/binding.h"
#include "support/eal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <rte_common.h>

#define V4 0xc6336407 /* 198.51.100.7 */

static struct dp_bindings *table;

static int set_up(void **state)
{
	const struct dp_bindings_params params = {
		.max_bindings = 64, .max_readers = 1, .socket = SOCKET_ID_ANY};

	table = dp_bindings_create(&params);
	return table == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
	dp_bindings_destroy(table);
	return 0;
}

static struct tep_static_binding row(uint16_t first, uint16_t last, uint32_t holder)
{
	const struct dp_binding binding = test_binding(V4, first, last, holder);

	return (struct tep_static_binding){.v4 = V4,
		.ports = {first, last},
		.client_v6 = binding.client_v6,
		.tep_v6 = binding.tep_v6};
}

static struct tep_static_change replace(
	struct tep_static_binding *rows, uint32_t n, uint32_t serial)
{
	const struct tep_static_bindings bindings = {.path = "tep.yaml", .rows = rows, .n_rows = n};
	struct tep_static_change change;

	assert_int_equal(tep_static_replace(&bindings, table, serial, &change), 0);
	return change;
}

/* 0: nobody holds the port. */
static uint32_t holder_of(uint16_t port)
{
	const struct dp_binding *found = test_binding_lookup(table, V4, port, 0);

	return found != NULL ? test_binding_holder(found) : 0;
}

static void replace_keeps_adds_and_removes(void **state)
{
	struct tep_static_binding before[] = {row(1024, 2047, 1), row(2048, 3071, 2)};
	struct tep_static_binding after[] = {row(1024, 2047, 1), row(4096, 4096, 3)};
	struct tep_static_change change;
	const struct dp_binding *kept;

	replace(before, RTE_DIM(before), 1);
	kept = dp_bindings_find(table, V4, 1024);
	change = replace(after, RTE_DIM(after), 2);

	assert_int_equal(change.kept, 2);
	assert_int_equal(change.removed, 1);
	assert_int_equal(change.refused, 0);
	assert_ptr_equal(dp_bindings_find(table, V4, 1024), kept);
	assert_int_equal(holder_of(2047), 1);
	assert_int_equal(holder_of(2048), 0);
	assert_int_equal(holder_of(4096), 3);
}

static void replace_moves_a_range_to_another_holder(void **state)
{
	struct tep_static_binding before[] = {row(1024, 3071, 1)};
	struct tep_static_binding after[] = {row(1024, 2047, 2), row(2048, 4095, 3)};

	replace(before, RTE_DIM(before), 1);
	assert_int_equal(replace(after, RTE_DIM(after), 2).removed, 1);

	assert_int_equal(holder_of(1024), 2);
	assert_int_equal(holder_of(3071), 3);
}

static void replace_refuses_ports_of_a_lease_and_leaves_the_lease(void **state)
{
	struct dp_binding lease = test_binding(V4, 1024, 2047, 9);
	struct tep_static_binding rows[] = {row(2000, 2100, 1), row(4096, 5119, 2)};
	struct tep_static_change change;

	lease.end_s = 100;
	assert_int_equal(dp_bindings_add(table, &lease), 0);
	change = replace(rows, RTE_DIM(rows), 1);

	assert_int_equal(change.refused, 1);
	assert_int_equal(change.kept, 1);
	assert_int_equal(holder_of(2000), 9);
	assert_int_equal(holder_of(2100), 0);
	assert_int_equal(holder_of(4096), 2);
	change = replace(NULL, 0, 2);
	assert_int_equal(change.removed, 1);
	assert_int_equal(holder_of(1500), 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(replace_keeps_adds_and_removes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			replace_moves_a_range_to_another_holder, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			replace_refuses_ports_of_a_lease_and_leaves_the_lease, set_up, tear_down),
	};

	if (test_eal_start(64) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
