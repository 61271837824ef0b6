// SPDX-License-Identifier: BSD-3-Clause
/*
 * The client's holder check (S6, S18, S20, S37), packet by packet.
 */
#include "client/inner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define OURS  0xc6336407 /* 198.51.100.7 */
#define PEER  0xcb007105 /* 203.0.113.5 */
#define TCP   6
#define UDP   17
#define ICMP  1
#define ESP   50
#define ERROR 3 /* ICMP destination unreachable */

static const struct lease shared = {
	.v4 = OURS, .n_ranges = 2, .ranges = {{2048, 3071}, {9000, 9000}}};
static const struct lease whole = {.v4 = OURS, .n_ranges = 1, .ranges = {{0, 65535}}};

static void put_u16(uint8_t *p, uint16_t value)
{
	p[0] = value >> 8;
	p[1] = value;
}

static void put_u32(uint8_t *p, uint32_t value)
{
	put_u16(p, value >> 16);
	put_u16(p + 2, value);
}

/* Writes an IPv4 header without options, returns where its payload begins. */
static uint8_t *put_ip(uint8_t *p, uint8_t protocol, uint32_t src, uint32_t dst, size_t payload)
{
	memset(p, 0, 20);
	p[0] = 0x45;
	put_u16(p + 2, 20 + payload);
	p[8] = 64;
	p[9] = protocol;
	put_u32(p + 12, src);
	put_u32(p + 16, dst);
	return p + 20;
}

/* TCP or UDP with eight octets of payload. */
static size_t ports_packet(
	uint8_t *p, uint8_t protocol, uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport)
{
	uint8_t *l4 = put_ip(p, protocol, src, dst, 28);

	memset(l4, 0, 28);
	put_u16(l4, sport);
	put_u16(l4 + 2, dport);
	return 48;
}

static size_t query_packet(uint8_t *p, uint8_t type, uint32_t src, uint32_t dst, uint16_t id)
{
	uint8_t *l4 = put_ip(p, ICMP, src, dst, 8);

	memset(l4, 0, 8);
	l4[0] = type;
	put_u16(l4 + 4, id);
	return 28;
}

/* An ICMP error from src to dst around a quote that is already behind it at p + 28. */
static size_t error_packet(uint8_t *p, uint32_t src, uint32_t dst, size_t quote)
{
	uint8_t *l4 = put_ip(p, ICMP, src, dst, 8 + quote);

	memset(l4, 0, 8);
	l4[0] = ERROR;
	return 28 + quote;
}

static void ports_decide_both_ways(void **state)
{
	static const struct {
		uint16_t port;
		enum cl_verdict verdict;
	} cases[] = {
		{2047, CL_FOREIGN_PORT},
		{2048, CL_PASS},
		{3071, CL_PASS},
		{3072, CL_FOREIGN_PORT},
		{8999, CL_FOREIGN_PORT},
		{9000, CL_PASS},
		{9001, CL_FOREIGN_PORT},
		{0, CL_FOREIGN_PORT},
		{65535, CL_FOREIGN_PORT},
	};
	uint8_t p[64];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint16_t port = cases[i].port;
		size_t len;

		len = ports_packet(p, TCP, OURS, port, PEER, 80);
		assert_int_equal(cl_inner_check(p, len, CL_OUT, &shared), cases[i].verdict);
		len = ports_packet(p, UDP, PEER, 53, OURS, port);
		assert_int_equal(cl_inner_check(p, len, CL_IN, &shared), cases[i].verdict);
		len = query_packet(p, 8, OURS, PEER, port);
		assert_int_equal(cl_inner_check(p, len, CL_OUT, &shared), cases[i].verdict);
		len = query_packet(p, 0, PEER, OURS, port);
		assert_int_equal(cl_inner_check(p, len, CL_IN, &shared), cases[i].verdict);
	}
}

static void our_port_at_the_wrong_end_does_not_pass(void **state)
{
	uint8_t p[64];
	size_t len = ports_packet(p, TCP, OURS, 80, PEER, 2048);

	assert_int_equal(cl_inner_check(p, len, CL_OUT, &shared), CL_FOREIGN_PORT);
	len = ports_packet(p, TCP, PEER, 2048, OURS, 80);
	assert_int_equal(cl_inner_check(p, len, CL_IN, &shared), CL_FOREIGN_PORT);
}

static void foreign_address_does_not_pass_even_under_an_exclusive_lease(void **state)
{
	uint8_t p[64];
	size_t len = ports_packet(p, TCP, OURS + 1, 2048, PEER, 80);

	assert_int_equal(cl_inner_check(p, len, CL_OUT, &shared), CL_FOREIGN_ADDRESS);
	assert_int_equal(cl_inner_check(p, len, CL_OUT, &whole), CL_FOREIGN_ADDRESS);
	len = ports_packet(p, TCP, PEER, 80, OURS + 1, 2048);
	assert_int_equal(cl_inner_check(p, len, CL_IN, &shared), CL_FOREIGN_ADDRESS);
}

