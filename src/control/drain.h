// SPDX-License-Identifier: BSD-3-Clause
/*
 * Leaving without loss: nothing is announced any more, the neighbours send elsewhere, and when no packet has been
 * forwarded for a second, or the patience has ended, the process stops. Pure: the caller has clock and counters.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TEP_DRAIN_WAIT_S     10 /* unless something else is asked for */
#define TEP_DRAIN_WAIT_MAX_S 3600

/* All zero: not draining. */
struct tep_drain {
	bool is_draining;
	bool has_looked;
	int64_t deadline_ms;
	uint64_t forwarded; /* packets, at the last look ... */
	int64_t moved_ms; /* ... and since when there were no more */
};

/* Asked again, the last patience counts. */
void tep_drain_begin(struct tep_drain *drain, uint32_t wait_s, int64_t now_ms);

/* forwarded: packets since the start. True when it is time to stop. */
bool tep_drain_look(struct tep_drain *drain, uint64_t forwarded, int64_t now_ms);
