// SPDX-License-Identifier: BSD-3-Clause
/*
 * Deterministic assignment (RFC 7422): the subscriber's prefix alone says which address and ports it gets, so that
 * the configuration alone says whose they are.
 *
 * Subscribers are numbered by the bits of their prefix, units of the pool address by address and block
 * by block; subscriber n gets unit n. There is no secret and no state in it: both ways can be computed years later,
 * from the configuration of that time.
 */
#pragma once

#include "common/addr.h"
#include "common/port_range.h"

#include <stdbool.h>
#include <stdint.h>

struct srv_deterministic {
	struct addr_v6_prefix subscribers; /* all of them together */
	uint8_t subscriber_len; /* of the prefix of one; at least subscribers.len */
	struct addr_v4_prefix pool;
	uint32_t block_size; /* 0: whole addresses */
};

/* How many subscribers there are; UINT64_MAX for more than can be counted. */
uint64_t srv_deterministic_subscribers(const struct srv_deterministic *plan);

/* False: no subscriber, or one for whom there is no unit. */
bool srv_deterministic_unit(const struct srv_deterministic *plan, const struct in6_addr *client,
	uint32_t *v4, struct port_range *range);

/* The other way round. False: the pool does not give the port out, or to nobody. */
bool srv_deterministic_subscriber(const struct srv_deterministic *plan, uint32_t v4, uint16_t port,
	struct addr_v6_prefix *subscriber, struct port_range *range);
