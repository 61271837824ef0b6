// SPDX-License-Identifier: BSD-3-Clause
/*
 * The numbers of our own options. None was ever assigned, so each site may choose them; a number of
 * 0 turns its option off: it is neither written nor recognised.
 *
 *     ia       IA_DSTM, 12 + n octets: IAID, T1, T2, options: IAADDR with an IPv4-mapped address,
 *              status code, TEP, PORTS, CLIENT
 *     tep      16 octets: the tunnel end at the TEP; may repeat
 *     ports    4 octets: first and last port; may repeat, then the ranges are a set
 *     client   16 octets: the tunnel end at the client
 *     address  16 octets: the IPv4-mapped address, for who asks for options and has no IA
 *     vendor   the enterprise number under which option 17 carries all of these by the same numbers
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct dhcp6_codes {
	uint16_t ia;
	uint16_t tep;
	uint16_t ports;
	uint16_t client;
	uint16_t address;
	uint32_t vendor;
};

#define DHCP6_CODES_DEFAULT                \
	((struct dhcp6_codes){.ia = 65100, \
		.tep = 65101,              \
		.ports = 65102,            \
		.client = 65103,           \
		.address = 65104,          \
		.vendor = 32473})

/* The numbers below this one that IANA assigned or may: none of ours may be among them. */
#define DHCP6_CODE_FIRST_FREE 256

/* True when no two options share a number and none has one of the standard's. */
bool dhcp6_codes_are_distinct(const struct dhcp6_codes *codes);
