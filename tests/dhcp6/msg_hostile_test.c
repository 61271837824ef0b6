// SPDX-License-Identifier: BSD-3-Clause
/* DHCPv6 messages that contradict themselves: each is refused, and none is read beyond its end. */
#include "dhcp6/dhcp6_msg.h"

#include "messages.h"
#include "octets.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

static const struct dhcp6_codes codes = DHCP6_CODES_DEFAULT;

static const char *const good[] = {SOLICIT, REPLY, REPLY_RANGES, REPLY_SINGLE, REPLY_VENDOR,
	REPLY_SOFTWIRE, REPLY_REFUSED, RECONFIGURE, ADVERTISE};

static struct dhcp6_msg msg;

/* Reads a copy whose end the sanitizer and cmocka guard. */
static int read_exact(const uint8_t *data, size_t len)
{
	uint8_t *exact = test_malloc(len + 1);
	int rc;

	memcpy(exact + 1, data, len);
	rc = dhcp6_msg_read(exact + 1, len, &codes, &msg);
	test_free(exact);
	return rc;
}

static int read_hex(const char *hex)
{
	struct octets octets = octets_of(hex);

	return read_exact(octets.data, octets.len);
}

/* One option at the top of a Reply, with len octets of data: of 1, so that they are no length. */
static int read_option(uint16_t code, size_t len)
{
	struct octets octets = octets_of("07 000001");
	struct dhcp6_builder builder = dhcp6_builder_into(octets.data + 4, OCTETS_MAX - 4);
	uint8_t ones[256];

	memset(ones, 1, sizeof(ones));
	dhcp6_option_put(&builder, code, ones, len);
	return read_exact(octets.data, 4 + builder.len);
}

/* Every option of one length: that one, and none of the others. */
static void an_option_has_its_length(void **state)
{
	static const struct {
		uint16_t code;
		uint16_t len;
	} cases[] = {
		{DHCP6_OPTION_PREFERENCE, 1},
		{DHCP6_OPTION_ELAPSED_TIME, 2},
		{DHCP6_OPTION_UNICAST, 16},
		{DHCP6_OPTION_RAPID_COMMIT, 0},
		{DHCP6_OPTION_RECONF_ACCEPT, 0},
		{DHCP6_OPTION_INFO_REFRESH, 4},
		{DHCP6_OPTION_SOL_MAX_RT, 4},
		{DHCP6_OPTION_INF_MAX_RT, 4},
		{65101, 16},
		{65102, 4},
		{65103, 16},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t len = 0; len <= 40; len++)
			assert_int_equal(
				read_option(cases[i].code, len), len == cases[i].len ? 0 : -EINVAL);
}

/* Options with a shortest length, and those with a longest. */
static void an_option_has_room_for_its_fields(void **state)
{
	static const struct {
		uint16_t code;
		uint16_t min;
		uint16_t max;
		int rc_above;
	} cases[] = {
		{DHCP6_OPTION_CLIENT_ID, 3, 130, -EINVAL},
		{DHCP6_OPTION_SERVER_ID, 3, 130, -EINVAL},
		{DHCP6_OPTION_STATUS, 2, 255, 0},
		{DHCP6_OPTION_AUTH, 11, 75, -E2BIG},
		{DHCP6_OPTION_IA_NA, 12, 12, -EINVAL}, /* an option cut short follows */
		{DHCP6_OPTION_IA_PD, 12, 12, -EINVAL},
		{65100, 12, 12, -EINVAL},
		{DHCP6_OPTION_VENDOR, 4, 255, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t len = 0; len < cases[i].min; len++)
			assert_int_equal(read_option(cases[i].code, len), -EINVAL);
		for (size_t len = cases[i].min; len <= cases[i].max; len++)
			assert_int_equal(read_option(cases[i].code, len), 0);
		assert_int_equal(read_option(cases[i].code, cases[i].max + 1u), cases[i].rc_above);
	}
}

