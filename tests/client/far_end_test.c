// SPDX-License-Identifier: BSD-3-Clause
/*
 * The other end of a packet: address and port, or identifier (R16, R60).
 */
#include "client/far_end.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define A 0xc6336407 /* 198.51.100.7 */
#define B 0xc6336408

/* From A to B, 8 octets behind the header: 0x1111 0x2222 0x3333 0x4444, the first one by type. */
struct packet {
	const char *what;
	uint8_t protocol;
	uint8_t type; /* of ICMP */
	uint16_t fragment; /* flags and offset */
	uint8_t ihl; /* 0: 5 */
	size_t cut; /* octets missing at the end */
	uint16_t total; /* 0: as it is */
	bool has_end;
	uint16_t out, in; /* the port */
};

static const struct packet packets[] = {
	{"tcp", 6, .has_end = true, .out = 0x2222, .in = 0x1111},
	{"udp", 17, .has_end = true, .out = 0x2222, .in = 0x1111},
	{"udp with DF", 17, .fragment = 0x4000, .has_end = true, .out = 0x2222, .in = 0x1111},
	{"options", 17, .ihl = 6, .has_end = true, .out = 0x2222, .in = 0x1111},
	{"echo request", 1, .type = 8, .has_end = true, .out = 0x3333, .in = 0x3333},
	{"echo reply", 1, .type = 0, .has_end = true, .out = 0x3333, .in = 0x3333},
	{"unreachable", 1, .type = 3},
	{"redirect", 1, .type = 5},
	{"first fragment", 17, .fragment = 0x2000},
	{"later fragment", 17, .fragment = 0x0001},
	{"gre", 47},
	{"cut by one", 17, .cut = 1},
	{"header alone", 17, .cut = 8},
	{"half a header", 17, .cut = 18},
	{"nothing", 17, .cut = 28},
	{"total length lies", 17, .total = 27},
	{"header longer than the packet", 17, .ihl = 15, .cut = 40},
	{"header too short", 17, .ihl = 4},
};

static size_t build(const struct packet *from, uint8_t *p)
{
	size_t header = from->ihl > 5 ? from->ihl * 4u : 20;
	size_t len = header + 8;
	uint16_t total = from->total != 0 ? from->total : len;

	memset(p, 0, 128);
	p[0] = 0x40 | (from->ihl != 0 ? from->ihl : 5);
	p[2] = total >> 8;
	p[3] = total;
	p[6] = from->fragment >> 8;
	p[7] = from->fragment;
	p[9] = from->protocol;
	memcpy(p + 12, (const uint8_t[]){198, 51, 100, 7, 198, 51, 100, 8}, 8);
	memcpy(p + header, (const uint8_t[]){0x11, 0x11, 0x22, 0x22, 0x33, 0x33, 0x44, 0x44}, 8);
	if (from->protocol == 1)
		p[header] = from->type;
	return len - from->cut;
}

/* Exactly as long as it says, so that the sanitizer sees a step beyond. */
static bool look(const uint8_t *p, size_t len, enum cl_direction direction, struct cl_far_end *end)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	bool has_end;

	assert_non_null(copy);
	memcpy(copy, p, len);
	has_end = cl_far_end_of(copy, len, direction, end);
	free(copy);
	return has_end;
}

static void each_packet_has_the_end_that_the_table_says(void **state)
{
	for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		const struct packet *packet = &packets[i];
		struct cl_far_end out = {0}, in = {0};
		uint8_t p[128];
		size_t len = build(packet, p);
		bool has_out = look(p, len, CL_OUT, &out), has_in = look(p, len, CL_IN, &in);

		if (has_out != packet->has_end || has_in != packet->has_end)
			fail_msg("%s: %d and %d", packet->what, has_out, has_in);
		if (!packet->has_end)
			continue;
		assert_int_equal(out.v4, B);
		assert_int_equal(in.v4, A);
		assert_int_equal(out.port, packet->out);
		assert_int_equal(in.port, packet->in);
	}
}

static void another_version_has_no_end(void **state)
{
	struct cl_far_end end;
	uint8_t p[128];
	size_t len = build(&packets[0], p);

	p[0] = 0x65;
	assert_false(look(p, len, CL_OUT, &end));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_packet_has_the_end_that_the_table_says),
		cmocka_unit_test(another_version_has_no_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
