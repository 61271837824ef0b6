// SPDX-License-Identifier: BSD-3-Clause
/* Identifications that keep to the ports of a lease (S22). */
#include "client/ip_id.h"

#include "packets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct lease shared = {
	.v4 = 0xc6336407, .n_ranges = 2, .ranges = {{2048, 2111}, {9000, 9002}}};
static const struct lease whole = {.v4 = 0xc6336407, .n_ranges = 1, .ranges = {{0, 65535}}};

/* The identification that a packet with this one has afterwards. */
static uint16_t rewritten(uint16_t id, uint16_t fragment, const struct lease *lease)
{
	uint8_t header[28], before[28];

	put_udp(header, 2050, 0);
	put_u16(header + 4, id);
	put_u16(header + 6, fragment);
	put_checksums(header, sizeof(header));
	memcpy(before, header, sizeof(header));
	cl_ip_id_rewrite(header, lease);
	assert_int_equal(naive_sum(0, header, 20), 0xffff);
	put_u16(header + 4, id);
	memcpy(header + 10, before + 10, 2);
	assert_memory_equal(header, before, sizeof(header));
	cl_ip_id_rewrite(before, lease);
	return get_u16(before + 4);
}

static void every_identification_becomes_a_port_of_the_lease(void **state)
{
	uint32_t uses[65536] = {0};

	for (uint32_t id = 0; id < 65536; id++) {
		uint16_t to = rewritten(id, 0, &shared);

		assert_true(lease_has_port(&shared, to));
		uses[to]++;
	}
	for (uint32_t port = 0; port < 65536; port++) {
		if (lease_has_port(&shared, port))
			assert_in_range(uses[port], 65536 / 67, 65536 / 67 + 1);
	}
}

static void fragments_of_a_datagram_keep_belonging_together(void **state)
{
	uint16_t first = rewritten(777, 0x2000, &shared);

	assert_int_equal(rewritten(777, 0x2000 | 185, &shared), first);
	assert_int_equal(rewritten(777, 370, &shared), first);
	assert_int_equal(rewritten(777, 0x4000 | 370, &shared), first);
	assert_int_not_equal(rewritten(778, 370, &shared), first);
}

static void what_is_never_joined_stays(void **state)
{
	assert_int_equal(rewritten(777, 0x4000, &shared), 777);
	assert_int_equal(rewritten(777, 0, &whole), 777);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_identification_becomes_a_port_of_the_lease),
		cmocka_unit_test(fragments_of_a_datagram_keep_belonging_together),
		cmocka_unit_test(what_is_never_joined_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
