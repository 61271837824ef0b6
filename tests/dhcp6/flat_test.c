// SPDX-License-Identifier: BSD-3-Clause
/*
 * The layouts of 2001 (R40 to R45), against octets written by hand from the fields that the two
 * specifications list. 1777 and 1778 stand for the numbers that were never assigned.
 */
#include "dhcp6/dhcp6_flat.h"

#include "common/addr.h"

#include "octets.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct dhcp6_flat_codes codes = {.option = 1777, .ia = 1778};

static struct dhcp6_flat flat;

static int read_hex(enum dhcp6_flat_layout layout, const char *hex)
{
	struct octets octets = octets_of(hex);

	return dhcp6_flat_read(octets.data, octets.len, layout, codes, &flat);
}

static void assert_written(enum dhcp6_flat_layout layout, const char *hex)
{
	uint8_t buf[DHCP6_SEND_MAX];
	int len = dhcp6_flat_write(&flat, layout, codes, buf, sizeof(buf));

	assert_true(len > 0);
	octets_assert_equal(buf, (size_t)len, hex);
}

static void assert_v6(const struct in6_addr *addr, const char *text)
{
	char buf[ADDR_V6_STRLEN];

	assert_string_equal(addr_v6_format(addr, buf), text);
}

/* clang-format off */
#define OPTION_EMPTY "06f1 0000 "
#define OPTION_TEP   "06f1 0010 20010db8 00000064 00000000 00000001 "
#define MAPPED_7     "00000000 00000000 0000ffff c6336407 " /* 198.51.100.7 */
#define MAPPED_9     "00000000 00000000 0000ffff cb007109 " /* 203.0.113.9 */

/* id, T1 1800, T2 2880, status, number */
#define PLAIN(len, status, n) "06f2 " len "0102030405060708 00000708 00000b40 000000" status "000000" n
#define PLAIN_7 "00 80 " MAPPED_7 "00000b40 00000e10 "
#define PLAIN_9 "85 60 " MAPPED_9 "00000001 00000002 " /* temporary, status 5, prefix length 96 */

/* UUID, T1, T2, number */
#define PORTS(len, n) "06f2 " len "0102030405060708 00000708 00000b40 " n
#define PORTS_7 MAPPED_7 "80 00000b40 00000e10 0401 040a " /* 1025 to 1034 */
#define PORTS_9 MAPPED_9 "60 00000001 00000002 0000 ffff "
/* clang-format on */

static void the_option_has_0_or_16_octets(void **state)
{
	/* R40, R42: a request */
	assert_int_equal(read_hex(DHCP6_FLAT_PLAIN, "03 00abcd " OPTION_EMPTY), 0);
	assert_int_equal(flat.type, DHCP6_REQUEST);
	assert_int_equal(flat.xid, 0xabcd);
	assert_int_equal(flat.n_pairs, 1);
	assert_true(flat.pairs[0].has_option && !flat.pairs[0].has_tep && !flat.pairs[0].has_ia);
	assert_written(DHCP6_FLAT_PLAIN, "03 00abcd " OPTION_EMPTY);
	/* R40, R43: a reply */
	assert_int_equal(read_hex(DHCP6_FLAT_PORTS, "07 00abcd " OPTION_TEP), 0);
	assert_true(flat.pairs[0].has_tep);
	assert_v6(&flat.pairs[0].tep, "2001:db8:0:64::1");
	assert_written(DHCP6_FLAT_PORTS, "07 00abcd " OPTION_TEP);
}

