// SPDX-License-Identifier: BSD-3-Clause
#include "server/dhcp6_links.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static const char list[] = "00000000000000000000000000000001 01 80 10 80       lo\n"
			   "20010db8000100000000000000000001 03 40 00 80     lan0\n"
			   "fe80000000000000000000000000000a 03 40 20 80     lan0\n"
			   "20010db8000200000000000000000001 04 30 00 80     lan1\n"
			   "20010db8000300000000000000000001 04 10 00 80     lan1\n"
			   "nonsense\n";

static const struct {
	uint32_t ifindex;
	const char *addr;
	bool holds;
} rows[] = {
	{3, "2001:db8:1::77", true},
	{3, "2001:db8:1:0:ffff::", true},
	{3, "2001:db8:1:1::1", false}, /* another prefix */
	{4, "2001:db8:1::77", false}, /* another link */
	{4, "2001:db8:2:9::1", true}, /* a /48 */
	{4, "2001:db9::1", false}, /* a /16 is no link's */
	{3, "fe80::b", false},
	{1, "::1", false},
};

static void write_list(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void prefixes_are_those_of_the_interfaces_addresses(void **state)
{
	char path[] = "/tmp/dstm-links-XXXXXX";
	struct srv_dhcp6_links *links;
	struct in6_addr addr;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	write_list(path, list);
	links = srv_dhcp6_links_open(path);
	assert_non_null(links);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(addr_v6_parse(rows[i].addr, &addr), 0);
		assert_int_equal(
			srv_dhcp6_links_hold(links, rows[i].ifindex, &addr, 1000), rows[i].holds);
	}
	/* A new address counts a second later, one that went some time after. */
	write_list(path, "20010db8000100010000000000000001 03 40 00 80     lan0\n");
	addr_v6_parse("2001:db8:1:1::1", &addr);
	assert_false(srv_dhcp6_links_hold(links, 3, &addr, 1500));
	assert_true(srv_dhcp6_links_hold(links, 3, &addr, 2000));
	addr_v6_parse("2001:db8:1::77", &addr);
	assert_false(srv_dhcp6_links_hold(links, 3, &addr, 2000));
	srv_dhcp6_links_close(links);
	unlink(path);
}

static void the_kernels_list_can_be_read(void **state)
{
	struct srv_dhcp6_links *links = srv_dhcp6_links_open(NULL);
	struct in6_addr addr;

	assert_non_null(links);
	addr_v6_parse("2001:db8::1", &addr);
	assert_false(srv_dhcp6_links_hold(links, UINT32_MAX, &addr, 1000));
	srv_dhcp6_links_close(links);
	assert_null(srv_dhcp6_links_open("/nowhere/at/all"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prefixes_are_those_of_the_interfaces_addresses),
		cmocka_unit_test(the_kernels_list_can_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
