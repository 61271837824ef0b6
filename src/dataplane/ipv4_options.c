// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/ipv4_options.h"

#include "dataplane/ipv4.h"

#include <netinet/ip.h>

bool ipv4_has_source_route(const struct rte_ipv4_hdr *v4)
{
	const uint8_t *options = (const uint8_t *)(v4 + 1);
	uint32_t len = ipv4_header_len(v4) - IPV4_HEADER_MIN;

	for (uint32_t at = 0, size; at < len && options[at] != IPOPT_EOL; at += size) {
		size = 1;
		if (options[at] == IPOPT_NOP)
			continue;
		if (options[at] == IPOPT_LSRR || options[at] == IPOPT_SSRR)
			return true;
		if (at + 1 == len || options[at + 1] < 2)
			return false;
		size = options[at + 1];
	}
	return false;
}
