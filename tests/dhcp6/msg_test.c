// SPDX-License-Identifier: BSD-3-Clause
/* DHCPv6 messages as octets that were written by hand from RFC 8415 and the layouts of our options. */
#include "dhcp6/dhcp6_msg.h"

#include "common/addr.h"

#include "octets.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct dhcp6_codes codes = {.ia = 65100,
	.tep = 65101,
	.ports = 65102,
	.client = 65103,
	.address = 65104,
	.vendor = 32473};

static struct dhcp6_msg msg;

static int read_hex(const char *hex)
{
	struct octets octets = octets_of(hex);

	return dhcp6_msg_read(octets.data, octets.len, &codes, &msg);
}

static void assert_written(const char *hex)
{
	uint8_t buf[DHCP6_SEND_MAX];
	int len = dhcp6_msg_write(&msg, &codes, buf, sizeof(buf));

	assert_true(len > 0);
	octets_assert_equal(buf, (size_t)len, hex);
}

static void assert_v6(const struct in6_addr *addr, const char *text)
{
	char buf[ADDR_V6_STRLEN];

	assert_string_equal(addr_v6_format(addr, buf), text);
}

/* clang-format off */
#define CLIENT_ID "0001 000a 0003 0001 02 00 00 00 00 17 "
#define SERVER_ID "0002 0012 0004 00112233445566778899aabbccddeeff "
#define TEP       "2001 0db8 0000 0064 0000 0000 0000 0001 "
#define CLIENT    "2001 0db8 0001 0000 0000 0000 0000 0017 "
#define MAPPED    "0000 0000 0000 0000 0000 ffff c633 6407 " /* 198.51.100.7 */
/* clang-format on */

#define SOLICIT                                  \
	"01 a1b2c3 " CLIENT_ID "0008 0002 0064 " \
	"000e 0000 "                             \
	"0014 0000 "                             \
	"0006 0006 0060 fe4d fe4e "              \
	"fe4c 0020 00000001 00000000 00000000 "  \
	"fe4f 0010 " CLIENT

static void a_solicit_asks_for_a_lease(void **state)
{
	assert_int_equal(read_hex(SOLICIT), 0);
	assert_int_equal(msg.type, DHCP6_SOLICIT);
	assert_int_equal(msg.xid, 0xa1b2c3);
	assert_int_equal(msg.client_id.len, 10);
	assert_int_equal(msg.server_id.len, 0);
	assert_true(msg.has_elapsed && msg.elapsed_cs == 100);
	assert_true(msg.has_rapid_commit);
	assert_true(msg.has_reconf_accept);
	assert_int_equal(msg.n_oro, 3);
	assert_true(dhcp6_msg_asks(&msg, DHCP6_OPTION_S46_CONT_LW));
	assert_true(dhcp6_msg_asks(&msg, codes.tep));
	assert_false(dhcp6_msg_asks(&msg, codes.address));
	assert_int_equal(msg.n_ia_dstm, 1);
	assert_int_equal(msg.ia_dstm[0].iaid, 1);
	assert_int_equal(msg.ia_dstm[0].n_addrs, 0);
	assert_true(msg.ia_dstm[0].dstm.has_client);
	assert_v6(&msg.ia_dstm[0].dstm.client, "2001:db8:1::17");
	assert_int_equal(dhcp6_msg_check(&msg), 0);
}

/* R43, R45: the IPv4-mapped address, its range and the TEP stand in the IA. */
#define REPLY                                         \
	"07 a1b2c3 " CLIENT_ID SERVER_ID "0014 0000 " \
	"fe4c 0044 00000001 00000708 00000b40 "       \
	"0005 0018 " MAPPED "00000b40 00000e10 "      \
	"fe4d 0010 " TEP "fe4e 0004 0400 07ff "

static void a_reply_gives_a_lease(void **state)
{
	const struct dhcp6_ia *ia = &msg.ia_dstm[0];
	uint32_t v4;

	assert_int_equal(read_hex(REPLY), 0);
	assert_int_equal(dhcp6_msg_check(&msg), 0);
	assert_int_equal(msg.n_ia_dstm, 1);
	assert_int_equal(ia->t1_s, 1800);
	assert_int_equal(ia->t2_s, 2880);
	assert_int_equal(ia->n_addrs, 1);
	assert_int_equal(ia->addrs[0].preferred_s, 2880);
	assert_int_equal(ia->addrs[0].valid_s, 3600);
	assert_true(dhcp6_v4_of(&ia->addrs[0].addr, &v4));
	assert_int_equal(v4, 0xc6336407);
	assert_int_equal(ia->dstm.n_teps, 1);
	assert_v6(&ia->dstm.teps[0], "2001:db8:0:64::1");
	assert_int_equal(ia->dstm.n_ranges, 1);
	assert_int_equal(ia->dstm.ranges[0].first, 1024);
	assert_int_equal(ia->dstm.ranges[0].last, 2047);
	assert_written(REPLY);
}

static void what_is_read_is_written_again(void **state)
{
	assert_int_equal(read_hex(SOLICIT), 0);
	assert_written(SOLICIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_solicit_asks_for_a_lease),
		cmocka_unit_test(a_reply_gives_a_lease),
		cmocka_unit_test(what_is_read_is_written_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
