// SPDX-License-Identifier: BSD-3-Clause
/*
 * The Internet checksum (RFC 1071) in pieces. A sum is in memory order: it is folded and stored as it is,
 * without a byte swap. All pieces but the last have an even length.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

uint64_t cl_checksum_add(uint64_t sum, const void *data, size_t len);

/* The sum in 16 bits; 0xffff and what is added to it make up a correct checksum. */
static inline uint16_t cl_checksum_fold(uint64_t sum)
{
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* Of a TCP or UDP packet in IPv4: addresses are the eight octets as they stand in the header. */
static inline uint64_t cl_checksum_pseudo(const void *addresses, uint8_t protocol, size_t l4_len)
{
	const uint8_t rest[4] = {0, protocol, (uint8_t)(l4_len >> 8), (uint8_t)l4_len};

	return cl_checksum_add(cl_checksum_add(0, addresses, 8), rest, sizeof(rest));
}

static inline void cl_checksum_store(uint8_t *field, uint16_t folded)
{
	uint16_t value = (uint16_t)~folded;

	memcpy(field, &value, sizeof(value));
}
