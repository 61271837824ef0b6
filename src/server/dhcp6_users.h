// SPDX-License-Identifier: BSD-3-Clause
/* The names that DHCPv6 clients lease under, by DUID (dhcpv6.users). */
#pragma once

#include "dhcp6/dhcp6_duid.h"
#include "server/dhcp6_config.h"

#include <stdint.h>

struct srv_dhcp6_users {
	uint32_t n;
	struct srv_dhcp6_user_entry *entries; /* sorted by DUID */
};

/* Copies. Returns 0 or -ENOMEM, and leaves *users alone. */
int srv_dhcp6_users_set(struct srv_dhcp6_users *users, const struct srv_dhcp6_config *config);
void srv_dhcp6_users_free(struct srv_dhcp6_users *users);

/* "" for who has none. */
const char *srv_dhcp6_users_find(
	const struct srv_dhcp6_users *users, const struct dhcp6_duid *duid);
