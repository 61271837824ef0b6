// SPDX-License-Identifier: BSD-3-Clause
/*
 * What an application is told of a packet that cannot pass (S18, S20), what congestion becomes (S15), and
 * what ICMPv6 means (S7, S21).
 */
#include "client/ecn.h"
#include "client/path_mtu.h"
#include "client/refuse.h"
#include "client/tunnel_error.h"

#include "packets.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static uint8_t packet[2000], answer[CL_REFUSE_MAX];

static void refusal_quotes_the_packet_and_comes_from_its_destination(void **state)
{
	static const size_t payloads[] = {0, 10, 519, 520, 521, 1400};

	for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
		size_t len = put_udp(packet, 12345, payloads[i]);
		size_t quote_len = len < 548 ? len : 548;

		assert_int_equal(
			cl_refuse_make(packet, len, CL_REFUSE_PROHIBITED, answer), 28 + quote_len);
		assert_int_equal(get_u16(answer + 2), 28 + quote_len);
		assert_int_equal(naive_sum(0, answer, 20), 0xffff);
		assert_int_equal(naive_sum(0, answer + 20, 8 + quote_len), 0xffff);
		assert_int_equal(answer[9], 1);
		assert_memory_equal(answer + 12, packet + 16, 4);
		assert_memory_equal(answer + 16, packet + 12, 4);
		assert_int_equal(answer[20], 3);
		assert_int_equal(answer[21], 13);
		assert_memory_equal(answer + 28, packet, quote_len);
	}
}

static void what_must_not_be_answered_is_not(void **state)
{
	static const struct {
		const char *what;
		size_t at;
		uint32_t value;
		bool is_answered;
	} cases[] = {
		{"a later fragment", 7, 1, false},
		{"a first fragment", 6, 0x20, true},
		{"to a group", 16, 224, false},
		{"to everybody", 16, 255, false},
		{"from nobody", 12, 0, false},
		{"from the host itself", 12, 127, false},
		{"from a group", 12, 230, false},
		{"not IPv4", 0, 0x65, false},
		{"header too short", 0, 0x44, false},
		{"header longer than the packet", 0, 0x4f, false},
		{"another protocol", 9, 50, true},
	};
	size_t len;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		len = put_udp(packet, 12345, 4);
		packet[cases[i].at] = (uint8_t)cases[i].value;
		if ((cl_refuse_make(packet, len, CL_REFUSE_PROHIBITED, answer) > 0) !=
			cases[i].is_answered)
			fail_msg("%s", cases[i].what);
	}
	for (int type = 0; type < 256; type++) {
		len = put_udp(packet, 12345, 4);
		packet[9] = 1;
		packet[20] = (uint8_t)type;
		if (type == 3 || type == 4 || type == 5 || type == 11 || type == 12)
			assert_int_equal(cl_refuse_make(packet, len, 13, answer), 0);
		if (type == 8 || type == 13)
			assert_true(cl_refuse_make(packet, len, 13, answer) > 0);
	}
	for (size_t i = 0; i < 28; i++)
		assert_int_equal(cl_refuse_make(packet, i, 13, answer), 0);
}

static void refusals_are_limited(void **state)
{
	struct cl_refuse_limit limit = {0};
	uint32_t n = 0;

	for (int i = 0; i < 1000; i++)
		n += cl_refuse_may(&limit, 1000000);
	assert_int_equal(n, CL_REFUSE_BURST);
	for (int64_t ms = 1000000; ms < 1010000; ms++)
		n += cl_refuse_may(&limit, ms);
	assert_in_range(n, CL_REFUSE_BURST + 10 * CL_REFUSE_RATE - 1,
		CL_REFUSE_BURST + 10 * CL_REFUSE_RATE);
	n = 0;
	for (int i = 0; i < 1000; i++)
		n += cl_refuse_may(&limit, 2000000);
	assert_int_equal(n, CL_REFUSE_BURST);
}

