// SPDX-License-Identifier: BSD-3-Clause
#include "dhcp6/dhcp6_option.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

/* --- reading ------------------------------------------------------------------------------------- */

struct dhcp6_cursor dhcp6_cursor_inside(const struct dhcp6_option *option, size_t skip)
{
	if (skip > option->len)
		return (struct dhcp6_cursor){.at = option->data};
	return dhcp6_cursor_over(option->data + skip, option->len - skip);
}

int dhcp6_cursor_next(struct dhcp6_cursor *cursor, struct dhcp6_option *option)
{
	uint16_t len;

	if (cursor->left == 0)
		return 0;
	if (cursor->left < DHCP6_OPTION_HEADER)
		return -EINVAL;
	len = dhcp6_get_u16(cursor->at + 2);
	if (len > cursor->left - DHCP6_OPTION_HEADER)
		return -EINVAL;
	option->code = dhcp6_get_u16(cursor->at);
	option->len = len;
	option->data = cursor->at + DHCP6_OPTION_HEADER;
	cursor->at += DHCP6_OPTION_HEADER + len;
	cursor->left -= DHCP6_OPTION_HEADER + len;
	return 1;
}

uint16_t dhcp6_get_u16(const uint8_t *at)
{
	uint16_t value_be;

	memcpy(&value_be, at, sizeof(value_be));
	return ntohs(value_be);
}

uint32_t dhcp6_get_u32(const uint8_t *at)
{
	uint32_t value_be;

	memcpy(&value_be, at, sizeof(value_be));
	return ntohl(value_be);
}

uint64_t dhcp6_get_u64(const uint8_t *at)
{
	uint64_t value_be;

	memcpy(&value_be, at, sizeof(value_be));
	return be64toh(value_be);
}

struct in6_addr dhcp6_get_v6(const uint8_t *at)
{
	struct in6_addr addr;

	memcpy(&addr, at, sizeof(addr));
	return addr;
}

/* --- writing ------------------------------------------------------------------------------------- */

void dhcp6_put(struct dhcp6_builder *builder, const void *octets, size_t len)
{
	if (builder->is_full || len > builder->size - builder->len) {
		builder->is_full = true;
		return;
	}
	if (len > 0)
		memcpy(builder->buf + builder->len, octets, len);
	builder->len += len;
}

void dhcp6_put_u8(struct dhcp6_builder *builder, uint8_t value)
{
	dhcp6_put(builder, &value, sizeof(value));
}

void dhcp6_put_u16(struct dhcp6_builder *builder, uint16_t value)
{
	uint16_t value_be = htons(value);

	dhcp6_put(builder, &value_be, sizeof(value_be));
}

void dhcp6_put_u32(struct dhcp6_builder *builder, uint32_t value)
{
	uint32_t value_be = htonl(value);

	dhcp6_put(builder, &value_be, sizeof(value_be));
}

void dhcp6_put_u64(struct dhcp6_builder *builder, uint64_t value)
{
	uint64_t value_be = htobe64(value);

	dhcp6_put(builder, &value_be, sizeof(value_be));
}

void dhcp6_put_v6(struct dhcp6_builder *builder, const struct in6_addr *addr)
{
	dhcp6_put(builder, addr, sizeof(*addr));
}

size_t dhcp6_option_begin(struct dhcp6_builder *builder, uint16_t code)
{
	size_t place = builder->len;

	dhcp6_put_u16(builder, code);
	dhcp6_put_u16(builder, 0);
	return place;
}

void dhcp6_option_end(struct dhcp6_builder *builder, size_t place)
{
	size_t len;
	uint16_t len_be;

	if (builder->is_full)
		return;
	len = builder->len - place - DHCP6_OPTION_HEADER;
	if (len > UINT16_MAX) {
		builder->is_full = true;
		return;
	}
	len_be = htons((uint16_t)len);
	memcpy(builder->buf + place + 2, &len_be, sizeof(len_be));
}

void dhcp6_option_put(struct dhcp6_builder *builder, uint16_t code, const void *data, size_t len)
{
	size_t place = dhcp6_option_begin(builder, code);

	dhcp6_put(builder, data, len);
	dhcp6_option_end(builder, place);
}

void dhcp6_option_put_u16(struct dhcp6_builder *builder, uint16_t code, uint16_t value)
{
	uint16_t value_be = htons(value);

	dhcp6_option_put(builder, code, &value_be, sizeof(value_be));
}

void dhcp6_option_put_u32(struct dhcp6_builder *builder, uint16_t code, uint32_t value)
{
	uint32_t value_be = htonl(value);

	dhcp6_option_put(builder, code, &value_be, sizeof(value_be));
}

void dhcp6_option_put_v6(struct dhcp6_builder *builder, uint16_t code, const struct in6_addr *addr)
{
	dhcp6_option_put(builder, code, addr, sizeof(*addr));
}

int dhcp6_builder_len(const struct dhcp6_builder *builder)
{
	return builder->is_full ? -EMSGSIZE : (int)builder->len;
}
