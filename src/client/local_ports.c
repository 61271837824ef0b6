// SPDX-License-Identifier: BSD-3-Clause
#include "client/local_ports.h"

#include "client/sysctl.h"

#include <stdio.h>
#include <stdlib.h>

#define PORT_START "net/ipv4/ip_unprivileged_port_start"

int cl_local_ports_read(char *text, size_t size)
{
	return cl_sysctl_read(CL_LOCAL_PORTS, text, size);
}

int cl_local_ports_restore(const char *text)
{
	return cl_sysctl_write(CL_LOCAL_PORTS, text);
}

/* The first port that the range may have. */
static uint32_t first_port(void)
{
	char text[32];
	uint32_t start;

	if (cl_sysctl_read(PORT_START, text, sizeof(text)) < 0)
		return 1024;
	start = strtoul(text, NULL, 10);
	return start > 0 ? start : 1;
}

int cl_local_ports_set(const struct lease *lease)
{
	struct port_range best = lease->ranges[0];
	uint32_t best_size = 0, start = first_port();
	char text[32];

	for (uint32_t i = 0; i < lease->n_ranges; i++) {
		struct port_range range = lease->ranges[i];

		if (range.last < start)
			continue;
		if (range.first < start)
			range.first = start;
		if (port_range_size(range) > best_size) {
			best = range;
			best_size = port_range_size(range);
		}
	}
	snprintf(text, sizeof(text), "%u %u", best.first, best.last);
	return cl_sysctl_write(CL_LOCAL_PORTS, text);
}
