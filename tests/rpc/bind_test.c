// SPDX-License-Identifier: BSD-3-Clause
/* The calls of rpcbind against octets written by hand from RFC 1833 section 2.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "rpc/rpc_bind.h"

#include <string.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define W(n)   (uint8_t)((n) >> 24), (uint8_t)((n) >> 16), (uint8_t)((n) >> 8), (uint8_t)(n)
#define CALLED(procedure) \
	W(9), W(0), W(2), W(100000), W(4), W(procedure), W(0), W(0), W(0), W(0), W(0x20000d57), W(1)

static void the_calls_are_written_as_by_hand(void **state)
{
	static const uint8_t get[] = {CALLED(3), W(4), 'u', 'd', 'p', '6', W(0), W(0)};
	struct rpc_bind_entry entry = {.program = 0x20000d57,
		.version = 1,
		.is_tcp = true,
		.at = {.addr = IN6ADDR_LOOPBACK_INIT, .port = 14 * 256 + 69}};
	static const uint8_t set[] = {CALLED(1), W(4), 't', 'c', 'p', '6', W(9), ':', ':', '1', '.',
		'1', '4', '.', '6', '9', 0, 0, 0, W(0)};
	uint8_t data[256];

	assert_int_equal(rpc_bind_write(RPC_BIND_SET, 9, &entry, data, sizeof(data)), sizeof(set));
	assert_memory_equal(data, set, sizeof(set));
	entry.is_tcp = false;
	assert_int_equal(
		rpc_bind_write(RPC_BIND_GETADDR, 9, &entry, data, sizeof(data)), sizeof(get));
	assert_memory_equal(data, get, sizeof(get));
	assert_int_equal(rpc_bind_write(RPC_BIND_GETADDR, 9, &entry, data, 40), 0);
}

struct port_row {
	const char *text;
	uint16_t port;
};

static struct rpc_reply with_text(const char *text, uint8_t *data)
{
	size_t len = strlen(text);

	memset(data, 0, 256);
	data[3] = (uint8_t)len;
	memcpy(data + 4, text, len);
	return (struct rpc_reply){.outcome = RPC_OUTCOME_SUCCESS,
		.results = data,
		.results_len = 4 + (len + 3) / 4 * 4};
}

static void the_port_is_read_from_a_universal_address(void **state)
{
	static const struct port_row rows[] = {
		{"::1.14.69", 3653},
		{"2001:db8::5.255.255", 65535},
		{"::ffff:192.0.2.1.0.111", 111},
		{"fe80::1%eth0.3.1", 769},
		{"", 0},
		{"::1", 0},
		{"::1.14", 0},
		{".14.69", 3653},
		{"::1.256.1", 0},
		{"::1.1.256", 0},
		{"::1.-1.1", 0},
		{"::1.1.1x", 0},
		{"::1.1.", 0},
		{"::1..1", 0},
		{"::1.0001.1", 0},
	};
	uint8_t data[256];

	for (size_t i = 0; i < LEN(rows); i++) {
		struct rpc_reply reply = with_text(rows[i].text, data);

		if (rpc_bind_read_port(&reply) != rows[i].port)
			fail_msg("\"%s\" is not port %u", rows[i].text, rows[i].port);
	}
}

static void a_hostile_answer_has_no_port(void **state)
{
	static const uint8_t long_text[] = {W(0xfffffffc), ':', ':', '1', '.'};
	static const uint8_t cut[] = {W(8), ':', ':', '1', '.'};
	const struct rpc_reply rows[] = {
		{.outcome = RPC_OUTCOME_SUCCESS},
		{.outcome = RPC_OUTCOME_SUCCESS,
			.results = long_text,
			.results_len = sizeof(long_text)},
		{.outcome = RPC_OUTCOME_SUCCESS, .results = cut, .results_len = sizeof(cut)},
		{.outcome = RPC_OUTCOME_PROG_UNAVAIL},
	};

	for (size_t i = 0; i < LEN(rows); i++)
		assert_int_equal(rpc_bind_read_port(&rows[i]), 0);
}

static void only_true_is_done(void **state)
{
	static const uint8_t yes[] = {W(1)}, no[] = {W(0)};
	const struct rpc_reply done = {.results = yes, .results_len = 4};
	const struct rpc_reply not_done = {.results = no, .results_len = 4};
	const struct rpc_reply cut = {.results = yes, .results_len = 0};
	const struct rpc_reply failed = {.outcome = RPC_OUTCOME_SYSTEM_ERR};

	assert_true(rpc_bind_read_done(&done));
	assert_false(rpc_bind_read_done(&not_done));
	assert_false(rpc_bind_read_done(&cut));
	assert_false(rpc_bind_read_done(&failed));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_calls_are_written_as_by_hand),
		cmocka_unit_test(the_port_is_read_from_a_universal_address),
		cmocka_unit_test(a_hostile_answer_has_no_port),
		cmocka_unit_test(only_true_is_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