/* A message that is cut inside an option is none; between two it is a shorter one. */
static void a_message_that_is_cut_is_refused(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct octets octets = octets_of(good[i]);
		size_t end = 4; /* of the last option that is whole */

		assert_int_equal(read_exact(octets.data, octets.len), 0);
		for (size_t len = 0; len < octets.len; len++) {
			size_t next = end + 4u;

			if (len >= next)
				next += dhcp6_get_u16(octets.data + end + 2);
			if (len == next)
				end = next;
			assert_int_equal(read_exact(octets.data, len), len == end ? 0 : -EINVAL);
		}
	}
}

/* Walks the options from at to end, and into what they hold; each length is then one off. */
static void shake(struct octets *octets, size_t at, size_t end, uint32_t *n_shaken)
{
	while (at < end) {
		uint16_t code = dhcp6_get_u16(octets->data + at);
		uint16_t len = dhcp6_get_u16(octets->data + at + 2);
		size_t fields = code == 5 ? 24 : code == 17 ? 4 : code == 92 ? 21 : 12;
		bool holds_options = code == 3 || code == 5 || code == 17 || code == 92 ||
				     code == 65100;

		for (int off = -1; off <= 1; off += 2) {
			uint16_t lie = (uint16_t)(len + off);

			octets->data[at + 2] = (uint8_t)(lie >> 8);
			octets->data[at + 3] = (uint8_t)lie;
			assert_int_not_equal(read_exact(octets->data, octets->len), 0);
			++*n_shaken;
		}
		octets->data[at + 2] = (uint8_t)(len >> 8);
		octets->data[at + 3] = (uint8_t)len;
		if (code == 96)
			shake(octets, at + 4, at + 4 + len, n_shaken);
		else if (holds_options)
			shake(octets, at + 4 + fields, at + 4 + len, n_shaken);
		at += 4u + len;
	}
}

static void every_length_that_is_one_off_is_refused(void **state)
{
	uint32_t n_shaken = 0;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct octets octets = octets_of(good[i]);

		shake(&octets, 4, octets.len, &n_shaken);
		assert_int_equal(read_exact(octets.data, octets.len), 0);
	}
	assert_true(n_shaken > 100);
}

