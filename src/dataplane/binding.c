// SPDX-License-Identifier: BSD-3-Clause
/*
 * The writer's side of the binding table.
 *
 * A change first checks and reserves everything it needs and then cannot fail, so that a refused
 * change leaves the table as it was. What is taken out is retired, never freed in place: all pieces retired
 * since the last grace period began rest together for the next one. The writer never waits for readers; it asks
 * whether the grace period has ended whenever it takes something out or runs short.
 *
 * The record pool holds more than max_bindings records, so that a full table can replace bindings
 * while the old ones rest.
 */
#include "dataplane/binding.h"
#include "dataplane/binding_table.h"
#include "dataplane/mtu_rules.h"

#include "common/addr.h"

#include <rte_byteorder.h>
#include <rte_errno.h>
#include <rte_malloc.h>

#include <errno.h>
#include <string.h>
#include <time.h>

#define MAX_BINDINGS_LIMIT (UINT32_C(1) << 28)
#define ROOT_ENTRIES       65536
#define NODES_EVER         (65536 + 65536 * 256) /* middle and leaf nodes of the whole address space */
#define SWEEP_SPAN         (UINT32_C(1) << 20) /* records that one sweep looks at */

static int create_pools(struct dp_bindings *table, int socket)
{
	uint32_t records = table->max_bindings + table->max_bindings / 16 + 64;
	const struct {
		struct dp_pool *pool;
		struct dp_pool_params params;
	} pools[] = {
		{&table->node_pool,
			{NODE_ENTRIES * sizeof(uint32_t), NODE_CHUNK_SHIFT,
				RTE_MIN(2 * records, 2 * (uint32_t)NODES_EVER), socket}},
		{&table->page_pool,
			{PAGE_SLOTS * sizeof(uint32_t), PAGE_CHUNK_SHIFT, records, socket}},
		{&table->subpage_pool,
			{BLOCK_PORTS * sizeof(uint32_t), SUBPAGE_CHUNK_SHIFT, 2 * records, socket}},
		{&table->record_pool,
			{sizeof(struct dp_binding), RECORD_CHUNK_SHIFT, records, socket}},
	};

	for (uint32_t i = 0; i < RTE_DIM(pools); i++) {
		int rc = dp_pool_init(pools[i].pool, &pools[i].params);

		if (rc < 0)
			return rc;
	}
	table->nodes = table->node_pool.chunks;
	table->pages = table->page_pool.chunks;
	table->subpages = table->subpage_pool.chunks;
	table->records = (struct dp_binding *)table->record_pool.chunks[0];
	return 0;
}

struct dp_bindings *dp_bindings_create(const struct dp_bindings_params *params)
{
	uint32_t max_readers = RTE_MAX(params->max_readers, 1u);
	struct dp_bindings *table;

	if (params->max_bindings < 1 || params->max_bindings > MAX_BINDINGS_LIMIT) {
		rte_errno = EINVAL;
		return NULL;
	}
	table = rte_zmalloc_socket("dstm_bindings", sizeof(*table), 64, params->socket);
	if (table == NULL)
		goto no_memory;
	table->max_bindings = params->max_bindings;
	table->mtu_rules = params->mtu_rules;
	table->qsbr_size = rte_rcu_qsbr_get_memsize(max_readers);
	table->qsbr = rte_zmalloc_socket("dstm_qsbr", table->qsbr_size, 64, params->socket);
	table->root = rte_zmalloc_socket(
		"dstm_root", ROOT_ENTRIES * sizeof(*table->root), 64, params->socket);
	if (table->qsbr == NULL || table->root == NULL)
		goto no_memory;
	if (rte_rcu_qsbr_init(table->qsbr, max_readers) != 0 ||
		create_pools(table, params->socket) < 0 || dp_digests_create(table) < 0)
		goto no_memory;
	return table;

no_memory:
	dp_bindings_destroy(table);
	rte_errno = ENOMEM;
	return NULL;
}

void dp_bindings_destroy(struct dp_bindings *table)
{
	if (table == NULL)
		return;
	dp_digests_destroy(table);
	dp_pool_destroy(&table->record_pool);
	dp_pool_destroy(&table->subpage_pool);
	dp_pool_destroy(&table->page_pool);
	dp_pool_destroy(&table->node_pool);
	rte_free(table->root);
	rte_free(table->qsbr);
	rte_free(table);
}

struct rte_rcu_qsbr *dp_bindings_qsbr(struct dp_bindings *table)
{
	return table->qsbr;
}

/* Lets what rests go back if its grace period has ended, and begins the next one. */
static void reclaim(struct dp_bindings *table)
{
	struct dp_pool *const pools[] = {
		&table->record_pool, &table->page_pool, &table->subpage_pool, &table->node_pool};

	if (table->grace_pending && rte_rcu_qsbr_check(table->qsbr, table->grace_token, false) != 1)
		return;
	for (uint32_t i = 0; i < RTE_DIM(pools); i++) {
		dp_pool_settle(pools[i]);
		dp_pool_rest(pools[i]);
	}
	/* A binding always leaves with its record, so no record at rest means nothing at rest. */
	table->grace_pending = table->record_pool.resting.n > 0;
	if (table->grace_pending)
		table->grace_token = rte_rcu_qsbr_start(table->qsbr);
}

