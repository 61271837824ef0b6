// SPDX-License-Identifier: BSD-3-Clause
/*
 * How full a pool is, in steps that somebody should hear of before it is too late (RFC 7422 section 2.2,
 * RFC 6333 section 6.3).
 *
 * A step up is told when its threshold is reached, a step down only 5 points below it, so that
 * a pool that breathes around a threshold is told about once. No clock, no I/O.
 */
#pragma once

#include "server/pool.h"
#include "server/record.h"

#include <stdbool.h>
#include <stdint.h>

enum srv_pool_level {
	SRV_POOL_NORMAL,
	SRV_POOL_WARNING,
	SRV_POOL_ALARM,
	SRV_POOL_EXHAUSTED, /* nothing is free */
};

struct srv_pool_thresholds {
	uint32_t warning_percent; /* of units that are not free; 0: none */
	uint32_t alarm_percent;
};

const char *srv_pool_level_name(enum srv_pool_level level);
/* Rounded down. */
uint32_t srv_pool_percent(const struct srv_pool_counts *counts);
/* The level after level: the same, or the one to be told about. */
enum srv_pool_level srv_pool_next_level(enum srv_pool_level level,
	const struct srv_pool_counts *counts, const struct srv_pool_thresholds *thresholds);
/* What a change of level is as a record. */
enum srv_record_event srv_pool_level_event(enum srv_pool_level from, enum srv_pool_level to);
