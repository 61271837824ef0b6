// SPDX-License-Identifier: BSD-3-Clause
/*
 * How much a subscriber may have and ask for (S25, RFC 6888 REQ-4): leases, ports and requests a minute,
 * of a user, of an IPv6 address and of a prefix. A limit that is reached refuses what is new; it takes nothing
 * away, and a renewal of what is held passes.
 *
 * What users and prefixes hold is counted here, told by whoever changes a lease, and only as far as there is
 * a limit; what an address holds the lease table knows. Pure, one thread.
 */
#pragma once

#include "common/config.h"
#include "common/lease.h"

#include <stdbool.h>
#include <stdint.h>

struct srv_quota;

/* 0: no limit. */
struct srv_quota_limit {
	uint32_t leases;
	uint32_t ports; /* a whole address counts 65536 */
	uint32_t requests_per_minute;
};

struct srv_quota_limits {
	struct srv_quota_limit user; /* not for ANONYMOUS */
	struct srv_quota_limit client; /* one IPv6 address */
	struct srv_quota_limit prefix;
	uint32_t prefix_length;
	const struct config_list
		*exempt; /* struct addr_v6_prefix, borrowed: no rate for these peers */
};

/* What an address holds already, or shall hold. */
struct srv_holdings {
	uint32_t leases;
	uint64_t ports;
};

struct srv_quota *srv_quota_create(const struct srv_quota_limits *limits); /* NULL: out of memory */
void srv_quota_destroy(struct srv_quota *quota); /* NULL is allowed */
/*
 * True: what is held has been forgotten, because other things are to be counted now; tell it all leases that
 * are held.
 */
bool srv_quota_set_limits(struct srv_quota *quota, const struct srv_quota_limits *limits);

/* A request of a session; false: too many within a minute. user: "" for ANONYMOUS. */
bool srv_quota_request(
	struct srv_quota *quota, const char *user, const struct in6_addr *peer, int64_t now_ms);

/* A lease begins or ceases to be held. */
void srv_quota_hold(struct srv_quota *quota, const char *user, const struct lease *lease);
void srv_quota_free(struct srv_quota *quota, const char *user, const struct lease *lease);

/*
 * Whether user and client may hold more than now. has: what the address holds of all users; more: what would be
 * added.
 */
bool srv_quota_allows(const struct srv_quota *quota, const char *user,
	const struct in6_addr *client_v6, const struct srv_holdings *has,
	const struct srv_holdings *more);
