// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/binding_table.h"

/* The way to an address entry; a node that does not exist is 0, the empty node. */
struct trie_path {
	uint32_t *root_slot;
	uint32_t *middle_slot;
	uint32_t *leaf_slot;
	uint32_t middle;
	uint32_t leaf;
};

static struct trie_path trie_path(const struct dp_bindings *table, uint32_t v4)
{
	struct trie_path path;

	path.root_slot = &table->root[v4 >> 16];
	path.middle = *path.root_slot;
	path.middle_slot = &node_entries(table->nodes, path.middle)[v4 >> 8 & 0xff];
	path.leaf = *path.middle_slot;
	path.leaf_slot = &node_entries(table->nodes, path.leaf)[v4 & 0xff];
	return path;
}

uint32_t dp_trie_get(const struct dp_bindings *table, uint32_t v4)
{
	return *trie_path(table, v4).leaf_slot;
}

uint32_t dp_trie_missing(const struct dp_bindings *table, uint32_t v4)
{
	struct trie_path path = trie_path(table, v4);

	return (path.middle == 0) + (path.leaf == 0);
}

/* From the entry upwards: what a reader can reach is always complete. */
void dp_trie_set(struct dp_bindings *table, uint32_t v4, uint32_t entry)
{
	struct trie_path path = trie_path(table, v4);
	struct dp_pool *pool = &table->node_pool;
	uint32_t middle = path.middle != 0 ? path.middle : dp_pool_take(pool);
	uint32_t leaf = path.leaf != 0 ? path.leaf : dp_pool_take(pool);

	entry_store(&node_entries(table->nodes, leaf)[v4 & 0xff], entry);
	dp_pool_use(pool, leaf, 1);
	if (path.leaf == 0) {
		entry_store(&node_entries(table->nodes, middle)[v4 >> 8 & 0xff], leaf);
		dp_pool_use(pool, middle, 1);
	}
	if (path.middle == 0)
		entry_store(path.root_slot, middle);
	table->addresses++;
}

void dp_trie_clear(struct dp_bindings *table, uint32_t v4)
{
	struct trie_path path = trie_path(table, v4);
	struct dp_pool *pool = &table->node_pool;

	table->addresses--;
	entry_store(path.leaf_slot, 0);
	if (dp_pool_unuse(pool, path.leaf, 1) > 0)
		return;
	entry_store(path.middle_slot, 0);
	dp_pool_retire(pool, path.leaf);
	if (dp_pool_unuse(pool, path.middle, 1) > 0)
		return;
	entry_store(path.root_slot, 0);
	dp_pool_retire(pool, path.middle);
}
