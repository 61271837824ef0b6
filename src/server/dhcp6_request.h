// SPDX-License-Identifier: BSD-3-Clause
/*
 * A client's DHCPv6 message, read: what it asks for, as small as it has to be kept until the lease is there. Pure.
 *
 * One lease is one client's, so of several IA_DSTM the first that names an address, or else the first, is the one
 * that is served. A lease may be asked for in four forms at once: IA_DSTM, options at the top level by an option
 * request (for programs that know no IA but IA_NA), the softwire option 96, and option 17 with ours in it.
 */
#pragma once

#include "dhcp6/dhcp6_codes.h"
#include "dhcp6/dhcp6_duid.h"
#include "dhcp6/dhcp6_msg.h"
#include "server/dhcp6_config.h"
#include "tsp/tsp_msg.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/* An IA_NA: which one, and the address in it that we would not give, if any. */
struct srv_dhcp6_na {
	uint32_t iaid;
	uint32_t n_addrs;
	struct in6_addr addrs[2]; /* the first ones that it names */
};

struct srv_dhcp6_request {
	enum dhcp6_type type;
	uint32_t xid;
	struct dhcp6_duid client; /* len 0: it did not say */
	struct dhcp6_codes codes; /* as they were when it came */
	bool has_rapid_commit;
	bool accepts_reconfigure;
	bool wants_refresh; /* Information Refresh Time */
	unsigned int forms; /* enum srv_dhcp6_form: in which a lease is asked for */
	bool wants_lease; /* false: nothing, or no more than the TEP of a lease that it might have */
	/* Of SRV_DHCP6_FORM_TOP_LEVEL: which of the options. */
	bool wants_tep;
	bool wants_ports;
	bool wants_address;
	bool is_vendor_ia; /* of SRV_DHCP6_FORM_VENDOR: an IA_DSTM in it, not bare options */
	bool can_share; /* it can live in a port range (R47); else it gets a whole address */
	bool one_block; /* ... in a single block: nothing but option 96 */
	uint32_t n_na;
	struct srv_dhcp6_na na[DHCP6_IAS_MAX];
	uint32_t n_pd;
	uint32_t pd[DHCP6_IAS_MAX]; /* IAIDs, as the next ones */
	uint32_t n_ia;
	uint32_t ia[DHCP6_IAS_MAX];
	uint32_t main; /* the one of ia that the lease is for */
	uint32_t vendor_iaid;
	/* What the served IA names: a lease that the client has, or was offered. */
	bool names_v4;
	uint32_t v4;
	uint32_t n_ranges;
	struct port_range ranges[LEASE_RANGES_MAX];
	uint32_t lifetime_s; /* that it would like; 0: any */
	/* Where it says that its tunnel ends: DSTM_CLIENT, or an address of an IA_NA. */
	bool names_client;
	struct in6_addr client_v6;
	bool names_na;
	struct in6_addr na_v6;
};

struct dhcp6_codes srv_dhcp6_codes_of(const struct srv_dhcp6_config *config);

void srv_dhcp6_request_read(const struct dhcp6_msg *msg, const struct srv_dhcp6_config *config,
	struct srv_dhcp6_request *request);

/* It asks for an IPv4 lease, or gives one back. */
static inline bool srv_dhcp6_request_is_ours(const struct srv_dhcp6_request *request)
{
	return request->forms != 0;
}

/* The engine's message: create or delete for the tunnel end. shared: for a port range. */
struct tsp_msg srv_dhcp6_request_ask(const struct srv_dhcp6_request *request,
	enum tsp_action action, const struct in6_addr *tunnel_end, bool shared);
