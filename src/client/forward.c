// SPDX-License-Identifier: BSD-3-Clause
#include "client/forward.h"

#include "common/addr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *const cl_protocol_names[] = {
	[CL_PROTOCOL_TCP] = "tcp", [CL_PROTOCOL_UDP] = "udp", NULL};

/* A port as digits alone, 1 to 65535. */
static int parse_port(const char *text, uint16_t *port)
{
	size_t len = strlen(text);
	unsigned long value;

	if (len == 0 || len > 5 || strspn(text, "0123456789") != len)
		return -EINVAL;
	value = strtoul(text, NULL, 10);
	if (value == 0 || value > UINT16_MAX)
		return -EINVAL;
	*port = value;
	return 0;
}

int cl_forward_read_target(struct cl_forward *forward)
{
	const char *colon = strrchr(forward->to, ':');
	size_t len = colon != NULL ? (size_t)(colon - forward->to) : 0;
	char v4[ADDR_V4_STRLEN] = "";
	uint32_t addr = 0;
	uint16_t port;

	if (parse_port(colon != NULL ? colon + 1 : forward->to, &port) < 0 || len >= sizeof(v4))
		return -EINVAL;
	memcpy(v4, forward->to, len);
	if (colon != NULL && (addr_v4_parse(v4, &addr) < 0 || addr == 0))
		return -EINVAL;
	forward->to_v4 = addr;
	forward->to_port = port;
	return 0;
}

static bool is_named(const struct cl_forward *forwards, uint32_t n, uint32_t port)
{
	for (uint32_t i = 0; i < n; i++) {
		if (forwards[i].port == port)
			return true;
	}
	return false;
}

struct cursor {
	uint32_t range, offset;
};

/* The ports of a lease one by one, then 0. */
static uint16_t next_port(const struct lease *lease, struct cursor *at)
{
	while (at->range < lease->n_ranges) {
		struct port_range range = lease->ranges[at->range];
		uint16_t port = range.first + at->offset;

		if (at->offset == port_range_size(range)) {
			at->range++;
			at->offset = 0;
			continue;
		}
		at->offset++;
		if (port != 0)
			return port;
	}
	return 0;
}

void cl_forward_assign(const struct cl_forward *forwards, uint32_t n, const struct lease *lease,
	uint16_t ports[static CL_FORWARDS_MAX])
{
	struct cursor at = {0};

	memset(ports, 0, CL_FORWARDS_MAX * sizeof(ports[0]));
	for (uint32_t i = 0; i < n; i++) {
		if (forwards[i].port == 0) {
			do
				ports[i] = next_port(lease, &at);
			while (ports[i] != 0 && is_named(forwards, n, ports[i]));
		} else if (lease_has_port(lease, forwards[i].port)) {
			ports[i] = forwards[i].port;
		}
	}
}

static int compare_ranges(const void *a, const void *b)
{
	const struct port_range *left = a, *right = b;

	return (int)left->first - right->first;
}

static int compare_ports(const void *a, const void *b)
{
	return (int)*(const uint16_t *)a - *(const uint16_t *)b;
}

/* The lease's ranges in order, adjacent ones joined. */
static uint32_t join(const struct lease *lease, struct port_range joined[static LEASE_RANGES_MAX])
{
	struct port_range sorted[LEASE_RANGES_MAX];
	uint32_t n = 0;

	memcpy(sorted, lease->ranges, lease->n_ranges * sizeof(sorted[0]));
	qsort(sorted, lease->n_ranges, sizeof(sorted[0]), compare_ranges);
	for (uint32_t i = 0; i < lease->n_ranges; i++) {
		if (n > 0 && joined[n - 1].last + 1 == sorted[i].first)
			joined[n - 1].last = sorted[i].last;
		else
			joined[n++] = sorted[i];
	}
	return n;
}

/* Ranges without the ports, which are in ascending order and may repeat. */
static uint32_t cut(const struct port_range *ranges, uint32_t n, const uint16_t *ports,
	uint32_t n_ports, struct port_range *out)
{
	uint32_t n_out = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t first = ranges[i].first;

		for (uint32_t j = 0; j < n_ports; j++) {
			if (ports[j] < first || ports[j] > ranges[i].last)
				continue;
			if (ports[j] > first)
				out[n_out++] = (struct port_range){first, ports[j] - 1};
			first = (uint32_t)ports[j] + 1;
		}
		if (first <= ranges[i].last)
			out[n_out++] = (struct port_range){first, ranges[i].last};
	}
	return n_out;
}

static bool is_one_of(struct port_range range, const struct port_range *ranges, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (port_range_equal(range, ranges[i]))
			return true;
	}
	return false;
}

/* Drops small pieces that are not one of the whole ranges, unless all are. Returns how many are left. */
static uint32_t drop_splinters(
	struct port_range *pieces, uint32_t n, const struct port_range *whole, uint32_t n_whole)
{
	struct port_range kept[CL_USABLE_MAX];
	uint32_t total = 0, n_kept = 0;

	for (uint32_t i = 0; i < n; i++)
		total += port_range_size(pieces[i]);
	for (uint32_t i = 0; i < n; i++) {
		if (is_one_of(pieces[i], whole, n_whole) ||
			port_range_size(pieces[i]) * CL_SPLINTER >= total)
			kept[n_kept++] = pieces[i];
	}
	if (n_kept == 0)
		return n;
	memcpy(pieces, kept, n_kept * sizeof(pieces[0]));
	return n_kept;
}

uint32_t cl_forward_leave(const struct lease *lease, const uint16_t ports[static CL_FORWARDS_MAX],
	struct port_range usable[static CL_USABLE_MAX])
{
	uint16_t taken[CL_FORWARDS_MAX + 1] = {0}; /* and 0, which nobody can have */
	struct port_range joined[LEASE_RANGES_MAX];
	uint32_t n = join(lease, joined), n_usable;

	memcpy(taken, ports, CL_FORWARDS_MAX * sizeof(ports[0]));
	qsort(taken, CL_FORWARDS_MAX + 1, sizeof(taken[0]), compare_ports);
	n_usable = cut(joined, n, taken, CL_FORWARDS_MAX + 1, usable);
	n_usable = drop_splinters(usable, n_usable, joined, n);
	if (n_usable == 0)
		n_usable = cut(joined, n, (const uint16_t[]){0}, 1, usable);
	return n_usable;
}
