// SPDX-License-Identifier: BSD-3-Clause
/*
 * The kernel's table of connections, over netlink.
 */
#pragma once

#include <stdint.h>

/*
 * Forgets every connection that is tracked to this address (S19): an old mapping would hold its flows to
 * an address or port that is ours no more. Returns 0 or -errno.
 */
int cl_conntrack_flush(uint32_t v4);

/* How many connections are tracked to this address. Returns 0 or -errno. */
int cl_conntrack_count(uint32_t v4, uint32_t *n);

/*
 * Makes an nftables table of IPv4, if it is not there yet, with the time-outs of RFC 4787, 5382 and 5508 as
 * objects in it (S19): CL_CONNTRACK_TCP, _UDP and _ICMP for "ct timeout set". The nft program knows
 * no object for ICMP, so they do not come with the rules; a flow keeps its time-outs as long as the object
 * stands. Returns 0 or -errno.
 */
#define CL_CONNTRACK_TCP  "tcp_times"
#define CL_CONNTRACK_UDP  "udp_times"
#define CL_CONNTRACK_ICMP "icmp_times"
int cl_conntrack_add_timeouts(const char *table);

/*
 * How many connections found no place so far, of this whole network namespace: ours that no port was left for
 * (R58), but others' as well. Returns 0 or -errno.
 */
int cl_conntrack_failures(uint64_t *failures);
