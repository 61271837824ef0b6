// SPDX-License-Identifier: BSD-3-Clause
/*
 * The negative cache (D2): what is in it and for how long, what a binding voids, that it is never full, and that it
 * agrees with a naive one as long as there is room.
 */
#include "dataplane/negative.h"
#include "support/eal.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define V4  0xc6336400U
#define NOW UINT64_C(1234567)

static struct dp_negative *negative;

static int set_up(void **state)
{
	negative = dp_negative_create(SOCKET_ID_ANY);
	return negative == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
	dp_negative_destroy(negative);
	return 0;
}

static struct dp_binding_key key_of(uint32_t v4, uint16_t port)
{
	return (struct dp_binding_key){.v4 = v4, .port = port, .has_port = true};
}

static void add(uint32_t v4, uint16_t port, uint32_t for_ms)
{
	struct dp_binding_key key = key_of(v4, port);

	dp_negative_add(negative, &key, NOW, for_ms);
}

static bool has(uint32_t v4, uint16_t port, uint64_t now_ms)
{
	struct dp_binding_key key = key_of(v4, port);

	return dp_negative_has(negative, &key, now_ms);
}

static void an_entry_holds_for_its_time_and_no_other_key(void **state)
{
	const struct dp_binding_key whole = {.v4 = V4};

	assert_false(has(V4, 80, NOW));
	add(V4, 80, 2000);
	assert_true(has(V4, 80, NOW));
	assert_true(has(V4, 80, NOW + 1800));
	assert_false(has(V4, 80, NOW + 2000));
	assert_false(has(V4, 81, NOW));
	assert_false(has(V4 + 1, 80, NOW));
	assert_false(dp_negative_has(negative, &whole, NOW));
	dp_negative_add(negative, &whole, NOW, 2000);
	assert_true(dp_negative_has(negative, &whole, NOW));
	assert_false(has(V4, 0, NOW));
	assert_int_equal(dp_negative_count(negative), 2);
}

/* The clock of an entry has 15 bits: an hour later it must not be young again. */
static void an_old_entry_never_becomes_new(void **state)
{
	add(V4, 80, 600000);
	for (uint64_t now = NOW; now < NOW + 2 * 3600 * 1000; now += DP_NEGATIVE_SWEEP_MS) {
		dp_negative_sweep(negative, now);
		assert_int_equal(has(V4, 80, now), now / 100 < (NOW + 600000) / 100);
	}
	assert_int_equal(dp_negative_count(negative), 0);
}

static void a_binding_voids_its_ports_and_no_others(void **state)
{
	const struct dp_binding_key whole = {.v4 = V4};

	for (uint32_t port = 1000; port < 2100; port++)
		add(V4, (uint16_t)port, 2000);
	add(V4 + 1, 1500, 2000);
	dp_negative_add(negative, &whole, NOW, 2000);
	dp_negative_void(negative, V4, (struct port_range){.first = 1024, .last = 2047});
	for (uint32_t port = 1000; port < 2100; port++)
		assert_int_equal(has(V4, (uint16_t)port, NOW), port < 1024 || port > 2047);
	assert_true(has(V4 + 1, 1500, NOW));
	assert_true(dp_negative_has(negative, &whole, NOW));
	dp_negative_void(negative, V4, (struct port_range){.first = 0, .last = 40000});
	assert_true(dp_negative_has(negative, &whole, NOW));
	assert_int_equal(dp_negative_count(negative), 2);
	dp_negative_void(negative, V4, PORT_RANGE_EXCLUSIVE);
	assert_false(dp_negative_has(negative, &whole, NOW));
	assert_int_equal(dp_negative_count(negative), 1);
}

/* A scan of a whole pool: the table takes what it has room for, and what is asked last is in it. */
static void it_is_never_full(void **state)
{
	for (uint32_t i = 0; i < 4 * DP_NEGATIVE_ENTRIES; i++) {
		add(V4 + (i >> 16), (uint16_t)i, 2000);
		assert_true(has(V4 + (i >> 16), (uint16_t)i, NOW));
	}
	assert_in_range(
		dp_negative_count(negative), DP_NEGATIVE_ENTRIES * 99 / 100, DP_NEGATIVE_ENTRIES);
	for (uint32_t i = 0; i < 64; i++)
		dp_negative_sweep(negative, NOW + 2000);
	assert_int_equal(dp_negative_count(negative), 0);
}

/* Few keys, so that lines never fill: exactly what a plain array says. */
static void it_agrees_with_a_naive_one(void **state)
{
	static uint64_t ends[4][512];
	uint64_t random = test_seed(), now = NOW;

	memset(ends, 0, sizeof(ends));
	for (uint32_t i = 0; i < 200000; i++) {
		uint32_t what = test_random(&random) % 100;
		uint32_t v4 = test_random(&random) % 4, port = test_random(&random) % 512;
		struct dp_binding_key key = key_of(V4 + v4, (uint16_t)port);

		now += test_random(&random) % 3;
		if (what < 30) {
			dp_negative_add(negative, &key, now, 1000);
			ends[v4][port] = now + 1000;
		} else if (what == 30) {
			uint32_t last = port + test_random(&random) % (512 - port);

			dp_negative_void(negative, V4 + v4,
				(struct port_range){
					.first = (uint16_t)port, .last = (uint16_t)last});
			for (uint32_t at = port; at <= last; at++)
				ends[v4][at] = 0;
		} else if (what == 31) {
			dp_negative_sweep(negative, now);
		} else {
			assert_int_equal(dp_negative_has(negative, &key, now),
				now / 100 < ends[v4][port] / 100);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define WITH_TABLE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		WITH_TABLE(an_entry_holds_for_its_time_and_no_other_key),
		WITH_TABLE(an_old_entry_never_becomes_new),
		WITH_TABLE(a_binding_voids_its_ports_and_no_others),
		WITH_TABLE(it_is_never_full),
		WITH_TABLE(it_agrees_with_a_naive_one),
	};

	if (test_eal_start(64) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
