// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/pools.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
	const struct dp_pool_range *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

void dp_pools_init(struct dp_pools *pools, const struct addr_v4_prefix *prefixes, uint32_t n)
{
	*pools = (struct dp_pools){.n = n};
	for (uint32_t i = 0; i < n; i++) {
		uint32_t host_bits = prefixes[i].len == 0 ? UINT32_MAX
							  : ~(UINT32_MAX << (32 - prefixes[i].len));
		struct dp_pool_range range = {prefixes[i].addr, prefixes[i].addr | host_bits};

		pools->ranges[i] = range;
		for (uint32_t top = range.first >> 24; top <= range.last >> 24; top++)
			pools->tops[top / 64] |= UINT64_C(1) << top % 64;
	}
	qsort(pools->ranges, n, sizeof(pools->ranges[0]), compare);
}

bool dp_pools_search(const struct dp_pools *pools, uint32_t v4)
{
	uint32_t low = 0, high = pools->n;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (v4 > pools->ranges[middle].last)
			low = middle + 1;
		else
			high = middle;
	}
	return low < pools->n && v4 >= pools->ranges[low].first;
}
