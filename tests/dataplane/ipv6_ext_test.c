// SPDX-License-Identifier: BSD-3-Clause
/*
 * Extension headers of a tunnel packet (S8): what the walk says of chains, of every cut of one, and of rubbish.
 */
#include "dataplane/ipv6_ext.h"
#include "support/random.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PACKET_MAX 1500
#define PAD        1, 4, 0, 0, 0, 0
#define LIMIT      4, 1, 4, 1, 1, 0 /* RFC 2473 section 5.1 */

struct chain {
	const char *what;
	uint8_t first; /* the next header of the IPv6 header */
	uint8_t octets[48];
	uint8_t len;
	uint8_t fault;
	uint8_t next; /* behind it, if it is sound */
	uint8_t at; /* where that begins, or the fault; from the end of the IPv6 header on */
	int8_t code; /* of the parameter problem; -1: none */
};

static const struct chain chains[] = {
	{"no header", IPPROTO_IPIP, {0}, 8, DP_EXT_SOUND, IPPROTO_IPIP, 0, -1},
	{"encapsulation limit", 60, {4, 0, LIMIT}, 8, DP_EXT_SOUND, IPPROTO_IPIP, 8, -1},
	{"two headers", 0, {60, 0, PAD, 4, 0, LIMIT}, 16, DP_EXT_SOUND, IPPROTO_IPIP, 16, -1},
	{"no segments left", 43, {4, 0, 0, 0}, 8, DP_EXT_SOUND, IPPROTO_IPIP, 8, -1},
	{"a fragment's", 60, {44, 0, PAD}, 8, DP_EXT_SOUND, IPPROTO_FRAGMENT, 8, -1},
	{"ICMPv6 behind it", 60, {58, 0, PAD}, 8, DP_EXT_SOUND, IPPROTO_ICMPV6, 8, -1},
	{"Pad1 to the end", 60, {4, 0}, 8, DP_EXT_SOUND, IPPROTO_IPIP, 8, -1},
	{"option up to the end", 60, {4, 0, 4, 4}, 8, DP_EXT_SOUND, IPPROTO_IPIP, 8, -1},
	{"option beyond the end", 60, {4, 0, 4, 5}, 16, DP_EXT_MALFORMED, 0, 2, -1},
	{"option without a length", 60, {4, 0, 0, 0, 0, 0, 0, 4}, 16, DP_EXT_MALFORMED, 0, 7, -1},
	{"header beyond the end", 60, {4, 1, PAD}, 15, DP_EXT_MALFORMED, 0, 0, -1},
	{"discard", 60, {4, 0, 0x40, 4}, 8, DP_EXT_OPTION, 0, 2, -1},
	{"discard and tell", 60, {4, 0, 0x80, 4}, 8, DP_EXT_OPTION, 0, 2, 2},
	{"discard and tell about unicast", 0, {4, 0, 0, 0, 0, 0xc0, 1}, 8, DP_EXT_OPTION, 0, 5, 2},
	{"to an error behind it", 60, {58, 0, 0x80, 4, 0, 0, 0, 0, 127}, 16, DP_EXT_OPTION, 0, 2,
		-1},
	{"to a query behind it", 60, {58, 0, 0x80, 4, 0, 0, 0, 0, 128}, 16, DP_EXT_OPTION, 0, 2, 2},
	{"segments left", 43, {4, 0, 0xfd, 1}, 8, DP_EXT_ROUTING, 0, 2, 0},
	{"hop-by-hop second", 60, {0, 0, PAD, 4, 0, PAD}, 16, DP_EXT_ORDER, 0, 0, 1},
	{"hop-by-hop twice", 0, {0, 0, PAD, 4, 0, PAD}, 16, DP_EXT_ORDER, 0, 0, 1},
	{"authentication", 60, {51, 0, PAD}, 24, DP_EXT_AH, 0, 8, -1},
	{"encryption", 50, {0}, 24, DP_EXT_ESP, 0, 0, -1},
};

/* A packet whose memory ends with it, for the address sanitizer. */
static struct rte_ipv6_hdr *packet_of(uint8_t first, const uint8_t *octets, uint32_t len)
{
	uint8_t *packet = malloc(sizeof(struct rte_ipv6_hdr) + len);

	assert_non_null(packet);
	memset(packet, 0, sizeof(struct rte_ipv6_hdr));
	((struct rte_ipv6_hdr *)packet)->proto = first;
	memcpy(packet + sizeof(struct rte_ipv6_hdr), octets, len);
	return (struct rte_ipv6_hdr *)packet;
}

