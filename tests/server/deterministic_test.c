// SPDX-License-Identifier: BSD-3-Clause
/* Deterministic assignment (S27, RFC 7422): forward and backward are inverse, whatever the configuration. */
#include "server/deterministic.h"
#include "server/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#define PLANS   2000
#define CLIENTS 50

static struct srv_deterministic plan_of(
	const char *subscribers, uint8_t len, const char *pool, uint32_t block_size)
{
	struct srv_deterministic plan = {.subscriber_len = len, .block_size = block_size};

	assert_int_equal(addr_v6_prefix_parse(subscribers, &plan.subscribers), 0);
	assert_int_equal(addr_v4_prefix_parse(pool, &plan.pool), 0);
	return plan;
}

static void subscribers_get_the_blocks_in_their_order(void **state)
{
	struct srv_deterministic plan = plan_of("2001:db8::/48", 56, "198.51.100.0/29", 1024);
	static const struct {
		const char *client, *address;
		uint16_t first;
	} cases[] = {
		{"2001:db8::1", "198.51.100.0", 1024},
		{"2001:db8:0:ff::1", "198.51.100.0", 1024},
		{"2001:db8:0:100::1", "198.51.100.0", 2048},
		{"2001:db8:0:3e00::", "198.51.100.0", 64512},
		{"2001:db8:0:3f00::", "198.51.100.1", 1024},
		{"2001:db8:0:ffff::1", "198.51.100.4", 4096},
	};

	assert_int_equal(srv_deterministic_subscribers(&plan), 256);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct port_range range;
		struct in6_addr client;
		uint32_t v4, expected;

		addr_v6_parse(cases[i].client, &client);
		addr_v4_parse(cases[i].address, &expected);
		assert_true(srv_deterministic_unit(&plan, &client, &v4, &range));
		assert_int_equal(v4, expected);
		assert_int_equal(range.first, cases[i].first);
		assert_int_equal(range.last, cases[i].first + 1023);
	}
}

static void who_is_no_subscriber_or_beyond_the_last_block_gets_nothing(void **state)
{
	struct srv_deterministic plan = plan_of("2001:db8::/48", 64, "198.51.100.0/31", 16384);
	struct addr_v6_prefix subscriber;
	struct port_range range;
	struct in6_addr client;
	uint32_t v4;

	addr_v6_parse("2001:db8:1::1", &client);
	assert_false(srv_deterministic_unit(&plan, &client, &v4, &range));
	addr_v6_parse("2001:db8:0:5::1", &client); /* the sixth of six units */
	assert_true(srv_deterministic_unit(&plan, &client, &v4, &range));
	addr_v6_parse("2001:db8:0:6::1", &client);
	assert_false(srv_deterministic_unit(&plan, &client, &v4, &range));
	assert_false(srv_deterministic_subscriber(&plan, 0xc6336402, 20000, &subscriber, &range));
	assert_false(srv_deterministic_subscriber(&plan, 0xc6336400, 1023, &subscriber, &range));
	/* fewer subscribers than units: the last ones are nobody's */
	plan = plan_of("2001:db8::/64", 64, "198.51.100.0/31", 16384);
	assert_true(srv_deterministic_subscriber(&plan, 0xc6336400, 16384, &subscriber, &range));
	assert_false(srv_deterministic_subscriber(&plan, 0xc6336400, 32768, &subscriber, &range));
}

static void subscribers_beyond_counting_are_many(void **state)
{
	struct srv_deterministic plan = plan_of("2000::/3", 128, "198.51.100.0/24", 64);
	struct port_range range;
	struct in6_addr client;
	uint32_t v4;

	assert_true(srv_deterministic_subscribers(&plan) == UINT64_MAX);
	addr_v6_parse("3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", &client);
	assert_false(srv_deterministic_unit(&plan, &client, &v4, &range));
	addr_v6_parse("2000::3", &client);
	assert_true(srv_deterministic_unit(&plan, &client, &v4, &range));
}

static struct srv_deterministic random_plan(void)
{
	struct srv_deterministic plan = {
		.subscribers.len = (uint8_t)(random() % 127 + 1),
		.pool.len = (uint8_t)(24 + random() % 9),
		.block_size = random() % 5 == 0 ? 0 : 1U << (random() % 16),
	};
	uint32_t more = (uint32_t)random() % 24;

