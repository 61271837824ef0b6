// SPDX-License-Identifier: BSD-3-Clause
/*
 * IPv4 and IPv6 addresses, prefixes and endpoints as text and as values.
 *
 * An IPv4 address is a uint32_t in host byte order; a field that holds network order ends in _be.
 * An IPv6 address is a struct in6_addr. Text is canonical on output (RFC 5952) and strict on input.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ADDR_V4_STRLEN       16 /* "255.255.255.255" and NUL */
#define ADDR_V6_STRLEN       46 /* longest IPv6 text and NUL */
#define ADDR_PREFIX_STRLEN   50 /* ADDR_V6_STRLEN and "/128" */
#define ADDR_ENDPOINT_STRLEN 56 /* "[", ADDR_V6_STRLEN, "]:65535" */

struct addr_v4_prefix {
	uint32_t addr; /* host order, host bits zero */
	uint8_t len; /* 0..32 */
};

struct addr_v6_prefix {
	struct in6_addr addr; /* host bits zero */
	uint8_t len; /* 0..128 */
};

/* A TCP endpoint over IPv6. */
struct addr_endpoint {
	struct in6_addr addr;
	uint16_t port; /* host order */
};

/* Parsers return 0, or -EINVAL and leave the output alone. */
int addr_v4_parse(const char *text, uint32_t *addr);
int addr_v6_parse(const char *text, struct in6_addr *addr);
/* "192.0.2.0/24" or "192.0.2.1" (a /32). Host bits set: -EINVAL. */
int addr_v4_prefix_parse(const char *text, struct addr_v4_prefix *prefix);
int addr_v6_prefix_parse(const char *text, struct addr_v6_prefix *prefix);
/* "[2001:db8::1]:3653"; port 0 is allowed (the kernel chooses). */
int addr_endpoint_parse(const char *text, struct addr_endpoint *endpoint);
/* "02:00:00:00:00:01", six octets. */
int addr_mac_parse(const char *text, uint8_t mac[6]);

/* Formatters fill the caller's buffer and return it. */
const char *addr_v4_format(uint32_t addr, char buf[static ADDR_V4_STRLEN]);
const char *addr_v6_format(const struct in6_addr *addr, char buf[static ADDR_V6_STRLEN]);
const char *addr_v4_prefix_format(
	const struct addr_v4_prefix *prefix, char buf[static ADDR_PREFIX_STRLEN]);
const char *addr_v6_prefix_format(
	const struct addr_v6_prefix *prefix, char buf[static ADDR_PREFIX_STRLEN]);
const char *addr_endpoint_format(
	const struct addr_endpoint *endpoint, char buf[static ADDR_ENDPOINT_STRLEN]);

bool addr_v4_prefix_contains(const struct addr_v4_prefix *prefix, uint32_t addr);
bool addr_v6_prefix_contains(const struct addr_v6_prefix *prefix, const struct in6_addr *addr);
/* In any of n prefixes. */
bool addr_v6_prefixes_contain(
	const struct addr_v6_prefix *prefixes, uint32_t n, const struct in6_addr *addr);
bool addr_v4_prefixes_overlap(const struct addr_v4_prefix *a, const struct addr_v4_prefix *b);
/* Holds nothing of "this network", loopback, multicast and the reserved addresses. */
bool addr_v4_prefix_is_unicast(const struct addr_v4_prefix *prefix);

/* Fills a socket address for bind or connect. */
void addr_endpoint_to_sockaddr(const struct addr_endpoint *endpoint, struct sockaddr_in6 *sa);

static inline bool addr_v6_equal(const struct in6_addr *a, const struct in6_addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static inline bool addr_endpoint_equal(const struct addr_endpoint *a, const struct addr_endpoint *b)
{
	return addr_v6_equal(&a->addr, &b->addr) && a->port == b->port;
}

/* True for an address that can be a tunnel end: not unspecified, loopback, multicast, link-local or
 * IPv4-mapped. */
bool addr_v6_is_global(const struct in6_addr *addr);
