// SPDX-License-Identifier: BSD-3-Clause
/*
 * Does an IPv4 packet belong to the lease? The holder check at the client's end of the tunnel.
 *
 * On the way out our end is the source (S18), on the way in the destination (S20): address and port
 * must be the lease's. For ICMP queries and their answers the identifier is the port; an ICMP error
 * belongs to us if the packet quoted in it does, seen the other way round (S6). The later fragments
 * of a datagram carry no port and pass by their address: without the first one they come to
 * nothing. Any other protocol passes only under an exclusive address (S37).
 *
 * Header checksums are not looked at: the kernel does that on delivery.
 */
#pragma once

#include "common/lease.h"

#include <stddef.h>
#include <stdint.h>

enum cl_verdict {
	CL_PASS,
	CL_MALFORMED,
	CL_FOREIGN_ADDRESS,
	CL_FOREIGN_PORT,
	CL_FOREIGN_PROTOCOL,
};

enum cl_direction {
	CL_OUT, /* from this host */
	CL_IN, /* from the TEP */
};

enum cl_verdict cl_inner_check(
	const uint8_t *packet, size_t len, enum cl_direction direction, const struct lease *lease);

/* The same of an outgoing packet as an error quotes it: perhaps cut behind its ports. */
enum cl_verdict cl_inner_check_quote(const uint8_t *packet, size_t len, const struct lease *lease);
