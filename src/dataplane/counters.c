// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/counters.h"

const struct dp_counter_info dp_counter_info[DP_N_COUNTERS] = {
#define X(id, name, text) [DP_DROP_##id] = {name, text},
	DP_DROP_ROWS(X)
#undef X
#define X(id, name, text) [DP_COUNT_##id] = {name, text},
		DP_COUNT_ROWS(X)
#undef X
};

/* The words are read one by one, each whole: a worker may be adding to them meanwhile. */
static uint64_t read_once(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

void dp_counters_add(struct dp_counters *sum, const struct dp_counters *one)
{
	for (unsigned int i = 0; i < DP_N_COUNTERS; i++) {
		sum->packets[i] += read_once(&one->packets[i]);
		sum->bytes[i] += read_once(&one->bytes[i]);
	}
	sum->busy_cycles += read_once(&one->busy_cycles);
	sum->idle_loops += read_once(&one->idle_loops);
	sum->busy_loops += read_once(&one->busy_loops);
}
