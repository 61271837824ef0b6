// SPDX-License-Identifier: BSD-3-Clause
/*
 * The security property, checked without the model's packet path: what leaves goes to the holder of its
 * destination, or comes from the holder of its source.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Who a packet speaks of: an address and a port, an address alone (no port: its holder as a whole). */
struct safety_end {
	uint32_t v4;
	bool has_port;
	uint16_t port;
};

/* What the IPv4 packet says about the end that it goes to, or comes from. False: it is a later fragment. */
bool safety_read_end(const uint8_t *v4, uint32_t len, bool destination, struct safety_end *end);
