// SPDX-License-Identifier: BSD-3-Clause
/* Leases in our own options and in the softwire container, and back. */
#include "dhcp6/dhcp6_lease.h"

#include "common/addr.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct dhcp6_codes codes = DHCP6_CODES_DEFAULT;

static struct lease lease_of(uint32_t n_ranges, const struct port_range *ranges)
{
	struct lease lease = {.v4 = 0xc6336407, .n_ranges = n_ranges};

	assert_int_equal(addr_v6_parse("2001:db8:1::17", &lease.client_v6), 0);
	assert_int_equal(addr_v6_parse("2001:db8:0:64::1", &lease.tep_v6), 0);
	memcpy(lease.ranges, ranges, n_ranges * sizeof(*ranges));
	return lease;
}

static void assert_same(const struct lease *a, const struct lease *b)
{
	assert_int_equal(a->v4, b->v4);
	assert_true(addr_v6_equal(&a->tep_v6, &b->tep_v6));
	assert_int_equal(a->n_ranges, b->n_ranges);
	for (uint32_t i = 0; i < a->n_ranges; i++)
		assert_true(port_range_equal(a->ranges[i], b->ranges[i]));
}

static const struct {
	uint32_t n_ranges;
	struct port_range ranges[LEASE_RANGES_MAX];
} cases[] = {
	{1, {{0, 65535}}},
	{1, {{1024, 2047}}},
	{1, {{1025, 1034}}},
	{2, {{1024, 2047}, {4096, 5119}}},
	{8, {{1, 1}, {3, 3}, {5, 5}, {7, 7}, {9, 9}, {11, 11}, {13, 13}, {65535, 65535}}},
};

/* R43: over the wire and back, in each of the three places; one range in the IA, several in the address. */
static void a_lease_survives_each_place(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lease lease = lease_of(cases[i].n_ranges, cases[i].ranges);
		struct dhcp6_times times = dhcp6_times_of(3600);
		struct dhcp6_msg msg = {.type = DHCP6_REPLY, .n_ia_dstm = 1};
		struct lease got = {0};
		uint8_t buf[DHCP6_SEND_MAX];
		int len;

		dhcp6_ia_from_lease(&msg.ia_dstm[0], 7, &lease, &times);
		dhcp6_dstm_from_lease(&msg.dstm, &lease);
		msg.vendor.present = true;
		msg.vendor.has_ia = true;
		dhcp6_ia_from_lease(&msg.vendor.ia, 8, &lease, &times);
		len = dhcp6_msg_write(&msg, &codes, buf, sizeof(buf));
		assert_true(len > 0);
		memset(&msg, 0xff, sizeof(msg));
		assert_int_equal(dhcp6_msg_read(buf, (size_t)len, &codes, &msg), 0);
		assert_int_equal(msg.ia_dstm[0].addrs[0].n_ranges,
			cases[i].n_ranges > 1 ? cases[i].n_ranges : 0);

		assert_int_equal(dhcp6_ia_to_lease(&msg.ia_dstm[0], &got, &times), 0);
		assert_same(&got, &lease);
		assert_int_equal(times.t1_s, 1800);
		assert_int_equal(times.t2_s, 2880);
		assert_int_equal(times.valid_s, 3600);
		got = (struct lease){0};
		assert_int_equal(dhcp6_dstm_to_lease(&msg.dstm, &got), 0);
		assert_same(&got, &lease);
		got = (struct lease){0};
		assert_int_equal(dhcp6_ia_to_lease(&msg.vendor.ia, &got, &times), 0);
		assert_same(&got, &lease);
	}
}

/* S17, RFC 7598: option 96 says what a PSID can say, and no more. */
static void a_softwire_holds_aligned_blocks_alone(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lease lease = lease_of(cases[i].n_ranges, cases[i].ranges);
		struct dhcp6_s46 s46 = {.n_brs = 99};
		struct lease got = {0};

		if (cases[i].ranges[0].first == 1025) {
			assert_int_equal(dhcp6_s46_from_lease(&s46, &lease), -ERANGE);
			assert_int_equal(s46.n_brs, 99);
			continue;
		}
		assert_int_equal(dhcp6_s46_from_lease(&s46, &lease), 0);
		assert_int_equal(s46.has_psid, !lease_is_exclusive(&lease));
		assert_int_equal(dhcp6_s46_to_lease(&s46, &got), 0);
		lease.n_ranges = 1;
		assert_same(&got, &lease);
		assert_true(addr_v6_equal(&got.client_v6, &lease.client_v6));
	}
}

