// SPDX-License-Identifier: BSD-3-Clause
/*
 * Which names have IPv4 addresses and no IPv6 ones, told from DNS replies (R13).
 *
 * Resolvers ask for both kinds at once, and the answers come in either order. A name counts when its A
 * answer had an address and its AAAA answer had none, both within some seconds. A small table of
 * names; the oldest makes room. Replies are anybody's: what is malformed is ignored, and the worst that a
 * lie does is a lease that nobody needs.
 *
 * Pure: no socket, no clock.
 */
#pragma once

#include <arpa/nameser.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CL_DNS_NAMES_MAX 32
#define CL_DNS_AGE_MS    10000 /* between the two answers */

struct cl_dns_name {
	char name[NS_MAXDNAME]; /* "": free */
	bool has_v4; /* an address in the A answer */
	bool lacks_v6; /* none in the AAAA answer */
	int64_t since_ms;
};

/* All zero at the start. */
struct cl_dns_names {
	struct cl_dns_name items[CL_DNS_NAMES_MAX];
};

/*
 * Reads one reply, from its header on. True: somebody is about to need IPv4; the name is forgotten, so that
 * it is told once.
 */
bool cl_dns_names_read(
	struct cl_dns_names *names, const uint8_t *reply, size_t len, int64_t now_ms);
