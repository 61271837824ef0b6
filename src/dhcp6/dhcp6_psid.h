// SPDX-License-Identifier: BSD-3-Clause
/*
 * A port range as a PSID triplet, and back (S17; RFC 7597 section 5.1, RFC 7596 section 5.1).
 *
 * A port's sixteen bits are read as `offset` bits that are not all zero, `len` bits that are the
 * PSID, and the rest. Offset 0, which lightweight 4over6 uses, leaves no such bits: the PSID is the
 * upper bits of every port, the ports are one block of a power of two that starts at a multiple of
 * its size, and length 0 is the whole address. An offset above 0 gives a block for each value of
 * those bits except zero, 2^offset - 1 of them, and keeps the ports below 2^(16 - offset) out.
 *
 * What has no triplet: a range whose size is no power of two or that does not start at a multiple
 * of it. What has no ranges of ours: more blocks than a lease holds.
 */
#pragma once

#include "common/lease.h"
#include "common/port_range.h"

#include <stdint.h>

struct dhcp6_psid {
	uint8_t offset; /* 0..16 */
	uint8_t len; /* 0..16, with the offset at most 16 */
	uint16_t psid; /* below 2^len */
};

/* The triplet with offset 0. Returns 0, or -EINVAL and leaves *psid alone. */
int dhcp6_psid_from_range(struct port_range range, struct dhcp6_psid *psid);

/*
 * The blocks in ascending order, those that touch as one (PSID length 0). Returns their number,
 * 1..LEASE_RANGES_MAX; -EINVAL for no triplet; -E2BIG for more blocks than a lease holds.
 */
int dhcp6_psid_to_ranges(
	const struct dhcp6_psid *psid, struct port_range ranges[static LEASE_RANGES_MAX]);
