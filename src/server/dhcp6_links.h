// SPDX-License-Identifier: BSD-3-Clause
/*
 * The prefixes that are on the links of this host's interfaces, by its own addresses there. A client heard
 * on a link may have its tunnel end at an address of that link, though it writes from its link-local one (R70).
 *
 * The kernel's list is opened once, before the sandbox, and read again when it is older than LINKS_AGE_MS. Pure
 * but for that file. One thread.
 */
#pragma once

#include "common/addr.h"

#include <stdbool.h>
#include <stdint.h>

struct srv_dhcp6_links;

/* path: NULL for the kernel's own list. NULL + errno. */
struct srv_dhcp6_links *srv_dhcp6_links_open(const char *path);
/* NULL is allowed. */
void srv_dhcp6_links_close(struct srv_dhcp6_links *links);

/* True when the address lies in a prefix of the interface's link. */
bool srv_dhcp6_links_hold(struct srv_dhcp6_links *links, uint32_t ifindex,
	const struct in6_addr *addr, int64_t now_ms);