static void protocol_without_ports_needs_an_exclusive_lease(void **state)
{
	uint8_t p[64];

	put_ip(p, ESP, OURS, PEER, 20);
	assert_int_equal(cl_inner_check(p, 40, CL_OUT, &shared), CL_FOREIGN_PROTOCOL);
	assert_int_equal(cl_inner_check(p, 40, CL_OUT, &whole), CL_PASS);
	put_ip(p, ESP, PEER, OURS, 20);
	assert_int_equal(cl_inner_check(p, 40, CL_IN, &shared), CL_FOREIGN_PROTOCOL);
	assert_int_equal(cl_inner_check(p, 40, CL_IN, &whole), CL_PASS);
}

/* An error goes by the packet quoted in it, which went the other way. */
static void icmp_error_belongs_to_whom_its_quote_belongs(void **state)
{
	uint8_t p[128];
	size_t len;

	/* In: a router says that what we sent from 2048 did not arrive. */
	len = error_packet(p, 0x0a000001, OURS, ports_packet(p + 28, UDP, OURS, 2048, PEER, 53));
	assert_int_equal(cl_inner_check(p, len, CL_IN, &shared), CL_PASS);
	len = error_packet(p, 0x0a000001, OURS, ports_packet(p + 28, UDP, OURS, 4000, PEER, 53));
	assert_int_equal(cl_inner_check(p, len, CL_IN, &shared), CL_FOREIGN_PORT);
	len = error_packet(p, 0x0a000001, OURS, ports_packet(p + 28, UDP, PEER, 2048, PEER, 53));
	assert_int_equal(cl_inner_check(p, len, CL_IN, &shared), CL_FOREIGN_ADDRESS);
	len = error_packet(p, 0x0a000001, OURS, query_packet(p + 28, 8, OURS, PEER, 9000));
	assert_int_equal(cl_inner_check(p, len, CL_IN, &shared), CL_PASS);
	/* Out: we tell the peer that its packet to our port 2048 met nobody. */
	len = error_packet(p, OURS, PEER, ports_packet(p + 28, UDP, PEER, 53, OURS, 2048));
	assert_int_equal(cl_inner_check(p, len, CL_OUT, &shared), CL_PASS);
	len = error_packet(p, OURS, PEER, ports_packet(p + 28, UDP, PEER, 53, OURS, 4000));
	assert_int_equal(cl_inner_check(p, len, CL_OUT, &shared), CL_FOREIGN_PORT);
}

static void quote_may_be_cut_behind_its_ports(void **state)
{
	uint8_t p[128];
	size_t len;

	ports_packet(p + 28, TCP, OURS, 2048, PEER, 80);
	len = error_packet(p, 0x0a000001, OURS, 28);
	assert_int_equal(cl_inner_check(p, len, CL_IN, &shared), CL_PASS);
	len = error_packet(p, 0x0a000001, OURS, 21);
	assert_int_equal(cl_inner_check(p, len, CL_IN, &shared), CL_MALFORMED);
	len = error_packet(p, 0x0a000001, OURS, 19);
	assert_int_equal(cl_inner_check(p, len, CL_IN, &shared), CL_MALFORMED);
}

static void quoted_error_and_redirect_do_not_pass(void **state)
{
	uint8_t p[160];
	size_t quote = error_packet(
		p + 28, OURS, PEER, ports_packet(p + 56, UDP, PEER, 53, OURS, 2048));
	size_t len = error_packet(p, 0x0a000001, OURS, quote);

	assert_int_equal(cl_inner_check(p, len, CL_IN, &shared), CL_FOREIGN_PROTOCOL);
	len = error_packet(p, 0x0a000001, OURS, ports_packet(p + 28, UDP, OURS, 2048, PEER, 53));
	p[20] = 5;
	assert_int_equal(cl_inner_check(p, len, CL_IN, &shared), CL_FOREIGN_PROTOCOL);
}

static void later_fragment_goes_by_its_address(void **state)
{
	uint8_t p[64];
	size_t len = ports_packet(p, UDP, PEER, 53, OURS, 80);

	put_u16(p + 6, 185);
	assert_int_equal(cl_inner_check(p, len, CL_IN, &shared), CL_PASS);
	put_u16(p + 6, 0x2000); /* the first: more follow */
	assert_int_equal(cl_inner_check(p, len, CL_IN, &shared), CL_FOREIGN_PORT);
	put_u16(p + 6, 185);
	put_u32(p + 16, OURS + 1);
	assert_int_equal(cl_inner_check(p, len, CL_IN, &shared), CL_FOREIGN_ADDRESS);
}

