// SPDX-License-Identifier: BSD-3-Clause
/*
 * Who is at the other end of an IPv4 packet: the address and the port, or identifier of an ICMP
 * query, by which a TEP would find its holder.
 */
#pragma once

#include "client/inner.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cl_far_end {
	uint32_t v4; /* host order */
	uint16_t port;
};

/*
 * The destination of a packet on its way out, the source of one that comes in. False for what names
 * no port of its own: fragments, ICMP errors, protocols without ports, and what is cut short.
 */
bool cl_far_end_of(
	const uint8_t *packet, size_t len, enum cl_direction direction, struct cl_far_end *far_end);
