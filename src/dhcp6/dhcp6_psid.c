// SPDX-License-Identifier: BSD-3-Clause
#include "dhcp6/dhcp6_psid.h"

#include <errno.h>

#define PORT_BITS 16

int dhcp6_psid_from_range(struct port_range range, struct dhcp6_psid *psid)
{
	uint32_t size;
	uint32_t size_bits;

	if (range.first > range.last)
		return -EINVAL;
	size = port_range_size(range);
	size_bits = (uint32_t)__builtin_ctz(size);
	if (size != UINT32_C(1) << size_bits || range.first % size != 0)
		return -EINVAL;
	*psid = (struct dhcp6_psid){
		.len = (uint8_t)(PORT_BITS - size_bits),
		.psid = (uint16_t)((uint32_t)range.first >> size_bits),
	};
	return 0;
}

/* Length 0 and an offset: the blocks touch, and are all ports above the first that are kept out. */
static struct port_range above(uint8_t offset)
{
	return (struct port_range){
		.first = (uint16_t)(UINT32_C(1) << (PORT_BITS - offset)), .last = UINT16_MAX};
}

int dhcp6_psid_to_ranges(
	const struct dhcp6_psid *psid, struct port_range ranges[static LEASE_RANGES_MAX])
{
	uint32_t size_bits;
	uint32_t n_blocks;

	if (psid->offset > PORT_BITS || psid->len > PORT_BITS - psid->offset ||
		(uint32_t)psid->psid >> psid->len != 0)
		return -EINVAL;
	if (psid->offset > 0 && psid->len == 0) {
		ranges[0] = above(psid->offset);
		return 1;
	}
	n_blocks = psid->offset == 0 ? 1 : (UINT32_C(1) << psid->offset) - 1;
	if (n_blocks > LEASE_RANGES_MAX)
		return -E2BIG;
	size_bits = PORT_BITS - psid->offset - psid->len;
	for (uint32_t i = 0; i < n_blocks; i++) {
		uint32_t upper = psid->offset == 0 ? 0 : i + 1;
		uint32_t first = (upper << psid->len | psid->psid) << size_bits;

		ranges[i].first = (uint16_t)first;
		ranges[i].last = (uint16_t)(first + (UINT32_C(1) << size_bits) - 1);
	}
	return (int)n_blocks;
}
