// SPDX-License-Identifier: BSD-3-Clause
#include "server/pool_level.h"

#define HYSTERESIS_PERCENT 5

const char *srv_pool_level_name(enum srv_pool_level level)
{
	static const char *const names[] = {
		[SRV_POOL_NORMAL] = "normal",
		[SRV_POOL_WARNING] = "warning",
		[SRV_POOL_ALARM] = "alarm",
		[SRV_POOL_EXHAUSTED] = "exhausted",
	};

	return names[level];
}

uint32_t srv_pool_percent(const struct srv_pool_counts *counts)
{
	uint64_t used = counts->total - counts->free;

	return (uint32_t)(used * 100 / counts->total);
}

/* The level that so many percent are. */
static enum srv_pool_level level_at(
	uint32_t percent, bool any_free, const struct srv_pool_thresholds *thresholds)
{
	if (!any_free)
		return SRV_POOL_EXHAUSTED;
	if (thresholds->alarm_percent != 0 && percent >= thresholds->alarm_percent)
		return SRV_POOL_ALARM;
	if (thresholds->warning_percent != 0 && percent >= thresholds->warning_percent)
		return SRV_POOL_WARNING;
	return SRV_POOL_NORMAL;
}

enum srv_pool_level srv_pool_next_level(enum srv_pool_level level,
	const struct srv_pool_counts *counts, const struct srv_pool_thresholds *thresholds)
{
	uint32_t percent = srv_pool_percent(counts);
	enum srv_pool_level up = level_at(percent, counts->free > 0, thresholds);
	enum srv_pool_level down = level_at(
		percent + HYSTERESIS_PERCENT, percent + HYSTERESIS_PERCENT <= 100, thresholds);

	if (up > level)
		return up;
	return down < level ? down : level;
}

enum srv_record_event srv_pool_level_event(enum srv_pool_level from, enum srv_pool_level to)
{
	if (to < from)
		return SRV_RECORD_RELAXED;
	return to == SRV_POOL_EXHAUSTED ? SRV_RECORD_EXHAUSTED : SRV_RECORD_THRESHOLD;
}
