// SPDX-License-Identifier: BSD-3-Clause
/* The binding table, one statement at a time (R22-R25, R54, S1, S37). */
#include "dataplane/binding.h"

#include "support/binding.h"
#include "support/eal.h"

#include <rte_errno.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define V4      0xc6336407u /* 198.51.100.7 */
#define V4_NEXT (V4 + 1)
#define NOW     1000

static struct dp_bindings *make_table(uint32_t max_bindings)
{
	struct dp_bindings *table = dp_bindings_create(&(struct dp_bindings_params){
		.max_bindings = max_bindings, .max_readers = 2, .socket = SOCKET_ID_ANY});

	assert_non_null(table);
	return table;
}

static int add(
	struct dp_bindings *table, uint32_t v4, uint16_t first, uint16_t last, uint32_t holder)
{
	struct dp_binding binding = test_binding(v4, first, last, holder);

	return dp_bindings_add(table, &binding);
}

static int drop(struct dp_bindings *table, uint32_t v4, uint16_t first, uint16_t last)
{
	return dp_bindings_remove(table, v4, (struct port_range){first, last});
}

/* 0: nobody. */
static uint32_t holder_of(const struct dp_bindings *table, uint32_t v4, uint16_t port)
{
	const struct dp_binding *found = test_binding_lookup(table, v4, port, NOW);

	assert_ptr_equal(found, dp_bindings_find(table, v4, port));
	return found != NULL ? test_binding_holder(found) : 0;
}

static void a_range_is_found_at_its_ports_and_nowhere_else(void **state)
{
	static const struct {
		uint16_t first;
		uint16_t last;
	} ranges[] = {{80, 80}, {1024, 2047}, {1025, 1034}, {1000, 5000}, {2048, 4095}, {1, 65535},
		{0, 65534}, {0, 65535}, {65535, 65535}, {0, 0}, {1023, 1024}, {63488, 65535}};

	for (size_t i = 0; i < RTE_DIM(ranges); i++) {
		struct dp_bindings *table = make_table(16);

		assert_int_equal(add(table, V4, ranges[i].first, ranges[i].last, 7), 0);
		for (uint32_t port = 0; port <= UINT16_MAX; port++) {
			bool inside = port >= ranges[i].first && port <= ranges[i].last;

			assert_int_equal(holder_of(table, V4, port), inside ? 7 : 0);
		}
		assert_int_equal(holder_of(table, V4_NEXT, ranges[i].first), 0);
		assert_int_equal(holder_of(table, V4 + 256, ranges[i].first), 0);
		assert_int_equal(holder_of(table, V4 + 65536, ranges[i].first), 0);
		dp_bindings_destroy(table);
	}
}

/* What hairpin asks of every packet from a tunnel (S4). */
static void an_address_is_in_the_table_while_any_of_its_ports_is(void **state)
{
	struct dp_bindings *table = make_table(16);

	assert_false(dp_bindings_has_v4(table, V4));
	assert_int_equal(add(table, V4, 1024, 2047, 1), 0);
	assert_int_equal(add(table, V4, 80, 80, 2), 0);
	assert_int_equal(add(table, V4_NEXT, 0, UINT16_MAX, 3), 0);
	assert_true(dp_bindings_has_v4(table, V4));
	assert_true(dp_bindings_has_v4(table, V4_NEXT));
	assert_false(dp_bindings_has_v4(table, V4 - 1));
	assert_false(dp_bindings_has_v4(table, V4 + 256));
	assert_false(dp_bindings_has_v4(table, V4 + 65536));
	assert_int_equal(drop(table, V4, 1024, 2047), 0);
	assert_int_equal(drop(table, V4_NEXT, 0, UINT16_MAX), 0);
	assert_true(dp_bindings_has_v4(table, V4));
	assert_false(dp_bindings_has_v4(table, V4_NEXT));
	assert_int_equal(drop(table, V4, 80, 80), 0);
	assert_false(dp_bindings_has_v4(table, V4));
	dp_bindings_destroy(table);
}