/* RFC 6040, figure 4: rows Not-ECT, ECT(0), ECT(1), CE inside; columns the same outside. */
static void congestion_is_merged_by_the_table(void **state)
{
	enum {
		NOT_ECT = 0,
		ECT_1 = 1,
		ECT_0 = 2,
		CE = 3,
		DROP = -1
	};
	static const int order[] = {NOT_ECT, ECT_0, ECT_1, CE};
	static const int table[4][4] = {
		{NOT_ECT, NOT_ECT, NOT_ECT, DROP},
		{ECT_0, ECT_0, ECT_1, CE},
		{ECT_1, ECT_1, ECT_1, CE},
		{CE, CE, CE, CE},
	};

	for (int inner = 0; inner < 4; inner++) {
		for (int outer = 0; outer < 4; outer++) {
			int merged = cl_ecn_merge(
				(uint8_t)(0xb8 | order[inner]), (uint8_t)(0x20 | order[outer]));
			int expected = table[inner][outer];

			assert_int_equal(merged, expected == DROP ? -1 : 0xb8 | expected);
		}
	}
	assert_int_equal(cl_ecn_outer(CL_DSCP_COPY, 0xba), 0xba);
	assert_int_equal(cl_ecn_outer(0, 0xba), 2);
	assert_int_equal(cl_ecn_outer(63, 0), 0xfc);
}

static void only_the_tep_ends_its_binding(void **state)
{
	static const struct {
		uint8_t origin, type, code;
		bool from_tep, to_tep;
		enum cl_tunnel_error_type expected;
	} cases[] = {
		{SO_EE_ORIGIN_ICMP6, 1, 5, true, true, CL_TUNNEL_ERROR_UNBOUND},
		{SO_EE_ORIGIN_ICMP6, 1, 5, false, true, CL_TUNNEL_ERROR_UNREACHABLE},
		{SO_EE_ORIGIN_ICMP6, 1, 5, true, false, CL_TUNNEL_ERROR_UNREACHABLE},
		{SO_EE_ORIGIN_ICMP6, 1, 0, false, true, CL_TUNNEL_ERROR_UNREACHABLE},
		{SO_EE_ORIGIN_ICMP6, 1, 4, true, true, CL_TUNNEL_ERROR_UNREACHABLE},
		{SO_EE_ORIGIN_ICMP6, 2, 0, false, true, CL_TUNNEL_ERROR_TOO_BIG},
		{SO_EE_ORIGIN_ICMP6, 3, 0, false, true, CL_TUNNEL_ERROR_UNREACHABLE},
		{SO_EE_ORIGIN_ICMP6, 3, 1, false, true, CL_TUNNEL_ERROR_NONE},
		{SO_EE_ORIGIN_ICMP6, 4, 1, true, true, CL_TUNNEL_ERROR_UNREACHABLE},
		{SO_EE_ORIGIN_ICMP6, 128, 0, true, true, CL_TUNNEL_ERROR_NONE},
		{SO_EE_ORIGIN_LOCAL, 1, 5, true, true, CL_TUNNEL_ERROR_NONE},
		{SO_EE_ORIGIN_ICMP, 1, 5, true, true, CL_TUNNEL_ERROR_NONE},
	};
	struct in6_addr tep, other;

	inet_pton(AF_INET6, "2001:db8::1", &tep);
	inet_pton(AF_INET6, "2001:db8::2", &other);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sock_extended_err error = {.ee_origin = cases[i].origin,
			.ee_type = cases[i].type,
			.ee_code = cases[i].code};

		if (cl_tunnel_error_judge(&error, cases[i].from_tep ? &tep : &other,
			    cases[i].to_tep ? &tep : &other, &tep) != cases[i].expected)
			fail_msg("case %zu", i);
	}
}

static void device_leaves_room_for_the_header_and_keeps_the_floor(void **state)
{
	assert_int_equal(cl_path_mtu_device(1500), 1460);
	assert_int_equal(cl_path_mtu_device(1280), 1240);
	assert_int_equal(cl_path_mtu_device(68), 1240);
	assert_int_equal(cl_path_mtu_device(65536), 65495);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusal_quotes_the_packet_and_comes_from_its_destination),
		cmocka_unit_test(what_must_not_be_answered_is_not),
		cmocka_unit_test(refusals_are_limited),
		cmocka_unit_test(congestion_is_merged_by_the_table),
		cmocka_unit_test(only_the_tep_ends_its_binding),
		cmocka_unit_test(device_leaves_room_for_the_header_and_keeps_the_floor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
