// SPDX-License-Identifier: BSD-3-Clause
/*
 * One writer, two readers, no locks: while bindings are added and removed as fast as the writer can, a
 * reader never sees a record of another address or port, never a torn one, and never loses a binding that stays.
 * Built with -Db_sanitize=thread this is also the proof of the memory ordering.
 */
#include "dataplane/binding.h"

#include "support/binding.h"
#include "support/eal.h"
#include "support/random.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define N_READERS   2
#define N_ADDRESSES 64
#define BURST       32
#define CHANGES     200000
#define BURSTS      3000 /* that each reader does at least */
#define V4          0xc63364e0u /* the addresses lie in two leaves */
#define STAYS_FIRST 60000 /* even addresses have a binding that stays */
#define STAYS_LAST  61999

struct reader {
	struct dp_bindings *table;
	uint32_t id;
	uint64_t random;
	uint32_t bursts;
	uint32_t found;
	uint32_t wrong;
	pthread_t thread;
};

static bool stop;

/* The holder is told by the range, so that a record of two bindings' parts gives itself away. */
static struct dp_binding make_binding(uint32_t v4, uint16_t first, uint16_t last)
{
	return test_binding(v4, first, last, v4 ^ ((uint32_t)first << 16 | last));
}

static bool is_right(const struct dp_binding_key *key, const struct dp_binding *found)
{
	struct dp_binding whole;

	if (found == NULL) {
		bool stays = key->v4 % 2 == 0 && key->port >= STAYS_FIRST &&
			     key->port <= STAYS_LAST;

		return !stays;
	}
	whole = make_binding(key->v4, found->first, found->last);
	return found->v4_be == whole.v4_be && key->port >= found->first &&
	       key->port <= found->last &&
	       memcmp(&found->client_v6, &whole.client_v6, sizeof(whole.client_v6)) == 0 &&
	       memcmp(&found->tep_v6, &whole.tep_v6, sizeof(whole.tep_v6)) == 0;
}

static void read_burst(struct reader *reader)
{
	const struct dp_binding *found[BURST];
	struct dp_binding_key keys[BURST];

	for (uint32_t i = 0; i < BURST; i++)
		keys[i] = (struct dp_binding_key){
			.v4 = V4 + test_random_below(&reader->random, N_ADDRESSES),
			.port = test_random(&reader->random),
			.has_port = true,
		};
	dp_bindings_lookup_bulk(reader->table, keys, BURST, 1, found);
	for (uint32_t i = 0; i < BURST; i++) {
		reader->found += found[i] != NULL;
		reader->wrong += !is_right(&keys[i], found[i]);
	}
	__atomic_fetch_add(&reader->bursts, 1, __ATOMIC_RELAXED);
}

static void *read_all_the_time(void *arg)
{
	struct reader *reader = arg;
	struct rte_rcu_qsbr *qsbr = dp_bindings_qsbr(reader->table);

	rte_rcu_qsbr_thread_register(qsbr, reader->id);
	rte_rcu_qsbr_thread_online(qsbr, reader->id);
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		read_burst(reader);
		rte_rcu_qsbr_quiescent(qsbr, reader->id);
	}
	rte_rcu_qsbr_thread_offline(qsbr, reader->id);
	rte_rcu_qsbr_thread_unregister(qsbr, reader->id);
	return NULL;
}

static struct port_range random_range(uint64_t *random)
{
	uint32_t first = test_random_below(random, STAYS_FIRST);
	uint32_t size = 1 + test_random_below(random, 1u << test_random_below(random, 16));

	if (first + size > STAYS_FIRST)
		size = STAYS_FIRST - first;
	return (struct port_range){.first = first, .last = first + size - 1};
}

/* Tries one add, and removes whatever holds a random port. Returns the number of changes. */
static uint32_t change(struct dp_bindings *table, uint64_t *random)
{
	uint32_t v4 = V4 + test_random_below(random, N_ADDRESSES);
	struct port_range range = random_range(random);
	struct dp_binding binding = make_binding(v4, range.first, range.last);
	const struct dp_binding *held;
	uint32_t n;

	if (v4 % 2 == 1 && test_random_below(random, 4) == 0)
		binding = make_binding(v4, 0, UINT16_MAX);
	n = dp_bindings_add(table, &binding) == 0;
	v4 = V4 + test_random_below(random, N_ADDRESSES);
	held = dp_bindings_find(table, v4, test_random_below(random, STAYS_FIRST));
	if (held == NULL)
		return n;
	range = (struct port_range){.first = held->first, .last = held->last};
	assert_int_equal(dp_bindings_remove(table, v4, range), 0);
	return n + 1;
}

static bool readers_have_done(const struct reader *readers, uint32_t bursts)
{
	for (uint32_t i = 0; i < N_READERS; i++)
		if (__atomic_load_n(&readers[i].bursts, __ATOMIC_RELAXED) < bursts)
			return false;
	return true;
}

static void readers_see_only_whole_bindings_of_their_key(void **state)
{
	uint64_t random = test_seed();
	struct reader readers[N_READERS];
	struct dp_bindings *table = dp_bindings_create(&(struct dp_bindings_params){
		.max_bindings = 65536, .max_readers = N_READERS, .socket = SOCKET_ID_ANY});

	assert_non_null(table);
	for (uint32_t v4 = V4; v4 < V4 + N_ADDRESSES; v4 += 2) {
		struct dp_binding stays = make_binding(v4, STAYS_FIRST, STAYS_LAST);

		assert_int_equal(dp_bindings_add(table, &stays), 0);
	}
	stop = false;
	for (uint32_t i = 0; i < N_READERS; i++) {
		readers[i] = (struct reader){
			.table = table, .id = i, .random = test_random(&random) | 1};
		assert_int_equal(
			pthread_create(&readers[i].thread, NULL, read_all_the_time, &readers[i]),
			0);
	}
	for (uint32_t n = 0; n < CHANGES;)
		n += change(table, &random);
	while (!readers_have_done(readers, BURSTS)) {
		change(table, &random);
		sched_yield();
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (uint32_t i = 0; i < N_READERS; i++) {
		pthread_join(readers[i].thread, NULL);
		assert_int_equal(readers[i].wrong, 0);
		assert_true(readers[i].found > 0);
	}
	dp_bindings_destroy(table);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(readers_see_only_whole_bindings_of_their_key),
	};

	if (test_eal_start(128) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
