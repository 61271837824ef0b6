// SPDX-License-Identifier: BSD-3-Clause
/*
 * Exact counts by source: how many things it has, and how much they weigh together. A source that has
 * nothing takes no memory. Pure, one thread.
 */
#pragma once

#include "server/source.h"

#include <stdbool.h>
#include <stdint.h>

struct srv_tally;

struct srv_count {
	uint32_t n;
	uint64_t weight;
};

struct srv_tally *srv_tally_create(void); /* NULL: out of memory or randomness */
void srv_tally_destroy(struct srv_tally *tally); /* NULL is allowed */

/* False: out of memory, and nothing changed. */
bool srv_tally_add(struct srv_tally *tally, const struct srv_source *source, uint32_t weight);
/* Takes back what was added; of a source that has nothing, nothing. */
void srv_tally_take(struct srv_tally *tally, const struct srv_source *source, uint32_t weight);
struct srv_count srv_tally_get(const struct srv_tally *tally, const struct srv_source *source);
/* How many sources have something. */
uint32_t srv_tally_sources(const struct srv_tally *tally);
