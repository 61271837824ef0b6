// SPDX-License-Identifier: BSD-3-Clause
/* The reconfigure key protocol (R36; RFC 8415 section 20.4). */
#include "dhcp6/dhcp6_auth.h"

#include "messages.h"
#include "octets.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t key[DHCP6_AUTH_KEY_LEN] = "sixteen octets.";
static const struct dhcp6_codes codes = DHCP6_CODES_DEFAULT;

/* RECONFIGURE with the HMAC that Python's hmac module gives for it. */
static struct octets signed_message(void)
{
	struct octets octets = octets_of(RECONFIGURE);
	struct octets hmac = octets_of("5136bb962f85efbef3f4d3c3f1133846");

	memcpy(octets.data + octets.len - hmac.len, hmac.data, hmac.len);
	return octets;
}

static void a_reconfigure_is_signed_and_verified(void **state)
{
	struct octets expected = signed_message();
	struct octets octets = octets_of(RECONFIGURE);
	uint64_t replay = 6;

	assert_int_equal(dhcp6_auth_sign(octets.data, octets.len, key), 0);
	assert_memory_equal(octets.data, expected.data, octets.len);
	assert_true(dhcp6_auth_verify(octets.data, octets.len, key, &replay));
	assert_int_equal(replay, 7);
	/* Once. */
	assert_false(dhcp6_auth_verify(octets.data, octets.len, key, &replay));
	replay = 8;
	assert_false(dhcp6_auth_verify(octets.data, octets.len, key, &replay));
	assert_int_equal(replay, 8);
	/* What is signed already can be signed again: its field counts as zero. */
	assert_int_equal(dhcp6_auth_sign(octets.data, octets.len, key), 0);
	assert_memory_equal(octets.data, expected.data, octets.len);
}

static void any_change_ends_the_signature(void **state)
{
	struct octets octets = signed_message();
	uint8_t other[DHCP6_AUTH_KEY_LEN] = "sixteen octetz.";
	uint64_t replay = 0;

	for (size_t bit = 0; bit < octets.len * 8; bit++) {
		octets.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(dhcp6_auth_verify(octets.data, octets.len, key, &replay));
		octets.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t len = 0; len < octets.len; len++)
		assert_false(dhcp6_auth_verify(octets.data, len, key, &replay));
	assert_false(dhcp6_auth_verify(octets.data, octets.len, other, &replay));
	assert_int_equal(replay, 0);
	assert_true(dhcp6_auth_verify(octets.data, octets.len, key, &replay));
}

/* A second authentication option, or one of another kind, is no signature. */
static void what_is_not_signed_by_this_protocol_is_refused(void **state)
{
#define HMAC_OPTION "000b 001c 03 01 00 0000000000000007 02 00000000000000000000000000000000 "
	static const char *const cases[] = {
		"0a 000000 ",
		"0a 000000 " HMAC_OPTION HMAC_OPTION,
		"0a 000000 000b 001c 02 01 00 0000000000000007 02 00000000000000000000000000000000",
		"0a 000000 000b 001c 03 02 00 0000000000000007 02 00000000000000000000000000000000",
		"0a 000000 000b 001c 03 01 01 0000000000000007 02 00000000000000000000000000000000",
		"0a 000000 000b 001c 03 01 00 0000000000000007 01 00000000000000000000000000000000",
		"0a 000000 000b 001b 03 01 00 0000000000000007 02 000000000000000000000000000000",
		"0a 000000 000b 001d 03 01 00 0000000000000007 02 "
		"0000000000000000000000000000000000",
		"0a 000000 " HMAC_OPTION "000b 0000 ",
		"0a 000000 " HMAC_OPTION "0006 0004 0060 ",
		"",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct octets octets = octets_of(cases[i]);
		uint64_t replay = 0;

		assert_int_equal(dhcp6_auth_sign(octets.data, octets.len, key), -ENOENT);
		assert_false(dhcp6_auth_verify(octets.data, octets.len, key, &replay));
	}
}

/* From the server's value over the wire to the client's. */
static void a_reply_hands_over_the_key(void **state)
{
	struct dhcp6_msg msg = {.type = DHCP6_REPLY};
	uint8_t got[DHCP6_AUTH_KEY_LEN];
	uint8_t buf[DHCP6_SEND_MAX];
	int len;

	assert_false(dhcp6_auth_get_key(&msg.auth, got));
	dhcp6_auth_set_key(&msg.auth, 0x1122334455667788, key);
	len = dhcp6_msg_write(&msg, &codes, buf, sizeof(buf));
	octets_assert_equal(buf, (size_t)len,
		"07 000000 000b 001c 03 01 00 1122334455667788 01 "
		"7369787465656e206f63746574732e00");
	assert_int_equal(dhcp6_msg_read(buf, (size_t)len, &codes, &msg), 0);
	assert_true(dhcp6_auth_get_key(&msg.auth, got));
	assert_memory_equal(got, key, sizeof(key));
	/* A Reconfigure hands over none, nor do other protocols. */
	msg.auth.protocol = 2;
	assert_false(dhcp6_auth_get_key(&msg.auth, got));
	dhcp6_auth_set_hmac(&msg.auth, 1);
	assert_false(dhcp6_auth_get_key(&msg.auth, got));
}

static void a_message_that_we_make_can_be_signed(void **state)
{
	struct dhcp6_msg msg = {.type = DHCP6_RECONFIGURE, .reconf_type = DHCP6_REBIND};
	uint8_t buf[DHCP6_SEND_MAX];
	uint64_t replay = 0;
	int len;

	dhcp6_auth_set_hmac(&msg.auth, UINT64_MAX);
	len = dhcp6_msg_write(&msg, &codes, buf, sizeof(buf));
	assert_true(len > 0);
	assert_false(dhcp6_auth_verify(buf, (size_t)len, key, &replay));
	assert_int_equal(dhcp6_auth_sign(buf, (size_t)len, key), 0);
	assert_true(dhcp6_auth_verify(buf, (size_t)len, key, &replay));
	assert_int_equal(replay, UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reconfigure_is_signed_and_verified),
		cmocka_unit_test(any_change_ends_the_signature),
		cmocka_unit_test(what_is_not_signed_by_this_protocol_is_refused),
		cmocka_unit_test(a_reply_hands_over_the_key),
		cmocka_unit_test(a_message_that_we_make_can_be_signed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
