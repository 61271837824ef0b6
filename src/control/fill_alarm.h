// SPDX-License-Identifier: BSD-3-Clause
/*
 * A warning before something of bounded size runs out (S32): once when it passes the threshold, and again only
 * after it has been well below.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TEP_FILL_HIGH 80 /* percent: warn from here on ... */
#define TEP_FILL_LOW  50 /* ... and be ready to warn again from here down */

struct tep_fill_alarm {
	uint32_t fill; /* percent, at the last look */
	bool is_high;
	uint64_t warnings;
};

/* True: this look is one to warn about. */
static inline bool tep_fill_alarm_look(struct tep_fill_alarm *alarm, uint32_t fill)
{
	bool crosses = !alarm->is_high && fill >= TEP_FILL_HIGH;

	alarm->fill = fill;
	alarm->is_high = alarm->is_high ? fill > TEP_FILL_LOW : crosses;
	alarm->warnings += crosses;
	return crosses;
}
