// SPDX-License-Identifier: BSD-3-Clause
#include "control/reach.h"

/* A next hop whose MAC address is not known yet is asked for when a packet comes. */
static bool is_way(const struct dp_group *group)
{
	switch (dp_group_choose(group, 0)->state) {
	case DP_ADJ_RESOLVED:
	case DP_ADJ_PENDING:
	case DP_ADJ_GLEAN:
		return true;
	default:
		return false;
	}
}

const char *tep_reach_lacking(const struct tep_config_ready *wanted,
	const struct dp_nexthops *nexthops, char text[static ADDR_V6_STRLEN])
{
	const uint32_t *v4 = wanted->routes_v4.items;
	const struct in6_addr *v6 = wanted->routes_v6.items;
	const struct dp_group *group;

	for (uint32_t i = 0; i < wanted->routes_v4.n; i++) {
		dp_nexthops_lookup_v4(nexthops, &v4[i], 1, &group);
		if (!is_way(group))
			return addr_v4_format(v4[i], text);
	}
	for (uint32_t i = 0; i < wanted->routes_v6.n; i++) {
		const struct in6_addr *addr = &v6[i];

		dp_nexthops_lookup_v6(nexthops, &addr, 1, &group);
		if (!is_way(group))
			return addr_v6_format(addr, text);
	}
	return NULL;
}
