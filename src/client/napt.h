// SPDX-License-Identifier: BSD-3-Clause
/*
 * Source NAT into the lease by the kernel's nftables.
 *
 * One table of our own, named after the device, holds everything, so that it goes in and out in one
 * transaction and meets nobody else's rules. In mode napt TCP, UDP and ICMP queries of any
 * application leave with a port or identifier of the lease, spread over all of its ranges (S18). In
 * mode host only echo requests are rewritten: a kernel has no setting that keeps their identifiers
 * inside a range. What no rule rewrites reaches the tunnel as it is and is counted there.
 *
 * An application (one nft process, no shell) takes some ten milliseconds and blocks.
 */
#pragma once

#include "common/lease.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cl_mode {
	CL_MODE_NAPT,
	CL_MODE_HOST,
};

#define CL_NAPT_TABLE_LEN 32

/* Fills table with the name of the table for a device and returns it. */
const char *cl_napt_table(const char *device, char table[static CL_NAPT_TABLE_LEN]);

/* Writes the whole transaction for a lease. Returns its length, or -ENOSPC. */
int cl_napt_ruleset(
	const char *device, enum cl_mode mode, const struct lease *lease, char *text, size_t size);

/* Replaces the table by that of the lease. Returns 0 or -errno; nft's own words are logged. */
int cl_napt_apply(const char *device, enum cl_mode mode, const struct lease *lease);

/* Removes the table if it is there. Returns 0 or -errno. */
int cl_napt_remove(const char *device);

/*
 * Forgets every connection that the kernel tracks to this address (S19): an old mapping would hold
 * its flows to an address or port that is ours no more. Returns 0 or -errno.
 */
int cl_napt_flush(uint32_t v4);
