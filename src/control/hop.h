// SPDX-License-Identifier: BSD-3-Clause
/*
 * Addresses of either family as the host's side of the TEP keeps them, and next hops: an address on the
 * link of one twin.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

/* Octets in wire order; those behind an IPv4 address are zero, so that equal addresses are equal octets. */
struct tep_ip {
	uint8_t octets[16];
	uint8_t family; /* AF_INET or AF_INET6 */
};

/* Also the key of a hash: rte_jhash reads whole, aligned words, and every octet counts. */
struct tep_hop {
	struct tep_ip ip;
	uint8_t twin; /* index */
	uint8_t zero[2];
} __attribute__((aligned(4)));
static_assert(sizeof(struct tep_hop) % 4 == 0);

static inline uint32_t tep_ip_size(const struct tep_ip *ip)
{
	return ip->family == AF_INET ? 4 : 16;
}

static inline bool tep_ip_equal(const struct tep_ip *a, const struct tep_ip *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static inline bool tep_hop_equal(const struct tep_hop *a, const struct tep_hop *b)
{
	return a->twin == b->twin && tep_ip_equal(&a->ip, &b->ip);
}

static inline struct tep_ip tep_ip_from_octets(uint8_t family, const void *octets)
{
	struct tep_ip ip = {.family = family};

	memcpy(ip.octets, octets, tep_ip_size(&ip));
	return ip;
}
