// SPDX-License-Identifier: BSD-3-Clause
/*
 * The traffic class of a tunnel (S14, S15): out, DSCP as configured and ECN as the inner packet has it; in,
 * the ECN of both headers merged by RFC 6040, figure 4, and the inner DSCP left as it is.
 */
#pragma once

#include <stdint.h>

#define CL_DSCP_COPY (-1)

/* The outer traffic class for an inner one; dscp is 0..63 or CL_DSCP_COPY. */
static inline uint8_t cl_ecn_outer(int dscp, uint8_t tos)
{
	return dscp == CL_DSCP_COPY ? tos : (uint8_t)(dscp << 2 | (tos & 3));
}

/* The inner class that goes on, or -1: congestion was marked and the sender could not be told. */
static inline int cl_ecn_merge(uint8_t tos, uint8_t outer)
{
	enum {
		NOT_ECT,
		ECT_1,
		ECT_0,
		CE
	};

	switch (outer & 3) {
	case CE:
		return (tos & 3) == NOT_ECT ? -1 : tos | CE;
	case ECT_1:
		return (tos & 3) == ECT_0 ? (tos & ~3) | ECT_1 : tos;
	default:
		return tos;
	}
}
