// SPDX-License-Identifier: BSD-3-Clause
/*
 * Tunnels whose MTU is known to be smaller than that of the IPv6 side (S16): by our address, where a tunnel address
 * stands for another way out, and by the client's prefix, where an access network is narrower. The
 * longest prefix counts, and of all limits the smallest. Read when a binding is made.
 */
#pragma once

#include "common/addr.h"

#include <netinet/in.h>
#include <stdint.h>

#define DP_MTU_RULES_MAX 256

struct dp_mtu_rule {
	struct addr_v6_prefix prefix;
	uint32_t mtu; /* octets of the outer packet, from 1,280 to the port's MTU */
};

struct dp_mtu_rules {
	uint32_t mtu_v6; /* of the IPv6 side */
	uint32_t n_teps;
	uint32_t n_clients;
	struct dp_mtu_rule teps[DP_MTU_RULES_MAX];
	struct dp_mtu_rule clients[DP_MTU_RULES_MAX];
};

/* By how many octets the MTU of the tunnel between these two is smaller than mtu_v6; rules may be NULL. */
uint16_t dp_mtu_rules_less(const struct dp_mtu_rules *rules, const struct in6_addr *tep_v6,
	const struct in6_addr *client_v6);
