// SPDX-License-Identifier: BSD-3-Clause
#include "dhcp6/dhcp6_flat.h"

#include <errno.h>
#include <string.h>

#define MSG_HEADER     4
#define PLAIN_HEADER   24
#define PLAIN_ADDR     26
#define PORTS_HEADER   17
#define PORTS_ADDR     29
#define TEMPORARY      0x80
#define PREFIX_LEN_MAX 128

/* --- reading ------------------------------------------------------------------------------------- */

static int read_plain_addr(const uint8_t *at, struct dhcp6_flat_addr *addr)
{
	addr->is_temporary = (at[0] & TEMPORARY) != 0;
	addr->status = at[0] & ~TEMPORARY;
	addr->prefix_len = at[1];
	addr->addr = dhcp6_get_v6(at + 2);
	addr->preferred_s = dhcp6_get_u32(at + 18);
	addr->valid_s = dhcp6_get_u32(at + 22);
	return addr->prefix_len <= PREFIX_LEN_MAX ? 0 : -EINVAL;
}

static int read_ports_addr(const uint8_t *at, struct dhcp6_flat_addr *addr)
{
	addr->addr = dhcp6_get_v6(at);
	addr->prefix_len = at[16];
	addr->preferred_s = dhcp6_get_u32(at + 17);
	addr->valid_s = dhcp6_get_u32(at + 21);
	addr->ports.first = dhcp6_get_u16(at + 25);
	addr->ports.last = dhcp6_get_u16(at + 27);
	if (addr->prefix_len > PREFIX_LEN_MAX || addr->ports.first > addr->ports.last)
		return -EINVAL;
	return 0;
}

static int read_addrs(const uint8_t *at, enum dhcp6_flat_layout layout, struct dhcp6_flat_ia *ia)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < ia->n_addrs; i++) {
		if (layout == DHCP6_FLAT_PLAIN)
			rc = read_plain_addr(at + (size_t)i * PLAIN_ADDR, &ia->addrs[i]);
		else
			rc = read_ports_addr(at + (size_t)i * PORTS_ADDR, &ia->addrs[i]);
	}
	return rc;
}

static int read_ia(
	const struct dhcp6_option *option, enum dhcp6_flat_layout layout, struct dhcp6_flat_ia *ia)
{
	bool is_plain = layout == DHCP6_FLAT_PLAIN;
	uint32_t header = is_plain ? PLAIN_HEADER : PORTS_HEADER;
	uint32_t each = is_plain ? PLAIN_ADDR : PORTS_ADDR;
	const uint8_t *at = option->data;
	uint32_t status = 0;

	if (option->len < header)
		return -EINVAL;
	memcpy(ia->id, at, sizeof(ia->id));
	ia->t1_s = dhcp6_get_u32(at + 8);
	ia->t2_s = dhcp6_get_u32(at + 12);
	if (is_plain)
		status = dhcp6_get_u32(at + 16);
	ia->n_addrs = is_plain ? dhcp6_get_u32(at + 20) : at[16];
	if (status > UINT8_MAX || ia->n_addrs > UINT16_MAX ||
		option->len != header + each * ia->n_addrs)
		return -EINVAL;
	if (ia->n_addrs > DHCP6_ADDRS_MAX)
		return -E2BIG;
	ia->status = (uint8_t)status;
	return read_addrs(at + header, layout, ia);
}

/* The pair that the next of the two belongs to: the last one while it waits for its IA, else a new one. */
static struct dhcp6_flat_pair *pair_for(struct dhcp6_flat *flat, bool is_ia)
{
	struct dhcp6_flat_pair *last = &flat->pairs[flat->n_pairs == 0 ? 0 : flat->n_pairs - 1];

	if (is_ia && flat->n_pairs > 0 && !last->has_ia)
		return last;
	return flat->n_pairs < DHCP6_IAS_MAX ? &flat->pairs[flat->n_pairs++] : NULL;
}

static int read_tep(const struct dhcp6_option *option, struct dhcp6_flat *flat)
{
	struct dhcp6_flat_pair *pair;
	bool has_tep = option->len != 0;

	if (has_tep && (option->len != sizeof(pair->tep) || dhcp6_type_is_clients(flat->type)))
		return -EINVAL;
	if (flat->n_pairs > 0 && !flat->pairs[flat->n_pairs - 1].has_ia)
		return -EINVAL;
	pair = pair_for(flat, false);
	if (pair == NULL)
		return -E2BIG;
	pair->has_option = true;
	pair->has_tep = has_tep;
	if (has_tep)
		pair->tep = dhcp6_get_v6(option->data);
	return 0;
}

