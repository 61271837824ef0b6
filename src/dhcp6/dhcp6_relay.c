// SPDX-License-Identifier: BSD-3-Clause
#include "dhcp6/dhcp6_relay.h"

#include "dhcp6/dhcp6_msg.h"

#include <errno.h>
#include <string.h>

#define LEVEL_FIXED 34 /* type, hop count, link address, peer address */

/* --- opening ------------------------------------------------------------------------------------- */

static int read_interface_id(const struct dhcp6_option *option, struct dhcp6_relay *relay,
	struct dhcp6_relay_level *level)
{
	if (level->has_interface_id)
		return -EINVAL;
	if (option->len > DHCP6_INTERFACE_IDS_MAX - relay->ids_len)
		return -E2BIG;
	level->has_interface_id = true;
	level->id_at = relay->ids_len;
	level->id_len = option->len;
	memcpy(relay->ids + relay->ids_len, option->data, option->len);
	relay->ids_len += option->len;
	return 0;
}

static int read_port(const struct dhcp6_option *option, struct dhcp6_relay_level *level)
{
	if (option->len != 2 || level->has_port)
		return -EINVAL;
	level->has_port = true;
	level->port = dhcp6_get_u16(option->data);
	return 0;
}

/* The relay nearest to the client is opened last, and knows best. */
static int read_link_layer(const struct dhcp6_option *option, struct dhcp6_relay *relay)
{
	if (option->len < 2)
		return -EINVAL;
	if (option->len - 2 > DHCP6_LINK_LAYER_MAX)
		return 0;
	memset(relay->link_layer, 0, sizeof(relay->link_layer));
	relay->hardware = dhcp6_get_u16(option->data);
	relay->link_layer_len = (uint8_t)(option->len - 2);
	memcpy(relay->link_layer, option->data + 2, relay->link_layer_len);
	return 0;
}

static int read_option(const struct dhcp6_option *option, struct dhcp6_relay *relay,
	struct dhcp6_relay_level *level, struct dhcp6_option *message)
{
	switch (option->code) {
	case DHCP6_OPTION_RELAY_MSG:
		if (message->data != NULL)
			return -EINVAL;
		*message = *option;
		return 0;
	case DHCP6_OPTION_INTERFACE_ID:
		return read_interface_id(option, relay, level);
	case DHCP6_OPTION_RELAY_PORT:
		return read_port(option, level);
	case DHCP6_OPTION_LINK_LAYER:
		return read_link_layer(option, relay);
	default:
		return 0;
	}
}

/* One level off: *data and *len become what it carried. */
static int open_level(const uint8_t **data, size_t *len, struct dhcp6_relay *relay)
{
	struct dhcp6_relay_level *level;
	struct dhcp6_option message = {0};
	struct dhcp6_option option;
	struct dhcp6_cursor cursor;
	int found;
	int rc = 0;

	if (*len < LEVEL_FIXED)
		return -EINVAL;
	if (relay->n_levels == DHCP6_RELAYS_MAX)
		return -E2BIG;
	level = &relay->levels[relay->n_levels++];
	level->hop_count = (*data)[1];
	level->link = dhcp6_get_v6(*data + 2);
	level->peer = dhcp6_get_v6(*data + 18);
	cursor = dhcp6_cursor_over(*data + LEVEL_FIXED, *len - LEVEL_FIXED);
	while (rc == 0 && (found = dhcp6_cursor_next(&cursor, &option)) != 0)
		rc = found < 0 ? found : read_option(&option, relay, level, &message);
	if (rc == 0 && message.len == 0)
		rc = -EINVAL;
	*data = message.data;
	*len = message.len;
	return rc;
}

int dhcp6_relay_open(const void *data, size_t len, struct dhcp6_relay *relay, const uint8_t **inner,
	size_t *inner_len)
{
	const uint8_t *at = data;
	int rc;

	memset(relay, 0, sizeof(*relay));
	if (len == 0 || len > DHCP6_MSG_MAX)
		return -EINVAL;
	while (at[0] == DHCP6_RELAY_FORW) {
		rc = open_level(&at, &len, relay);
		if (rc != 0)
			return rc;
	}
	*inner = at;
	*inner_len = len;
	return 0;
}

/* --- closing ------------------------------------------------------------------------------------- */

static size_t level_overhead(const struct dhcp6_relay_level *level)
{
	return LEVEL_FIXED + DHCP6_OPTION_HEADER +
	       (level->has_interface_id ? DHCP6_OPTION_HEADER + (size_t)level->id_len : 0) +
	       (level->has_port ? DHCP6_OPTION_HEADER + sizeof(level->port) : 0);
}

size_t dhcp6_relay_overhead(const struct dhcp6_relay *relay)
{
	size_t overhead = 0;

	for (uint32_t i = 0; i < relay->n_levels; i++)
		overhead += level_overhead(&relay->levels[i]);
	return overhead;
}

static void put_level(const struct dhcp6_relay *relay, const struct dhcp6_relay_level *level,
	struct dhcp6_builder *builder)
{
	dhcp6_put_u8(builder, DHCP6_RELAY_REPL);
	dhcp6_put_u8(builder, level->hop_count);
	dhcp6_put_v6(builder, &level->link);
	dhcp6_put_v6(builder, &level->peer);
	if (level->has_interface_id)
		dhcp6_option_put(builder, DHCP6_OPTION_INTERFACE_ID, relay->ids + level->id_at,
			level->id_len);
	if (level->has_port)
		dhcp6_option_put_u16(builder, DHCP6_OPTION_RELAY_PORT, level->port);
}

int dhcp6_relay_close(
	const struct dhcp6_relay *relay, const void *answer, size_t len, uint8_t *buf, size_t size)
{
	struct dhcp6_builder builder = dhcp6_builder_into(buf, size);
	size_t places[DHCP6_RELAYS_MAX];

	for (uint32_t i = 0; i < relay->n_levels; i++) {
		put_level(relay, &relay->levels[i], &builder);
		places[i] = dhcp6_option_begin(&builder, DHCP6_OPTION_RELAY_MSG);
	}
	dhcp6_put(&builder, answer, len);
	for (uint32_t i = relay->n_levels; i > 0; i--)
		dhcp6_option_end(&builder, places[i - 1]);
	return dhcp6_builder_len(&builder);
}

const struct in6_addr *dhcp6_relay_link(const struct dhcp6_relay *relay)
{
	for (uint32_t i = relay->n_levels; i > 0; i--)
		if (!IN6_IS_ADDR_UNSPECIFIED(&relay->levels[i - 1].link))
			return &relay->levels[i - 1].link;
	return NULL;
}
