// SPDX-License-Identifier: BSD-3-Clause
/*
 * ARP for pool addresses, where the IPv4 side is a segment that the pools are on-link on: no one there has a route to
 * the TEP, so someone must answer for the addresses. The kernel could, but only for single addresses (proxy
 * neighbours) or for what it has a route to by another interface (proxy_arp), which pools are not.
 */
#pragma once

#include "dataplane/pools.h"

#include <rte_ether.h>
#include <rte_mbuf.h>
#include <stdbool.h>

/* Turns a request for an address of the pools into the answer that this MAC address has it. A probe (RFC 5227)
 * is a request like others: the address is taken. False, and the frame is as it was: something else, or an
 * announcement, or for an address outside the pools. */
bool tep_arp_answer(
	struct rte_mbuf *m, const struct dp_pools *pools, const struct rte_ether_addr *mac);
