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
/* A number that changes when other global addresses may be chosen; 0: there are none. */
uint64_t cl_v6_fingerprint(void);