/* What may stand once. */
static void nothing_stands_twice(void **state)
{
	static const char *const cases[] = {
		"07 000001 " CLIENT_ID CLIENT_ID,
		"07 000001 " SERVER_ID SERVER_ID,
		"07 000001 0006 0002 0060 0006 0002 0060",
		"07 000001 0007 0001 01 0007 0001 01",
		"07 000001 0008 0002 0001 0008 0002 0001",
		"07 000001 000b 000b 0301000000000000000001 000b 000b 0301000000000000000001",
		"07 000001 000d 0002 0000 000d 0002 0000",
		"07 000001 000e 0000 000e 0000",
		"07 000001 0013 0001 05 0013 0001 05",
		"07 000001 0014 0000 0014 0000",
		"07 000001 0020 0004 00000001 0020 0004 00000001",
		"07 000001 0060 0000 0060 0000",
		"07 000001 0011 0004 00007ed9 0011 0004 00007ed9",
		"07 000001 fe50 0010 " MAPPED "fe50 0010 " MAPPED,
		"07 000001 fe4f 0010 " CLIENT "fe4f 0010 " CLIENT,
		"07 000001 0003 0018 000000010000000200000003 000d 0002 0000 000d 0002 0000",
		"07 000001 0019 0018 000000010000000200000003 000d 0002 0000 000d 0002 0000",
		"07 000001 fe4c 0034 000000010000000200000003 fe4f 0010 " CLIENT
		"fe4f 0010 " CLIENT,
		"07 000001 0003 0034 000000010000000200000003 0005 0024 " CLIENT
		"0000000100000002 000d 0002 0000 000d 0002 0000",
		"07 000001 0060 0019 005c 0015 c6336407 00 005d 0004 00060400 005d 0004 00060400",
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(read_hex(cases[i]), -EINVAL);
	/* Two IAs inside our vendor option are more than we hold. */
	assert_int_equal(read_hex("07 000001 0011 0024 00007ed9 fe4c 000c 000000010000000200000003 "
				  "fe4c 000c 000000010000000200000003 "),
		-E2BIG);
}

static void values_that_cannot_be_are_refused(void **state)
{
	static const char *const cases[] = {
		/* no message */
		"",
		"07",
		"07 0000",
		"00 000001",
		"0c 000001",
		"0d 000001",
		"ff 000001",
		/* half a code in the option request */
		"01 000001 0006 0003 0060 fe",
		/* a Reconfigure for what no client sends unasked */
		"0a 000001 0013 0001 00",
		"0a 000001 0013 0001 03",
		"0a 000001 0013 0002 0505",
		/* ranges: backwards, overlapping, the same */
		"07 000001 fe4e 0004 0800 07ff",
		"07 000001 fe4e 0004 0400 07ff fe4e 0004 07ff 0800",
		"07 000001 fe4e 0004 0400 07ff fe4e 0004 0400 07ff",
		"07 000001 fe4c 0014 000000010000000200000003 fe4e 0004 0001 0000",
		/* an address that is not IPv4's where one is due */
		("07 000001 fe50 0010 " CLIENT),
		"07 000001 fe50 0010 0000 0000 0000 0000 0000 0000 c633 6407",
		/* softwire: BR too short, prefix beyond 128, prefix cut, bits behind it */
		"07 000001 0060 0013 005a 000f 20010db80000006400000000000000 ",
		("07 000001 0060 001a 005c 0016 c6336407 81 " CLIENT "00"),
		"07 000001 0060 0018 005c 0014 c6336407 80 20010db80001000000000000000000",
		"07 000001 0060 000a 005c 0006 c6336407 07 21",
		"07 000001 0060 0008 005c 0004 c6336407",
		/* PSID: bits behind it, too long, offset and length beyond 16, three octets */
		"07 000001 0060 0011 005c 000d c6336407 00 005d 0004 00 06 0401",
		"07 000001 0060 0011 005c 000d c6336407 00 005d 0004 00 11 0400",
		"07 000001 0060 0011 005c 000d c6336407 00 005d 0004 09 08 0400",
		"07 000001 0060 0011 005c 000d c6336407 00 005d 0004 ff ff 0400",
		"07 000001 0060 0010 005c 000c c6336407 00 005d 0003 00 06 04",
		/* options inside options that are longer than these */
		"07 000001 fe4c 0010 000000010000000200000003 0005 0018",
		("07 000001 0011 0008 00007ed9 fe4d 0010 " TEP),
		("07 000001 0060 0004 005a 0010 " TEP),
		("07 000001 0003 0028 000000010000000200000003 0005 0019 " CLIENT
		 "0000000100000002"),
		"07 000001 0001 ffff 0003",
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(read_hex(cases[i]), -EINVAL);
}

/* n times the same option at the top of a Reply, its last octet counted up. */
static int read_many(const char *option, uint32_t n)
{
	struct octets octets = octets_of("07 000001");
	struct octets one = octets_of(option);

	for (uint32_t i = 0; i < n; i++) {
		one.data[one.len - 1] = one.data[one.len - 3] = (uint8_t)i;
		memcpy(octets.data + octets.len, one.data, one.len);
		octets.len += one.len;
	}
	return read_exact(octets.data, octets.len);
}

static void more_than_the_value_holds_is_refused(void **state)
{
	static const char *const cases[] = {
		"0003 000c 00000001 00000002 00000003",
		"0019 000c 00000001 00000002 00000003",
		"fe4c 000c 00000001 00000002 00000003",
		"fe4e 0004 0000 0000",
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(read_many(cases[i], 8), 0);
		assert_int_equal(read_many(cases[i], 9), -E2BIG);
	}
	assert_int_equal(read_many("fe4d 0010 " TEP, 9), 0); /* the first few are enough */
	assert_int_equal(msg.dstm.n_teps, DHCP6_TEPS_MAX);
}

static void an_ia_holds_eight_addresses(void **state)
{
	struct octets addr = octets_of("0005 0018 " MAPPED "00000b40 00000e10 ");

	for (uint32_t n = 8; n <= 9; n++) {
		struct octets octets = octets_of("07 000001 fe4c 0000 000000010000000200000003");
		size_t len = 12 + n * addr.len;

		octets.data[6] = (uint8_t)(len >> 8);
		octets.data[7] = (uint8_t)len;
		for (uint32_t i = 0; i < n; i++) {
			memcpy(octets.data + octets.len, addr.data, addr.len);
			octets.len += addr.len;
		}
		assert_int_equal(read_exact(octets.data, octets.len), n == 8 ? 0 : -E2BIG);
	}
}

/* A long option request is cut: whoever asks for 65 things gets 64. */
static void a_long_option_request_is_cut(void **state)
{
	assert_int_equal(read_option(DHCP6_OPTION_ORO, 128), 0);
	assert_int_equal(msg.n_oro, 64);
	assert_int_equal(read_option(DHCP6_OPTION_ORO, 130), 0);
	assert_int_equal(msg.n_oro, 64);
	assert_true(dhcp6_msg_asks(&msg, 0x0101));
	assert_int_equal(read_option(DHCP6_OPTION_ORO, 0), 0);
	assert_true(msg.has_oro);
	assert_int_equal(msg.n_oro, 0);
	assert_false(dhcp6_msg_asks(&msg, 0));
}

/* What a status says may be shown to people: no control characters, no early end. */
static void a_status_is_fit_to_print(void **state)
{
	static const uint8_t text[] = {0x1b, '[', '2', 'J', '\n', 0, 0xff};
	static uint8_t message[4 + 4 + 2 + 200] = {7, 0, 0, 1, 0, 13, 0, 202};

	memset(message + 10, 'x', 200);
	memcpy(message + 10, text, sizeof(text));
	assert_int_equal(read_exact(message, sizeof(message)), 0);
	assert_int_equal(strlen(msg.status.text), DHCP6_TEXT_MAX);
	assert_memory_equal(msg.status.text, "?[2J???xxx", 10);
}

/* A datagram larger than any, and one of nothing but empty options. */
static void size_is_no_way_in(void **state)
{
	static uint8_t large[DHCP6_MSG_MAX + 1];

	large[0] = DHCP6_SOLICIT;
	assert_int_equal(dhcp6_msg_read(large, DHCP6_MSG_MAX + 1, &codes, &msg), -EINVAL);
	/* 16,380 options of code 0, and three octets that are none */
	assert_int_equal(dhcp6_msg_read(large, DHCP6_MSG_MAX, &codes, &msg), -EINVAL);
	assert_int_equal(dhcp6_msg_read(large, DHCP6_MSG_MAX - 3, &codes, &msg), 0);
}

/* A buffer that is too small by any number of octets gets no half message. */
static void what_does_not_fit_is_not_written(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		uint8_t buf[DHCP6_SEND_MAX];
		int len;

		assert_int_equal(read_hex(good[i]), 0);
		len = dhcp6_msg_write(&msg, &codes, buf, sizeof(buf));
		assert_int_equal(len, octets_of(good[i]).len);
		for (size_t size = 0; size < (size_t)len; size++)
			assert_int_equal(dhcp6_msg_write(&msg, &codes, buf, size), -EMSGSIZE);
		assert_int_equal(dhcp6_msg_write(&msg, &codes, buf, (size_t)len), len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_option_has_its_length),
		cmocka_unit_test(an_option_has_room_for_its_fields),
		cmocka_unit_test(a_message_that_is_cut_is_refused),
		cmocka_unit_test(every_length_that_is_one_off_is_refused),
		cmocka_unit_test(nothing_stands_twice),
		cmocka_unit_test(values_that_cannot_be_are_refused),
		cmocka_unit_test(more_than_the_value_holds_is_refused),
		cmocka_unit_test(an_ia_holds_eight_addresses),
		cmocka_unit_test(a_long_option_request_is_cut),
		cmocka_unit_test(a_status_is_fit_to_print),
		cmocka_unit_test(size_is_no_way_in),
		cmocka_unit_test(what_does_not_fit_is_not_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
