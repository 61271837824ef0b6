// SPDX-License-Identifier: BSD-3-Clause
/*
 * The insides of the binding table, shared by its own files only.
 *
 *	root[v4 >> 16] -> node[(v4 >> 8) & 255] -> node[v4 & 255] -> address entry
 *	address entry -> record | page[port >> 10] -> record | sub-page[port & 1023] -> record
 *
 * Everything left of the address entry holds bare node numbers. From the address entry on, an entry is a
 * piece number and a tag. Zero is empty everywhere. The writer stores entries with release, readers load them
 * with acquire; a piece is filled before the entry that leads to it is stored.
 */
#pragma once

#include "dataplane/binding.h"
#include "dataplane/binding_pool.h"

#include <stdint.h>

#define NODE_ENTRIES 256
#define PAGE_SLOTS   64
#define BLOCK_PORTS  1024 /* ports of a page slot, and slots of a sub-page */

/* Chunks of 256 KiB; all records are one chunk. */
#define NODE_CHUNK_SHIFT    8
#define PAGE_CHUNK_SHIFT    10
#define SUBPAGE_CHUNK_SHIFT 6
#define RECORD_CHUNK_SHIFT  30

/* Tags in the two low bits of an entry. */
#define ENTRY_RECORD UINT32_C(1)
#define ENTRY_TABLE  UINT32_C(2) /* of an address: a page; of a page slot: a sub-page */

struct dp_bindings {
	/* Read by workers, written when the table is made. */
	uint32_t *root;
	uint8_t **nodes;
	uint8_t **pages;
	uint8_t **subpages;
	struct dp_binding *records;
	struct rte_rcu_qsbr *qsbr;

	/* The writer's own. */
	struct dp_pool node_pool __rte_cache_aligned;
	struct dp_pool page_pool;
	struct dp_pool subpage_pool;
	struct dp_pool record_pool;
	size_t qsbr_size;
	uint64_t grace_token;
	struct digest *digests; /* [DP_OWNERS_MAX] */
	bool grace_pending; /* the resting pieces wait for grace_token */
	const struct dp_mtu_rules *mtu_rules;
	uint32_t max_bindings;
	uint32_t exclusive;
	uint64_t version; /* changes ever made ... */
	int64_t changed_s; /* ... and when the last one was */
	uint32_t addresses;
	uint32_t sweep_cursor;
	struct dp_bindings_observer observers[DP_BINDINGS_OBSERVERS];
	uint32_t n_observers;
};

static inline uint32_t entry_of_record(uint32_t record)
{
	return record << 2 | ENTRY_RECORD;
}

static inline uint32_t entry_of_table(uint32_t piece)
{
	return piece << 2 | ENTRY_TABLE;
}

static inline uint32_t entry_piece(uint32_t entry)
{
	return entry >> 2;
}

static inline uint32_t entry_load(const uint32_t *slot)
{
	return __atomic_load_n(slot, __ATOMIC_ACQUIRE);
}

static inline void entry_store(uint32_t *slot, uint32_t entry)
{
	__atomic_store_n(slot, entry, __ATOMIC_RELEASE);
}

/* The entries of a piece, in a pool of pieces of n_entries in chunks of 1 << shift pieces. */
static inline uint32_t *piece_entries(
	uint8_t *const *chunks, uint32_t shift, uint32_t n_entries, uint32_t piece)
{
	uint32_t *chunk = (uint32_t *)chunks[piece >> shift];

	return chunk + (size_t)(piece & ((1u << shift) - 1)) * n_entries;
}

static inline uint32_t *node_entries(uint8_t *const *nodes, uint32_t node)
{
	return piece_entries(nodes, NODE_CHUNK_SHIFT, NODE_ENTRIES, node);
}

static inline uint32_t *page_slots(uint8_t *const *pages, uint32_t page)
{
	return piece_entries(pages, PAGE_CHUNK_SHIFT, PAGE_SLOTS, page);
}

static inline uint32_t *subpage_slots(uint8_t *const *subpages, uint32_t subpage)
{
	return piece_entries(subpages, SUBPAGE_CHUNK_SHIFT, BLOCK_PORTS, subpage);
}

/* --- binding_trie.c: the writer's view of address -> address entry --------------------------------- */

/* The address's entry, or 0. */
uint32_t dp_trie_get(const struct dp_bindings *table, uint32_t v4);
/* How many nodes dp_trie_set would take: 0..2. */
uint32_t dp_trie_missing(const struct dp_bindings *table, uint32_t v4);
/* Publishes the entry of an address that has none; its nodes are reserved. */
void dp_trie_set(struct dp_bindings *table, uint32_t v4, uint32_t entry);
/* Removes the entry of an address that has one, and the nodes that become empty. */
void dp_trie_clear(struct dp_bindings *table, uint32_t v4);

/* --- binding_page.c: the writer's view of port -> record under one page ---------------------------- */

/* The lowest record with a port in the range, or 0. */
uint32_t dp_page_overlap(const struct dp_bindings *table, uint32_t page, struct port_range range);
/* How many sub-pages dp_page_set would take: 0..2. page 0: a page that is yet to come. */
uint32_t dp_page_missing(const struct dp_bindings *table, uint32_t page, struct port_range range);
/* Points the range, which is free, at the record; its sub-pages are reserved. */
void dp_page_set(
	struct dp_bindings *table, uint32_t page, struct port_range range, uint32_t record);
/* Empties the range, which one record holds. True when the page has become empty. */
bool dp_page_clear(struct dp_bindings *table, uint32_t page, struct port_range range);

/* --- binding_digest.c: what the writer counts ------------------------------------------------------- */

int dp_digests_create(struct dp_bindings *table); /* 0 or -ENOMEM */
void dp_digests_destroy(struct dp_bindings *table);
/* The binding has come, or is about to go or change. */
void dp_digests_add(struct dp_bindings *table, const struct dp_binding *binding);
void dp_digests_remove(struct dp_bindings *table, const struct dp_binding *binding);
