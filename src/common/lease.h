// SPDX-License-Identifier: BSD-3-Clause
/*
 * The lease: the value that crosses every boundary between the programs' parts.
 *
 * One client (its tunnel IPv6 address) holds one IPv4 address, whole or in up to LEASE_RANGES_MAX
 * port ranges, through one TEP, until an end. Each range is one binding in a TEP's table
 * (RFC 7596 section 6.1, S1). Only the TSP codec knows its XML, only the data plane its packed
 * form, only the store its rows.
 */
#pragma once

#include "common/port_range.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define LEASE_RANGES_MAX 8
#define LEASE_ENDLESS    INT64_MAX /* a static binding never ends */

struct lease {
	struct in6_addr client_v6; /* tunnel end at the client: a global address */
	struct in6_addr tep_v6; /* tunnel end at the TEP */
	uint32_t v4; /* host order */
	uint32_t n_ranges; /* 1..LEASE_RANGES_MAX */
	struct port_range ranges[LEASE_RANGES_MAX]; /* no two overlap */
	int64_t end_ms; /* clock_boot_ms() at which it ends, or LEASE_ENDLESS */
	uint32_t stamp; /* that end as the server wrote it down: UTC seconds; 0: not known */
};

/* True when the lease is one exclusive address. */
static inline bool lease_is_exclusive(const struct lease *lease)
{
	return lease->n_ranges == 1 && port_range_is_exclusive(lease->ranges[0]);
}

/* True when one of the lease's ranges holds the port. */
bool lease_has_port(const struct lease *lease, uint16_t port);

/* How many ports its ranges have, 65536 of a whole address. */
uint32_t lease_ports(const struct lease *lease);

/* Seconds left at now_ms, rounded down, 0 when it has ended; UINT32_MAX for an endless lease. */
uint32_t lease_seconds_left(const struct lease *lease, int64_t now_ms);

/* "198.51.100.7 ports 1024-2047,4096-5119 for 2001:db8:1::17": names the lease in messages. */
#define LEASE_STRLEN 192
const char *lease_format(const struct lease *lease, char buf[static LEASE_STRLEN]);
