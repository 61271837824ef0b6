// SPDX-License-Identifier: BSD-3-Clause
#include "server/pool.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct addr_v4_prefix prefix(const char *text)
{
	struct addr_v4_prefix value;

	assert_int_equal(addr_v4_prefix_parse(text, &value), 0);
	return value;
}

static struct srv_pool *make(const char *text, uint32_t block_size)
{
	struct addr_v4_prefix value = prefix(text);
	struct srv_pool *pool = srv_pool_create(&value, block_size);

	assert_non_null(pool);
	return pool;
}

static const struct {
	const char *prefix;
	uint32_t block_size;
	uint32_t units;
	uint16_t lowest_port;
} sizes[] = {
	{"198.51.100.1/32", 1024, 63, 1024},
	{"198.51.100.0/28", 1024, 16 * 63, 1024},
	{"198.51.100.1/32", 32768, 1, 32768},
	{"198.51.100.1/32", 4096, 15, 4096},
	{"198.51.100.1/32", 256, 252, 1024},
	{"198.51.100.1/32", 1, 64512, 1024},
	{"198.51.100.0/30", 0, 4, 0},
};

/* R62, S17: 0-1023 are never given out, and no block reaches into them. */
static void a_pool_gives_every_unit_once_and_no_port_below_1024(void **state)
{
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct srv_pool *pool = make(sizes[i].prefix, sizes[i].block_size);
		uint16_t lowest = UINT16_MAX;
		struct lease lease;

		assert_int_equal(srv_pool_count(pool).total, sizes[i].units);
		for (uint32_t n = 0; n < sizes[i].units; n++) {
			assert_int_equal(srv_pool_take(pool, 1, &lease), 0);
			assert_int_equal(lease.n_ranges, 1);
			assert_true(srv_pool_contains(pool, lease.v4));
			if (lease.ranges[0].first < lowest)
				lowest = lease.ranges[0].first;
			assert_int_equal(port_range_size(lease.ranges[0]),
				sizes[i].block_size == 0 ? 65536 : sizes[i].block_size);
		}
		assert_int_equal(lowest, sizes[i].lowest_port);
		assert_int_equal(srv_pool_take(pool, 1, &lease), -ENOSPC);
		assert_int_equal(srv_pool_count(pool).free, 0);
		assert_int_equal(srv_pool_count(pool).leased, sizes[i].units);
		srv_pool_destroy(pool);
	}
}

static void a_pool_too_large_is_refused(void **state)
{
	struct addr_v4_prefix value = prefix("0.0.0.0/0");

	assert_null(srv_pool_create(&value, 1));
	assert_int_equal(errno, E2BIG);
	assert_true(srv_pool_size(&value, 1) > UINT32_MAX);
}

/* A lease never spans addresses: one address, several of its blocks. */
static void several_units_come_from_one_address(void **state)
{
	struct srv_pool *pool = make("198.51.100.0/31", 16384); /* 3 blocks an address */
	struct lease a, b, one;

	assert_int_equal(srv_pool_take(pool, 4, &a), -ENOSPC);
	assert_int_equal(srv_pool_take(pool, LEASE_RANGES_MAX + 1, &a), -ENOSPC);
	assert_int_equal(srv_pool_take(pool, 0, &a), -ENOSPC);
	assert_int_equal(srv_pool_take(pool, 2, &a), 0);
	assert_int_equal(a.n_ranges, 2);
	assert_true(a.ranges[0].last < a.ranges[1].first);
	assert_int_equal(srv_pool_take(pool, 2, &b), 0);
	assert_int_not_equal(a.v4, b.v4);
	assert_int_equal(srv_pool_take(pool, 2, &one), -ENOSPC); /* 2 are free, on two addresses */
	assert_int_equal(srv_pool_count(pool).free, 2);
	assert_int_equal(srv_pool_take(pool, 1, &one), 0);
	srv_pool_destroy(pool);
}

