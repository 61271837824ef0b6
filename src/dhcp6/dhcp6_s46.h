// SPDX-License-Identifier: BSD-3-Clause
/*
 * The softwire container of lightweight 4over6 (RFC 7598): option 96, in which option 90 names the
 * TEP, and option 92 the IPv4 address, the client's tunnel end and, in option 93, its ports.
 *
 *     96 { 90 { TEP 16 }...  92 { IPv4 4, prefix length 1, prefix, 93 { offset 1, length 1, PSID 2 } } }
 *
 * The PSID stands left-aligned in its two octets. Rules of the other mechanisms (89, 91) and
 * whatever else stands there are skipped, as are the containers 94 and 95.
 */
#pragma once

#include "common/lease.h"
#include "dhcp6/dhcp6_option.h"
#include "dhcp6/dhcp6_psid.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define DHCP6_TEPS_MAX 4

struct dhcp6_s46 {
	bool present;
	uint32_t n_brs;
	struct in6_addr brs[DHCP6_TEPS_MAX];
	bool has_bind;
	uint32_t v4; /* host order */
	uint8_t prefix_len; /* of client_v6; 128 as we write it */
	struct in6_addr client_v6; /* zero behind prefix_len */
	bool has_psid; /* false: the whole address */
	struct dhcp6_psid psid;
};

/*
 * Reads the data of an option 96. Returns 0, or -EINVAL for what contradicts itself (a length, bits
 * behind a prefix or a PSID) and then leaves *s46 alone. Of several BRs the first DHCP6_TEPS_MAX are
 * kept, of several bindings (which the standard does not allow) the first.
 */
int dhcp6_s46_read(const struct dhcp6_option *option, struct dhcp6_s46 *s46);

/* Writes the whole option 96. */
void dhcp6_s46_write(const struct dhcp6_s46 *s46, struct dhcp6_builder *builder);

/*
 * A lease as a container: its TEP, its address, its client, its first range. Returns 0; -ERANGE when
 * no PSID says that range; *s46 is left alone then.
 */
int dhcp6_s46_from_lease(struct dhcp6_s46 *s46, const struct lease *lease);

/*
 * Into address, ranges, TEP and, where the prefix is a whole address, the client's tunnel end (else
 * the lease's stays what it was); the lease's end is not touched. Returns 0; -ENOENT without a BR or
 * a binding; -E2BIG or -EINVAL as dhcp6_psid_to_ranges(), and leaves the lease alone then.
 */
int dhcp6_s46_to_lease(const struct dhcp6_s46 *s46, struct lease *lease);
