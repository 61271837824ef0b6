// SPDX-License-Identifier: BSD-3-Clause
/*
 * Softwire containers and PSIDs. The first four octets are a PSID triplet or a port range: what one
 * becomes goes back to what it was, and holds just the ports that RFC 7597 says. The rest is the data
 * of an option 96, which is written again in no more octets and reads back as the same value.
 */
#include "dhcp6/dhcp6_s46.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
	if (!condition)
		abort();
}

static bool holds(const struct dhcp6_psid *psid, uint32_t port)
{
	uint32_t upper = port >> (16 - psid->offset);
	uint32_t middle = port >> (16 - psid->offset - psid->len) & ((1u << psid->len) - 1);

	return middle == psid->psid && (psid->offset == 0 || upper > 0);
}

/* Its ranges are the ports that it holds: looked at where they begin and end. */
static void check_psid(const struct dhcp6_psid *psid)
{
	struct port_range ranges[LEASE_RANGES_MAX];
	struct dhcp6_psid again;
	uint32_t expected;
	uint32_t ports = 0;
	int n = dhcp6_psid_to_ranges(psid, ranges);

	if (n < 0)
		return;
	check(n >= 1 && n <= LEASE_RANGES_MAX);
	for (int i = 0; i < n; i++) {
		check(ranges[i].first <= ranges[i].last);
		check(i == 0 || ranges[i].first > ranges[i - 1].last);
		check(holds(psid, ranges[i].first) && holds(psid, ranges[i].last));
		check(ranges[i].first == 0 || !holds(psid, ranges[i].first - 1));
		check(ranges[i].last == UINT16_MAX || !holds(psid, ranges[i].last + 1));
		ports += port_range_size(ranges[i]);
	}
	expected = psid->offset == 0 ? 1 : (1u << psid->offset) - 1;
	check(ports == expected << (16 - psid->offset - psid->len));
	if (psid->offset == 0) {
		check(dhcp6_psid_from_range(ranges[0], &again) == 0);
		check(memcmp(psid, &again, sizeof(again)) == 0);
	}
}

static void check_range(struct port_range range)
{
	struct port_range ranges[LEASE_RANGES_MAX];
	struct dhcp6_psid psid;

	if (dhcp6_psid_from_range(range, &psid) != 0)
		return;
	check(dhcp6_psid_to_ranges(&psid, ranges) == 1);
	check(port_range_equal(ranges[0], range));
	check_psid(&psid);
}

static void check_lease(const struct dhcp6_s46 *s46)
{
	struct dhcp6_s46 again;
	struct lease lease = {0};

	if (dhcp6_s46_to_lease(s46, &lease) != 0)
		return;
	check(lease.n_ranges >= 1 && lease.n_ranges <= LEASE_RANGES_MAX);
	check(lease.v4 == s46->v4);
	if (lease.n_ranges > 1 || (s46->has_psid && s46->psid.offset > 0))
		return;
	check(dhcp6_s46_from_lease(&again, &lease) == 0);
	check(again.has_psid ? memcmp(&again.psid, &s46->psid, sizeof(again.psid)) == 0
			     : !s46->has_psid || s46->psid.len == 0);
}

static void check_container(const uint8_t *data, size_t size)
{
	const struct dhcp6_option option = {96, (uint16_t)size, data};
	static uint8_t octets[UINT16_MAX + DHCP6_OPTION_HEADER];
	struct dhcp6_builder builder = dhcp6_builder_into(octets, sizeof(octets));
	struct dhcp6_option written;
	struct dhcp6_cursor cursor;
	struct dhcp6_s46 s46, again;

	if (dhcp6_s46_read(&option, &s46) != 0)
		return;
	check(s46.present && s46.n_brs <= DHCP6_TEPS_MAX && s46.prefix_len <= 128);
	dhcp6_s46_write(&s46, &builder);
	check(dhcp6_builder_len(&builder) <= (int)size + DHCP6_OPTION_HEADER);
	cursor = dhcp6_cursor_over(octets, builder.len);
	check(dhcp6_cursor_next(&cursor, &written) == 1 && cursor.left == 0);
	check(written.code == DHCP6_OPTION_S46_CONT_LW);
	check(dhcp6_s46_read(&written, &again) == 0);
	check(memcmp(&s46, &again, sizeof(s46)) == 0);
	check_lease(&s46);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 4 || size - 4 > UINT16_MAX)
		return 0;
	check_psid(&(struct dhcp6_psid){
		.offset = data[0], .len = data[1], .psid = dhcp6_get_u16(data + 2)});
	check_range(
		(struct port_range){.first = dhcp6_get_u16(data), .last = dhcp6_get_u16(data + 2)});
	check_container(data + 4, size - 4);
	return 0;
}