static void a_wish_for_ports_is_rounded_up_to_units(void **state)
{
	struct srv_pool *pool = make("198.51.100.0/31", 1024);
	struct srv_pool *exclusive = make("198.51.100.2/31", 0);

	assert_int_equal(srv_pool_units_for(pool, 0), 1);
	assert_int_equal(srv_pool_units_for(pool, 1), 1);
	assert_int_equal(srv_pool_units_for(pool, 1024), 1);
	assert_int_equal(srv_pool_units_for(pool, 1025), 2);
	assert_int_equal(srv_pool_units_for(pool, UINT32_MAX), 4194304);
	assert_int_equal(srv_pool_units_for(exclusive, 2000), 1);
	srv_pool_destroy(pool);
	srv_pool_destroy(exclusive);
}

/* S23, S24: what rests is neither free nor leased, and can be woken for its former holder alone. */
static void a_resting_unit_is_not_taken(void **state)
{
	struct srv_pool *pool = make("198.51.100.1/32", 32768);
	struct lease lease, other;

	assert_int_equal(srv_pool_take(pool, 1, &lease), 0);
	srv_pool_rest(pool, &lease);
	assert_int_equal(srv_pool_count(pool).resting, 1);
	assert_int_equal(srv_pool_count(pool).leased, 0);
	assert_int_equal(srv_pool_take(pool, 1, &other), -ENOSPC);
	assert_int_equal(srv_pool_take_again(pool, &lease), -EBUSY);
	srv_pool_wake(pool, &lease);
	assert_int_equal(srv_pool_count(pool).leased, 1);
	srv_pool_give(pool, &lease);
	assert_int_equal(srv_pool_count(pool).free, 1);
	assert_int_equal(srv_pool_take_again(pool, &lease), 0);
	srv_pool_destroy(pool);
}

static void take_again_refuses_what_is_no_unit_of_the_pool(void **state)
{
	static const struct lease wrong[] = {
		{.v4 = 0xc6336402, .n_ranges = 1, .ranges = {{1024, 2047}}}, /* 198.51.100.2 */
		{.v4 = 0xc6336401, .n_ranges = 1, .ranges = {{0, 1023}}},
		{.v4 = 0xc6336401, .n_ranges = 1, .ranges = {{1024, 1535}}},
		{.v4 = 0xc6336401, .n_ranges = 1, .ranges = {{1024, 3071}}},
		{.v4 = 0xc6336401, .n_ranges = 1, .ranges = {{0, 65535}}},
	};
	struct srv_pool *pool = make("198.51.100.1/32", 1024);

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(srv_pool_take_again(pool, &wrong[i]), -EBUSY);
	assert_int_equal(srv_pool_count(pool).free, 63);
	srv_pool_destroy(pool);
}

/* The block size may change between two runs: what the old leases touch stays held until all end. */
static void leases_of_another_block_size_hold_every_unit_that_they_touch(void **state)
{
	static const struct lease small[] = {
		{.v4 = 0xc6336401, .n_ranges = 1, .ranges = {{4096, 5119}}},
		{.v4 = 0xc6336401, .n_ranges = 1, .ranges = {{5120, 6143}}},
	};
	static const struct lease whole = {.v4 = 0xc6336401, .n_ranges = 1, .ranges = {{0, 65535}}};
	struct srv_pool *pool = make("198.51.100.1/32", 4096);

	srv_pool_reserve(pool, &small[0]);
	srv_pool_reserve(pool, &small[1]);
	assert_int_equal(srv_pool_count(pool).leased, 1);
	srv_pool_rest(pool, &small[0]);
	assert_int_equal(srv_pool_count(pool).resting, 0); /* the other still holds it */
	srv_pool_rest(pool, &small[1]);
	assert_int_equal(srv_pool_count(pool).resting, 1);
	srv_pool_wake(pool, &small[0]);
	srv_pool_give(pool, &small[0]);
	assert_int_equal(srv_pool_count(pool).resting, 1);
	srv_pool_wake(pool, &small[1]);
	srv_pool_give(pool, &small[1]);
	assert_int_equal(srv_pool_count(pool).free, 15);
	srv_pool_reserve(pool, &whole);
	assert_int_equal(srv_pool_count(pool).free, 0);
	srv_pool_give(pool, &whole);
	assert_int_equal(srv_pool_count(pool).free, 15);
	srv_pool_destroy(pool);
}

