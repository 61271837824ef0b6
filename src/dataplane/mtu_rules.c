// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/mtu_rules.h"

#include <rte_common.h>

/* What the longest matching rule allows, or otherwise. */
static uint32_t longest_match(
	const struct dp_mtu_rule *rules, uint32_t n, const struct in6_addr *v6, uint32_t otherwise)
{
	const struct dp_mtu_rule *best = NULL;

	for (uint32_t i = 0; i < n; i++)
		if (addr_v6_prefix_contains(&rules[i].prefix, v6) &&
			(best == NULL || rules[i].prefix.len > best->prefix.len))
			best = &rules[i];
	return best != NULL ? best->mtu : otherwise;
}

uint16_t dp_mtu_rules_less(const struct dp_mtu_rules *rules, const struct in6_addr *tep_v6,
	const struct in6_addr *client_v6)
{
	uint32_t mtu;

	if (rules == NULL)
		return 0;
	mtu = RTE_MIN(longest_match(rules->teps, rules->n_teps, tep_v6, rules->mtu_v6),
		longest_match(rules->clients, rules->n_clients, client_v6, rules->mtu_v6));
	return (uint16_t)(rules->mtu_v6 - RTE_MIN(mtu, rules->mtu_v6));
}
