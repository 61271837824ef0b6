// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/binding_table.h"

#include <rte_common.h>

/* The part of a range that lies in one block, as slots of a sub-page. */
struct block_part {
	uint32_t first;
	uint32_t last;
};

static struct block_part block_part(struct port_range range, uint32_t block)
{
	uint32_t base = block * BLOCK_PORTS;

	return (struct block_part){
		.first = RTE_MAX(range.first, base) - base,
		.last = RTE_MIN(range.last, base + BLOCK_PORTS - 1) - base,
	};
}

static uint32_t part_size(struct block_part part)
{
	return part.last - part.first + 1;
}

static uint32_t first_block(struct port_range range)
{
	return range.first / BLOCK_PORTS;
}

static uint32_t last_block(struct port_range range)
{
	return range.last / BLOCK_PORTS;
}

/* A sub-page that is linked is never empty, so a range that fills its block never meets a free one. */
static uint32_t block_overlap(
	const struct dp_bindings *table, uint32_t slot, struct block_part part)
{
	const uint32_t *slots;

	if ((slot & ENTRY_TABLE) == 0)
		return entry_piece(slot);
	slots = subpage_slots(table->subpages, entry_piece(slot));
	for (uint32_t i = part.first; i <= part.last; i++) {
		if (slots[i] != 0)
			return entry_piece(slots[i]);
	}
	return 0;
}

uint32_t dp_page_overlap(const struct dp_bindings *table, uint32_t page, struct port_range range)
{
	const uint32_t *slots = page_slots(table->pages, page);

	for (uint32_t b = first_block(range); b <= last_block(range); b++) {
		uint32_t record = block_overlap(table, slots[b], block_part(range, b));

		if (record != 0)
			return record;
	}
	return 0;
}

uint32_t dp_page_missing(const struct dp_bindings *table, uint32_t page, struct port_range range)
{
	const uint32_t *slots = page_slots(table->pages, page);
	uint32_t n = 0;

	for (uint32_t b = first_block(range); b <= last_block(range); b++)
		n += slots[b] == 0 && part_size(block_part(range, b)) < BLOCK_PORTS;
	return n;
}

/* A new sub-page is filled before its slot leads there. */
static void block_set(
	struct dp_bindings *table, uint32_t *slot, struct block_part part, uint32_t record)
{
	struct dp_pool *pool = &table->subpage_pool;
	uint32_t subpage = *slot != 0 ? entry_piece(*slot) : dp_pool_take(pool);
	uint32_t *slots = subpage_slots(table->subpages, subpage);

	for (uint32_t i = part.first; i <= part.last; i++)
		entry_store(&slots[i], entry_of_record(record));
	dp_pool_use(pool, subpage, part_size(part));
	if (*slot == 0)
		entry_store(slot, entry_of_table(subpage));
}

void dp_page_set(struct dp_bindings *table, uint32_t page, struct port_range range, uint32_t record)
{
	uint32_t *slots = page_slots(table->pages, page);

	for (uint32_t b = first_block(range); b <= last_block(range); b++) {
		struct block_part part = block_part(range, b);

		dp_pool_use(&table->page_pool, page, slots[b] == 0);
		if (part_size(part) == BLOCK_PORTS)
			entry_store(&slots[b], entry_of_record(record));
		else
			block_set(table, &slots[b], part, record);
	}
}

static void block_clear(struct dp_bindings *table, uint32_t *slot, struct block_part part)
{
	struct dp_pool *pool = &table->subpage_pool;
	uint32_t subpage = entry_piece(*slot);
	uint32_t *slots = subpage_slots(table->subpages, subpage);

	for (uint32_t i = part.first; i <= part.last; i++)
		entry_store(&slots[i], 0);
	if (dp_pool_unuse(pool, subpage, part_size(part)) > 0)
		return;
	entry_store(slot, 0);
	dp_pool_retire(pool, subpage);
}

bool dp_page_clear(struct dp_bindings *table, uint32_t page, struct port_range range)
{
	uint32_t *slots = page_slots(table->pages, page);
	uint32_t emptied = 0;

	for (uint32_t b = first_block(range); b <= last_block(range); b++) {
		if ((slots[b] & ENTRY_TABLE) != 0)
			block_clear(table, &slots[b], block_part(range, b));
		else
			entry_store(&slots[b], 0);
		emptied += slots[b] == 0;
	}
	return dp_pool_unuse(&table->page_pool, page, emptied) == 0;
}
