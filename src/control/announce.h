// SPDX-License-Identifier: BSD-3-Clause
/*
 * What routing daemons learn of this TEP (R30, R68): while it is ready, the kernel's main table has a route
 * "unreachable POOL proto 213 metric METRIC" for each pool, and lo has the tunnel addresses as /128. BIRD or FRR
 * take these up and tell the neighbours; when they go, the daemons withdraw them.
 *
 * The metric says whose they are: routes and addresses of another metric are never touched. What a killed process
 * left is removed at the start, since this one is not ready yet. Control thread only.
 */
#pragma once

#include "common/addr.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define TEP_ANNOUNCE_PROTOCOL 213 /* of the routes; "dstm" in /etc/iproute2/rt_protos if you like */

struct tep_announce;

struct tep_announce_params {
	const struct addr_v4_prefix *pools; /* borrowed, as tunnel_v6 */
	uint32_t n_pools; /* 0: none are announced */
	const struct in6_addr *tunnel_v6;
	uint32_t n_tunnel_v6; /* 0: none are announced */
	uint32_t metric; /* 1.. */
};

/* Removes what an older process left. NULL + errno, with a log line. */
struct tep_announce *tep_announce_create(const struct tep_announce_params *params);
/* Withdraws. NULL is allowed. */
void tep_announce_destroy(struct tep_announce *announce);

/* Announces, or withdraws; nothing where it is so already. Call it again and again: what the kernel refused is
 * logged, and tried again a few seconds later. */
void tep_announce_set(struct tep_announce *announce, bool is_wanted, int64_t now_ms);

/* Does all stand that should? */
bool tep_announce_stands(const struct tep_announce *announce);
