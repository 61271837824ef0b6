// SPDX-License-Identifier: BSD-3-Clause
/*
 * Who is counted: a user, an IPv6 address or a prefix of addresses, as a key of sixteen octets. Tables of
 * such keys hash them with a random number, because clients choose their addresses.
 */
#pragma once

#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

struct srv_source {
	uint64_t half[2];
};

static inline uint64_t srv_source_mix(uint64_t x, uint64_t key)
{
	x = (x ^ key) * UINT64_C(0x9e3779b97f4a7c15);
	x ^= x >> 32;
	x = (x ^ key) * UINT64_C(0xd6e8feb86659fd93);
	return x ^ x >> 32;
}

static inline uint64_t srv_source_hash(const struct srv_source *source, uint64_t secret)
{
	return srv_source_mix(srv_source_mix(source->half[0], secret) ^ source->half[1], ~secret);
}

/* The first len bits of an address. */
static inline struct srv_source srv_source_of_prefix(const struct in6_addr *v6, uint32_t len)
{
	struct in6_addr prefix = *v6;
	struct srv_source source;

	for (uint32_t i = 0; i < sizeof(prefix.s6_addr); i++) {
		uint32_t bits = len > 8 * i ? len - 8 * i : 0;

		if (bits < 8)
			prefix.s6_addr[i] &= 0xff00 >> bits;
	}
	memcpy(&source, &prefix, sizeof(source));
	return source;
}

/* Two users are one key with a chance of 2^-128: names come from the operator, not from clients. */
static inline struct srv_source srv_source_of_user(const char *user)
{
	struct srv_source source = {{1, 2}};
	size_t len = strlen(user);

	for (size_t at = 0; at <= len; at += sizeof(uint64_t)) {
		size_t rest = len - at < sizeof(uint64_t) ? len - at : sizeof(uint64_t);
		uint64_t word = 0;

		memcpy(&word, user + at, rest);
		source.half[0] = srv_source_mix(source.half[0] + rest, word);
		source.half[1] = srv_source_mix(source.half[1] ^ word, source.half[0]);
	}
	return source;
}
