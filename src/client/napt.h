// SPDX-License-Identifier: BSD-3-Clause
/*
 * Source NAT into the lease, and forwards out of it, by the kernel's nftables.
 *
 * One table of our own, named after the device, holds everything, so that it goes in and out in one
 * transaction and meets nobody else's rules; filling it anew keeps the flows that it has translated.
 *
 * In mode napt TCP, UDP and ICMP queries of any application leave with a port or identifier of the lease.
 * The range is chosen by a hash of the source's address and port, by weight of its size: all ranges are
 * used evenly (S18), and one source keeps one mapping whatever it speaks to (RFC 4787 REQ-1, as far
 * as the kernel finds a port free for it). A range that has no port left towards a destination passes
 * the flow on to one that has. What comes out of the tunnel for no mapping and no forward is
 * dropped before it could be routed back.
 *
 * In mode host only echo requests are rewritten, whose identifiers no setting of the kernel keeps inside a
 * range, and, on demand, what sockets from before the lease send.
 *
 * Without a lease the table keeps packets that wait for one out of connection tracking, which would
 * otherwise remember them as not translated.
 */
#pragma once

#include "client/forward.h"
#include "common/lease.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cl_mode {
	CL_MODE_NAPT,
	CL_MODE_HOST,
};

#define CL_NAPT_TABLE_LEN 32

struct cl_napt {
	const char *device;
	enum cl_mode mode;
	uint32_t inner_v4; /* the device's own address, or that from before the lease */
	bool has_before; /* mode host: there may be sockets from before the lease */
	const struct cl_forward *forwards;
	uint32_t n_forwards; /* up to CL_FORWARDS_MAX */
};

/* Fills table with the name of the table for a device and returns it. */
const char *cl_napt_table(const char *device, char table[static CL_NAPT_TABLE_LEN]);

/*
 * Writes the whole transaction for a lease, or for the time before one (NULL). Returns its length, or
 * -ENOSPC. "ct timeout" names objects of cl_conntrack_add_timeouts.
 */
int cl_napt_ruleset(const struct cl_napt *napt, const struct lease *lease, char *text, size_t size);

/* Fills the table, which is made if it is not there. Returns 0 or -errno; nft's own words are logged. */
int cl_napt_apply(const struct cl_napt *napt, const struct lease *lease);

/* Removes the table if it is there. Returns 0 or -errno. */
int cl_napt_remove(const char *device);
