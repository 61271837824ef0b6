// SPDX-License-Identifier: BSD-3-Clause
#include "server/dhcp6_address.h"

#define INTERFACE_ID_AT 8 /* octet of an address */
#define TRIES_MAX       4

static bool is_declined(const struct srv_dhcp6_addresses *addresses, const struct in6_addr *addr)
{
	for (uint32_t i = 0; i < SRV_DHCP6_DECLINED_MAX && i < addresses->n_declined; i++) {
		if (addr_v6_equal(&addresses->declined[i], addr))
			return true;
	}
	return false;
}

/* RFC 5453: the lowest and the highest identifiers are for routers and anycast. */
static bool is_reserved(uint64_t id)
{
	return id == 0 || id >= 0xfdffffffffffff80;
}

static struct in6_addr make(const struct addr_v6_prefix *prefix, uint64_t id)
{
	struct in6_addr addr = prefix->addr;

	for (uint32_t i = INTERFACE_ID_AT; i < sizeof(addr.s6_addr); i++)
		addr.s6_addr[i] = (uint8_t)(id >> 8 * (sizeof(addr.s6_addr) - 1 - i));
	return addr;
}

struct in6_addr srv_dhcp6_address_of(const struct srv_dhcp6_addresses *addresses,
	const struct addr_v6_prefix *prefix, const struct dhcp6_duid *duid, uint32_t iaid)
{
	struct in6_addr addr;
	uint64_t id;

	for (uint32_t i = 0; i < TRIES_MAX; i++) {
		id = srv_dhcp6_secret_interface_id(addresses->secret, duid, iaid ^ i * 0x9e3779b9U);
		addr = make(prefix, id);
		if (!is_reserved(id) && !is_declined(addresses, &addr))
			break;
	}
	return addr;
}

void srv_dhcp6_address_decline(struct srv_dhcp6_addresses *addresses, const struct in6_addr *addr)
{
	if (!is_declined(addresses, addr))
		addresses->declined[addresses->n_declined++ % SRV_DHCP6_DECLINED_MAX] = *addr;
}
