// SPDX-License-Identifier: BSD-3-Clause
/*
 * Options of DHCPv6 as octets: a cursor that walks them and a builder that writes them (RFC 8415
 * section 21.1: code, length, that many octets of data, all in network order).
 *
 * The cursor never leaves what it was given, and says so when a length would. The builder never
 * leaves its buffer: once something did not fit it is full, writes nothing more, and whoever looks
 * at the end (dhcp6_builder_len) is told. Nothing here knows what an option means.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Options that this room reads or writes, by the numbers of IANA's register. */
enum dhcp6_option_code {
	DHCP6_OPTION_CLIENT_ID = 1,
	DHCP6_OPTION_SERVER_ID = 2,
	DHCP6_OPTION_IA_NA = 3,
	DHCP6_OPTION_IAADDR = 5,
	DHCP6_OPTION_ORO = 6,
	DHCP6_OPTION_PREFERENCE = 7,
	DHCP6_OPTION_ELAPSED_TIME = 8,
	DHCP6_OPTION_RELAY_MSG = 9,
	DHCP6_OPTION_AUTH = 11,
	DHCP6_OPTION_UNICAST = 12,
	DHCP6_OPTION_STATUS = 13,
	DHCP6_OPTION_RAPID_COMMIT = 14,
	DHCP6_OPTION_VENDOR = 17,
	DHCP6_OPTION_INTERFACE_ID = 18,
	DHCP6_OPTION_RECONF_MSG = 19,
	DHCP6_OPTION_RECONF_ACCEPT = 20,
	DHCP6_OPTION_IA_PD = 25,
	DHCP6_OPTION_INFO_REFRESH = 32,
	DHCP6_OPTION_LINK_LAYER = 79, /* RFC 6939 */
	DHCP6_OPTION_SOL_MAX_RT = 82,
	DHCP6_OPTION_INF_MAX_RT = 83,
	DHCP6_OPTION_S46_BR = 90, /* RFC 7598 */
	DHCP6_OPTION_S46_V4V6BIND = 92,
	DHCP6_OPTION_S46_PORTPARAMS = 93,
	DHCP6_OPTION_S46_CONT_LW = 96,
	DHCP6_OPTION_RELAY_PORT = 135, /* RFC 8357 */
};

#define DHCP6_OPTION_HEADER 4 /* code and length */

struct dhcp6_option {
	uint16_t code;
	uint16_t len;
	const uint8_t *data; /* len octets, inside what the cursor walks */
};

/* --- reading ------------------------------------------------------------------------------------- */

struct dhcp6_cursor {
	const uint8_t *at;
	size_t left;
};

static inline struct dhcp6_cursor dhcp6_cursor_over(const uint8_t *data, size_t len)
{
	return (struct dhcp6_cursor){.at = data, .left = len};
}

/* The options inside an option, behind its first `skip` octets of fields; none if it is shorter. */
struct dhcp6_cursor dhcp6_cursor_inside(const struct dhcp6_option *option, size_t skip);

/* The next option. Returns 1; 0 at the end; -EINVAL for a header or data that is cut short. */
int dhcp6_cursor_next(struct dhcp6_cursor *cursor, struct dhcp6_option *option);

/* Numbers in network order at any address. */
uint16_t dhcp6_get_u16(const uint8_t *at);
uint32_t dhcp6_get_u32(const uint8_t *at);
uint64_t dhcp6_get_u64(const uint8_t *at);
struct in6_addr dhcp6_get_v6(const uint8_t *at);

/* --- writing ------------------------------------------------------------------------------------- */

struct dhcp6_builder {
	uint8_t *buf;
	size_t size;
	size_t len; /* written so far */
	bool is_full; /* something did not fit */
};

static inline struct dhcp6_builder dhcp6_builder_into(uint8_t *buf, size_t size)
{
	return (struct dhcp6_builder){.buf = buf, .size = size};
}

void dhcp6_put(struct dhcp6_builder *builder, const void *octets, size_t len);
void dhcp6_put_u8(struct dhcp6_builder *builder, uint8_t value);
void dhcp6_put_u16(struct dhcp6_builder *builder, uint16_t value);
void dhcp6_put_u32(struct dhcp6_builder *builder, uint32_t value);
void dhcp6_put_u64(struct dhcp6_builder *builder, uint64_t value);
void dhcp6_put_v6(struct dhcp6_builder *builder, const struct in6_addr *addr);

/* Begins an option and returns its place; what is put until the end with that place is its data. */
size_t dhcp6_option_begin(struct dhcp6_builder *builder, uint16_t code);
void dhcp6_option_end(struct dhcp6_builder *builder, size_t place);

/* Whole options. */
void dhcp6_option_put(struct dhcp6_builder *builder, uint16_t code, const void *data, size_t len);
void dhcp6_option_put_u16(struct dhcp6_builder *builder, uint16_t code, uint16_t value);
void dhcp6_option_put_u32(struct dhcp6_builder *builder, uint16_t code, uint32_t value);
void dhcp6_option_put_v6(struct dhcp6_builder *builder, uint16_t code, const struct in6_addr *addr);

/* How many octets were written, or -EMSGSIZE. */
int dhcp6_builder_len(const struct dhcp6_builder *builder);
