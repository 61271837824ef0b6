// SPDX-License-Identifier: BSD-3-Clause
/* A binding as it stands in a snapshot's file: what never changes, and two words that do. */
#pragma once

#include "dataplane/binding.h"

#include <stdbool.h>
#include <stddef.h>

struct tep_snapshot_slot {
	struct in6_addr tep_v6;
	struct in6_addr client_v6;
	rte_be32_t v4_be;
	uint16_t first;
	uint16_t last;
	uint16_t owner;
	uint16_t zero;
	uint32_t check; /* of all above and of the slot's number; 0: there is none */
	uint64_t end; /* end_s, and a check of it */
	uint64_t stamp; /* the same of stamp */
};
static_assert(sizeof(struct tep_snapshot_slot) == 64);
static_assert(offsetof(struct tep_snapshot_slot, check) == 44);

enum tep_snapshot_found {
	TEP_SNAPSHOT_EMPTY,
	TEP_SNAPSHOT_BINDING,
	TEP_SNAPSHOT_DAMAGED,
};

/* Writes the binding, new or renewed, in steps that leave the slot whole wherever the process ends. */
void tep_snapshot_slot_put(
	struct tep_snapshot_slot *slot, uint32_t number, const struct dp_binding *binding);
void tep_snapshot_slot_clear(struct tep_snapshot_slot *slot);

/* Reads what a former process wrote: a dormant binding. */
enum tep_snapshot_found tep_snapshot_slot_get(
	const struct tep_snapshot_slot *slot, uint32_t number, struct dp_binding *binding);
