// SPDX-License-Identifier: BSD-3-Clause
/*
 * The IPv6 headers of packets of our own; those of tunnel packets: outer.h.
 */
#pragma once

#include <rte_byteorder.h>
#include <rte_ip.h>
#include <stdint.h>

/* All but the addresses; flow label 0. */
static inline void ipv6_write(struct rte_ipv6_hdr *v6, uint8_t traffic_class, uint16_t payload_len,
	uint8_t next_header, uint8_t hop_limit)
{
	v6->vtc_flow = rte_cpu_to_be_32(6U << 28 | (uint32_t)traffic_class << 20);
	v6->payload_len = rte_cpu_to_be_16(payload_len);
	v6->proto = next_header;
	v6->hop_limits = hop_limit;
}
