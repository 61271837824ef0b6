// SPDX-License-Identifier: BSD-3-Clause
/*
 * Who this host is to DHCPv6 servers, and what they have given it to know them by: its DUID, and the key that a
 * Reconfigure is signed with (RFC 8415 sections 11 and 20.4).
 *
 * The DUID is the configuration's; else that of the interface's Ethernet address; else one made from
 * /etc/machine-id, which it does not tell; else one by chance. The key and a DUID by chance are kept in a file, PATH.dhcpv6 beside
 * the state file, which stays when the client ends: a host without a lease may be told to ask for one (R36).
 *	{"duid": "00:04:...", "key": "0123...", "replay": "17"}
 */
#pragma once

#include "client/client_config.h"
#include "dhcp6/dhcp6_auth.h"
#include "dhcp6/dhcp6_duid.h"

#include <stdbool.h>
#include <stdint.h>

struct cl_dhcp6_identity {
	struct dhcp6_duid duid;
	uint32_t iaid;
	bool has_key;
	uint8_t key[DHCP6_AUTH_KEY_LEN];
	uint64_t replay; /* of the last Reconfigure that was believed */
	char *path; /* NULL: nothing is kept */
};

/* Returns 0 or -errno; a file that does not parse is as good as none and is reported. */
int cl_dhcp6_identity_init(struct cl_dhcp6_identity *identity, const struct cl_config *config);
void cl_dhcp6_identity_fini(struct cl_dhcp6_identity *identity);

/* A server's key; kept in the file if it is another. */
void cl_dhcp6_identity_set_key(struct cl_dhcp6_identity *identity,
	const uint8_t key[static DHCP6_AUTH_KEY_LEN], uint64_t replay);
/* True when a Reconfigure as octets is signed with the key and is none that was heard before. */
bool cl_dhcp6_identity_verify(
	struct cl_dhcp6_identity *identity, const uint8_t *message, size_t len);
