// SPDX-License-Identifier: BSD-3-Clause
/* Relays (RFC 8415 sections 9 and 19, RFC 8357, RFC 6939), against octets written by hand. */
#include "dhcp6/dhcp6_relay.h"

#include "dhcp6/dhcp6_msg.h"

#include "common/addr.h"

#include "octets.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

/* clang-format off */
#define LINK_1 "20010db8 00010000 00000000 00000001 "
#define LINK_0 "00000000 00000000 00000000 00000000 "
#define PEER_1 "fe800000 00000000 00000000 00000017 "
#define PEER_2 "20010db8 00000000 00000000 000000aa "
#define INNER  "01 a1b2c3 000e 0000 "
#define ANSWER "07 a1b2c3 000e 0000 "

/* The relay near the client: interface "e1", a link-layer address, a remote id that is skipped. */
#define NEAR_FORW "0c 00 " LINK_1 PEER_1                          \
	"0012 0002 6531 0025 0005 0000000901 "                    \
	"004f 0008 0001 020000000017 "                            \
	"0009 0008 " INNER
#define NEAR_REPL "0d 00 " LINK_1 PEER_1 "0012 0002 6531 0009 0008 " ANSWER
/* The next one, with a port, an empty interface id and no link of its own. */
#define FAR_FORW  "0c 01 " LINK_0 PEER_2 "0087 0002 04d2 0012 0000 0009 0049 " NEAR_FORW
#define FAR_REPL  "0d 01 " LINK_0 PEER_2 "0012 0000 0087 0002 04d2 0009 0034 " NEAR_REPL
/* clang-format on */

static struct dhcp6_relay relay;
static const uint8_t *inner;
static size_t inner_len;
static struct octets datagram;

static int open_hex(const char *hex)
{
	datagram = octets_of(hex);
	return dhcp6_relay_open(datagram.data, datagram.len, &relay, &inner, &inner_len);
}

static void assert_v6(const struct in6_addr *addr, const char *text)
{
	char buf[ADDR_V6_STRLEN];

	assert_string_equal(addr_v6_format(addr, buf), text);
}

static void assert_closed(const char *answer_hex, const char *hex)
{
	struct octets answer = octets_of(answer_hex);
	uint8_t buf[DHCP6_SEND_MAX];
	int len = dhcp6_relay_close(&relay, answer.data, answer.len, buf, sizeof(buf));

	assert_true(len > 0);
	octets_assert_equal(buf, (size_t)len, hex);
	assert_int_equal(len, dhcp6_relay_overhead(&relay) + answer.len);
	for (int size = 0; size < len; size++)
		assert_int_equal(
			dhcp6_relay_close(&relay, answer.data, answer.len, buf, (size_t)size),
			-EMSGSIZE);
}

static void a_client_itself_has_no_level(void **state)
{
	assert_int_equal(open_hex(INNER), 0);
	assert_int_equal(relay.n_levels, 0);
	assert_ptr_equal(inner, datagram.data);
	assert_int_equal(inner_len, datagram.len);
	assert_null(dhcp6_relay_link(&relay));
	assert_int_equal(dhcp6_relay_overhead(&relay), 0);
	assert_closed(ANSWER, ANSWER);
}

static void a_relay_is_answered_with_what_is_its_own(void **state)
{
	assert_int_equal(open_hex(NEAR_FORW), 0);
	assert_int_equal(relay.n_levels, 1);
	octets_assert_equal(inner, inner_len, INNER);
	assert_v6(dhcp6_relay_client(&relay), "fe80::17");
	assert_v6(dhcp6_relay_link(&relay), "2001:db8:1::1");
	assert_true(relay.levels[0].has_interface_id);
	assert_false(relay.levels[0].has_port);
	/* RFC 6939 */
	assert_int_equal(relay.hardware, 1);
	octets_assert_equal(relay.link_layer, relay.link_layer_len, "020000000017");
	assert_closed(ANSWER, NEAR_REPL);
}

static void each_level_of_several_is_answered(void **state)
{
	assert_int_equal(open_hex(FAR_FORW), 0);
	assert_int_equal(relay.n_levels, 2);
	octets_assert_equal(inner, inner_len, INNER);
	assert_int_equal(relay.levels[0].hop_count, 1);
	assert_int_equal(relay.levels[1].hop_count, 0);
	/* RFC 8357 */
	assert_true(relay.levels[0].has_port && relay.levels[0].port == 1234);
	/* The link is what the relay near the client says, the client what it saw. */
	assert_v6(dhcp6_relay_client(&relay), "fe80::17");
	assert_v6(dhcp6_relay_link(&relay), "2001:db8:1::1");
	assert_closed(ANSWER, FAR_REPL);
}

