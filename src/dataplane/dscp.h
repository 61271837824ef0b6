// SPDX-License-Identifier: BSD-3-Clause
/*
 * DSCP through a tunnel, in the words of RFC 2983:
 *
 *	uniform	one DSCP: the outer header has the inner one's, and gives its own back on the way out
 *	pipe	two: the outer header has a configured one, the inner one's is left as it is
 *	fixed	as pipe; on the way out the inner one's is replaced by a configured one
 *
 * A mode is three masks and two values, so that no packet asks which it is; all zero is uniform. ECN is not
 * theirs: RFC 6040 holds in every mode.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define DP_DSCP_MAX  63
#define DP_DSCP_MASK 0xfc /* in the octet with ECN */

enum dp_dscp_mode {
	DP_DSCP_UNIFORM,
	DP_DSCP_PIPE,
	DP_DSCP_FIXED,
};

/* Of the octet with ECN: TOS, or traffic class. */
struct dp_dscp {
	uint8_t encap_clear; /* of the inner octet, on its way into the outer one */
	uint8_t encap_set;
	uint8_t decap_clear; /* of the outer one, on its way into the inner one */
	uint8_t decap_keep; /* of the inner one */
	uint8_t decap_set;
};

/* outer and inner: DSCPs, where the mode has them configured. */
static inline struct dp_dscp dp_dscp_make(enum dp_dscp_mode mode, uint8_t outer, uint8_t inner)
{
	struct dp_dscp dscp = {0};

	if (mode == DP_DSCP_UNIFORM)
		return dscp;
	dscp.encap_clear = DP_DSCP_MASK;
	dscp.encap_set = (uint8_t)(outer << 2);
	dscp.decap_clear = DP_DSCP_MASK;
	if (mode == DP_DSCP_PIPE)
		dscp.decap_keep = DP_DSCP_MASK;
	else
		dscp.decap_set = (uint8_t)(inner << 2);
	return dscp;
}

/* The outer octet; ECN is copied (RFC 6040 section 4.1, normal mode). */
static inline uint8_t dp_dscp_outer(const struct dp_dscp *dscp, uint8_t inner)
{
	return (uint8_t)((inner & ~dscp->encap_clear) | dscp->encap_set);
}

/* True: of two equal octets the inner one stays as it is. */
static inline bool dp_dscp_keeps_equal(const struct dp_dscp *dscp)
{
	return dscp->decap_clear == dscp->decap_keep;
}

/* The inner octet, with ECN 0. */
static inline uint8_t dp_dscp_inner(const struct dp_dscp *dscp, uint8_t outer, uint8_t inner)
{
	return (uint8_t)((outer & ~dscp->decap_clear & DP_DSCP_MASK) | (inner & dscp->decap_keep) |
			 dscp->decap_set);
}
