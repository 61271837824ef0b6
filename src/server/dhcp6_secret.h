// SPDX-License-Identifier: BSD-3-Clause
/*
 * The one secret of the DHCPv6 server: 32 octets in a file, made at the first start. All that has to be the same
 * after a restart without being written down for each client is derived from it by HMAC-SHA256.
 *
 * The reconfigure key (RFC 8415 section 20.4) is sent in the clear, to whoever asks in a client's name. So it is one
 * key for a DUID at a tunnel end: who borrows the DUID elsewhere learns a key that the client does not listen to.
 */
#pragma once

#include "dhcp6/dhcp6_auth.h"
#include "dhcp6/dhcp6_duid.h"

#include <netinet/in.h>
#include <stdint.h>

#define SRV_DHCP6_SECRET_LEN 32

struct srv_dhcp6_secret {
	uint8_t octets[SRV_DHCP6_SECRET_LEN];
};

/* Where the secret is, to be freed: file, or where that is NULL "dhcpv6.secret" beside the store. NULL: no memory. */
char *srv_dhcp6_secret_path(const char *file, const char *store);

/*
 * Reads the file, or makes it where there is none: 64 hexadecimal digits that only the owner may read. Returns 0, or
 * -errno with the reason logged; -EPERM: others may read it; -EINVAL: it holds something else.
 */
int srv_dhcp6_secret_open(const char *path, struct srv_dhcp6_secret *secret);

/* The key that a client checks a Reconfigure by. */
void srv_dhcp6_secret_key(const struct srv_dhcp6_secret *secret, const struct dhcp6_duid *duid,
	const struct in6_addr *tunnel_end, uint8_t key[static DHCP6_AUTH_KEY_LEN]);

/* The lower half of the address that a client's IA_NA gets: the same as long as the secret is. */
uint64_t srv_dhcp6_secret_interface_id(
	const struct srv_dhcp6_secret *secret, const struct dhcp6_duid *duid, uint32_t iaid);