/* The record that holds any port of the range; the lowest one, or 0. */
static uint32_t find_overlap(const struct dp_bindings *table, uint32_t v4, struct port_range range)
{
	uint32_t entry = dp_trie_get(table, v4);

	if ((entry & ENTRY_RECORD) != 0)
		return entry_piece(entry);
	return dp_page_overlap(table, entry_piece(entry), range);
}

static int reserve_all(struct dp_bindings *table, uint32_t v4, struct port_range range)
{
	uint32_t page = entry_piece(dp_trie_get(table, v4));
	bool paged = !port_range_is_exclusive(range);
	int rc;

	rc = dp_pool_reserve(&table->record_pool, 1);
	if (rc == 0)
		rc = dp_pool_reserve(&table->node_pool, dp_trie_missing(table, v4));
	if (rc == 0 && paged && page == 0)
		rc = dp_pool_reserve(&table->page_pool, 1);
	if (rc == 0 && paged)
		rc = dp_pool_reserve(&table->subpage_pool, dp_page_missing(table, page, range));
	return rc;
}

/* What readers have let go of is used before a pool grows. */
static int reserve(struct dp_bindings *table, uint32_t v4, struct port_range range)
{
	if (table->record_pool.taken == table->max_bindings)
		return -ENOSPC;
	reclaim(table);
	return reserve_all(table, v4, range);
}

/* Bindings came or went (RFC 8676, S30). */
static void note_change(struct dp_bindings *table)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	table->version++;
	table->changed_s = now.tv_sec;
}

/* Makes a filled record reachable; everything is reserved. */
static void publish(
	struct dp_bindings *table, uint32_t v4, struct port_range range, uint32_t record)
{
	uint32_t page;

	if (port_range_is_exclusive(range)) {
		dp_trie_set(table, v4, entry_of_record(record));
		table->exclusive++;
		return;
	}
	page = entry_piece(dp_trie_get(table, v4));
	if (page != 0) {
		dp_page_set(table, page, range, record);
		return;
	}
	page = dp_pool_take(&table->page_pool);
	dp_page_set(table, page, range, record);
	dp_trie_set(table, v4, entry_of_table(page));
}

static struct port_range range_of(const struct dp_binding *binding)
{
	return (struct port_range){.first = binding->first, .last = binding->last};
}

static bool same_holder(const struct dp_binding *a, const struct dp_binding *b)
{
	return port_range_equal(range_of(a), range_of(b)) &&
	       addr_v6_equal(&a->client_v6, &b->client_v6) && addr_v6_equal(&a->tep_v6, &b->tep_v6);
}

void dp_bindings_observe(struct dp_bindings *table, const struct dp_bindings_observer *observer)
{
	assert(table->n_observers < DP_BINDINGS_OBSERVERS);
	table->observers[table->n_observers++] = *observer;
}

void dp_bindings_forget(struct dp_bindings *table, const void *arg)
{
	for (uint32_t i = 0; i < table->n_observers; i++) {
		if (table->observers[i].arg == arg) {
			table->observers[i] = table->observers[--table->n_observers];
			return;
		}
	}
}

uint32_t dp_bindings_numbers(const struct dp_bindings *table)
{
	return table->record_pool.params.max;
}

static void tell_stands(const struct dp_bindings *table, uint32_t number)
{
	for (uint32_t i = 0; i < table->n_observers; i++) {
		const struct dp_bindings_observer *observer = &table->observers[i];

		if (observer->stands != NULL)
			observer->stands(observer->arg, number, &table->records[number]);
	}
}

static void tell_gone(const struct dp_bindings *table, uint32_t number)
{
	for (uint32_t i = 0; i < table->n_observers; i++) {
		const struct dp_bindings_observer *observer = &table->observers[i];

		if (observer->gone != NULL)
			observer->gone(observer->arg, number);
	}
}

static void put_in_force(struct dp_binding *record, uint32_t end_s)
{
	if (record->is_dormant) {
		record->is_dormant = 0;
		record->mtu_until_s = 0;
	}
	__atomic_store_n(&record->end_s, end_s, __ATOMIC_RELEASE);
}

static void renew(
	struct dp_bindings *table, struct dp_binding *record, const struct dp_binding *binding)
{
	dp_digests_remove(table, record);
	record->serial = binding->serial;
	record->stamp = binding->stamp;
	record->owner = binding->owner;
	record->is_static = binding->is_static;
	dp_digests_add(table, record);
	put_in_force(record, binding->end_s);
}

