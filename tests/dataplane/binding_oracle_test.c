// SPDX-License-Identifier: BSD-3-Clause
/*
 * The binding table against a plain list: a million random queries while bindings come, are renewed, end and
 * go. The addresses share leaves, middle nodes and nothing at all; ranges have every size, exclusive included.
 */
#include "dataplane/binding.h"

#include "support/binding.h"
#include "support/eal.h"
#include "support/random.h"

#include <rte_common.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define N_ADDRESSES 48
#define LIST_MAX    128
#define BURST       64
#define QUERIES     1000000
#define HOLDERS     16

struct oracle {
	struct dp_bindings *table;
	struct dp_binding list[LIST_MAX];
	uint32_t n;
	uint32_t now_s;
	uint64_t random;
};

static uint32_t below(struct oracle *oracle, uint32_t n)
{
	return test_random_below(&oracle->random, n);
}

static uint32_t random_v4(struct oracle *oracle)
{
	static const uint32_t bases[] = {
		0xc6336400, 0xc63364f8, 0xc6336500, 0xc6340000, 0x00000000, 0xfffffff8};

	return bases[below(oracle, RTE_DIM(bases))] + below(oracle, N_ADDRESSES / RTE_DIM(bases));
}

/* Sizes are spread over orders of magnitude; block borders come up often. */
static struct port_range random_range(struct oracle *oracle)
{
	uint32_t size = 1 + below(oracle, 1u << below(oracle, 17));
	uint32_t first = below(oracle, 65537 - size);

	if (below(oracle, 3) == 0)
		first &= ~1023u;
	if (below(oracle, 3) == 0)
		size = RTE_MIN((size + 1023) & ~1023u, 65536 - first);
	if (below(oracle, 50) == 0)
		return PORT_RANGE_EXCLUSIVE;
	return (struct port_range){.first = first, .last = first + size - 1};
}

static struct port_range range_of(const struct dp_binding *binding)
{
	return (struct port_range){.first = binding->first, .last = binding->last};
}

/* The list's only clever function: the entry with a port of the range, or NULL. */
static struct dp_binding *list_find(struct oracle *oracle, uint32_t v4, struct port_range range)
{
	for (uint32_t i = 0; i < oracle->n; i++) {
		struct dp_binding *entry = &oracle->list[i];

		if (entry->v4_be == rte_cpu_to_be_32(v4) &&
			port_range_overlaps(range_of(entry), range))
			return entry;
	}
	return NULL;
}

static void list_remove(struct oracle *oracle, struct dp_binding *entry)
{
	*entry = oracle->list[--oracle->n];
}

static int list_add(struct oracle *oracle, const struct dp_binding *binding)
{
	struct dp_binding *entry = list_find(
		oracle, rte_be_to_cpu_32(binding->v4_be), range_of(binding));

	if (entry == NULL) {
		if (oracle->n == LIST_MAX)
			return -ENOSPC;
		oracle->list[oracle->n++] = *binding;
		return 0;
	}
	if (!port_range_equal(range_of(entry), range_of(binding)) ||
		test_binding_holder(entry) != test_binding_holder(binding))
		return -EEXIST;
	entry->end_s = binding->end_s;
	entry->stamp = binding->stamp;
	entry->owner = binding->owner;
	entry->is_static = binding->is_static;
	return 0;
}

static uint32_t random_end(struct oracle *oracle)
{
	return below(oracle, 4) == 0 ? DP_BINDING_ENDLESS : oracle->now_s + below(oracle, 3000);
}

static void add_one(struct oracle *oracle)
{
	struct port_range range = random_range(oracle);
	struct dp_binding binding = test_binding(
		random_v4(oracle), range.first, range.last, 1 + below(oracle, HOLDERS));

	if (oracle->n > 0 && below(oracle, 4) == 0) { /* a renewal, or a take-over that must fail */
		uint32_t holder = test_binding_holder(&binding);

		binding = oracle->list[below(oracle, oracle->n)];
		if (below(oracle, 4) == 0)
			memcpy(&binding.client_v6.s6_addr[12], &holder, sizeof(holder));
	}
	binding.end_s = random_end(oracle);
	binding.stamp = below(oracle, 1000);
	binding.owner = below(oracle, 2) == 0 ? DP_OWNERS_MAX : below(oracle, DP_OWNERS_MAX + 2);
	binding.is_static = below(oracle, 16) == 0;
	assert_int_equal(dp_bindings_add(oracle->table, &binding), list_add(oracle, &binding));
}

static void remove_one(struct oracle *oracle)
{
	struct dp_binding *entry;

	if (oracle->n == 0)
		return;
	entry = &oracle->list[below(oracle, oracle->n)];
	assert_int_equal(
		dp_bindings_remove(oracle->table, rte_be_to_cpu_32(entry->v4_be), range_of(entry)),
		0);
	list_remove(oracle, entry);
}

/* A range that is probably not there; when it overlaps others they must not be touched. */
static void remove_wrong(struct oracle *oracle)
{
	struct port_range range = random_range(oracle);
	uint32_t v4 = random_v4(oracle);
	struct dp_binding *entry = list_find(oracle, v4, range);

	if (entry == NULL || !port_range_equal(range_of(entry), range))
		assert_int_equal(dp_bindings_remove(oracle->table, v4, range), -ENOENT);
}

