// SPDX-License-Identifier: BSD-3-Clause
/* What the binding table costs, that it gives everything back, and what happens when a pool is empty. */
#include "dataplane/binding.h"
#include "dataplane/binding_table.h"

#include "support/binding.h"
#include "support/eal.h"
#include "support/random.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define V4      0xc6000000u /* 198.0.0.0 */
#define MILLION (1u << 20)

static struct dp_bindings *make_table(uint32_t max_bindings)
{
	struct dp_bindings *table = dp_bindings_create(&(struct dp_bindings_params){
		.max_bindings = max_bindings, .max_readers = 1, .socket = SOCKET_ID_ANY});

	assert_non_null(table);
	return table;
}

static void add(struct dp_bindings *table, uint32_t v4, uint16_t first, uint16_t last)
{
	struct dp_binding binding = test_binding(v4, first, last, v4);

	assert_int_equal(dp_bindings_add(table, &binding), 0);
}

static void remove_it(void *arg, const struct dp_binding *binding)
{
	struct port_range range = {.first = binding->first, .last = binding->last};

	assert_int_equal(dp_bindings_remove(arg, rte_be_to_cpu_32(binding->v4_be), range), 0);
}

static void remove_all(struct dp_bindings *table)
{
	uint32_t cursor = 0;

	assert_false(dp_bindings_walk(table, &cursor, UINT32_MAX, remove_it, table));
}

static uint64_t bytes_of(const struct dp_bindings *table)
{
	struct dp_bindings_usage usage;

	dp_bindings_usage(table, &usage);
	return usage.bytes;
}

static void a_million_blocks_of_1024_cost_at_most_160_octets_each(void **state)
{
	struct dp_bindings *table = make_table(MILLION);

	for (uint32_t i = 0; i < MILLION; i++) {
		uint16_t first = (1 + i % 63) * 1024;

		add(table, V4 + i / 63, first, first + 1023);
	}
	assert_true(bytes_of(table) <= UINT64_C(160) * MILLION);
	dp_bindings_destroy(table);
}

static void an_exclusive_address_takes_no_page(void **state)
{
	struct dp_bindings *table = make_table(256);

	for (uint32_t i = 0; i < 256; i++)
		add(table, V4 + i, 0, UINT16_MAX);
	assert_int_equal(table->page_pool.taken, 0);
	assert_int_equal(table->subpage_pool.taken, 0);
	assert_int_equal(table->node_pool.taken, 2);
	dp_bindings_destroy(table);
}

static void fill_at_random(struct dp_bindings *table, uint64_t *random, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t v4 = test_random(random);
		uint16_t first = test_random(random);
		uint16_t last = first + test_random_below(random, 65536 - first);
		struct dp_binding binding = test_binding(v4, first, last, i);

		assert_int_not_equal(dp_bindings_add(table, &binding), -ENOSPC);
	}
}

static void assert_all_free(const struct dp_pool *pool)
{
	assert_int_equal(pool->taken, 0);
	assert_int_equal(pool->free.n, pool->fresh - 1);
}

static void all_pieces_are_free_again_once_readers_have_moved_on(void **state)
{
	struct dp_bindings *table = make_table(8192);
	struct rte_rcu_qsbr *qsbr = dp_bindings_qsbr(table);
	uint64_t seed = test_seed();
	uint64_t bytes = 0;

	rte_rcu_qsbr_thread_register(qsbr, 0);
	rte_rcu_qsbr_thread_online(qsbr, 0);
	for (uint32_t round = 0; round < 4; round++) {
		uint64_t random = seed;

		fill_at_random(table, &random, 8000);
		if (round == 0)
			bytes = bytes_of(table);
		remove_all(table);
		for (uint32_t i = 0; i < 2; i++) {
			rte_rcu_qsbr_quiescent(qsbr, 0);
			dp_bindings_sweep(table, 0, 1);
		}
		assert_all_free(&table->record_pool);
		assert_all_free(&table->page_pool);
		assert_all_free(&table->subpage_pool);
		assert_all_free(&table->node_pool);
		assert_int_equal(bytes_of(table), bytes);
	}
	rte_rcu_qsbr_thread_offline(qsbr, 0);
	rte_rcu_qsbr_thread_unregister(qsbr, 0);
	dp_bindings_destroy(table);
}

/* Every binding takes two nodes, a page and two sub-pages. */
static struct dp_binding hungry_binding(uint32_t i)
{
	return test_binding(i << 16, 1000, 5000, i);
}

static void an_empty_pool_refuses_and_leaves_the_table_as_it_was(void **state)
{
	for (uint32_t p = 0; p < 4; p++) {
		struct dp_bindings *table = make_table(4096);
		struct dp_pool *pools[] = {&table->node_pool, &table->page_pool,
			&table->subpage_pool, &table->record_pool};
		struct dp_binding binding;
		uint32_t taken[4];
		uint32_t n = 0;
		int rc;

		pools[p]->params.max = RTE_MIN(pools[p]->capacity, 2048u);
		pools[p]->capacity = pools[p]->params.max;
		do {
			for (uint32_t i = 0; i < 4; i++)
				taken[i] = pools[i]->taken;
			binding = hungry_binding(++n);
			rc = dp_bindings_add(table, &binding);
		} while (rc == 0);

		assert_int_equal(rc, -ENOSPC);
		assert_true(n > 10);
		assert_null(dp_bindings_find(table, n << 16, 1000));
		for (uint32_t i = 0; i < 4; i++)
			assert_int_equal(pools[i]->taken, taken[i]);
		for (uint32_t i = 1; i < n; i++)
			assert_non_null(test_binding_lookup(table, i << 16, 5000, 1));
		remove_all(table);
		assert_int_equal(dp_bindings_add(table, &binding), 0);
		dp_bindings_destroy(table);
	}
}

/* The heap of the EAL ends before the table does. */
static void no_memory_for_a_chunk_is_an_error_and_no_more(void **state)
{
	struct dp_bindings *table = make_table(MILLION);
	struct dp_binding binding;
	uint32_t n = 0;
	int rc;

	do {
		binding = hungry_binding(++n % 65536);
		binding.first += n / 65536 * 10000;
		binding.last += n / 65536 * 10000;
		rc = dp_bindings_add(table, &binding);
	} while (rc == 0);
	assert_int_equal(rc, -ENOMEM);
	assert_int_equal(table->record_pool.taken, n - 1);
	remove_all(table);
	assert_int_equal(table->node_pool.taken, 0);
	assert_int_equal(dp_bindings_add(table, &binding), 0);
	dp_bindings_destroy(table);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_million_blocks_of_1024_cost_at_most_160_octets_each),
		cmocka_unit_test(an_exclusive_address_takes_no_page),
		cmocka_unit_test(all_pieces_are_free_again_once_readers_have_moved_on),
		cmocka_unit_test(an_empty_pool_refuses_and_leaves_the_table_as_it_was),
		cmocka_unit_test(no_memory_for_a_chunk_is_an_error_and_no_more),
	};

	if (test_eal_start(256) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