/* The table's own fields of a record that no reader sees yet. */
static void prepare(const struct dp_bindings *table, struct dp_binding *record)
{
	record->mtu_less_fixed = dp_mtu_rules_less(
		table->mtu_rules, &record->tep_v6, &record->client_v6);
	record->mtu_less = record->mtu_less_fixed;
	if (record->is_dormant)
		record->end_s = 0;
	else
		record->mtu_until_s = 0;
}

int dp_bindings_add(struct dp_bindings *table, const struct dp_binding *binding)
{
	uint32_t v4 = rte_be_to_cpu_32(binding->v4_be);
	struct port_range range = range_of(binding);
	struct dp_binding *record;
	uint32_t number;
	int rc;

	if (range.first > range.last)
		return -EINVAL;
	number = find_overlap(table, v4, range);
	record = &table->records[number];
	if (number != 0) {
		if (binding->is_dormant || !same_holder(record, binding))
			return -EEXIST;
		renew(table, record, binding);
		tell_stands(table, number);
		return 0;
	}

	rc = reserve(table, v4, range);
	if (rc < 0)
		return rc;
	number = dp_pool_take(&table->record_pool);
	record = &table->records[number];
	*record = *binding;
	prepare(table, record);
	publish(table, v4, range, number);
	dp_digests_add(table, record);
	note_change(table);
	tell_stands(table, number);
	return 0;
}

void dp_bindings_wake(struct dp_bindings *table, const struct dp_binding *binding)
{
	uint32_t number = (uint32_t)(binding - table->records);
	struct dp_binding *record = &table->records[number];

	if (!record->is_dormant)
		return;
	put_in_force(record, record->dormant_end_s);
	tell_stands(table, number);
}

int dp_bindings_remove(struct dp_bindings *table, uint32_t v4, struct port_range ports)
{
	uint32_t number = find_overlap(table, v4, ports);
	uint32_t page;

	if (number == 0 || !port_range_equal(range_of(&table->records[number]), ports))
		return -ENOENT;
	if (port_range_is_exclusive(ports)) {
		dp_trie_clear(table, v4);
		table->exclusive--;
	} else {
		page = entry_piece(dp_trie_get(table, v4));
		if (dp_page_clear(table, page, ports)) {
			dp_trie_clear(table, v4);
			dp_pool_retire(&table->page_pool, page);
		}
	}
	dp_digests_remove(table, &table->records[number]);
	dp_pool_retire(&table->record_pool, number);
	tell_gone(table, number);
	note_change(table);
	reclaim(table);
	return 0;
}

const struct dp_binding *dp_bindings_find(
	const struct dp_bindings *table, uint32_t v4, uint16_t port)
{
	uint32_t number = find_overlap(table, v4, (struct port_range){.first = port, .last = port});

	return number != 0 ? &table->records[number] : NULL;
}

bool dp_bindings_walk(struct dp_bindings *table, uint32_t *cursor, uint32_t limit,
	void (*visit)(void *arg, const struct dp_binding *binding), void *arg)
{
	uint32_t number = RTE_MAX(*cursor, 1u);

	for (; number < table->record_pool.fresh && limit > 0; number++) {
		if (!dp_pool_is_taken(&table->record_pool, number))
			continue;
		visit(arg, &table->records[number]);
		limit--;
	}
	*cursor = number;
	return number < table->record_pool.fresh;
}

uint32_t dp_bindings_sweep(struct dp_bindings *table, uint32_t now_s, uint32_t limit)
{
	uint32_t span = RTE_MIN(table->record_pool.fresh - 1, SWEEP_SPAN);
	uint32_t removed = 0;

	reclaim(table);
	for (uint32_t i = 0; i < span && removed < limit; i++) {
		const struct dp_binding *record;

		if (++table->sweep_cursor >= table->record_pool.fresh)
			table->sweep_cursor = 1;
		if (!dp_pool_is_taken(&table->record_pool, table->sweep_cursor))
			continue;
		record = &table->records[table->sweep_cursor];
		if (now_s < dp_binding_lease_end_s(record))
			continue;
		dp_bindings_remove(table, rte_be_to_cpu_32(record->v4_be), range_of(record));
		removed++;
	}
	return removed;
}

void dp_bindings_usage(const struct dp_bindings *table, struct dp_bindings_usage *usage)
{
	*usage = (struct dp_bindings_usage){
		.bindings = table->record_pool.taken,
		.exclusive = table->exclusive,
		.addresses = table->addresses,
		.max_bindings = table->max_bindings,
		.bytes = sizeof(*table) + table->qsbr_size + ROOT_ENTRIES * sizeof(*table->root) +
			 dp_pool_bytes(&table->node_pool) + dp_pool_bytes(&table->page_pool) +
			 dp_pool_bytes(&table->subpage_pool) + dp_pool_bytes(&table->record_pool),
		.version = table->version,
		.changed_s = table->changed_s,
	};
}