static void sweep_all(struct oracle *oracle)
{
	uint32_t ended = 0;

	for (uint32_t i = 0; i < oracle->n;) {
		if (oracle->now_s < oracle->list[i].end_s) {
			i++;
			continue;
		}
		list_remove(oracle, &oracle->list[i]);
		ended++;
	}
	assert_int_equal(dp_bindings_sweep(oracle->table, oracle->now_s, UINT32_MAX), ended);
}

/* Half of the keys aim at a binding's ends, where mistakes would be. */
static struct dp_binding_key random_key(struct oracle *oracle)
{
	struct dp_binding_key key = {
		.v4 = random_v4(oracle), .port = below(oracle, 65536), .has_port = true};

	if (oracle->n > 0 && below(oracle, 2) == 0) {
		const struct dp_binding *entry = &oracle->list[below(oracle, oracle->n)];
		const uint16_t ports[] = {
			entry->first, entry->last, entry->first - 1, entry->last + 1};

		key.v4 = rte_be_to_cpu_32(entry->v4_be);
		key.port = ports[below(oracle, RTE_DIM(ports))];
	}
	key.has_port = below(oracle, 16) != 0;
	return key;
}

static void check_found(
	struct oracle *oracle, const struct dp_binding_key *key, const struct dp_binding *found)
{
	struct port_range port = {.first = key->port, .last = key->port};
	const struct dp_binding *entry;

	if (!key->has_port)
		port = PORT_RANGE_EXCLUSIVE;
	entry = list_find(oracle, key->v4, port);
	if (entry != NULL && !key->has_port && !port_range_is_exclusive(range_of(entry)))
		entry = NULL;
	if (entry == NULL || oracle->now_s >= entry->end_s) {
		assert_null(found);
		return;
	}
	assert_non_null(found);
	assert_int_equal(found->v4_be, entry->v4_be);
	assert_true(port_range_equal(range_of(found), range_of(entry)));
	assert_memory_equal(&found->client_v6, &entry->client_v6, sizeof(found->client_v6));
	assert_memory_equal(&found->tep_v6, &entry->tep_v6, sizeof(found->tep_v6));
	assert_int_equal(found->end_s, entry->end_s);
}

static void query(struct oracle *oracle, uint32_t n)
{
	const struct dp_binding *found[BURST];
	struct dp_binding_key keys[BURST];

	for (uint32_t i = 0; i < n; i++)
		keys[i] = random_key(oracle);
	dp_bindings_lookup_bulk(oracle->table, keys, n, oracle->now_s, found);
	for (uint32_t i = 0; i < n; i++)
		check_found(oracle, &keys[i], found[i]);
}

static void check_digests(struct oracle *oracle)
{
	static struct digest digests[DP_OWNERS_MAX];

	memset(digests, 0, sizeof(digests));
	for (uint32_t i = 0; i < oracle->n; i++) {
		const struct dp_binding *entry = &oracle->list[i];
		uint32_t v4 = rte_be_to_cpu_32(entry->v4_be);

		if (entry->is_static || entry->owner == 0 || entry->owner > DP_OWNERS_MAX)
			continue;
		digests[entry->owner - 1].leaves[digest_leaf(v4)] += digest_binding(
			&entry->client_v6, &entry->tep_v6, v4, range_of(entry), entry->stamp);
	}
	for (uint16_t owner = 1; owner <= DP_OWNERS_MAX; owner++)
		assert_memory_equal(dp_bindings_digest(oracle->table, owner), &digests[owner - 1],
			sizeof(digests[0]));
}

static void check_counts(struct oracle *oracle)
{
	struct dp_bindings_usage usage;
	uint32_t exclusive = 0;

	for (uint32_t i = 0; i < oracle->n; i++)
		exclusive += port_range_is_exclusive(range_of(&oracle->list[i]));
	dp_bindings_usage(oracle->table, &usage);
	assert_int_equal(usage.bindings, oracle->n);
	assert_int_equal(usage.exclusive, exclusive);
	check_digests(oracle);
}

/* Adds outweigh removals for some rounds, then the other way, so that both full and empty come up. */
static void the_table_answers_as_a_plain_list_does(void **state)
{
	static struct oracle oracle;
	struct rte_rcu_qsbr *qsbr;

	oracle = (struct oracle){.now_s = 1, .random = test_seed()};
	oracle.table = dp_bindings_create(&(struct dp_bindings_params){
		.max_bindings = LIST_MAX, .max_readers = 1, .socket = SOCKET_ID_ANY});
	assert_non_null(oracle.table);
	qsbr = dp_bindings_qsbr(oracle.table);
	rte_rcu_qsbr_thread_register(qsbr, 0);
	rte_rcu_qsbr_thread_online(qsbr, 0);

	for (uint32_t round = 0; round * BURST < QUERIES; round++) {
		uint32_t removals = round % 4096 < 3072 ? 3 : 6;

		for (uint32_t i = 0; i < 8; i++) {
			if (below(&oracle, 8) < removals)
				remove_one(&oracle);
			else
				add_one(&oracle);
		}
		remove_wrong(&oracle);
		query(&oracle, 1 + below(&oracle, BURST));
		query(&oracle, BURST);
		rte_rcu_qsbr_quiescent(qsbr, 0);
		oracle.now_s += below(&oracle, 3);
		if (round % 64 == 0) {
			sweep_all(&oracle);
			check_counts(&oracle);
		}
	}
	while (oracle.n > 0)
		remove_one(&oracle);
	check_counts(&oracle);
	query(&oracle, BURST);
	dp_bindings_destroy(oracle.table);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_answers_as_a_plain_list_does),
	};

	if (test_eal_start(64) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
