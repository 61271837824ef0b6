// SPDX-License-Identifier: BSD-3-Clause
/*
 * A rate of questions shared by two sides: each has half, and what one leaves unused is the other's. A token bucket for
 * each; what runs over in one goes into the other.
 *
 * In no second more than the rate are taken: a second starts with two full buckets at most, and what
 * flows in during it makes up the rest.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TEP_FAIR_SIDES 2
#define TEP_FAIR_TOKEN 1000 /* thousandths */

struct tep_fair_rate {
	uint64_t flow; /* thousandths a millisecond, of both */
	uint64_t depth; /* of one bucket, thousandths */
	uint64_t levels[TEP_FAIR_SIDES];
	int64_t filled_ms;
};

/* rate: a second; 3 at least. Full at the beginning. */
static inline void tep_fair_rate_init(struct tep_fair_rate *fair, uint32_t rate)
{
	uint32_t tokens = rate / 20 > 0 ? rate / 20 : 1;

	*fair = (struct tep_fair_rate){
		.flow = rate - TEP_FAIR_SIDES * tokens,
		.depth = (uint64_t)tokens * TEP_FAIR_TOKEN,
	};
	for (uint32_t side = 0; side < TEP_FAIR_SIDES; side++)
		fair->levels[side] = fair->depth;
}

static inline void tep_fair_rate_fill(struct tep_fair_rate *fair, int64_t now_ms)
{
	uint64_t waited_ms = fair->filled_ms < now_ms ? (uint64_t)(now_ms - fair->filled_ms) : 0;
	uint64_t both = waited_ms < 10000 ? waited_ms * fair->flow : TEP_FAIR_SIDES * fair->depth;
	uint64_t spare = 0;

	fair->filled_ms = now_ms;
	fair->levels[0] += both / 2;
	fair->levels[1] += both - both / 2;
	for (uint32_t side = 0; side < TEP_FAIR_SIDES; side++)
		if (fair->levels[side] > fair->depth) {
			spare += fair->levels[side] - fair->depth;
			fair->levels[side] = fair->depth;
		}
	for (uint32_t side = 0; side < TEP_FAIR_SIDES; side++) {
		uint64_t room = fair->depth - fair->levels[side];
		uint64_t more = spare < room ? spare : room;

		fair->levels[side] += more;
		spare -= more;
	}
}

static inline bool tep_fair_rate_has(const struct tep_fair_rate *fair, uint32_t side)
{
	return fair->levels[side] >= TEP_FAIR_TOKEN;
}

static inline void tep_fair_rate_take(struct tep_fair_rate *fair, uint32_t side)
{
	fair->levels[side] -= TEP_FAIR_TOKEN;
}
