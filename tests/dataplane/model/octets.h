// SPDX-License-Identifier: BSD-3-Clause
/* Numbers in octets, one octet after the other, and the Internet checksum as RFC 1071 tells it. */
#pragma once

#include <stdint.h>
#include <string.h>

static inline uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static inline void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value & 0xffff);
}

/* Adds octets to a sum; a last odd one counts as if a zero followed. */
static inline uint64_t octets_sum(uint64_t sum, const uint8_t *octets, uint32_t len)
{
	for (uint32_t i = 0; i + 1 < len; i += 2)
		sum += get16(octets + i);
	if (len % 2 != 0)
		sum += (uint32_t)octets[len - 1] << 8;
	return sum;
}

static inline uint16_t octets_fold(uint64_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* What to write into the field, which is among the octets and zero. */
static inline uint16_t octets_checksum(const uint8_t *octets, uint32_t len)
{
	return (uint16_t)~octets_fold(octets_sum(0, octets, len));
}

/* A sum over octets with their checksum among them. */
static inline int octets_checksum_holds(const uint8_t *octets, uint32_t len)
{
	return octets_fold(octets_sum(0, octets, len)) == 0xffff;
}

/* ICMPv6: with the pseudo-header of RFC 8200 section 8.1, from the IPv6 header on. */
static inline uint64_t octets_icmp6_sum(const uint8_t *v6, const uint8_t *icmp, uint32_t len)
{
	return octets_sum(octets_sum(len + 58, v6 + 8, 32), icmp, len);
}
