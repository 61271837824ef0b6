// SPDX-License-Identifier: BSD-3-Clause
/*
 * Rates by source: a token bucket each, in memory that is bounded and taken once.
 *
 * A bucket holds a minute's allowance and fills at that rate; what is kept of it is the one time at which
 * it will be full again (the generic cell rate algorithm). A bucket that is full says nothing, so it makes
 * room for others. When too many sources come at once, the bucket that is nearest to full is forgotten: who
 * floods from many sources wins an allowance now and then, and nobody else loses one.
 *
 * Pure: no clock, no locks, one thread.
 */
#pragma once

#include "server/source.h"

#include <stdbool.h>
#include <stdint.h>

struct srv_limiter;

/* Remembers about max sources, 24 octets each. NULL: out of memory or randomness. */
struct srv_limiter *srv_limiter_create(uint32_t max);
void srv_limiter_destroy(struct srv_limiter *limiter); /* NULL is allowed */

/* Takes a token; false when there is none. per_minute 0: no limit. */
bool srv_limiter_take(struct srv_limiter *limiter, const struct srv_source *source,
	uint32_t per_minute, int64_t now_ms);
