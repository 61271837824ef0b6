// SPDX-License-Identifier: BSD-3-Clause
/*
 * The flat layouts of 2001: what is read is written again in no more octets, and reads back as the
 * same value. The first octet chooses the layout.
 */
#include "dhcp6/dhcp6_flat.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
	if (!condition)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct dhcp6_flat_codes codes = {.option = 1777, .ia = 1778};
	static struct dhcp6_flat flat, again;
	static uint8_t octets[DHCP6_MSG_MAX];
	enum dhcp6_flat_layout layout;
	int len;

	if (size == 0)
		return 0;
	layout = data[0] & 1 ? DHCP6_FLAT_PORTS : DHCP6_FLAT_PLAIN;
	memset(&flat, 0xaa, sizeof(flat));
	if (dhcp6_flat_read(data + 1, size - 1, layout, codes, &flat) != 0)
		return 0;
	check(flat.n_pairs <= DHCP6_IAS_MAX);
	for (uint32_t i = 0; i < flat.n_pairs; i++) {
		const struct dhcp6_flat_pair *pair = &flat.pairs[i];

		check(pair->has_option || pair->has_ia);
		check(!pair->has_tep || (pair->has_option && !dhcp6_type_is_clients(flat.type)));
		check(pair->has_ia || i + 1 == flat.n_pairs);
		check(pair->ia.n_addrs <= DHCP6_ADDRS_MAX);
		for (uint32_t j = 0; j < pair->ia.n_addrs; j++)
			check(pair->ia.addrs[j].ports.first <= pair->ia.addrs[j].ports.last);
	}
	len = dhcp6_flat_write(&flat, layout, codes, octets, sizeof(octets));
	check(len >= 4 && (size_t)len <= size - 1);
	check(dhcp6_flat_write(&flat, layout, codes, octets, (size_t)len - 1) < 0);
	check(dhcp6_flat_write(&flat, layout, codes, octets, (size_t)len) == len);
	memset(&again, 0x55, sizeof(again));
	check(dhcp6_flat_read(octets, (size_t)len, layout, codes, &again) == 0);
	check(memcmp(&flat, &again, sizeof(flat)) == 0);
	return 0;
}
