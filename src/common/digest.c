// SPDX-License-Identifier: BSD-3-Clause
#include "common/digest.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <xxhash.h>

uint64_t digest_binding(const struct in6_addr *client_v6, const struct in6_addr *tep_v6,
	uint32_t v4, struct port_range ports, uint32_t stamp)
{
	const struct {
		struct in6_addr client_v6;
		struct in6_addr tep_v6;
		uint32_t v4_be;
		uint16_t first_be;
		uint16_t last_be;
		uint32_t stamp_be;
	} octets = {
		.client_v6 = *client_v6,
		.tep_v6 = *tep_v6,
		.v4_be = htonl(v4),
		.first_be = htons(ports.first),
		.last_be = htons(ports.last),
		.stamp_be = htonl(stamp),
	};

	_Static_assert(sizeof(octets) == 44, "no octet between the fields");
	return XXH64(&octets, sizeof(octets), 0);
}

uint64_t digest_lease(const struct lease *lease)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < lease->n_ranges; i++)
		sum += digest_binding(&lease->client_v6, &lease->tep_v6, lease->v4,
			lease->ranges[i], lease->stamp);
	return sum;
}

static uint64_t sum_of(const uint64_t *leaves, uint32_t n)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += leaves[i];
	return sum;
}

void digest_children(
	const struct digest *digest, struct digest_node node, uint64_t sums[static DIGEST_FANOUT])
{
	uint32_t n_leaves = DIGEST_LEAVES / DIGEST_FANOUT >> 4 * node.depth; /* of a child */

	for (uint32_t i = 0; i < DIGEST_FANOUT; i++)
		sums[i] = sum_of(
			&digest->leaves[(node.number * DIGEST_FANOUT + i) * n_leaves], n_leaves);
}

uint64_t digest_root(const struct digest *digest)
{
	return sum_of(digest->leaves, DIGEST_LEAVES);
}

const char *digest_format(uint64_t sum, char buf[static DIGEST_STRLEN])
{
	snprintf(buf, DIGEST_STRLEN, "%016llx", (unsigned long long)sum);
	return buf;
}
