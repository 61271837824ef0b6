// SPDX-License-Identifier: BSD-3-Clause
#include "dhcp6/dhcp6_s46.h"

#include <errno.h>
#include <string.h>

#define BIND_FIXED     5 /* IPv4 address, prefix length */
#define PORTPARAMS_LEN 4
#define PREFIX_MAX     128

/* --- reading ------------------------------------------------------------------------------------- */

static int read_br(const struct dhcp6_option *option, struct dhcp6_s46 *s46)
{
	if (option->len != sizeof(struct in6_addr))
		return -EINVAL;
	if (s46->n_brs < DHCP6_TEPS_MAX)
		s46->brs[s46->n_brs++] = dhcp6_get_v6(option->data);
	return 0;
}

static int read_portparams(const struct dhcp6_option *option, struct dhcp6_s46 *s46)
{
	struct dhcp6_psid psid;
	uint16_t aligned;

	if (option->len != PORTPARAMS_LEN || s46->has_psid)
		return -EINVAL;
	psid.offset = option->data[0];
	psid.len = option->data[1];
	aligned = dhcp6_get_u16(option->data + 2);
	if (psid.offset > 16 || psid.len > 16 - psid.offset ||
		(aligned & (UINT16_MAX >> psid.len)) != 0)
		return -EINVAL;
	psid.psid = (uint16_t)((uint32_t)aligned >> (16 - psid.len));
	s46->psid = psid;
	s46->has_psid = true;
	return 0;
}

/* The prefix has as many octets as its bits need; bits behind them are zero. */
static int read_prefix(const uint8_t *octets, uint8_t prefix_len, struct in6_addr *addr)
{
	struct in6_addr prefix = {0};

	memcpy(&prefix, octets, (prefix_len + 7) / 8);
	if (prefix_len % 8 != 0 && (prefix.s6_addr[prefix_len / 8] & 0xff >> prefix_len % 8) != 0)
		return -EINVAL;
	*addr = prefix;
	return 0;
}

static int read_bind(const struct dhcp6_option *option, struct dhcp6_s46 *s46)
{
	struct dhcp6_option inner;
	struct dhcp6_cursor cursor;
	size_t octets;
	int found;

	if (s46->has_bind)
		return 0;
	if (option->len < BIND_FIXED || option->data[4] > PREFIX_MAX)
		return -EINVAL;
	octets = (option->data[4] + 7) / 8;
	if (option->len < BIND_FIXED + octets ||
		read_prefix(option->data + BIND_FIXED, option->data[4], &s46->client_v6) != 0)
		return -EINVAL;
	s46->has_bind = true;
	s46->v4 = dhcp6_get_u32(option->data);
	s46->prefix_len = option->data[4];
	cursor = dhcp6_cursor_inside(option, BIND_FIXED + octets);
	while ((found = dhcp6_cursor_next(&cursor, &inner)) == 1)
		if (inner.code == DHCP6_OPTION_S46_PORTPARAMS && read_portparams(&inner, s46) != 0)
			return -EINVAL;
	return found;
}

int dhcp6_s46_read(const struct dhcp6_option *option, struct dhcp6_s46 *s46)
{
	struct dhcp6_cursor cursor = dhcp6_cursor_inside(option, 0);
	struct dhcp6_s46 out;
	struct dhcp6_option inner;
	int found;
	int rc = 0;

	memset(&out, 0, sizeof(out));
	out.present = true;
	while (rc == 0 && (found = dhcp6_cursor_next(&cursor, &inner)) != 0) {
		if (found < 0)
			return found;
		if (inner.code == DHCP6_OPTION_S46_BR)
			rc = read_br(&inner, &out);
		else if (inner.code == DHCP6_OPTION_S46_V4V6BIND)
			rc = read_bind(&inner, &out);
	}
	if (rc == 0)
		*s46 = out;
	return rc;
}

/* --- writing ------------------------------------------------------------------------------------- */

static void write_portparams(const struct dhcp6_psid *psid, struct dhcp6_builder *builder)
{
	size_t place = dhcp6_option_begin(builder, DHCP6_OPTION_S46_PORTPARAMS);

	dhcp6_put_u8(builder, psid->offset);
	dhcp6_put_u8(builder, psid->len);
	dhcp6_put_u16(builder, (uint16_t)((uint32_t)psid->psid << (16 - psid->len)));
	dhcp6_option_end(builder, place);
}

static void write_bind(const struct dhcp6_s46 *s46, struct dhcp6_builder *builder)
{
	size_t place = dhcp6_option_begin(builder, DHCP6_OPTION_S46_V4V6BIND);

	dhcp6_put_u32(builder, s46->v4);
	dhcp6_put_u8(builder, s46->prefix_len);
	dhcp6_put(builder, &s46->client_v6, (s46->prefix_len + 7) / 8);
	if (s46->has_psid)
		write_portparams(&s46->psid, builder);
	dhcp6_option_end(builder, place);
}

void dhcp6_s46_write(const struct dhcp6_s46 *s46, struct dhcp6_builder *builder)
{
	size_t place = dhcp6_option_begin(builder, DHCP6_OPTION_S46_CONT_LW);

	for (uint32_t i = 0; i < s46->n_brs; i++)
		dhcp6_option_put_v6(builder, DHCP6_OPTION_S46_BR, &s46->brs[i]);
	if (s46->has_bind)
		write_bind(s46, builder);
	dhcp6_option_end(builder, place);
}

/* --- leases -------------------------------------------------------------------------------------- */

int dhcp6_s46_from_lease(struct dhcp6_s46 *s46, const struct lease *lease)
{
	struct dhcp6_psid psid;

	if (dhcp6_psid_from_range(lease->ranges[0], &psid) != 0)
		return -ERANGE;
	memset(s46, 0, sizeof(*s46));
	s46->present = true;
	s46->n_brs = 1;
	s46->brs[0] = lease->tep_v6;
	s46->has_bind = true;
	s46->v4 = lease->v4;
	s46->prefix_len = PREFIX_MAX;
	s46->client_v6 = lease->client_v6;
	s46->has_psid = psid.len > 0;
	s46->psid = psid;
	return 0;
}

int dhcp6_s46_to_lease(const struct dhcp6_s46 *s46, struct lease *lease)
{
	static const struct dhcp6_psid whole = {0};
	struct port_range ranges[LEASE_RANGES_MAX];
	int n_ranges;

	if (s46->n_brs == 0 || !s46->has_bind)
		return -ENOENT;
	n_ranges = dhcp6_psid_to_ranges(s46->has_psid ? &s46->psid : &whole, ranges);
	if (n_ranges < 0)
		return n_ranges;
	lease->v4 = s46->v4;
	lease->tep_v6 = s46->brs[0];
	if (s46->prefix_len == PREFIX_MAX)
		lease->client_v6 = s46->client_v6;
	lease->n_ranges = (uint32_t)n_ranges;
	memcpy(lease->ranges, ranges, (size_t)n_ranges * sizeof(ranges[0]));
	return 0;
}
