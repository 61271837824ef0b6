// SPDX-License-Identifier: BSD-3-Clause
/*
 * The readers' side of the binding table.
 *
 * A burst goes through the table step by step, all its keys at each step: load what the step before has asked
 * for, ask for what the next one reads. There is no branch on hit or miss: a miss continues through piece 0
 * of each pool, which is all zero, and ends at record 0, which has always ended.
 */
#include "dataplane/binding_table.h"

#include <rte_prefetch.h>

#define BURST_MAX 64

static const uint32_t empty_slot;

/* Root and middle nodes of the addresses in use are few and stay in cache: asks for the leaf's entry. */
static void find_address_slots(const struct dp_bindings *table, const struct dp_binding_key *keys,
	uint32_t n, const uint32_t **slots)
{
	const uint32_t *root = table->root;
	uint8_t *const *nodes = table->nodes;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t v4 = keys[i].v4;
		uint32_t middle = entry_load(&root[v4 >> 16]);
		uint32_t leaf = entry_load(&node_entries(nodes, middle)[v4 >> 8 & 0xff]);

		slots[i] = &node_entries(nodes, leaf)[v4 & 0xff];
		rte_prefetch0(slots[i]);
	}
}

/* Asks for the page's slot. An exclusive address has its record already, which exclusive[i] holds. */
static void find_page_slots(const struct dp_bindings *table, const struct dp_binding_key *keys,
	uint32_t n, const uint32_t **slots, uint32_t *exclusive)
{
	uint8_t *const *pages = table->pages;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t entry = entry_load(slots[i]);

		if (unlikely((entry & ENTRY_RECORD) != 0)) {
			exclusive[i] = entry;
			slots[i] = &exclusive[i];
		} else if (unlikely(!keys[i].has_port)) {
			slots[i] = &empty_slot;
		} else {
			slots[i] = &page_slots(
				pages, entry_piece(entry))[keys[i].port / BLOCK_PORTS];
			rte_prefetch0(slots[i]);
		}
	}
}

/* Asks for the record, or for the sub-page's slot. Returns a bit for each key that has a sub-page. */
static uint64_t find_subpage_slots(const struct dp_bindings *table,
	const struct dp_binding_key *keys, uint32_t n, const uint32_t **slots,
	const struct dp_binding **found)
{
	uint8_t *const *subpages = table->subpages;
	const struct dp_binding *records = table->records;
	uint64_t more = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t entry = entry_load(slots[i]);

		if (unlikely((entry & ENTRY_TABLE) != 0)) {
			more |= UINT64_C(1) << i;
			slots[i] = &subpage_slots(
				subpages, entry_piece(entry))[keys[i].port % BLOCK_PORTS];
			rte_prefetch0(slots[i]);
		} else {
			found[i] = &records[entry_piece(entry)];
			rte_prefetch0(found[i]);
		}
	}
	return more;
}

static void find_records(const struct dp_bindings *table, uint64_t more, const uint32_t **slots,
	const struct dp_binding **found)
{
	for (; more != 0; more &= more - 1) {
		uint32_t i = __builtin_ctzll(more);

		found[i] = &table->records[entry_piece(entry_load(slots[i]))];
		rte_prefetch0(found[i]);
	}
}

const uint32_t *dp_bindings_prefixes(const struct dp_bindings *table)
{
	return table->root;
}

bool dp_bindings_has_v4(const struct dp_bindings *table, uint32_t v4)
{
	uint8_t *const *nodes = table->nodes;
	uint32_t middle = entry_load(&table->root[v4 >> 16]), leaf;

	if (middle == 0)
		return false;
	leaf = entry_load(&node_entries(nodes, middle)[v4 >> 8 & 0xff]);
	return entry_load(&node_entries(nodes, leaf)[v4 & 0xff]) != 0;
}

void dp_bindings_lookup_bulk(const struct dp_bindings *table, const struct dp_binding_key *keys,
	uint32_t n, uint32_t now_s, const struct dp_binding **found)
{
	const uint32_t *slots[BURST_MAX];
	uint32_t exclusive[BURST_MAX];
	uint64_t more;

	find_address_slots(table, keys, n, slots);
	find_page_slots(table, keys, n, slots, exclusive);
	more = find_subpage_slots(table, keys, n, slots, found);
	find_records(table, more, slots, found);

	for (uint32_t i = 0; i < n; i++) {
		if (unlikely(now_s >= __atomic_load_n(&found[i]->end_s, __ATOMIC_RELAXED)))
			found[i] = NULL;
	}
}