static void neighbours_in_one_block_keep_their_ports(void **state)
{
	struct dp_bindings *table = make_table(16);

	assert_int_equal(add(table, V4, 1024, 1031, 1), 0);
	assert_int_equal(add(table, V4, 1032, 1039, 2), 0);
	assert_int_equal(add(table, V4, 1040, 3071, 3), 0);
	assert_int_equal(holder_of(table, V4, 1031), 1);
	assert_int_equal(holder_of(table, V4, 1032), 2);
	assert_int_equal(holder_of(table, V4, 1040), 3);
	assert_int_equal(drop(table, V4, 1032, 1039), 0);
	assert_int_equal(holder_of(table, V4, 1031), 1);
	assert_int_equal(holder_of(table, V4, 1032), 0);
	assert_int_equal(holder_of(table, V4, 3071), 3);
	dp_bindings_destroy(table);
}

static void a_port_of_another_range_is_refused(void **state)
{
	static const struct {
		uint16_t first;
		uint16_t last;
	} overlaps[] = {{2000, 2000}, {1000, 2000}, {3000, 3500}, {1024, 4095}, {2001, 2999},
		{2000, 2999}, {0, 65535}, {0, 65534}};
	struct dp_bindings *table = make_table(16);

	assert_int_equal(add(table, V4, 2000, 3000, 1), 0);
	for (size_t i = 0; i < RTE_DIM(overlaps); i++)
		assert_int_equal(add(table, V4, overlaps[i].first, overlaps[i].last, 1), -EEXIST);
	assert_int_equal(add(table, V4, 2000, 3000, 2), -EEXIST);
	assert_int_equal(holder_of(table, V4, 2500), 1);

	assert_int_equal(add(table, V4_NEXT, 0, 65535, 1), 0);
	assert_int_equal(add(table, V4_NEXT, 80, 80, 1), -EEXIST);
	assert_int_equal(add(table, V4, 3000, 2000, 1), -EINVAL);
	dp_bindings_destroy(table);
}

static void the_same_range_of_the_same_holder_is_a_renewal(void **state)
{
	struct dp_bindings *table = make_table(16);
	struct dp_binding binding = test_binding(V4, 1024, 2047, 1);
	struct dp_bindings_usage usage;

	binding.end_s = NOW;
	assert_int_equal(dp_bindings_add(table, &binding), 0);
	assert_null(test_binding_lookup(table, V4, 1024, NOW));
	binding.end_s = NOW + 10;
	binding.serial = 5;
	assert_int_equal(dp_bindings_add(table, &binding), 0);
	assert_int_equal(holder_of(table, V4, 1024), 1);
	assert_int_equal(dp_bindings_find(table, V4, 1024)->serial, 5);

	binding.tep_v6.s6_addr[15] = 9;
	assert_int_equal(dp_bindings_add(table, &binding), -EEXIST);
	dp_bindings_usage(table, &usage);
	assert_int_equal(usage.bindings, 1);
	dp_bindings_destroy(table);
}

static void only_the_exact_range_is_removed(void **state)
{
	struct dp_bindings *table = make_table(16);

	assert_int_equal(add(table, V4, 1024, 4095, 1), 0);
	assert_int_equal(drop(table, V4, 1024, 2047), -ENOENT);
	assert_int_equal(drop(table, V4, 1024, 4096), -ENOENT);
	assert_int_equal(drop(table, V4, 0, 65535), -ENOENT);
	assert_int_equal(drop(table, V4_NEXT, 1024, 4095), -ENOENT);
	assert_int_equal(holder_of(table, V4, 4095), 1);
	assert_int_equal(drop(table, V4, 1024, 4095), 0);
	assert_int_equal(drop(table, V4, 1024, 4095), -ENOENT);
	assert_int_equal(holder_of(table, V4, 4095), 0);
	dp_bindings_destroy(table);
}

