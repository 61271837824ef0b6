// SPDX-License-Identifier: BSD-3-Clause
/*
 * A client's create or delete, read: what it asks for in the server's own terms, or the status that
 * says what is wrong with it. No state, no I/O; the engine decides whether the wish is granted.
 */
#pragma once

#include "common/config.h"
#include "tsp/tsp_msg.h"

#include <stdbool.h>
#include <stdint.h>

struct srv_policy {
	uint32_t lifetime_s; /* given to who asks for none or for more */
	uint32_t lifetime_min_s;
	bool require_peer_address; /* the tunnel end is the TCP peer */
	const struct config_list *allow; /* struct addr_v6_prefix: tunnel ends (S36); NULL: all */
};

struct srv_wish {
	struct in6_addr client_v6; /* the tunnel end */
	uint32_t lifetime_s; /* what policy makes of the wish */
	bool shared; /* the client can live in a port range (D1) */
	uint32_t ports; /* how many it asks for; 0: any size */
	bool more; /* that many besides what it holds and names (R58) */
	bool names_v4; /* a renewal: the address, and the ranges if any, that it holds (R92) */
	uint32_t v4;
	uint32_t n_ranges;
	struct port_range ranges[LEASE_RANGES_MAX];
	bool has_hint; /* a new lease: of that range if it is free, else of any */
	uint32_t hint_v4;
	struct port_range hint;
	bool wants_keepalive;
};

/*
 * Reads a create or delete from a client connected from peer. Returns TSP_STATUS_NONE, or the status
 * to refuse it with. A delete may leave the client's IPv6 address out and then means the peer's.
 */
enum tsp_status srv_request_read(const struct tsp_msg *msg, const struct srv_policy *policy,
	const struct in6_addr *peer, struct srv_wish *wish);

/* True when the wish names no address, or just what the lease holds. */
bool srv_wish_names(const struct srv_wish *wish, const struct lease *lease);
