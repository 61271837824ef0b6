// SPDX-License-Identifier: BSD-3-Clause
/*
 * A lease in our own options: in an IA_DSTM, or without one at the top or in a vendor option. (In the
 * softwire container: dhcp6_s46.h.)
 *
 * One range stands beside the address, in the IA. Several stand in the options of the address itself,
 * which leaves no doubt whose they are. No range at all is a whole address: so a shared lease must not
 * be told to anyone where the site has turned the ports option off (codes.ports 0).
 */
#pragma once

#include "common/lease.h"
#include "dhcp6/dhcp6_msg.h"

#include <stdint.h>

/* Seconds from now; UINT32_MAX: never. */
struct dhcp6_times {
	uint32_t t1_s;
	uint32_t t2_s;
	uint32_t preferred_s;
	uint32_t valid_s;
};

/* T1 = 0.5 and T2 = 0.8 of the valid lifetime, where the preferred one ends too. */
struct dhcp6_times dhcp6_times_of(uint32_t valid_s);

/* An IA that gives the lease, and nothing else: address, lifetimes, TEP, ranges. */
void dhcp6_ia_from_lease(struct dhcp6_ia *ia, uint32_t iaid, const struct lease *lease,
	const struct dhcp6_times *times);
/* Address, TEP and ranges as single options. */
void dhcp6_dstm_from_lease(struct dhcp6_dstm *dstm, const struct lease *lease);

/*
 * Address and ranges, and TEP and client's tunnel end where they are named (else the lease's stay
 * what they were); the lease's end is not touched. Of an IA it is the first IPv4-mapped address that
 * has no bad status and some lifetime. Returns 0, or -ENOENT for no address, and leaves lease and
 * times alone then.
 */
int dhcp6_ia_to_lease(const struct dhcp6_ia *ia, struct lease *lease, struct dhcp6_times *times);
int dhcp6_dstm_to_lease(const struct dhcp6_dstm *dstm, struct lease *lease);
