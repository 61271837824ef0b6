// SPDX-License-Identifier: BSD-3-Clause
/*
 * Whom servers have said not to know: addresses and ports that nobody holds, for a few seconds each, so that what
 * is sent to them costs no further question (D2).
 *
 * A table of fixed size: lines of eight words, one cache line each, and the line follows from the key. A word is the
 * whole entry, key and end, so it is read and written in one piece: one writer (the control thread), any number of readers,
 * no locks. Full lines lose the entry that ends first, which costs a question and nothing else.
 *
 * Ends are 15 bits of a clock of tenths of a second, half of which tells before from after. The writer
 * sweeps the whole table every few seconds, so none is ever old enough to look new again.
 */
#pragma once

#include "common/port_range.h"
#include "dataplane/binding.h"

#include <stdbool.h>
#include <stdint.h>

#define DP_NEGATIVE_ENTRIES  65536
#define DP_NEGATIVE_MS_MAX   600000
#define DP_NEGATIVE_SWEEP_MS 100 /* how often the writer sweeps a slice */

struct dp_negative;

/* NULL: no memory. */
struct dp_negative *dp_negative_create(int socket);
void dp_negative_destroy(struct dp_negative *negative);

/* A worker: has a server said, and not too long ago, that nobody holds this? */
bool dp_negative_has(
	const struct dp_negative *negative, const struct dp_binding_key *key, uint64_t now_ms);

/* --- the writer ----------------------------------------------------------------------------------------- */

/* For so many milliseconds, up to DP_NEGATIVE_MS_MAX. */
void dp_negative_add(struct dp_negative *negative, const struct dp_binding_key *key,
	uint64_t now_ms, uint32_t for_ms);

/* Somebody holds these ports now; of the whole address, also all that was asked without a port. */
void dp_negative_void(struct dp_negative *negative, uint32_t v4, struct port_range ports);

/* Takes out what has ended in the next slice of the table. */
void dp_negative_sweep(struct dp_negative *negative, uint64_t now_ms);

/* Entries, ended ones that no sweep has met among them. */
uint32_t dp_negative_count(const struct dp_negative *negative);
