// SPDX-License-Identifier: BSD-3-Clause
/*
 * The IPv4 header as the packet path needs it: is it sound, and how its checksum follows a change
 * (RFC 1624). Headers lie at any even address.
 */
#pragma once

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>
#include <rte_ip.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define IPV4_HEADER_MIN 20
#define IPV4_HEADER_MAX 60

enum ipv4_fault {
	IPV4_SOUND,
	IPV4_TRUNCATED,
	IPV4_BAD_VERSION,
	IPV4_BAD_HEADER_LENGTH,
	IPV4_BAD_LENGTH,
	IPV4_BAD_CHECKSUM,
	IPV4_N_FAULTS,
};

/* Folds a sum of 16-bit words, or of 32-bit words taken as two of them, to 16 bits. */
static inline uint16_t ipv4_fold(uint64_t sum)
{
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint16_t)sum;
}

/* True when the checksum over len octets, a multiple of 4, that hold their checksum is right. */
static inline bool ipv4_checksum_ok(const void *header, uint32_t len)
{
	uint64_t sum = 0;
	uint32_t word;

	for (uint32_t i = 0; i < len; i += sizeof(word)) {
		memcpy(&word, (const uint8_t *)header + i, sizeof(word));
		sum += word;
	}
	return ipv4_fold(sum) == UINT16_MAX;
}

static inline uint32_t ipv4_load32(const uint8_t *octets)
{
	uint32_t word;

	memcpy(&word, octets, sizeof(word));
	return word;
}

/* The same of a header without options: a sum of 16-bit words, which is not 0, that folds to minus zero. */
static inline bool ipv4_plain_checksum_ok(const struct rte_ipv4_hdr *v4)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < IPV4_HEADER_MIN; i += sizeof(uint32_t))
		sum += ipv4_load32((const uint8_t *)v4 + i);
	return sum % UINT16_MAX == 0;
}

/* Octets of the header with its options, as it says itself. */
static inline uint32_t ipv4_header_len(const struct rte_ipv4_hdr *v4)
{
	return (v4->version_ihl & 0x0fU) * 4;
}

/* Is there a sound header, and a whole packet, in the room octets from v4 on? */
static inline enum ipv4_fault ipv4_check(const struct rte_ipv4_hdr *v4, uint32_t room)
{
	uint32_t header_len, total_len;

	if (room < IPV4_HEADER_MIN)
		return IPV4_TRUNCATED;
	if (v4->version_ihl >> 4 != 4)
		return IPV4_BAD_VERSION;
	header_len = ipv4_header_len(v4);
	total_len = rte_be_to_cpu_16(v4->total_length);
	if (header_len < IPV4_HEADER_MIN || header_len > total_len)
		return IPV4_BAD_HEADER_LENGTH;
	if (total_len > room)
		return IPV4_BAD_LENGTH;
	if (header_len == IPV4_HEADER_MIN)
		return ipv4_checksum_ok(v4, IPV4_HEADER_MIN) ? IPV4_SOUND : IPV4_BAD_CHECKSUM;
	return ipv4_checksum_ok(v4, header_len) ? IPV4_SOUND : IPV4_BAD_CHECKSUM;
}

static inline bool ipv4_ttl_is_spent(const struct rte_ipv4_hdr *v4)
{
	return v4->time_to_live <= 1;
}

static inline bool ipv4_must_stay_whole(const struct rte_ipv4_hdr *v4)
{
	return (v4->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG)) != 0;
}

static inline bool ipv4_is_fragment(const struct rte_ipv4_hdr *v4)
{
	const uint16_t mask = RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK;

	return (v4->fragment_offset & rte_cpu_to_be_16(mask)) != 0;
}

/* Here equation 3 is an addition with end-around carry, which 0xffff, minus zero, needs, too. */
static inline void ipv4_decrement_ttl(struct rte_ipv4_hdr *v4)
{
	uint32_t sum = v4->hdr_checksum + (uint32_t)RTE_BE16(0x0100);

	v4->time_to_live--;
	v4->hdr_checksum = (rte_be16_t)(sum + (sum >= UINT16_MAX));
}

/*
 * The one rewrite of a forwarded header: TTL down by one, the TOS octet replaced, the checksum brought
 * along as in RFC 1624, equation 3: HC' = ~(~HC + ~m + m').
 */
static inline void ipv4_forward(struct rte_ipv4_hdr *v4, uint8_t tos)
{
	if (unlikely(tos != v4->type_of_service)) {
		uint32_t sum = (uint16_t)~v4->hdr_checksum;

		sum += (uint16_t)~rte_cpu_to_be_16(v4->type_of_service);
		sum += rte_cpu_to_be_16(tos);
		v4->type_of_service = tos;
		v4->hdr_checksum = (rte_be16_t)~ipv4_fold(sum);
	}
	ipv4_decrement_ttl(v4);
}
