// SPDX-License-Identifier: BSD-3-Clause
/*
 * ICMP errors for packets that the tunnel cannot carry, so that an application is told at once instead of
 * waiting for an answer that will never come (S18, S20).
 *
 * The code for a packet outside of the lease is 13, communication administratively prohibited, as RFC 7596
 * section 5.2 has it. Linux makes the same of it as of code 10: connect() fails with EHOSTUNREACH.
 *
 * The error comes from the address that was to be reached: whatever the host thinks of packets that
 * come in by the device (reverse path filters), it expects some from there. It never answers what RFC 1122
 * section 3.2.2 says it must not: ICMP errors, later fragments, groups and broadcasts.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CL_REFUSE_MAX              576 /* the whole error, RFC 1812 section 4.3.2.3 */
#define CL_REFUSE_HOST_UNREACHABLE 1
#define CL_REFUSE_PROHIBITED       13

/*
 * Writes the "destination unreachable" that answers packet. Of the packet only len
 * octets need be there. Returns its length, or 0: no answer is due.
 */
size_t cl_refuse_make(
	const uint8_t *packet, size_t len, uint8_t code, uint8_t answer[static CL_REFUSE_MAX]);

/* A bucket: CL_REFUSE_BURST at once, CL_REFUSE_RATE a second. All zero at first. */
struct cl_refuse_limit {
	int64_t empty_ms; /* when the bucket was, or would have been, empty */
};

#define CL_REFUSE_BURST 50
#define CL_REFUSE_RATE  50

/* True when one more may be sent. */
bool cl_refuse_may(struct cl_refuse_limit *limit, int64_t now_ms);
