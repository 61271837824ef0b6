// SPDX-License-Identifier: BSD-3-Clause
/*
 * Which messages a server answers at all (RFC 8415 sections 16 and 18.4, and what the role says). Pure.
 *
 *	message			client id	server id	by unicast, from the client itself
 *	Solicit			must		must not	discarded
 *	Request			must		ours		UseMulticast
 *	Confirm			must		must not	discarded
 *	Renew			must		ours		UseMulticast
 *	Rebind			must		must not	discarded
 *	Release, Decline	must		ours		UseMulticast
 *	Information-request	may		ours, or none	discarded
 *
 * An Information-request has no IA. With dhcpv6.unicast the last column does not hold.
 */
#pragma once

#include "server/counters.h"
#include "server/dhcp6_config.h"
#include "server/dhcp6_exchange.h"

#include <stdbool.h>

struct srv_dhcp6_verdict {
	enum srv_counter type; /* the message's own counter */
	bool is_good; /* to be answered */
	bool use_multicast; /* to be answered with that status, and nothing else */
	enum srv_counter discarded; /* otherwise: why */
};

struct srv_dhcp6_verdict srv_dhcp6_rules_apply(const struct srv_dhcp6_config *config,
	const struct dhcp6_duid *server, const struct dhcp6_msg *msg,
	const struct srv_dhcp6_inquiry *inquiry);