/* S37 */
static void a_key_without_port_finds_an_exclusive_address_only(void **state)
{
	struct dp_binding_key keys[] = {{.v4 = V4}, {.v4 = V4_NEXT}, {.v4 = V4_NEXT + 1}};
	struct dp_bindings *table = make_table(16);
	const struct dp_binding *found[3];

	assert_int_equal(add(table, V4, 0, 65535, 1), 0);
	assert_int_equal(add(table, V4_NEXT, 0, 65534, 2), 0);
	dp_bindings_lookup_bulk(table, keys, 3, NOW, found);
	assert_int_equal(test_binding_holder(found[0]), 1);
	assert_null(found[1]);
	assert_null(found[2]);
	dp_bindings_destroy(table);
}

/* S1: the end is the reader's business, however late the writer is. */
static void a_binding_ends_in_time_without_the_writer(void **state)
{
	struct dp_bindings *table = make_table(16);
	struct dp_binding binding = test_binding(V4, 1024, 2047, 1);

	binding.end_s = NOW;
	assert_int_equal(dp_bindings_add(table, &binding), 0);
	assert_non_null(test_binding_lookup(table, V4, 1024, NOW - 1));
	assert_null(test_binding_lookup(table, V4, 1024, NOW));
	assert_null(test_binding_lookup(table, V4, 1024, UINT32_MAX - 1));
	assert_int_equal(add(table, V4_NEXT, 1024, 2047, 2), 0);
	assert_non_null(test_binding_lookup(table, V4_NEXT, 1024, UINT32_MAX - 1));
	dp_bindings_destroy(table);
}

static void sweep_removes_what_has_ended_and_keeps_the_rest(void **state)
{
	struct dp_bindings *table = make_table(100);
	struct dp_bindings_usage usage;

	for (uint32_t i = 0; i < 100; i++) {
		struct dp_binding binding = test_binding(
			V4 + i / 10, i % 10 * 100, i % 10 * 100 + 99, i);

		binding.end_s = i % 2 == 0 ? NOW : NOW + 1;
		assert_int_equal(dp_bindings_add(table, &binding), 0);
	}
	assert_int_equal(dp_bindings_sweep(table, NOW - 1, 1000), 0);
	assert_int_equal(dp_bindings_sweep(table, NOW, 20), 20);
	assert_int_equal(dp_bindings_sweep(table, NOW, 1000), 30);
	assert_int_equal(dp_bindings_sweep(table, NOW, 1000), 0);
	dp_bindings_usage(table, &usage);
	assert_int_equal(usage.bindings, 50);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(holder_of(table, V4 + i / 10, i % 10 * 100), i % 2 == 0 ? 0 : i);
	dp_bindings_destroy(table);
}

static int add_dormant(struct dp_bindings *table, uint16_t first, uint16_t last, uint32_t end_s)
{
	struct dp_binding binding = test_binding(V4, first, last, 1);

	binding.is_dormant = 1;
	binding.dormant_end_s = end_s;
	return dp_bindings_add(table, &binding);
}

/* After a restart: known, and in nobody's hands (S1, R30). */
static void a_dormant_binding_forwards_nothing_until_it_wakes(void **state)
{
	struct dp_bindings *table = make_table(16);
	const struct dp_binding *found;

	assert_int_equal(add_dormant(table, 1024, 2047, NOW + 10), 0);
	assert_null(test_binding_lookup(table, V4, 1024, 0));
	assert_null(test_binding_lookup(table, V4, 1024, NOW));
	found = dp_bindings_find(table, V4, 1024);
	assert_non_null(found);
	assert_int_equal(dp_binding_lease_end_s(found), NOW + 10);
	assert_int_equal(add(table, V4, 2000, 2100, 2), -EEXIST);
	assert_int_equal(dp_bindings_sweep(table, NOW + 9, 16), 0);
	dp_bindings_wake(table, found);
	assert_ptr_equal(test_binding_lookup(table, V4, 1024, NOW + 9), found);
	assert_null(test_binding_lookup(table, V4, 1024, NOW + 10));
	assert_int_equal(found->mtu_until_s, 0);
	dp_bindings_wake(table, found);
	assert_int_equal(found->end_s, NOW + 10);
	dp_bindings_destroy(table);
}

