// SPDX-License-Identifier: BSD-3-Clause
/*
 * The address that an IA_NA gets: the prefix `addresses` and a keyed hash of (DUID, IAID) below it. Nothing has to
 * be stored for it to stay the same, and nobody without the secret can guess it.
 *
 * A client that finds its address in use declines it. The last few declined addresses are kept, in memory, and
 * the next of the same hash takes their place. Pure, one thread.
 */
#pragma once

#include "common/addr.h"
#include "dhcp6/dhcp6_duid.h"
#include "server/dhcp6_secret.h"

#include <stdbool.h>
#include <stdint.h>

#define SRV_DHCP6_DECLINED_MAX 64

struct srv_dhcp6_addresses {
	const struct srv_dhcp6_secret *secret; /* borrowed */
	struct in6_addr declined[SRV_DHCP6_DECLINED_MAX];
	uint64_t n_declined; /* ever */
};

struct in6_addr srv_dhcp6_address_of(const struct srv_dhcp6_addresses *addresses,
	const struct addr_v6_prefix *prefix, const struct dhcp6_duid *duid, uint32_t iaid);

void srv_dhcp6_address_decline(struct srv_dhcp6_addresses *addresses, const struct in6_addr *addr);
