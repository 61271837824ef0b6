// SPDX-License-Identifier: BSD-3-Clause
#include "common/addr.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int addr_v4_parse(const char *text, uint32_t *addr)
{
	struct in_addr in;

	if (inet_pton(AF_INET, text, &in) != 1)
		return -EINVAL;
	*addr = ntohl(in.s_addr);
	return 0;
}

int addr_v6_parse(const char *text, struct in6_addr *addr)
{
	struct in6_addr in;

	if (inet_pton(AF_INET6, text, &in) != 1)
		return -EINVAL;
	*addr = in;
	return 0;
}

/* Digits only, no sign, no blank: what strtoul would let through is refused here. */
static int parse_decimal(const char *text, unsigned long max, unsigned long *value)
{
	unsigned long v;
	char *end;

	if (text[0] < '0' || text[0] > '9' || strlen(text) > 5)
		return -EINVAL;
	v = strtoul(text, &end, 10);
	if (*end != '\0' || v > max)
		return -EINVAL;
	*value = v;
	return 0;
}

/* Splits "address/length" into the caller's buffer; a missing length is the longest one. */
static int split_prefix(const char *text, char *addr, size_t addr_size, unsigned long *len)
{
	const char *slash = strchr(text, '/');
	size_t n = slash != NULL ? (size_t)(slash - text) : strlen(text);

	if (n >= addr_size)
		return -EINVAL;
	memcpy(addr, text, n);
	addr[n] = '\0';
	return slash != NULL ? parse_decimal(slash + 1, *len, len) : 0;
}

static uint32_t v4_mask(uint8_t len)
{
	return len == 0 ? 0 : UINT32_MAX << (32 - len);
}

int addr_v4_prefix_parse(const char *text, struct addr_v4_prefix *prefix)
{
	char buf[ADDR_V4_STRLEN];
	unsigned long len = 32;
	uint32_t addr;

	if (split_prefix(text, buf, sizeof(buf), &len) < 0 || addr_v4_parse(buf, &addr) < 0)
		return -EINVAL;
	if ((addr & ~v4_mask(len)) != 0)
		return -EINVAL;
	*prefix = (struct addr_v4_prefix){.addr = addr, .len = len};
	return 0;
}

/* Clears every bit behind the first len ones. */
static struct in6_addr v6_masked(const struct in6_addr *addr, uint8_t len)
{
	struct in6_addr out = *addr;

	for (unsigned int i = 0; i < 16; i++) {
		unsigned int bits = len > i * 8 ? len - i * 8 : 0;

		if (bits < 8)
			out.s6_addr[i] &= (uint8_t)(0xff00 >> bits);
	}
	return out;
}

int addr_v6_prefix_parse(const char *text, struct addr_v6_prefix *prefix)
{
	struct in6_addr addr, masked;
	char buf[ADDR_V6_STRLEN];
	unsigned long len = 128;

	if (split_prefix(text, buf, sizeof(buf), &len) < 0 || addr_v6_parse(buf, &addr) < 0)
		return -EINVAL;
	masked = v6_masked(&addr, len);
	if (!addr_v6_equal(&addr, &masked))
		return -EINVAL;
	*prefix = (struct addr_v6_prefix){.addr = addr, .len = len};
	return 0;
}

int addr_endpoint_parse(const char *text, struct addr_endpoint *endpoint)
{
	const char *close = strchr(text, ']');
	char buf[ADDR_V6_STRLEN];
	struct in6_addr addr;
	unsigned long port;
	size_t n;

	if (text[0] != '[' || close == NULL || close[1] != ':')
		return -EINVAL;
	n = close - text - 1;
	if (n >= sizeof(buf))
		return -EINVAL;
	memcpy(buf, text + 1, n);
	buf[n] = '\0';
	if (addr_v6_parse(buf, &addr) < 0 || parse_decimal(close + 2, UINT16_MAX, &port) < 0)
		return -EINVAL;
	*endpoint = (struct addr_endpoint){.addr = addr, .port = port};
	return 0;
}

int addr_mac_parse(const char *text, uint8_t mac[6])
{
	uint8_t out[6];

	if (strlen(text) != 17)
		return -EINVAL;
	for (unsigned int i = 0; i < 6; i++) {
		const char *octet = text + i * 3;

		if (i < 5 && octet[2] != ':')
			return -EINVAL;
		if (!isxdigit((unsigned char)octet[0]) || !isxdigit((unsigned char)octet[1]))
			return -EINVAL;
		out[i] = strtoul(octet, NULL, 16);
	}
	memcpy(mac, out, sizeof(out));
	return 0;
}

/* Digits of number in base, without leading zeros; returns where they end. */
static char *put_digits(char *at, uint32_t number, uint32_t base)
{
	uint32_t unit = 1;

	while (number / unit >= base)
		unit *= base;
	for (; unit > 0; unit /= base)
		*at++ = "0123456789abcdef"[number / unit % base];
	return at;
}