	for (uint32_t bit = 0; bit < plan.subscribers.len; bit++) {
		if (random() % 2)
			plan.subscribers.addr.s6_addr[bit / 8] |= (uint8_t)(1 << (7 - bit % 8));
	}
	plan.subscriber_len = plan.subscribers.len + more > 128
				      ? 128
				      : (uint8_t)(plan.subscribers.len + more);
	plan.pool.addr = (uint32_t)random() << 1 & ~((1U << (32 - plan.pool.len)) - 1);
	return plan;
}

static struct in6_addr random_client(const struct srv_deterministic *plan)
{
	struct in6_addr client = plan->subscribers.addr;
	uint32_t from = plan->subscribers.len;

	/* mostly among the first, so that a good part of them has a unit */
	if (random() % 4 != 0 && plan->subscriber_len - from > 8)
		from = plan->subscriber_len - 8;
	for (uint32_t bit = from; bit < 128; bit++) {
		if (random() % 2)
			client.s6_addr[bit / 8] |= (uint8_t)(1 << (7 - bit % 8));
	}
	return client;
}

/* From a client to its unit, and from each end and the middle of that to the client's prefix. */
static bool check_round_trip(const struct srv_deterministic *plan, const struct in6_addr *client)
{
	struct port_range range, same;
	struct addr_v6_prefix subscriber;
	uint16_t ports[3];
	uint32_t v4;

	if (!srv_deterministic_unit(plan, client, &v4, &range))
		return false;
	assert_true(addr_v4_prefix_contains(&plan->pool, v4));
	if (plan->block_size != 0) {
		assert_int_equal(port_range_size(range), plan->block_size);
		assert_true(range.first >= SRV_POOL_PORT_MIN);
	} else {
		assert_true(port_range_is_exclusive(range));
	}
	ports[0] = range.first;
	ports[1] = range.last;
	ports[2] = (uint16_t)(range.first + port_range_size(range) / 2);
	for (int i = 0; i < 3; i++) {
		assert_true(srv_deterministic_subscriber(plan, v4, ports[i], &subscriber, &same));
		assert_true(port_range_equal(range, same));
		assert_int_equal(subscriber.len, plan->subscriber_len);
		assert_true(addr_v6_prefix_contains(&subscriber, client));
	}
	return true;
}

static void forward_and_backward_are_inverse(void **state)
{
	unsigned seed = (unsigned)time(NULL);
	uint32_t with_unit = 0;

	print_message("seed %u\n", seed);
	srandom(seed);
	for (int i = 0; i < PLANS; i++) {
		struct srv_deterministic plan = random_plan();

		for (int j = 0; j < CLIENTS; j++) {
			struct in6_addr client = random_client(&plan);

			with_unit += check_round_trip(&plan, &client);
		}
	}
	assert_true(with_unit > PLANS * CLIENTS / 4);
}

/* Every port of a small pool, to its subscriber and back to the same block. */
static void every_port_is_one_subscribers_or_nobodys(void **state)
{
	struct srv_deterministic plan = plan_of("2001:db8::/57", 64, "198.51.100.0/30", 2048);

	for (uint32_t v4 = 0xc6336400; v4 < 0xc6336404; v4++) {
		for (uint32_t port = 0; port <= UINT16_MAX; port += 512) {
			struct addr_v6_prefix subscriber;
			struct port_range range, same;
			uint32_t again;

			if (!srv_deterministic_subscriber(
				    &plan, v4, (uint16_t)port, &subscriber, &range)) {
				assert_true(port < 2048);
				continue;
			}
			assert_true(srv_deterministic_unit(&plan, &subscriber.addr, &again, &same));
			assert_int_equal(again, v4);
			assert_true(port_range_equal(range, same));
			assert_true(port_range_contains(range, (uint16_t)port));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(subscribers_get_the_blocks_in_their_order),
		cmocka_unit_test(who_is_no_subscriber_or_beyond_the_last_block_gets_nothing),
		cmocka_unit_test(subscribers_beyond_counting_are_many),
		cmocka_unit_test(forward_and_backward_are_inverse),
		cmocka_unit_test(every_port_is_one_subscribers_or_nobodys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
