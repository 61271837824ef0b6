// SPDX-License-Identifier: BSD-3-Clause
#include "common/addr.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <errno.h>

static void ipv4_text_is_strict(void **state)
{
	static const char *const bad[] = {"", "1", "1.2.3", "1.2.3.4.5", "256.0.0.1", "1.2.3.-4",
		" 1.2.3.4", "1.2.3.4 ", "1.2.3.4\n", "01.2.3.4", "0x1.2.3.4", "::1", "1.2.3.4/32"};
	uint32_t addr = 7;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(addr_v4_parse(bad[i], &addr), -EINVAL);
	assert_int_equal(addr, 7);
	assert_int_equal(addr_v4_parse("198.51.100.7", &addr), 0);
	assert_int_equal(addr, 0xc6336407); /* host order */
}

static void ipv6_text_is_strict_and_canonical(void **state)
{
	static const char *const bad[] = {"", ":", "1.2.3.4", "2001:db8::1::", "2001:db8::g",
		"12345::", "1:2:3:4:5:6:7:8:9", "[::1]", "fe80::1%eth0", " ::1", "::1 ", "::/0"};
	/* RFC 5952 section 4 */
	static const struct {
		const char *in, *out;
	} good[] = {
		{"2001:0DB8:0:0:0:0:0:1", "2001:db8::1"},
		{"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
		{"0:0:0:0:0:0:0:0", "::"},
		{"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
	};
	char buf[ADDR_V6_STRLEN];
	struct in6_addr addr;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(addr_v6_parse(bad[i], &addr), -EINVAL);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(addr_v6_parse(good[i].in, &addr), 0);
		assert_string_equal(addr_v6_format(&addr, buf), good[i].out);
	}
}

/* RFC 5952 by another's hand: groups that are often zero, at each place. */
static void addresses_are_printed_as_inet_ntop_has_them(void **state)
{
	char ours[ADDR_V6_STRLEN], theirs[ADDR_V6_STRLEN];
	struct in6_addr v6;
	struct in_addr v4;

	for (uint32_t i = 0; i < 200000; i++) {
		arc4random_buf(&v6, sizeof(v6));
		for (uint32_t group = 0; group < 8; group++) {
			if (i >> group & 1)
				v6.s6_addr16[group] = 0;
			else if (i >> (group + 8) & 1)
				v6.s6_addr16[group] &= htons(0xf);
		}
		inet_ntop(AF_INET6, &v6, theirs, sizeof(theirs));
		assert_string_equal(addr_v6_format(&v6, ours), theirs);
		v4.s_addr = v6.s6_addr32[i % 4] & htonl(i % 3 == 0 ? 0x0f63ff00 : UINT32_MAX);
		inet_ntop(AF_INET, &v4, theirs, sizeof(theirs));
		assert_string_equal(addr_v4_format(ntohl(v4.s_addr), ours), theirs);
	}
}

static void prefixes_refuse_host_bits_and_bad_lengths(void **state)
{
	static const char *const bad_v4[] = {"192.0.2.1/24", "192.0.2.0/33", "192.0.2.0/",
		"192.0.2.0/-1", "192.0.2.0/+8", "192.0.2.0/ 8", "192.0.2.0/24x", "/24",
		"128.0.0.0/0", "192.0.2.0/024/1", "192.0.2.0/999999999999"};
	static const char *const bad_v6[] = {"2001:db8::1/127", "::/129", "::/", "8000::/0", "/0",
		"2001:db8:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0/32"};
	struct addr_v4_prefix v4;
	struct addr_v6_prefix v6;

	for (size_t i = 0; i < sizeof(bad_v4) / sizeof(bad_v4[0]); i++)
		assert_int_equal(addr_v4_prefix_parse(bad_v4[i], &v4), -EINVAL);
	for (size_t i = 0; i < sizeof(bad_v6) / sizeof(bad_v6[0]); i++)
		assert_int_equal(addr_v6_prefix_parse(bad_v6[i], &v6), -EINVAL);
}

static void prefixes_come_back_as_they_were(void **state)
{
	static const char *const v4_texts[] = {
		"0.0.0.0/0", "128.0.0.0/1", "198.51.100.0/28", "192.0.2.1/32"};
	static const char *const v6_texts[] = {
		"::/0", "8000::/1", "2001:db8::/32", "2001:db8:8000::/33", "2001:db8::1/128"};
	char buf[ADDR_PREFIX_STRLEN];
	struct addr_v4_prefix v4;
	struct addr_v6_prefix v6;

	for (size_t i = 0; i < sizeof(v4_texts) / sizeof(v4_texts[0]); i++) {
		assert_int_equal(addr_v4_prefix_parse(v4_texts[i], &v4), 0);
		assert_string_equal(addr_v4_prefix_format(&v4, buf), v4_texts[i]);
	}
	for (size_t i = 0; i < sizeof(v6_texts) / sizeof(v6_texts[0]); i++) {
		assert_int_equal(addr_v6_prefix_parse(v6_texts[i], &v6), 0);
		assert_string_equal(addr_v6_prefix_format(&v6, buf), v6_texts[i]);
	}
	assert_int_equal(addr_v4_prefix_parse("192.0.2.1", &v4), 0);
	assert_int_equal(v4.len, 32);
	assert_int_equal(addr_v6_prefix_parse("2001:db8::1", &v6), 0);
	assert_int_equal(v6.len, 128);
}

static const struct {
	const char *prefix, *addr;
	bool inside;
} contains_cases[] = {
	{"198.51.100.0/28", "198.51.100.0", true},
	{"198.51.100.0/28", "198.51.100.15", true},
	{"198.51.100.0/28", "198.51.100.16", false},
	{"0.0.0.0/0", "255.255.255.255", true},
	{"192.0.2.1/32", "192.0.2.0", false},
	{"2001:db8::/33", "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff", true},
	{"2001:db8::/33", "2001:db8:8000::", false},
	{"::/0", "ff02::1", true},
	{"2001:db8::1/128", "2001:db8::1", true},
	{"2001:db8::1/128", "2001:db8::", false},
};

static void a_prefix_contains_its_own_addresses_only(void **state)
{
	for (size_t i = 0; i < sizeof(contains_cases) / sizeof(contains_cases[0]); i++) {
		struct addr_v4_prefix v4;
		struct addr_v6_prefix v6;
		struct in6_addr addr_v6;
		uint32_t addr_v4;
		bool inside;

		if (addr_v4_prefix_parse(contains_cases[i].prefix, &v4) == 0) {
			assert_int_equal(addr_v4_parse(contains_cases[i].addr, &addr_v4), 0);
			inside = addr_v4_prefix_contains(&v4, addr_v4);
		} else {
			assert_int_equal(addr_v6_prefix_parse(contains_cases[i].prefix, &v6), 0);
			assert_int_equal(addr_v6_parse(contains_cases[i].addr, &addr_v6), 0);
			inside = addr_v6_prefix_contains(&v6, &addr_v6);
		}
		if (inside != contains_cases[i].inside)
			fail_msg("%s in %s", contains_cases[i].addr, contains_cases[i].prefix);
	}
}

static void endpoints_are_bracketed(void **state)
{
	static const char *const bad[] = {"", "[]", "[]:1", "[::1]", "[::1]:", "[::1]:65536",
		"[::1]:-1", "[::1]: 1", "[::1]:1x", "[::1]1", "::1:3653", "[::1:3653", "[[::1]]:1",
		"[1.2.3.4]:1", "[::1]:0x10", "[::1]:000001"};
	char buf[ADDR_ENDPOINT_STRLEN];
	struct addr_endpoint endpoint;
	struct sockaddr_in6 sa;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(addr_endpoint_parse(bad[i], &endpoint), -EINVAL);
	assert_int_equal(addr_endpoint_parse("[::]:0", &endpoint), 0);
	assert_int_equal(addr_endpoint_parse("[2001:db8::53]:3653", &endpoint), 0);
	assert_string_equal(addr_endpoint_format(&endpoint, buf), "[2001:db8::53]:3653");
	addr_endpoint_to_sockaddr(&endpoint, &sa);
	assert_int_equal(sa.sin6_family, AF_INET6);
	assert_int_equal(ntohs(sa.sin6_port), 3653);
	assert_true(addr_v6_equal(&sa.sin6_addr, &endpoint.addr));
}

static void mac_addresses_are_six_pairs(void **state)
{
	static const char *const bad[] = {"", "02:00:00:00:06", "02:00:00:00:06:0g",
		"02-00-00-00-06-02", "2:00:00:00:06:002", "02:00:00:00:06: 2", "02:00:00:00:06:+2",
		"02:00:00:00:06:02:", "02:00:00:00:0602:", "0x:00:00:00:06:02",
		"02:00:00:00:06:\t2"};
	static const uint8_t expected[6] = {0x02, 0x00, 0x5e, 0xff, 0x06, 0xaB};
	uint8_t mac[6];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(addr_mac_parse(bad[i], mac), -EINVAL);
	assert_int_equal(addr_mac_parse("02:00:5e:FF:06:aB", mac), 0);
	assert_memory_equal(mac, expected, 6);
}

/* What can be a tunnel end (R54): no address that a router would not carry between the two. */
static void only_routable_addresses_are_tunnel_ends(void **state)
{
	static const struct {
		const char *text;
		bool global;
	} cases[] = {
		{"2001:db8::1", true},
		{"fd00::1", true},
		{"::", false},
		{"::1", false},
		{"ff02::1", false},
		{"fe80::1", false},
		{"::ffff:192.0.2.1", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct in6_addr addr;

		assert_int_equal(addr_v6_parse(cases[i].text, &addr), 0);
		assert_int_equal(addr_v6_is_global(&addr), cases[i].global);
	}
}

static void prefixes_overlap_where_one_holds_the_other(void **state)
{
	static const struct {
		const char *a, *b;
		bool overlap;
	} cases[] = {
		{"198.51.100.0/24", "198.51.100.0/24", true},
		{"198.51.100.0/24", "198.51.100.128/25", true},
		{"198.51.100.255", "198.51.100.0/24", true},
		{"0.0.0.0/0", "192.0.2.1", true},
		{"198.51.100.0/25", "198.51.100.128/25", false},
		{"198.51.100.0/24", "198.51.101.0/24", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct addr_v4_prefix a, b;

		assert_int_equal(addr_v4_prefix_parse(cases[i].a, &a), 0);
		assert_int_equal(addr_v4_prefix_parse(cases[i].b, &b), 0);
		assert_int_equal(addr_v4_prefixes_overlap(&a, &b), cases[i].overlap);
		assert_int_equal(addr_v4_prefixes_overlap(&b, &a), cases[i].overlap);
	}
}

static void prefixes_of_hosts_hold_no_reserved_address(void **state)
{
	static const char *const good[] = {
		"1.0.0.0/8", "126.0.0.0/8", "128.0.0.0/2", "223.0.0.0/8"};
	static const char *const bad[] = {"0.0.0.0/0", "0.0.0.1", "0.0.0.0/7", "127.0.0.1",
		"126.0.0.0/7", "224.0.0.0/4", "239.255.255.255", "240.0.0.0/4", "255.255.255.255",
		"192.0.0.0/2"};
	struct addr_v4_prefix prefix;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(addr_v4_prefix_parse(good[i], &prefix), 0);
		assert_true(addr_v4_prefix_is_unicast(&prefix));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(addr_v4_prefix_parse(bad[i], &prefix), 0);
		assert_false(addr_v4_prefix_is_unicast(&prefix));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ipv4_text_is_strict),
		cmocka_unit_test(ipv6_text_is_strict_and_canonical),
		cmocka_unit_test(addresses_are_printed_as_inet_ntop_has_them),
		cmocka_unit_test(prefixes_refuse_host_bits_and_bad_lengths),
		cmocka_unit_test(prefixes_come_back_as_they_were),
		cmocka_unit_test(a_prefix_contains_its_own_addresses_only),
		cmocka_unit_test(prefixes_overlap_where_one_holds_the_other),
		cmocka_unit_test(prefixes_of_hosts_hold_no_reserved_address),
		cmocka_unit_test(endpoints_are_bracketed),
		cmocka_unit_test(mac_addresses_are_six_pairs),
		cmocka_unit_test(only_routable_addresses_are_tunnel_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
