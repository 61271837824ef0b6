// SPDX-License-Identifier: BSD-3-Clause
#include "client/grant.h"

#include "common/addr.h"

const char *cl_grant_fault(const struct lease *lease, const struct in6_addr *v6, bool exclusive)
{
	if (!addr_v6_equal(&lease->client_v6, v6))
		return "the tunnel end is not this host's address";
	if (!addr_v6_is_global(&lease->tep_v6))
		return "the TEP's address is not global";
	if (addr_v6_equal(&lease->tep_v6, v6))
		return "the TEP's address is this host's";
	if (lease->v4 >> 16 == 0xa9fe)
		return "the IPv4 address is link-local";
	if (exclusive && !lease_is_exclusive(lease))
		return "ports were given where a whole address was asked for";
	for (uint32_t i = 0; i < lease->n_ranges; i++) {
		if (lease->ranges[i].last == 0)
			return "port 0 is no port";
		for (uint32_t j = 0; j < i; j++) {
			if (port_range_overlaps(lease->ranges[i], lease->ranges[j]))
				return "the port ranges overlap";
		}
	}
	return NULL;
}

bool cl_grant_differs(const struct lease *a, const struct lease *b)
{
	if (a->v4 != b->v4 || a->n_ranges != b->n_ranges ||
		!addr_v6_equal(&a->tep_v6, &b->tep_v6) ||
		!addr_v6_equal(&a->client_v6, &b->client_v6))
		return true;
	for (uint32_t i = 0; i < a->n_ranges; i++) {
		if (!port_range_equal(a->ranges[i], b->ranges[i]))
			return true;
	}
	return false;
}

bool cl_grant_is_ended_by(enum tsp_status status, enum tsp_generation generation)
{
	switch (status) {
	case TSP_STATUS_RENEWAL_REFUSED:
		return true;
	case TSP_STATUS_UNAVAILABLE:
	case TSP_STATUS_BAD_V4:
		return generation == TSP_GENERATION_1;
	case TSP_STATUS_TEP_ERROR:
		return generation == TSP_GENERATION_2;
	default:
		return false;
	}
}

bool cl_grant_is_named_by(const struct lease *lease, const struct tsp_msg *msg)
{
	const struct tsp_party *client = &msg->client;

	if (!client->has_v4 || client->v4 != lease->v4)
		return false;
	for (uint32_t i = 0; i < client->n_ranges; i++) {
		if (!lease_has_port(lease, client->ranges[i].first))
			return false;
	}
	return true;
}
