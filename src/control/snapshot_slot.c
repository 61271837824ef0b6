// SPDX-License-Identifier: BSD-3-Clause
#include "control/snapshot_slot.h"

#include <rte_hash_crc.h>

/* What the two words differ by, so that one cannot stand for the other. */
#define END_TAG   UINT32_C(0x656e6421)
#define STAMP_TAG UINT32_C(0x73746d70)

static uint32_t check_of(const struct tep_snapshot_slot *slot, uint32_t number)
{
	uint32_t check = rte_hash_crc(slot, offsetof(struct tep_snapshot_slot, check), ~number);

	return check != 0 ? check : 1;
}

static uint64_t word(uint32_t value, uint32_t check, uint32_t tag)
{
	return (uint64_t)value << 32 | rte_hash_crc_4byte(value, check ^ tag);
}

static bool word_is_whole(uint64_t stored, uint32_t check, uint32_t tag)
{
	return stored == word((uint32_t)(stored >> 32), check, tag);
}

/* The process may end between any two of these stores, so their order counts. */
#define STORE(field, value) __atomic_store_n(&(field), value, __ATOMIC_RELEASE)

static void put_words(
	struct tep_snapshot_slot *slot, uint32_t check, const struct dp_binding *binding)
{
	STORE(slot->end, word(dp_binding_lease_end_s(binding), check, END_TAG));
	STORE(slot->stamp, word(binding->stamp, check, STAMP_TAG));
}

void tep_snapshot_slot_put(
	struct tep_snapshot_slot *slot, uint32_t number, const struct dp_binding *binding)
{
	uint32_t check;

	/* A renewal: numbers do not change hands without a clear in between. */
	if (slot->check != 0 && slot->owner == binding->owner) {
		put_words(slot, slot->check, binding);
		return;
	}
	tep_snapshot_slot_clear(slot);
	slot->tep_v6 = binding->tep_v6;
	slot->client_v6 = binding->client_v6;
	slot->v4_be = binding->v4_be;
	slot->first = binding->first;
	slot->last = binding->last;
	slot->owner = binding->owner;
	slot->zero = 0;
	check = check_of(slot, number);
	put_words(slot, check, binding);
	STORE(slot->check, check);
}

void tep_snapshot_slot_clear(struct tep_snapshot_slot *slot)
{
	STORE(slot->check, 0);
}

enum tep_snapshot_found tep_snapshot_slot_get(
	const struct tep_snapshot_slot *slot, uint32_t number, struct dp_binding *binding)
{
	if (slot->check == 0)
		return TEP_SNAPSHOT_EMPTY;
	if (slot->check != check_of(slot, number) ||
		!word_is_whole(slot->end, slot->check, END_TAG) ||
		!word_is_whole(slot->stamp, slot->check, STAMP_TAG) || slot->first > slot->last)
		return TEP_SNAPSHOT_DAMAGED;
	*binding = (struct dp_binding){
		.tep_v6 = slot->tep_v6,
		.client_v6 = slot->client_v6,
		.v4_be = slot->v4_be,
		.first = slot->first,
		.last = slot->last,
		.owner = slot->owner,
		.stamp = (uint32_t)(slot->stamp >> 32),
		.dormant_end_s = (uint32_t)(slot->end >> 32),
		.is_dormant = 1,
	};
	return TEP_SNAPSHOT_BINDING;
}
