// SPDX-License-Identifier: BSD-3-Clause
#include "common/lease.h"

#include "common/addr.h"

#include <stdio.h>

bool lease_has_port(const struct lease *lease, uint16_t port)
{
	for (uint32_t i = 0; i < lease->n_ranges; i++) {
		if (port_range_contains(lease->ranges[i], port))
			return true;
	}
	return false;
}

uint32_t lease_ports(const struct lease *lease)
{
	uint32_t ports = 0;

	for (uint32_t i = 0; i < lease->n_ranges; i++)
		ports += port_range_size(lease->ranges[i]);
	return ports;
}

uint32_t lease_seconds_left(const struct lease *lease, int64_t now_ms)
{
	int64_t left_s;

	if (lease->end_ms == LEASE_ENDLESS)
		return UINT32_MAX;
	if (lease->end_ms <= now_ms)
		return 0;
	left_s = (lease->end_ms - now_ms) / 1000;
	return left_s < UINT32_MAX ? left_s : UINT32_MAX - 1;
}

const char *lease_format(const struct lease *lease, char buf[static LEASE_STRLEN])
{
	char v4[ADDR_V4_STRLEN], v6[ADDR_V6_STRLEN], range[PORT_RANGE_STRLEN];
	int n = snprintf(buf, LEASE_STRLEN, "%s", addr_v4_format(lease->v4, v4));

	for (uint32_t i = 0; !lease_is_exclusive(lease) && i < lease->n_ranges; i++) {
		const char *separator = i == 0 ? " ports " : ",";

		n += snprintf(buf + n, LEASE_STRLEN - n, "%s%s", separator,
			port_range_format(lease->ranges[i], range));
	}
	snprintf(buf + n, LEASE_STRLEN - n, " for %s", addr_v6_format(&lease->client_v6, v6));
	return buf;
}