/* S29: over many runs the first unit taken is spread over the whole pool. */
static void units_are_taken_by_lot(void **state)
{
	uint32_t seen[63] = {0}, distinct = 0;
	struct srv_pool *pool = make("198.51.100.1/32", 1024);
	struct lease lease;

	for (uint32_t i = 0; i < 6300; i++) {
		assert_int_equal(srv_pool_take(pool, 1, &lease), 0);
		seen[lease.ranges[0].first / 1024 - 1]++;
		srv_pool_give(pool, &lease);
	}
	for (uint32_t i = 0; i < 63; i++)
		distinct += seen[i] > 0;
	assert_int_equal(distinct, 63); /* missed with a chance below 1e-41 */
	srv_pool_destroy(pool);
}

/* The oracle: one octet a port says who has it (0: free, 1: leased, 2: resting). */
#define ORACLE_ADDRESSES 4
#define ORACLE_STEPS     200000

static uint8_t ports[ORACLE_ADDRESSES][65536];

static void paint(const struct lease *lease, uint32_t base, uint8_t from, uint8_t to)
{
	for (uint32_t i = 0; i < lease->n_ranges; i++) {
		for (uint32_t port = lease->ranges[i].first; port <= lease->ranges[i].last;
			port += 512) {
			assert_int_equal(ports[lease->v4 - base][port], from);
			ports[lease->v4 - base][port] = to;
		}
	}
}

static void random_takes_and_gives_never_share_a_port(void **state)
{
	unsigned int seed = arc4random();
	struct addr_v4_prefix value = prefix("198.51.100.4/30");
	struct srv_pool *pool = make("198.51.100.4/30", 512);
	static struct lease held[1000], resting[1000];
	uint32_t n_held = 0, n_resting = 0, units = 0;

	print_message("seed %u\n", seed);
	srandom(seed);
	memset(ports, 0, sizeof(ports));
	for (uint32_t step = 0; step < ORACLE_STEPS; step++) {
		uint32_t choice = random() % 100;

		if (choice < 50 && n_held < 1000) {
			struct lease *lease = &held[n_held];
			uint32_t n = 1 + random() % 3;

			if (srv_pool_take(pool, n, lease) < 0)
				continue;
			assert_int_equal(lease->n_ranges, n);
			paint(lease, value.addr, 0, 1);
			n_held++;
			units += n;
		} else if (choice < 75 && n_held > 0 && n_resting < 1000) {
			uint32_t i = random() % n_held;

			paint(&held[i], value.addr, 1, 2);
			srv_pool_rest(pool, &held[i]);
			resting[n_resting++] = held[i];
			held[i] = held[--n_held];
		} else if (n_resting > 0) {
			uint32_t i = random() % n_resting;

			paint(&resting[i], value.addr, 2, 0);
			srv_pool_wake(pool, &resting[i]);
			srv_pool_give(pool, &resting[i]);
			units -= resting[i].n_ranges;
			resting[i] = resting[--n_resting];
		}
		assert_int_equal(srv_pool_count(pool).free, 4 * 126 - units);
	}
	srv_pool_destroy(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pool_gives_every_unit_once_and_no_port_below_1024),
		cmocka_unit_test(a_pool_too_large_is_refused),
		cmocka_unit_test(several_units_come_from_one_address),
		cmocka_unit_test(a_wish_for_ports_is_rounded_up_to_units),
		cmocka_unit_test(a_resting_unit_is_not_taken),
		cmocka_unit_test(take_again_refuses_what_is_no_unit_of_the_pool),
		cmocka_unit_test(leases_of_another_block_size_hold_every_unit_that_they_touch),
		cmocka_unit_test(units_are_taken_by_lot),
		cmocka_unit_test(random_takes_and_gives_never_share_a_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
