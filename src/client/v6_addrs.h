// SPDX-License-Identifier: BSD-3-Clause
/*
 * The IPv6 addresses of this host that a tunnel may end at.
 *
 * A tentative address is not there yet. A deprecated one still works, and is not to be chosen for
 * anything new (RFC 4862 section 5.5.4).
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/* True while the address is there, deprecated or being checked once more. */
bool cl_v6_is_here(const struct in6_addr *addr);
/* True when it is there and may be chosen. */
bool cl_v6_is_preferred(const struct in6_addr *addr);
/* Global addresses that may be chosen, as many as fit. Returns how many. */
uint32_t cl_v6_list(struct in6_addr *addrs, uint32_t max);
/*
 * One of them for a tunnel that is made over this interface: of the interface before others, and not a
 * temporary one (RFC 8981) if there is another. Returns 0 or -ENOENT.
 */
int cl_v6_choose(unsigned int ifindex, struct in6_addr *addr);
/* The one that the kernel chooses towards an address. Returns 0 or -errno. */
int cl_v6_source_for(const struct in6_addr *to, struct in6_addr *addr);
/* A number that changes when other global addresses may be chosen; 0: there are none. */
uint64_t cl_v6_fingerprint(void);