static void the_walk_names_what_is_wrong_and_where(void **state)
{
	for (uint32_t i = 0; i < RTE_DIM(chains); i++) {
		const struct chain *chain = &chains[i];
		struct rte_ipv6_hdr *v6 = packet_of(chain->first, chain->octets, chain->len);
		struct dp_ext_problem problem = {0};
		struct dp_ext ext;
		bool told = dp_ext_problem(v6, chain->len, &problem);

		if (dp_ext_walk(v6, chain->len, &ext) != chain->fault)
			fail_msg("%s", chain->what);
		if (chain->fault == DP_EXT_SOUND) {
			assert_int_equal(ext.next, chain->next);
			assert_int_equal(((uint8_t *)v6)[ext.next_at], chain->next);
			assert_int_equal(ext.end, sizeof(*v6) + chain->at);
		}
		assert_int_equal(told, chain->code >= 0);
		if (told) {
			assert_int_equal(problem.code, chain->code);
			assert_int_equal(problem.pointer, sizeof(*v6) + chain->at);
		}
		free(v6);
	}
}

static void every_cut_of_a_chain_is_malformed(void **state)
{
	static const uint8_t octets[] = {60, 0, PAD, 43, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 4, 0, 0, 0, 0, 0, 0, 0};
	struct dp_ext ext;

	for (uint32_t len = 0; len <= sizeof(octets); len++) {
		struct rte_ipv6_hdr *v6 = packet_of(IPPROTO_HOPOPTS, octets, len);

		assert_int_equal(dp_ext_walk(v6, len, &ext),
			len < sizeof(octets) ? DP_EXT_MALFORMED : DP_EXT_SOUND);
		free(v6);
	}
}

static void a_chain_is_bounded_in_headers_and_octets(void **state)
{
	uint8_t octets[PACKET_MAX] = {0};
	struct dp_ext ext;

	for (uint32_t n = 1; n <= 100; n++) {
		struct rte_ipv6_hdr *v6;

		for (uint32_t i = 0; i < n; i++)
			octets[i * 8] = i + 1 < n ? IPPROTO_DSTOPTS : IPPROTO_IPIP;
		v6 = packet_of(IPPROTO_DSTOPTS, octets, n * 8);
		assert_int_equal(dp_ext_walk(v6, n * 8, &ext),
			n <= DP_EXT_HEADERS_MAX ? DP_EXT_SOUND : DP_EXT_TOO_LONG);
		free(v6);
	}
	for (uint32_t n = 1; n <= 100; n++) {
		struct rte_ipv6_hdr *v6;

		memset(octets, 0, sizeof(octets));
		octets[0] = IPPROTO_IPIP;
		octets[1] = (uint8_t)(n - 1);
		v6 = packet_of(IPPROTO_DSTOPTS, octets, n * 8);
		assert_int_equal(dp_ext_walk(v6, n * 8, &ext),
			n * 8 <= DP_EXT_OCTETS_MAX ? DP_EXT_SOUND : DP_EXT_TOO_LONG);
		free(v6);
	}
}

/* Whatever comes, the walk ends inside the packet and within its bounds. */
static void rubbish_is_walked_within_its_bounds(void **state)
{
	static const uint8_t nexts[] = {0, 43, 60, 44, 4, 58, 51, 255};
	uint64_t random = test_seed();
	uint8_t octets[256];

	for (uint32_t round = 0; round < 200000; round++) {
		uint32_t len = test_random_below(&random, sizeof(octets));
		struct rte_ipv6_hdr *v6;
		struct dp_ext_problem problem;
		struct dp_ext ext;

		for (uint32_t i = 0; i < len; i++)
			octets[i] = test_random_below(&random, 3) == 0
					    ? (uint8_t)test_random_below(&random, 256)
					    : nexts[test_random_below(&random, RTE_DIM(nexts))] %
						      (i % 8 == 1 ? 3 : 256);
		v6 = packet_of(nexts[test_random_below(&random, RTE_DIM(nexts))], octets, len);
		if (dp_ext_walk(v6, len, &ext) == DP_EXT_SOUND) {
			assert_in_range(ext.end, sizeof(*v6), sizeof(*v6) + len);
			assert_true(ext.end <= sizeof(*v6) + DP_EXT_OCTETS_MAX);
			assert_int_equal(((uint8_t *)v6)[ext.next_at], ext.next);
		}
		if (dp_ext_problem(v6, len, &problem))
			assert_in_range(problem.pointer, 6, sizeof(*v6) + len - 1);
		free(v6);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_walk_names_what_is_wrong_and_where),
		cmocka_unit_test(every_cut_of_a_chain_is_malformed),
		cmocka_unit_test(a_chain_is_bounded_in_headers_and_octets),
		cmocka_unit_test(rubbish_is_walked_within_its_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