static void a_softwire_without_its_parts_is_no_lease(void **state)
{
	struct lease lease = lease_of(1, cases[1].ranges);
	struct lease before = lease;
	struct dhcp6_s46 whole;
	struct dhcp6_s46 s46;

	assert_int_equal(dhcp6_s46_from_lease(&whole, &lease), 0);
	s46 = whole;
	s46.n_brs = 0;
	assert_int_equal(dhcp6_s46_to_lease(&s46, &lease), -ENOENT);
	s46 = whole;
	s46.has_bind = false;
	assert_int_equal(dhcp6_s46_to_lease(&s46, &lease), -ENOENT);
	s46 = whole;
	s46.psid.offset = 6;
	assert_int_equal(dhcp6_s46_to_lease(&s46, &lease), -E2BIG);
	s46 = whole;
	s46.psid.len = 17;
	assert_int_equal(dhcp6_s46_to_lease(&s46, &lease), -EINVAL);
	assert_memory_equal(&lease, &before, sizeof(lease));
	s46 = whole;
	s46.prefix_len = 64;
	s46.client_v6 = (struct in6_addr){0};
	assert_int_equal(dhcp6_s46_to_lease(&s46, &lease), 0);
	assert_true(addr_v6_equal(&lease.client_v6, &before.client_v6));
}

/* What an IA gives is the first address that is IPv4's, is not refused and lives. */
static void an_ia_without_such_an_address_gives_nothing(void **state)
{
	struct lease lease = lease_of(1, cases[1].ranges);
	struct dhcp6_times times = dhcp6_times_of(100);
	struct dhcp6_ia ia;
	struct lease got = lease;

	dhcp6_ia_from_lease(&ia, 1, &lease, &times);
	ia.addrs[0].valid_s = 0;
	assert_int_equal(dhcp6_ia_to_lease(&ia, &got, &times), -ENOENT);
	ia.addrs[0].valid_s = 100;
	ia.addrs[0].has_status = true;
	ia.addrs[0].status = DHCP6_STATUS_NO_BINDING;
	assert_int_equal(dhcp6_ia_to_lease(&ia, &got, &times), -ENOENT);
	ia.addrs[0].status = DHCP6_STATUS_SUCCESS;
	ia.addrs[0].addr = lease.client_v6;
	assert_int_equal(dhcp6_ia_to_lease(&ia, &got, &times), -ENOENT);
	assert_memory_equal(&got, &lease, sizeof(got));
	assert_int_equal(times.valid_s, 100);
	ia.n_addrs = 2;
	ia.addrs[1] = (struct dhcp6_addr){.addr = dhcp6_v6_of(0xcb007109), .valid_s = 50};
	assert_int_equal(dhcp6_ia_to_lease(&ia, &got, &times), 0);
	assert_int_equal(got.v4, 0xcb007109);
	assert_int_equal(times.valid_s, 50);
	ia.n_addrs = 0;
	assert_int_equal(dhcp6_ia_to_lease(&ia, &got, &times), -ENOENT);
	assert_int_equal(dhcp6_dstm_to_lease(&ia.dstm, &got), -ENOENT);
}

/* R46. */
static void timers_are_parts_of_the_lifetime(void **state)
{
	struct dhcp6_times times = dhcp6_times_of(UINT32_MAX);

	assert_int_equal(times.t1_s, UINT32_MAX);
	assert_int_equal(times.valid_s, UINT32_MAX);
	times = dhcp6_times_of(UINT32_MAX - 1);
	assert_int_equal(times.t1_s, UINT32_MAX / 2);
	assert_int_equal(times.t2_s, 3435973835u);
	times = dhcp6_times_of(1);
	assert_int_equal(times.t1_s, 0);
	assert_true(times.t1_s <= times.t2_s && times.t2_s <= times.valid_s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lease_survives_each_place),
		cmocka_unit_test(a_softwire_holds_aligned_blocks_alone),
		cmocka_unit_test(a_softwire_without_its_parts_is_no_lease),
		cmocka_unit_test(an_ia_without_such_an_address_gives_nothing),
		cmocka_unit_test(timers_are_parts_of_the_lifetime),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
