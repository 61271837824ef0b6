// SPDX-License-Identifier: BSD-3-Clause
/*
 * Messages of the kernel's routing socket as values: routes of the tables main and local, neighbours, links.
 */
#pragma once

#include "control/mirror.h"

#include <linux/netlink.h>
#include <stdbool.h>
#include <stdint.h>

/* RTM_NEWROUTE and RTM_DELROUTE; false: not one of these tables, or of a kind that carries no packets of ours. Of
 * several hops those that are dead are left out. */
bool tep_route_message_parse(struct nlmsghdr *nlh, struct tep_route *route);
/* It names an object of the kernel, and not what that says. */
bool tep_route_message_is_bare(struct nlmsghdr *nlh);

struct tep_neighbour_message {
	uint32_t ifindex;
	struct tep_ip ip;
	bool has_mac; /* and the kernel would send to it */
	bool is_stale;
	struct rte_ether_addr mac;
};

/* RTM_NEWNEIGH and RTM_DELNEIGH; false: not one of an address. */
bool tep_neighbour_message_parse(struct nlmsghdr *nlh, struct tep_neighbour_message *message);

/* RTM_NEWNEXTHOP and RTM_DELNEXTHOP: the object's number; 0: none. */
uint32_t tep_nexthop_message_id(struct nlmsghdr *nlh);
