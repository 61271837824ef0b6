// SPDX-License-Identifier: BSD-3-Clause
/*
 * A lease in DHCPv6 messages: how it is asked for, and what an answer says about it.
 *
 * Three ways to write it down, one of which the configuration chooses: IA_DSTM, the same within option
 * 17, and the softwire container (option 96). Answers to an Information-request have no IA: there our own
 * options stand at the top level.
 *
 * The lifetimes of a lease are those of its IAADDR. A softwire container and what has no IA have none, and
 * live for the information refresh time (RFC 8415 section 21.23). It is not raised to that section's
 * minimum: nobody may use a lease for longer than it was given.
 */
#pragma once

#include "client/dhcp6_config.h"
#include "common/lease.h"
#include "dhcp6/dhcp6_msg.h"

#include <stdbool.h>
#include <stdint.h>

#define CL_DHCP6_OURS_MAX 32 /* addresses of this host that a container's prefix may choose from */

/* What is asked for, and by whom. */
struct cl_dhcp6_want {
	enum cl_dhcp6_options options;
	bool is_stateless;
	bool takes_ports; /* a port range will do; else only a whole address */
	struct dhcp6_codes codes;
	uint32_t iaid;
	uint32_t lifetime_s; /* to wish for, where an address is named; 0: the server's */
	struct in6_addr v6; /* the tunnel end that is told (R70) */
	bool has_tep;
	struct in6_addr tep; /* with has_tep: by hand, where an answer names none (R18) */
	uint32_t n_ours;
	struct in6_addr ours[CL_DHCP6_OURS_MAX];
};

/* What is given; the lease has no end yet, which counts from the arrival of the answer. */
struct cl_dhcp6_grant {
	struct lease lease;
	uint32_t valid_s; /* at least 1; UINT32_MAX: endless */
	uint32_t preferred_s; /* at most valid_s */
	uint32_t t1_s, t2_s; /* 0: not named; UINT32_MAX: never */
};

enum cl_dhcp6_verdict {
	CL_DHCP6_NOTHING, /* it does not speak of what was asked for */
	CL_DHCP6_GRANT,
	CL_DHCP6_REFUSAL, /* *status says why */
	CL_DHCP6_ENDED, /* a lifetime of 0: what was held is held no more */
	CL_DHCP6_USELESS, /* a lease that this host cannot use; *why says why */
};

/* Puts the question into a message; lease: what is held or was offered, NULL: none. */
void cl_dhcp6_grant_ask(
	const struct cl_dhcp6_want *want, const struct lease *lease, struct dhcp6_msg *msg);

/* Tells who we are, in an Information-request of somebody who wants no lease yet. */
void cl_dhcp6_grant_announce(const struct cl_dhcp6_want *want, struct dhcp6_msg *msg);

/*
 * Reads an answer. *grant is set by GRANT and, as far as it goes, by USELESS, so that it can be declined; *status by
 * REFUSAL; *why, a static sentence, by USELESS.
 */
enum cl_dhcp6_verdict cl_dhcp6_grant_read(const struct cl_dhcp6_want *want,
	const struct dhcp6_msg *msg, struct cl_dhcp6_grant *grant, struct dhcp6_status *status,
	const char **why);
