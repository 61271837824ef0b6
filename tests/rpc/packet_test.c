// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "common/addr.h"
#include "rpc/rpc_packet.h"

#include <errno.h>
#include <string.h>

/* Written by hand from the structure in annex B: XDR puts each field at a multiple of four octets. */
static const uint8_t by_hand[RPC_PACKET_SIZE] = {
	0, 0, 0, 2, /* type: REQUEST_REP */
	0xfe, 0x80, 0, 0, 0, 0, 0, 0, 2, 0x60, 0xca, 0xff, 0xfe, 0x85, 0xab, 0xcd, /* local */
	255, 255, 255, 255, /* mask */
	198, 51, 100, 7, /* i4addr */
	192, 0, 2, 1, /* tep4 */
	0x20, 0x01, 0x0d, 0xb8, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, /* tep6 */
	0xf0, 0x00, 0x0e, 0x10, /* ends: beyond what fits a signed number */
	0x6a, 0x00, 0x00, 0x00, /* starts */
	0, 0, 0x0e, 0x10, /* extend: 3600 */
	0, 0, 0, 9, /* keep */
};

static struct in6_addr v6(const char *text)
{
	struct in6_addr addr;

	assert_int_equal(addr_v6_parse(text, &addr), 0);
	return addr;
}

static struct rpc_packet the_same(void)
{
	return (struct rpc_packet){
		.type = RPC_PACKET_REQUEST_REP,
		.local = v6("fe80::260:caff:fe85:abcd"),
		.mask = 0xffffffff,
		.v4 = 0xc6336407,
		.tep_v4 = 0xc0000201,
		.tep_v6 = v6("2001:db8:ffff::1"),
		.ends = 0xf0000e10,
		.starts = 0x6a000000,
		.extend = 3600,
		.keep = 9,
	};
}

/* R39 */
static void a_packet_is_written_as_by_hand(void **state)
{
	const struct rpc_packet packet = the_same();
	uint8_t data[RPC_PACKET_SIZE];

	rpc_packet_write(&packet, data);
	assert_memory_equal(data, by_hand, sizeof(by_hand));
}

/* R39 */
static void a_packet_by_hand_is_read(void **state)
{
	struct rpc_packet expected = the_same(), packet;

	assert_int_equal(rpc_packet_read(by_hand, sizeof(by_hand), &packet), 0);
	assert_memory_equal(&packet, &expected, sizeof(packet));
}

static void another_length_is_no_packet(void **state)
{
	static const size_t lengths[] = {0, 4, 60, 63, 65, 68, 128};
	uint8_t data[128] = {0};
	struct rpc_packet packet;

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		assert_int_equal(rpc_packet_read(data, lengths[i], &packet), -EINVAL);
}

static void a_type_that_nobody_has_is_read_as_it_is(void **state)
{
	uint8_t data[RPC_PACKET_SIZE];
	struct rpc_packet packet;

	memset(data, 0xff, sizeof(data));
	assert_int_equal(rpc_packet_read(data, sizeof(data), &packet), 0);
	assert_int_equal(packet.type, -1);
	assert_int_equal(packet.extend, UINT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_packet_is_written_as_by_hand),
		cmocka_unit_test(a_packet_by_hand_is_read),
		cmocka_unit_test(another_length_is_no_packet),
		cmocka_unit_test(a_type_that_nobody_has_is_read_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
