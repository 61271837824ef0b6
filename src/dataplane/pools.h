// SPDX-License-Identifier: BSD-3-Clause
/*
 * The IPv4 prefixes that clients' addresses come from.
 *
 * A client may send to an address of them that has no binding at all. The IPv4 side routes the prefixes
 * here, so such a packet would come back only to be dropped; hairpin ends it on its first visit instead.
 *
 * Almost every packet goes elsewhere: one bit for each value of an address's first octet tells, from one
 * cache line. Behind it the ranges are sorted. Written once, before workers start.
 */
#pragma once

#include "common/addr.h"

#include <rte_branch_prediction.h>
#include <stdbool.h>
#include <stdint.h>

#define DP_POOLS_MAX 64

struct dp_pools {
	uint64_t tops[4]; /* bit by the first octet */
	uint32_t n;
	struct dp_pool_range {
		uint32_t first, last; /* host order, both in it */
	} ranges[DP_POOLS_MAX];
};

/* n up to DP_POOLS_MAX prefixes without host bits that do not overlap, in any order. */
void dp_pools_init(struct dp_pools *pools, const struct addr_v4_prefix *prefixes, uint32_t n);

bool dp_pools_search(const struct dp_pools *pools, uint32_t v4);

static inline bool dp_pools_contain(const struct dp_pools *pools, uint32_t v4)
{
	uint8_t top = v4 >> 24;

	return unlikely((pools->tops[top / 64] >> top % 64 & 1) != 0) && dp_pools_search(pools, v4);
}