/* R44: 24 + 26n. */
static void the_plain_ia_holds_none_one_or_several(void **state)
{
	const char *none = "07 00abcd " OPTION_TEP PLAIN("0018 ", "03 ", "00 ");
	const char *one = "07 00abcd " OPTION_TEP PLAIN("0032 ", "00 ", "01 ") PLAIN_7;
	const char *two = "07 00abcd " OPTION_EMPTY PLAIN("004c ", "00 ", "02 ") PLAIN_7 PLAIN_9;
	const struct dhcp6_flat_ia *ia = &flat.pairs[0].ia;

	assert_int_equal(read_hex(DHCP6_FLAT_PLAIN, none), 0);
	assert_true(flat.n_pairs == 1 && flat.pairs[0].has_tep && flat.pairs[0].has_ia);
	assert_memory_equal(ia->id, "\1\2\3\4\5\6\7\10", 8);
	assert_int_equal(ia->t1_s, 1800);
	assert_int_equal(ia->t2_s, 2880);
	assert_int_equal(ia->status, 3);
	assert_int_equal(ia->n_addrs, 0);
	assert_written(DHCP6_FLAT_PLAIN, none);

	assert_int_equal(read_hex(DHCP6_FLAT_PLAIN, one), 0);
	assert_int_equal(ia->n_addrs, 1);
	assert_v6(&ia->addrs[0].addr, "::ffff:198.51.100.7");
	assert_int_equal(ia->addrs[0].prefix_len, 128);
	assert_int_equal(ia->addrs[0].preferred_s, 2880);
	assert_int_equal(ia->addrs[0].valid_s, 3600);
	assert_false(ia->addrs[0].is_temporary);
	assert_written(DHCP6_FLAT_PLAIN, one);

	assert_int_equal(read_hex(DHCP6_FLAT_PLAIN, two), 0);
	assert_int_equal(ia->n_addrs, 2);
	assert_true(ia->addrs[1].is_temporary);
	assert_int_equal(ia->addrs[1].status, 5);
	assert_int_equal(ia->addrs[1].prefix_len, 96);
	assert_v6(&ia->addrs[1].addr, "::ffff:203.0.113.9");
	assert_written(DHCP6_FLAT_PLAIN, two);
}

/* R45: 17 + 29n, as its fields have it. */
static void the_ia_with_ports_holds_none_one_or_several(void **state)
{
	const char *none = "07 00abcd " OPTION_EMPTY PORTS("0011 ", "00 ");
	const char *one = "07 00abcd " OPTION_TEP PORTS("002e ", "01 ") PORTS_7;
	const char *two = "07 00abcd " OPTION_TEP PORTS("004b ", "02 ") PORTS_7 PORTS_9;
	const struct dhcp6_flat_ia *ia = &flat.pairs[0].ia;

	assert_int_equal(read_hex(DHCP6_FLAT_PORTS, none), 0);
	assert_true(flat.pairs[0].has_ia && !flat.pairs[0].has_tep);
	assert_int_equal(ia->n_addrs, 0);
	assert_written(DHCP6_FLAT_PORTS, none);

	assert_int_equal(read_hex(DHCP6_FLAT_PORTS, one), 0);
	assert_memory_equal(ia->id, "\1\2\3\4\5\6\7\10", 8);
	assert_int_equal(ia->t1_s, 1800);
	assert_int_equal(ia->t2_s, 2880);
	assert_int_equal(ia->n_addrs, 1);
	assert_v6(&ia->addrs[0].addr, "::ffff:198.51.100.7");
	assert_int_equal(ia->addrs[0].prefix_len, 128);
	assert_int_equal(ia->addrs[0].preferred_s, 2880);
	assert_int_equal(ia->addrs[0].valid_s, 3600);
	assert_int_equal(ia->addrs[0].ports.first, 1025);
	assert_int_equal(ia->addrs[0].ports.last, 1034);
	assert_written(DHCP6_FLAT_PORTS, one);

	assert_int_equal(read_hex(DHCP6_FLAT_PORTS, two), 0);
	assert_int_equal(ia->n_addrs, 2);
	assert_true(port_range_is_exclusive(ia->addrs[1].ports));
	assert_int_equal(ia->addrs[1].valid_s, 2);
	assert_written(DHCP6_FLAT_PORTS, two);
}

/* R41: each option holds for the one IA behind it; other options between them are nobody's. */
static void an_option_holds_for_the_next_ia_alone(void **state)
{
	const char *mixed = "07 000001 " PORTS("0011 ", "00 ") OPTION_TEP "0007 0001 ff " PORTS(
		"002e ", "01 ") PORTS_7 PORTS("002e ", "01 ") PORTS_9 OPTION_EMPTY;

	assert_int_equal(read_hex(DHCP6_FLAT_PORTS, mixed), 0);
	assert_int_equal(flat.n_pairs, 4);
	assert_false(flat.pairs[0].has_option);
	assert_true(flat.pairs[1].has_option && flat.pairs[1].has_tep && flat.pairs[1].has_ia);
	assert_int_equal(flat.pairs[1].ia.addrs[0].ports.first, 1025);
	assert_false(flat.pairs[2].has_option);
	assert_int_equal(flat.pairs[2].ia.addrs[0].ports.first, 0);
	assert_true(flat.pairs[3].has_option && !flat.pairs[3].has_ia);
	assert_written(DHCP6_FLAT_PORTS,
		"07 000001 " PORTS("0011 ", "00 ") OPTION_TEP PORTS("002e ", "01 ")
			PORTS_7 PORTS("002e ", "01 ") PORTS_9 OPTION_EMPTY);
}

