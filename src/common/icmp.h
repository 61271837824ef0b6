// SPDX-License-Identifier: BSD-3-Clause
/*
 * ICMPv4 as it meets a shared address: a query finds its holder by its identifier (R60), an error by the
 * packet that it quotes (S5), and nothing else has one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum icmp_class {
	ICMP_REQUEST, /* echo, timestamp, information, address mask ... */
	ICMP_REPLY, /* ... and what answers them */
	ICMP_ERROR, /* unreachable, time exceeded, parameter problem */
	ICMP_OTHER, /* redirect, source quench (RFC 6633), router discovery, ... */
	ICMP_N_CLASSES,
};

enum icmp_class icmp_classify(uint8_t type);

/* A request or a reply: it has an identifier. */
static inline bool icmp_is_query(uint8_t type)
{
	return icmp_classify(type) <= ICMP_REPLY;
}