static void a_renewal_wakes_and_a_dormant_one_renews_nothing(void **state)
{
	struct dp_bindings *table = make_table(16);

	assert_int_equal(add_dormant(table, 1024, 2047, NOW - 10), 0);
	assert_int_equal(add(table, V4, 1024, 2047, 1), 0);
	assert_non_null(test_binding_lookup(table, V4, 1024, NOW));
	assert_int_equal(dp_bindings_find(table, V4, 1024)->mtu_until_s, 0);
	assert_int_equal(add_dormant(table, 1024, 2047, NOW + 10), -EEXIST);
	assert_int_equal(dp_bindings_find(table, V4, 1024)->end_s, DP_BINDING_ENDLESS);
	dp_bindings_destroy(table);
}

static void a_dormant_binding_is_swept_at_its_end(void **state)
{
	struct dp_bindings *table = make_table(16);

	assert_int_equal(add_dormant(table, 1024, 2047, NOW), 0);
	assert_int_equal(dp_bindings_sweep(table, NOW - 1, 16), 0);
	assert_int_equal(dp_bindings_sweep(table, NOW, 16), 1);
	assert_null(dp_bindings_find(table, V4, 1024));
	dp_bindings_destroy(table);
}

struct walked {
	struct dp_bindings *table;
	uint32_t n;
	uint32_t sum;
	bool removing;
};

static void visit(void *arg, const struct dp_binding *binding)
{
	struct walked *walked = arg;

	walked->n++;
	walked->sum += test_binding_holder(binding);
	if (walked->removing)
		assert_int_equal(drop(walked->table, rte_be_to_cpu_32(binding->v4_be),
					 binding->first, binding->last),
			0);
}

static void walk_visits_each_binding_once_in_steps(void **state)
{
	struct walked walked = {.table = make_table(64)};
	struct dp_bindings_usage usage;
	uint32_t cursor = 0;

	for (uint32_t i = 1; i <= 20; i++)
		assert_int_equal(add(walked.table, V4, i, i, i), 0);
	assert_int_equal(drop(walked.table, V4, 3, 3), 0);

	assert_true(dp_bindings_walk(walked.table, &cursor, 7, visit, &walked));
	assert_int_equal(walked.n, 7);
	while (dp_bindings_walk(walked.table, &cursor, 7, visit, &walked))
		;
	assert_int_equal(walked.n, 19);
	assert_int_equal(walked.sum, 20 * 21 / 2 - 3);

	walked.removing = true;
	cursor = 0;
	assert_false(dp_bindings_walk(walked.table, &cursor, 100, visit, &walked));
	dp_bindings_usage(walked.table, &usage);
	assert_int_equal(usage.bindings, 0);
	dp_bindings_destroy(walked.table);
}

static void usage_counts_bindings_and_addresses(void **state)
{
	struct dp_bindings *table = make_table(64);
	struct dp_bindings_usage usage;

	assert_int_equal(add(table, V4, 1024, 2047, 1), 0);
	assert_int_equal(add(table, V4, 2048, 2050, 2), 0);
	assert_int_equal(add(table, V4_NEXT, 0, 65535, 3), 0);
	dp_bindings_usage(table, &usage);
	assert_int_equal(usage.bindings, 3);
	assert_int_equal(usage.exclusive, 1);
	assert_int_equal(usage.addresses, 2);
	assert_int_equal(usage.max_bindings, 64);
	assert_int_equal(drop(table, V4_NEXT, 0, 65535), 0);
	assert_int_equal(drop(table, V4, 2048, 2050), 0);
	dp_bindings_usage(table, &usage);
	assert_int_equal(usage.bindings, 1);
	assert_int_equal(usage.exclusive, 0);
	assert_int_equal(usage.addresses, 1);
	dp_bindings_destroy(table);
}