static int read_option(const struct dhcp6_option *option, enum dhcp6_flat_layout layout,
	struct dhcp6_flat_codes codes, struct dhcp6_flat *flat)
{
	struct dhcp6_flat_pair *pair;

	if (option->code == codes.option)
		return read_tep(option, flat);
	if (option->code != codes.ia)
		return 0;
	pair = pair_for(flat, true);
	if (pair == NULL)
		return -E2BIG;
	pair->has_ia = true;
	return read_ia(option, layout, &pair->ia);
}

int dhcp6_flat_read(const void *data, size_t len, enum dhcp6_flat_layout layout,
	struct dhcp6_flat_codes codes, struct dhcp6_flat *flat)
{
	struct dhcp6_cursor cursor;
	struct dhcp6_option option;
	const uint8_t *octets = data;
	int found;
	int rc = 0;

	if (len < MSG_HEADER || len > DHCP6_MSG_MAX || octets[0] < DHCP6_SOLICIT ||
		octets[0] > DHCP6_INFORMATION_REQUEST)
		return -EINVAL;
	memset(flat, 0, sizeof(*flat));
	flat->type = octets[0];
	flat->xid = dhcp6_get_u32(octets) & 0xffffff;
	cursor = dhcp6_cursor_over(octets + MSG_HEADER, len - MSG_HEADER);
	while (rc == 0 && (found = dhcp6_cursor_next(&cursor, &option)) != 0)
		rc = found < 0 ? found : read_option(&option, layout, codes, flat);
	return rc;
}

/* --- writing ------------------------------------------------------------------------------------- */

static void write_plain_addr(const struct dhcp6_flat_addr *addr, struct dhcp6_builder *builder)
{
	dhcp6_put_u8(builder, (addr->is_temporary ? TEMPORARY : 0) | (addr->status & ~TEMPORARY));
	dhcp6_put_u8(builder, addr->prefix_len);
	dhcp6_put_v6(builder, &addr->addr);
	dhcp6_put_u32(builder, addr->preferred_s);
	dhcp6_put_u32(builder, addr->valid_s);
}

static void write_ports_addr(const struct dhcp6_flat_addr *addr, struct dhcp6_builder *builder)
{
	dhcp6_put_v6(builder, &addr->addr);
	dhcp6_put_u8(builder, addr->prefix_len);
	dhcp6_put_u32(builder, addr->preferred_s);
	dhcp6_put_u32(builder, addr->valid_s);
	dhcp6_put_u16(builder, addr->ports.first);
	dhcp6_put_u16(builder, addr->ports.last);
}

static void write_ia(const struct dhcp6_flat_ia *ia, enum dhcp6_flat_layout layout, uint16_t code,
	struct dhcp6_builder *builder)
{
	size_t place = dhcp6_option_begin(builder, code);

	dhcp6_put(builder, ia->id, sizeof(ia->id));
	dhcp6_put_u32(builder, ia->t1_s);
	dhcp6_put_u32(builder, ia->t2_s);
	if (layout == DHCP6_FLAT_PLAIN) {
		dhcp6_put_u32(builder, ia->status);
		dhcp6_put_u32(builder, ia->n_addrs);
	} else {
		dhcp6_put_u8(builder, (uint8_t)ia->n_addrs);
	}
	for (uint32_t i = 0; i < ia->n_addrs; i++) {
		if (layout == DHCP6_FLAT_PLAIN)
			write_plain_addr(&ia->addrs[i], builder);
		else
			write_ports_addr(&ia->addrs[i], builder);
	}
	dhcp6_option_end(builder, place);
}

int dhcp6_flat_write(const struct dhcp6_flat *flat, enum dhcp6_flat_layout layout,
	struct dhcp6_flat_codes codes, uint8_t *buf, size_t size)
{
	struct dhcp6_builder builder = dhcp6_builder_into(buf, size);
	bool may_have_tep = !dhcp6_type_is_clients(flat->type);

	dhcp6_put_u32(&builder, (uint32_t)flat->type << 24 | (flat->xid & 0xffffff));
	for (uint32_t i = 0; i < flat->n_pairs; i++) {
		const struct dhcp6_flat_pair *pair = &flat->pairs[i];
		bool has_tep = pair->has_tep && may_have_tep;

		if (pair->has_option)
			dhcp6_option_put(&builder, codes.option, &pair->tep,
				has_tep ? sizeof(pair->tep) : 0);
		if (pair->has_ia)
			write_ia(&pair->ia, layout, codes.ia, &builder);
	}
	return dhcp6_builder_len(&builder);
}
