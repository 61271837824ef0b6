// SPDX-License-Identifier: BSD-3-Clause
/*
 * A DUID: the name by which a DHCPv6 client or server is known (RFC 8415 section 11). A type of two
 * octets and 1 to 128 more; only compared, never interpreted.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DHCP6_DUID_MIN    3
#define DHCP6_DUID_MAX    130
#define DHCP6_DUID_STRLEN (3 * DHCP6_DUID_MAX) /* "00:04:..." and NUL */

struct dhcp6_duid {
	uint8_t len; /* DHCP6_DUID_MIN..DHCP6_DUID_MAX; 0: none */
	uint8_t octets[DHCP6_DUID_MAX]; /* zero behind len */
};

/* Copies what came in an option. Returns 0, or -EINVAL for a length that no DUID has. */
int dhcp6_duid_set(struct dhcp6_duid *duid, const uint8_t *octets, size_t len);

/* DUID-UUID (type 4), and DUID-LL (type 3) of an Ethernet address. */
struct dhcp6_duid dhcp6_duid_from_uuid(const uint8_t uuid[static 16]);
struct dhcp6_duid dhcp6_duid_from_mac(const uint8_t mac[static 6]);

bool dhcp6_duid_equal(const struct dhcp6_duid *a, const struct dhcp6_duid *b);

/* Hex digits, two an octet, with ':' between the octets or without. Returns 0, or -EINVAL and leaves
 * the output alone. */
int dhcp6_duid_parse(const char *text, struct dhcp6_duid *duid);
/* "00:03:00:01:02:00:00:00:00:01"; "" for none. */
const char *dhcp6_duid_format(const struct dhcp6_duid *duid, char buf[static DHCP6_DUID_STRLEN]);
