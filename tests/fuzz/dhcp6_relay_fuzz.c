// SPDX-License-Identifier: BSD-3-Clause
/* Relays: what was taken off is put on again around any answer, level by level. */
#include "dhcp6/dhcp6_msg.h"
#include "dhcp6/dhcp6_relay.h"

#include <stdlib.h>
#include <string.h>

#define LEVEL_FIXED 34 /* type, hop count, link address, peer address */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
	if (!condition)
		abort();
}

/* Each Relay-reply becomes a Relay-forward, so that it can be opened. */
static void turn(uint8_t *octets, size_t len)
{
	while (octets[0] == DHCP6_RELAY_REPL) {
		struct dhcp6_cursor cursor = dhcp6_cursor_over(
			octets + LEVEL_FIXED, len - LEVEL_FIXED);
		struct dhcp6_option option;

		octets[0] = DHCP6_RELAY_FORW;
		do
			check(dhcp6_cursor_next(&cursor, &option) == 1);
		while (option.code != DHCP6_OPTION_RELAY_MSG);
		check(cursor.left == 0);
		octets = octets + (option.data - octets);
		len = option.len;
	}
}

static void check_same(const struct dhcp6_relay *a, const struct dhcp6_relay *b)
{
	check(a->n_levels == b->n_levels);
	check(a->ids_len == b->ids_len && memcmp(a->ids, b->ids, a->ids_len) == 0);
	check(memcmp(a->levels, b->levels, sizeof(a->levels)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t answer[] = {DHCP6_REPLY, 1, 2, 3};
	static uint8_t octets[DHCP6_MSG_MAX];
	struct dhcp6_relay relay, again;
	const uint8_t *inner;
	size_t inner_len;
	int len;

	memset(&relay, 0xaa, sizeof(relay));
	if (dhcp6_relay_open(data, size, &relay, &inner, &inner_len) != 0)
		return 0;
	check(relay.n_levels <= DHCP6_RELAYS_MAX && relay.ids_len <= DHCP6_INTERFACE_IDS_MAX);
	check(relay.link_layer_len <= DHCP6_LINK_LAYER_MAX);
	check(inner_len > 0 && inner >= data && inner + inner_len <= data + size);
	check(relay.n_levels > 0 || (inner == data && inner_len == size));
	if (relay.n_levels > 0)
		check(inner > (const uint8_t *)data && dhcp6_relay_client(&relay) != NULL);
	dhcp6_relay_link(&relay);

	len = dhcp6_relay_close(&relay, answer, sizeof(answer), octets, sizeof(octets));
	check(len == (int)(dhcp6_relay_overhead(&relay) + sizeof(answer)));
	check((size_t)len <= size - inner_len + sizeof(answer));
	check(dhcp6_relay_close(&relay, answer, sizeof(answer), octets, (size_t)len - 1) < 0);
	check(dhcp6_relay_close(&relay, answer, sizeof(answer), octets, (size_t)len) == len);
	turn(octets, (size_t)len);
	memset(&again, 0x55, sizeof(again));
	check(dhcp6_relay_open(octets, (size_t)len, &again, &inner, &inner_len) == 0);
	check_same(&relay, &again);
	check(inner_len == sizeof(answer) && memcmp(inner, answer, inner_len) == 0);
	return 0;
}
