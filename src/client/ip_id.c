// SPDX-License-Identifier: BSD-3-Clause
#include "client/ip_id.h"

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <stdbool.h>
#include <string.h>

static uint16_t id_for(uint16_t id, const struct lease *lease)
{
	uint32_t total = lease_ports(lease);
	uint32_t at = total > 0 ? id % total : 0;

	for (uint32_t i = 0; i < lease->n_ranges; i++) {
		uint32_t size = port_range_size(lease->ranges[i]);

		if (at < size)
			return lease->ranges[i].first + at;
		at -= size;
	}
	return id; /* a lease without ports */
}

/* RFC 1624, equation 3. */
static uint16_t corrected(uint16_t checksum, uint16_t before, uint16_t after)
{
	uint32_t sum = (uint16_t)~checksum + (uint16_t)~before + after;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

void cl_ip_id_rewrite(uint8_t *header, const struct lease *lease)
{
	uint16_t before, fragment;
	struct iphdr ip;

	memcpy(&ip, header, sizeof(ip));
	fragment = ntohs(ip.frag_off);
	if (lease_is_exclusive(lease) ||
		((fragment & IP_DF) != 0 && (fragment & (IP_MF | IP_OFFMASK)) == 0))
		return;
	before = ip.id;
	ip.id = htons(id_for(ntohs(before), lease));
	ip.check = corrected(ip.check, before, ip.id);
	memcpy(header, &ip, sizeof(ip));
}