/* RFC 6221: a relay that is a switch names no link; the next one does. */
static void the_link_is_the_nearest_that_is_named(void **state)
{
	assert_int_equal(open_hex("0c 01 " LINK_1 PEER_2 "0009 002e "
				  "0c 00 " LINK_0 PEER_1 "0009 0008 " INNER),
		0);
	assert_v6(dhcp6_relay_link(&relay), "2001:db8:1::1");
	assert_int_equal(open_hex("0c 00 " LINK_0 PEER_1 "0009 0008 " INNER), 0);
	assert_null(dhcp6_relay_link(&relay));
}

static void what_relays_may_not_send_is_refused(void **state)
{
	static const char *const cases[] = {
		"", "0c", "0c 00 " LINK_1 PEER_1, /* no message */
		"0c 00 " LINK_1 PEER_1 "0009 0000", /* an empty one */
		"0c 00 " LINK_1 PEER_1 "0009 0008 " INNER "0009 0008 " INNER, /* two */
		"0c 00 " LINK_1 PEER_1 "0009 0009 " INNER, /* cut */
		"0c 00 " LINK_1 PEER_1 "0009 0007 " INNER, /* too short: an octet is left */
		"0c 00 " LINK_1 PEER_1 "0012 0001 61 0012 0001 62 0009 0008 " INNER,
		"0c 00 " LINK_1 PEER_1 "0087 0002 0001 0087 0002 0002 0009 0008 " INNER,
		"0c 00 " LINK_1 PEER_1 "0087 0001 01 0009 0008 " INNER,
		"0c 00 " LINK_1 PEER_1 "0087 0003 010203 0009 0008 " INNER,
		"0c 00 " LINK_1 PEER_1 "004f 0001 01 0009 0008 " INNER,
		"0c 00 " LINK_1 PEER_1 "0009 0002 0c00", /* a level without addresses inside */
		"0c 00 " LINK_1 "fe800000 00000000 00000000 000000", /* the fields are cut */
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(open_hex(cases[i]), -EINVAL);
	/* A link-layer address that is longer than any we know is no reason. */
	assert_int_equal(open_hex("0c 00 " LINK_1 PEER_1 "004f 0017 "
				  "0020 000102030405060708090a0b0c0d0e0f1011121314 "
				  "0009 0008 " INNER),
		0);
	assert_int_equal(relay.link_layer_len, 0);
}

/* n levels around a message. */
static struct octets nest(uint32_t n, const char *options)
{
	struct octets whole = octets_of(INNER);

	for (uint32_t i = 0; i < n; i++) {
		struct octets level = octets_of("0c 00 " LINK_1 PEER_1);
		struct octets extra = octets_of(options);
		const uint8_t header[] = {0, 9, (uint8_t)(whole.len >> 8), (uint8_t)whole.len};

		memcpy(level.data + level.len, extra.data, extra.len);
		level.len += extra.len;
		memcpy(level.data + level.len, header, sizeof(header));
		level.len += sizeof(header);
		memcpy(level.data + level.len, whole.data, whole.len);
		level.len += whole.len;
		whole = level;
	}
	return whole;
}

static int open_octets(const struct octets *octets)
{
	uint8_t *exact = test_malloc(octets->len + 1);
	int rc;

	memcpy(exact + 1, octets->data, octets->len);
	rc = dhcp6_relay_open(exact + 1, octets->len, &relay, &inner, &inner_len);
	test_free(exact);
	return rc;
}

static void nesting_has_an_end(void **state)
{
	for (uint32_t n = 0; n <= 20; n++) {
		struct octets octets = nest(n, "");

		assert_int_equal(open_octets(&octets), n <= 8 ? 0 : -E2BIG);
		if (n <= 8)
			assert_int_equal(relay.n_levels, n);
	}
}

/* Interface ids go back whole or not at all. */
static void interface_ids_have_room_together(void **state)
{
	char id[16 + 2 * 64] = "0012 0040 ";
	struct octets octets;

	for (int i = 0; i < 64; i++)
		snprintf(id + 10 + 2 * i, 3, "%02x", i);
	octets = nest(4, id);
	assert_int_equal(open_octets(&octets), 0);
	assert_int_equal(relay.ids_len, 256);
	octets = nest(5, id);
	assert_int_equal(open_octets(&octets), -E2BIG);
}

static void a_relayed_message_that_is_cut_is_refused(void **state)
{
	struct octets octets = octets_of(FAR_FORW);

	for (; octets.len > 0; octets.len--)
		assert_int_equal(
			open_octets(&octets), octets.len == octets_of(FAR_FORW).len ? 0 : -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_itself_has_no_level),
		cmocka_unit_test(a_relay_is_answered_with_what_is_its_own),
		cmocka_unit_test(each_level_of_several_is_answered),
		cmocka_unit_test(the_link_is_the_nearest_that_is_named),
		cmocka_unit_test(what_relays_may_not_send_is_refused),
		cmocka_unit_test(nesting_has_an_end),
		cmocka_unit_test(interface_ids_have_room_together),
		cmocka_unit_test(a_relayed_message_that_is_cut_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
