// SPDX-License-Identifier: BSD-3-Clause
/*
 * IPv4 options as a router at the border sees them: they pass, untouched, but for source routes. Those make a
 * packet go where its sender wants and not where its destination says, past filters and holder checks; RFC 7126
 * sections 4.3 and 4.4 ask to drop them by default.
 */
#pragma once

#include <rte_ip.h>
#include <stdbool.h>

/*
 * Is there a loose or strict source route among the options of a sound header? A list is read up to its end, or to
 * where it makes no sense any more; nobody can act on what follows.
 */
bool ipv4_has_source_route(const struct rte_ipv4_hdr *v4);
