// SPDX-License-Identifier: BSD-3-Clause
/*
 * A range of ports of one IPv4 address, both ends included, host byte order.
 *
 * One range serves TCP ports, UDP ports and ICMP query identifiers alike (R59). 0-65535 is an
 * exclusive address: only it carries protocols without ports (S37).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PORT_RANGE_STRLEN 12 /* "65535-65535" and NUL */

struct port_range {
	uint16_t first;
	uint16_t last; /* >= first */
};

#define PORT_RANGE_EXCLUSIVE ((struct port_range){.first = 0, .last = UINT16_MAX})

/* "1024-2047" or one port "80". Returns 0, or -EINVAL and leaves the output alone. */
int port_range_parse(const char *text, struct port_range *range);
const char *port_range_format(struct port_range range, char buf[static PORT_RANGE_STRLEN]);

static inline uint32_t port_range_size(struct port_range range)
{
	return (uint32_t)range.last - range.first + 1;
}

static inline bool port_range_contains(struct port_range range, uint16_t port)
{
	return port >= range.first && port <= range.last;
}

static inline bool port_range_equal(struct port_range a, struct port_range b)
{
	return a.first == b.first && a.last == b.last;
}

static inline bool port_range_overlaps(struct port_range a, struct port_range b)
{
	return a.first <= b.last && b.first <= a.last;
}

static inline bool port_range_is_exclusive(struct port_range range)
{
	return range.first == 0 && range.last == UINT16_MAX;
}