static void options_move_the_ports(void **state)
{
	uint8_t p[64];
	size_t len = ports_packet(p, UDP, OURS, 80, PEER, 53);

	p[0] = 0x46;
	put_u16(p + 24, 2048);
	assert_int_equal(cl_inner_check(p, len, CL_OUT, &shared), CL_PASS);
}

static void malformed_packet_is_named(void **state)
{
	uint8_t p[64];
	size_t len = ports_packet(p, UDP, OURS, 2048, PEER, 53);

	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(cl_inner_check(p, cut, CL_OUT, &shared), CL_MALFORMED);
	p[0] = 0x44;
	assert_int_equal(cl_inner_check(p, len, CL_OUT, &shared), CL_MALFORMED);
	p[0] = 0x65;
	assert_int_equal(cl_inner_check(p, len, CL_OUT, &shared), CL_MALFORMED);
	p[0] = 0x45;
	put_u16(p + 2, 19);
	assert_int_equal(cl_inner_check(p, len, CL_OUT, &shared), CL_MALFORMED);
	put_u16(p + 2, 21);
	assert_int_equal(cl_inner_check(p, len, CL_OUT, &shared), CL_MALFORMED);
}

/*
 * Whatever the octets are: no read behind the end (the sanitizers watch), and never a foreign
 * packet.
 */
static void random_packets_never_pass_with_a_foreign_address(void **state)
{
	unsigned int seed = time(NULL);

	print_message("seed %u\n", seed);
	srandom(seed);
	for (unsigned int i = 0; i < 200000; i++) {
		size_t len = random() % 80;
		uint8_t *p = malloc(len + 1);
		uint32_t addr;

		for (size_t j = 0; j < len; j++)
			p[j] = random();
		if (len > 0)
			p[0] = 0x45;
		if (len > 9)
			p[9] = random() % 4 == 0 ? ICMP : UDP;
		if (len > 3)
			put_u16(p + 2, len);
		if (cl_inner_check(p, len, CL_OUT, &shared) == CL_PASS) {
			memcpy(&addr, p + 12, 4);
			assert_int_equal(addr, htonl(OURS));
		}
		cl_inner_check(p, len, CL_IN, &shared);
		free(p);
	}
}

/* Of the tunnel's own errors: the packet that they quote was sent by us, under this lease (S7). */
static void quote_of_an_error_is_held_against_the_lease(void **state)
{
	uint8_t p[64];
	size_t len = ports_packet(p, UDP, OURS, 2048, PEER, 53);

	assert_int_equal(cl_inner_check_quote(p, len, &shared), CL_PASS);
	put_u16(p + 2, 1400);
	assert_int_equal(cl_inner_check_quote(p, 28, &shared), CL_PASS);
	assert_int_equal(cl_inner_check_quote(p, 22, &shared), CL_PASS);
	assert_int_equal(cl_inner_check_quote(p, 21, &shared), CL_MALFORMED);
	assert_int_equal(cl_inner_check_quote(p, 0, &shared), CL_MALFORMED);
	put_u16(p + 20, 2047);
	assert_int_equal(cl_inner_check_quote(p, 28, &shared), CL_FOREIGN_PORT);
	len = ports_packet(p, UDP, PEER, 2048, OURS, 2048);
	assert_int_equal(cl_inner_check_quote(p, len, &shared), CL_FOREIGN_ADDRESS);
	len = ports_packet(p, ESP, OURS, 0, PEER, 0);
	assert_int_equal(cl_inner_check_quote(p, len, &shared), CL_FOREIGN_PROTOCOL);
	assert_int_equal(cl_inner_check_quote(p, len, &whole), CL_PASS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_decide_both_ways),
		cmocka_unit_test(our_port_at_the_wrong_end_does_not_pass),
		cmocka_unit_test(foreign_address_does_not_pass_even_under_an_exclusive_lease),
		cmocka_unit_test(protocol_without_ports_needs_an_exclusive_lease),
		cmocka_unit_test(icmp_error_belongs_to_whom_its_quote_belongs),
		cmocka_unit_test(quote_may_be_cut_behind_its_ports),
		cmocka_unit_test(quoted_error_and_redirect_do_not_pass),
		cmocka_unit_test(later_fragment_goes_by_its_address),
		cmocka_unit_test(options_move_the_ports),
		cmocka_unit_test(malformed_packet_is_named),
		cmocka_unit_test(quote_of_an_error_is_held_against_the_lease),
		cmocka_unit_test(random_packets_never_pass_with_a_foreign_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
