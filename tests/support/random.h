// SPDX-License-Identifier: BSD-3-Clause
/* Random numbers for tests: one printed seed, which DSTM_SEED overrides (xorshift64*). */
#pragma once

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline uint64_t test_seed(void)
{
	const char *given = getenv("DSTM_SEED");
	struct timespec now;
	uint64_t seed;

	clock_gettime(CLOCK_REALTIME, &now);
	seed = given != NULL ? strtoull(given, NULL, 0)
			     : (uint64_t)now.tv_sec * 1000000007 + now.tv_nsec;
	printf("DSTM_SEED=%" PRIu64 "\n", seed);
	return seed != 0 ? seed : 1;
}

static inline uint32_t test_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (*state * UINT64_C(0x2545f4914f6cdd1d)) >> 32;
}

/* 0 .. n - 1. */
static inline uint32_t test_random_below(uint64_t *state, uint32_t n)
{
	return ((uint64_t)test_random(state) * n) >> 32;
}