const char *addr_v4_format(uint32_t addr, char buf[static ADDR_V4_STRLEN])
{
	char *at = buf;

	for (int shift = 24; shift >= 0; shift -= 8) {
		at = put_digits(at, addr >> shift & 0xff, 10);
		*at++ = shift > 0 ? '.' : '\0';
	}
	return buf;
}

/* The longest run of zero groups, the first of several, at least two (RFC 5952 section 4.2). */
static int find_zeros(const uint16_t groups[8], int *len)
{
	int first = -1;

	*len = 1;
	for (int i = 0; i < 8; i++) {
		int n = 0;

		while (i + n < 8 && groups[i + n] == 0)
			n++;
		if (n > *len) {
			first = i;
			*len = n;
		}
	}
	return first;
}

/*
 * As inet_ntop has it, which prints group by group and takes five times as long: each message has several
 * addresses. The few that have an IPv4 address at their end are left to it.
 */
const char *addr_v6_format(const struct in6_addr *addr, char buf[static ADDR_V6_STRLEN])
{
	uint16_t groups[8];
	int zeros, n_zeros;
	char *at = buf;

	for (int i = 0; i < 8; i++)
		groups[i] = ntohs(addr->s6_addr16[i]);
	zeros = find_zeros(groups, &n_zeros);
	if (zeros == 0 && n_zeros >= 5)
		return inet_ntop(AF_INET6, addr, buf, ADDR_V6_STRLEN);
	for (int i = 0; i < 8; i++) {
		if (i == zeros) {
			*at++ = ':';
			i += n_zeros - 1;
			if (i == 7)
				*at++ = ':';
			continue;
		}
		if (i > 0)
			*at++ = ':';
		at = put_digits(at, groups[i], 16);
	}
	*at = '\0';
	return buf;
}

const char *addr_v4_prefix_format(
	const struct addr_v4_prefix *prefix, char buf[static ADDR_PREFIX_STRLEN])
{
	char addr[ADDR_V4_STRLEN];

	snprintf(buf, ADDR_PREFIX_STRLEN, "%s/%u", addr_v4_format(prefix->addr, addr), prefix->len);
	return buf;
}

const char *addr_v6_prefix_format(
	const struct addr_v6_prefix *prefix, char buf[static ADDR_PREFIX_STRLEN])
{
	char addr[ADDR_V6_STRLEN];

	snprintf(
		buf, ADDR_PREFIX_STRLEN, "%s/%u", addr_v6_format(&prefix->addr, addr), prefix->len);
	return buf;
}

const char *addr_endpoint_format(
	const struct addr_endpoint *endpoint, char buf[static ADDR_ENDPOINT_STRLEN])
{
	char addr[ADDR_V6_STRLEN];

	snprintf(buf, ADDR_ENDPOINT_STRLEN, "[%s]:%u", addr_v6_format(&endpoint->addr, addr),
		endpoint->port);
	return buf;
}

bool addr_v4_prefix_contains(const struct addr_v4_prefix *prefix, uint32_t addr)
{
	return (addr & v4_mask(prefix->len)) == prefix->addr;
}

bool addr_v6_prefix_contains(const struct addr_v6_prefix *prefix, const struct in6_addr *addr)
{
	struct in6_addr masked = v6_masked(addr, prefix->len);

	return addr_v6_equal(&masked, &prefix->addr);
}

bool addr_v6_prefixes_contain(
	const struct addr_v6_prefix *prefixes, uint32_t n, const struct in6_addr *addr)
{
	for (uint32_t i = 0; i < n; i++) {
		if (addr_v6_prefix_contains(&prefixes[i], addr))
			return true;
	}
	return false;
}

bool addr_v4_prefixes_overlap(const struct addr_v4_prefix *a, const struct addr_v4_prefix *b)
{
	return addr_v4_prefix_contains(a, b->addr) || addr_v4_prefix_contains(b, a->addr);
}

bool addr_v4_prefix_is_unicast(const struct addr_v4_prefix *prefix)
{
	static const struct addr_v4_prefix reserved[] = {
		{0x00000000, 8}, {0x7f000000, 8}, {0xe0000000, 4}, {0xf0000000, 4}};

	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (addr_v4_prefixes_overlap(prefix, &reserved[i]))
			return false;
	return true;
}

void addr_endpoint_to_sockaddr(const struct addr_endpoint *endpoint, struct sockaddr_in6 *sa)
{
	*sa = (struct sockaddr_in6){
		.sin6_family = AF_INET6,
		.sin6_port = htons(endpoint->port),
		.sin6_addr = endpoint->addr,
	};
}

bool addr_v6_is_global(const struct in6_addr *addr)
{
	return !IN6_IS_ADDR_UNSPECIFIED(addr) && !IN6_IS_ADDR_LOOPBACK(addr) &&
	       !IN6_IS_ADDR_MULTICAST(addr) && !IN6_IS_ADDR_LINKLOCAL(addr) &&
	       !IN6_IS_ADDR_V4MAPPED(addr);
}