/* R42: no TEP is written into what a client sends, and none is taken from it. */
static void a_request_carries_no_tep(void **state)
{
	static const uint8_t from_clients[] = {DHCP6_SOLICIT, DHCP6_REQUEST, DHCP6_RENEW,
		DHCP6_REBIND, DHCP6_RELEASE, DHCP6_INFORMATION_REQUEST};

	for (size_t i = 0; i < sizeof(from_clients); i++) {
		struct octets octets = octets_of("00 000001 " OPTION_TEP);

		octets.data[0] = from_clients[i];
		assert_int_equal(
			dhcp6_flat_read(octets.data, octets.len, DHCP6_FLAT_PLAIN, codes, &flat),
			-EINVAL);
	}
	assert_int_equal(read_hex(DHCP6_FLAT_PLAIN, "0a 000001 " OPTION_TEP), 0);
	flat.type = DHCP6_REQUEST;
	assert_written(DHCP6_FLAT_PLAIN, "03 000001 " OPTION_EMPTY);
}

static void messages_that_contradict_themselves_are_refused(void **state)
{
	static const struct {
		enum dhcp6_flat_layout layout;
		int rc;
		const char *hex;
	} cases[] = {
		/* the length of the option */
		{DHCP6_FLAT_PLAIN, -EINVAL, "07 000001 06f1 0001 00"},
		{DHCP6_FLAT_PLAIN, -EINVAL,
			"07 000001 06f1 000f 20010db8 00000064 00000000 000000"},
		{DHCP6_FLAT_PLAIN, -EINVAL,
			"07 000001 06f1 0011 20010db8 00000064 00000000 00000001 00"},
		/* two of them before an IA */
		{DHCP6_FLAT_PLAIN, -EINVAL, "07 000001 " OPTION_EMPTY OPTION_TEP},
		/* R45's rule for the length, which its fields do not fit */
		{DHCP6_FLAT_PORTS, -EINVAL, "07 000001 " PORTS("002a ", "01 ") PORTS_7},
		{DHCP6_FLAT_PORTS, -EINVAL,
			"07 000001 " PORTS("002a ", "01 ") MAPPED_7 "80 00000b40 00000e10 "},
		/* numbers and lengths that disagree */
		{DHCP6_FLAT_PORTS, -EINVAL, "07 000001 " PORTS("0011 ", "01 ")},
		{DHCP6_FLAT_PORTS, -EINVAL, "07 000001 " PORTS("002e ", "00 ") PORTS_7},
		{DHCP6_FLAT_PORTS, -EINVAL, "07 000001 " PORTS("002e ", "02 ") PORTS_7},
		{DHCP6_FLAT_PORTS, -EINVAL, "07 000001 " PORTS("0011 ", "ff ")},
		{DHCP6_FLAT_PLAIN, -EINVAL, "07 000001 " PLAIN("0018 ", "00 ", "01 ")},
		{DHCP6_FLAT_PLAIN, -EINVAL, "07 000001 " PLAIN("0032 ", "00 ", "00 ") PLAIN_7},
		{DHCP6_FLAT_PLAIN, -EINVAL,
			"07 000001 06f2 0018 0102030405060708 00000708 00000b40 00000000 ffffffff"},
		/* 0x09d89d8a times 26 is 4 in 32 bits: a length that only overflows to the right one */
		{DHCP6_FLAT_PLAIN, -EINVAL,
			"07 000001 06f2 001c 0102030405060708 00000708 00000b40 00000000 09d89d8a "
			"00000000"},
		/* headers that are short, and a status that no octet holds */
		{DHCP6_FLAT_PLAIN, -EINVAL,
			"07 000001 06f2 0017 0102030405060708 00000708 00000b40 00000000 000000"},
		{DHCP6_FLAT_PORTS, -EINVAL,
			"07 000001 06f2 0010 0102030405060708 00000708 00000b40"},
		{DHCP6_FLAT_PLAIN, -EINVAL,
			"07 000001 06f2 0018 0102030405060708 00000708 00000b40 00000100 00000000"},
		/* impossible values */
		{DHCP6_FLAT_PORTS, -EINVAL,
			"07 000001 " PORTS("002e ", "01 ") MAPPED_7
			"80 00000b40 00000e10 040a 0401 "},
		{DHCP6_FLAT_PORTS, -EINVAL,
			"07 000001 " PORTS("002e ", "01 ") MAPPED_7
			"81 00000b40 00000e10 0401 040a "},
		{DHCP6_FLAT_PLAIN, -EINVAL,
			"07 000001 " PLAIN("0032 ", "00 ", "01 ") "00 81 " MAPPED_7
								  "00000b40 00000e10 "},
		/* no message */
		{DHCP6_FLAT_PLAIN, -EINVAL, ""},
		{DHCP6_FLAT_PLAIN, -EINVAL, "07 0000"},
		{DHCP6_FLAT_PLAIN, -EINVAL, "00 000001"},
		{DHCP6_FLAT_PLAIN, -EINVAL, "0c 000001"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(read_hex(cases[i].layout, cases[i].hex), cases[i].rc);
}

/* More addresses, and more IAs, than the value holds. */
static void too_many_are_refused(void **state)
{
	struct octets octets = octets_of("07 000001 " PORTS("0116 ", "09 "));

	for (uint32_t i = 0; i < 9; i++) {
		struct octets addr = octets_of(PORTS_7);

		memcpy(octets.data + octets.len, addr.data, addr.len);
		octets.len += addr.len;
	}
	assert_int_equal(
		dhcp6_flat_read(octets.data, octets.len, DHCP6_FLAT_PORTS, codes, &flat), -E2BIG);
	octets = octets_of("07 000001 ");
	for (uint32_t i = 0; i < 9; i++) {
		struct octets ia = octets_of(PORTS("0011 ", "00 "));

		assert_int_equal(
			dhcp6_flat_read(octets.data, octets.len, DHCP6_FLAT_PORTS, codes, &flat),
			0);
		assert_int_equal(flat.n_pairs, i);
		memcpy(octets.data + octets.len, ia.data, ia.len);
		octets.len += ia.len;
	}
	assert_int_equal(
		dhcp6_flat_read(octets.data, octets.len, DHCP6_FLAT_PORTS, codes, &flat), -E2BIG);
}

/* Cut anywhere, a message is refused or is what stands before the cut; it is never read beyond it. */
static void a_message_that_is_cut_is_refused(void **state)
{
	static const char *const hex = "07 00abcd " OPTION_TEP PORTS("002e ", "01 ") PORTS_7;
	const struct octets octets = octets_of(hex);
	uint32_t n_read = 0;

	for (size_t len = 0; len < octets.len; len++) {
		uint8_t *exact = test_malloc(len + 1); /* cmocka guards its end */

		memcpy(exact + 1, octets.data, len);
		if (dhcp6_flat_read(exact + 1, len, DHCP6_FLAT_PORTS, codes, &flat) == 0)
			n_read++;
		test_free(exact);
	}
	assert_int_equal(n_read, 2); /* behind the header, behind the option */
}

/* A buffer that is too small by any number of octets gets no half message. */
static void what_does_not_fit_is_not_written(void **state)
{
	const char *one = "07 00abcd " OPTION_TEP PORTS("002e ", "01 ") PORTS_7;
	uint8_t buf[DHCP6_SEND_MAX];
	size_t len = octets_of(one).len;

	assert_int_equal(read_hex(DHCP6_FLAT_PORTS, one), 0);
	for (size_t size = 0; size < len; size++)
		assert_int_equal(
			dhcp6_flat_write(&flat, DHCP6_FLAT_PORTS, codes, buf, size), -EMSGSIZE);
	assert_int_equal(dhcp6_flat_write(&flat, DHCP6_FLAT_PORTS, codes, buf, len), len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_option_has_0_or_16_octets),
		cmocka_unit_test(the_plain_ia_holds_none_one_or_several),
		cmocka_unit_test(the_ia_with_ports_holds_none_one_or_several),
		cmocka_unit_test(an_option_holds_for_the_next_ia_alone),
		cmocka_unit_test(a_request_carries_no_tep),
		cmocka_unit_test(messages_that_contradict_themselves_are_refused),
		cmocka_unit_test(too_many_are_refused),
		cmocka_unit_test(a_message_that_is_cut_is_refused),
		cmocka_unit_test(what_does_not_fit_is_not_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