static void a_full_table_says_so_and_stays_as_it_was(void **state)
{
	struct dp_bindings *table = make_table(3);

	for (uint32_t i = 1; i <= 3; i++)
		assert_int_equal(add(table, V4 + i, 80, 80, i), 0);
	assert_int_equal(add(table, V4 + 4, 80, 80, 4), -ENOSPC);
	assert_int_equal(add(table, V4 + 1, 80, 80, 1), 0);
	assert_int_equal(holder_of(table, V4 + 4, 80), 0);
	assert_int_equal(drop(table, V4 + 2, 80, 80), 0);
	assert_int_equal(add(table, V4 + 4, 80, 80, 4), 0);
	assert_int_equal(holder_of(table, V4 + 4, 80), 4);
	dp_bindings_destroy(table);
}

/* A reader that stands still keeps what it may hold: the writer runs short, but nothing is reused. */
static void a_removed_record_is_not_reused_before_the_reader_reports(void **state)
{
	struct dp_bindings *table = make_table(1);
	struct rte_rcu_qsbr *qsbr = dp_bindings_qsbr(table);
	const struct dp_binding *held;
	uint32_t n = 2;

	rte_rcu_qsbr_thread_register(qsbr, 0);
	rte_rcu_qsbr_thread_online(qsbr, 0);
	assert_int_equal(add(table, V4, 80, 80, 1), 0);
	held = test_binding_lookup(table, V4, 80, NOW);
	assert_int_equal(drop(table, V4, 80, 80), 0);
	while (add(table, V4, 80, 80, n) == 0) {
		assert_int_equal(holder_of(table, V4, 80), n);
		assert_int_equal(drop(table, V4, 80, 80), 0);
		n++;
		assert_true(n < 1000);
	}
	assert_int_equal(test_binding_holder(held), 1);

	rte_rcu_qsbr_quiescent(qsbr, 0);
	dp_bindings_sweep(table, NOW, 1);
	rte_rcu_qsbr_quiescent(qsbr, 0);
	assert_int_equal(add(table, V4, 80, 80, n), 0);
	rte_rcu_qsbr_thread_offline(qsbr, 0);
	rte_rcu_qsbr_thread_unregister(qsbr, 0);
	dp_bindings_destroy(table);
}

static void bad_parameters_make_no_table(void **state)
{
	struct dp_bindings_params params = {.max_readers = 1, .socket = SOCKET_ID_ANY};

	assert_null(dp_bindings_create(&params));
	assert_int_equal(rte_errno, EINVAL);
	params.max_bindings = (1u << 28) + 1;
	assert_null(dp_bindings_create(&params));
	assert_int_equal(rte_errno, EINVAL);
	params.max_bindings = 1u << 28; /* 16 GiB of records: more than this EAL has */
	assert_null(dp_bindings_create(&params));
	assert_int_equal(rte_errno, ENOMEM);
	dp_bindings_destroy(NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_range_is_found_at_its_ports_and_nowhere_else),
		cmocka_unit_test(an_address_is_in_the_table_while_any_of_its_ports_is),
		cmocka_unit_test(neighbours_in_one_block_keep_their_ports),
		cmocka_unit_test(a_port_of_another_range_is_refused),
		cmocka_unit_test(the_same_range_of_the_same_holder_is_a_renewal),
		cmocka_unit_test(only_the_exact_range_is_removed),
		cmocka_unit_test(a_key_without_port_finds_an_exclusive_address_only),
		cmocka_unit_test(a_binding_ends_in_time_without_the_writer),
		cmocka_unit_test(sweep_removes_what_has_ended_and_keeps_the_rest),
		cmocka_unit_test(a_dormant_binding_forwards_nothing_until_it_wakes),
		cmocka_unit_test(a_renewal_wakes_and_a_dormant_one_renews_nothing),
		cmocka_unit_test(a_dormant_binding_is_swept_at_its_end),
		cmocka_unit_test(walk_visits_each_binding_once_in_steps),
		cmocka_unit_test(usage_counts_bindings_and_addresses),
		cmocka_unit_test(a_full_table_says_so_and_stays_as_it_was),
		cmocka_unit_test(a_removed_record_is_not_reused_before_the_reader_reports),
		cmocka_unit_test(bad_parameters_make_no_table),
	};

	if (test_eal_start(64) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
