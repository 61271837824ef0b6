// SPDX-License-Identifier: BSD-3-Clause
/*
 * Next hops: static ways, routes against a naive longest-prefix list, groups, and the grace period of their places.
 */
#include "dataplane/nexthop.h"
#include "support/eal.h"
#include "support/random.h"

#include <rte_errno.h>
#include <rte_memory.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define ROUTES_MAX 256
#define WAYS       12

/* Of each way, by family; made when a route first wants it. */
static int groups[2][256];

static struct dp_nexthops *create(bool fib, uint32_t max_adjacencies)
{
	const struct dp_nexthops_params params = {
		.fib = fib,
		.max_adjacencies = max_adjacencies,
		.max_groups = max_adjacencies,
		.max_routes_v4 = ROUTES_MAX,
		.max_routes_v6 = ROUTES_MAX,
		.max_hosts = ROUTES_MAX,
		.max_readers = 2,
		.socket = SOCKET_ID_ANY,
	};
	struct dp_nexthops *nexthops = dp_nexthops_create(&params);

	assert_non_null(nexthops);
	memset(groups, 0, sizeof(groups));
	return nexthops;
}

/* A resolved adjacency that is told from others by way. */
static struct dp_adjacency way(uint8_t n)
{
	return (struct dp_adjacency){
		.dst_mac = {{2, 0, 0, 0, 1, n}},
		.src_mac = {{2, 0, 0, 0, 0, 1}},
		.port = n % 2,
		.state = DP_ADJ_RESOLVED,
	};
}

/* A group that leads that way alone, or -errno. */
static int group_to(struct dp_nexthops *nexthops, int family, uint8_t n)
{
	int *group = &groups[family == AF_INET6][n];
	struct dp_adjacency adjacency = way(n);

	if (*group <= 0)
		*group = dp_nexthops_group_add(nexthops, family, &adjacency, 1);
	return *group;
}

static const struct dp_adjacency *lookup_v4(const struct dp_nexthops *nexthops, uint32_t v4)
{
	const struct dp_group *found = NULL;

	dp_nexthops_lookup_v4(nexthops, &v4, 1, &found);
	assert_non_null(found);
	return dp_group_choose(found, 0);
}

static const struct dp_adjacency *lookup_v6(const struct dp_nexthops *nexthops, const char *text)
{
	const struct dp_group *found = NULL;
	const struct in6_addr *pointer;
	struct in6_addr v6;

	assert_int_equal(addr_v6_parse(text, &v6), 0);
	pointer = &v6;
	dp_nexthops_lookup_v6(nexthops, &pointer, 1, &found);
	assert_non_null(found);
	return dp_group_choose(found, 0);
}

static struct addr_v4_prefix prefix_v4(const char *text)
{
	struct addr_v4_prefix prefix;

	assert_int_equal(addr_v4_prefix_parse(text, &prefix), 0);
	return prefix;
}

static struct addr_v6_prefix prefix_v6(const char *text)
{
	struct addr_v6_prefix prefix;

	assert_int_equal(addr_v6_prefix_parse(text, &prefix), 0);
	return prefix;
}

static void set_v4(struct dp_nexthops *nexthops, const char *text, uint8_t n)
{
	struct addr_v4_prefix prefix = prefix_v4(text);

	assert_int_equal(
		dp_nexthops_route_v4_set(nexthops, &prefix, group_to(nexthops, AF_INET, n)), 0);
}

static void set_v6(struct dp_nexthops *nexthops, const char *text, uint8_t n)
{
	struct addr_v6_prefix prefix = prefix_v6(text);

	assert_int_equal(
		dp_nexthops_route_v6_set(nexthops, &prefix, group_to(nexthops, AF_INET6, n)), 0);
}

static void assert_way(const struct dp_adjacency *found, uint8_t n)
{
	assert_int_equal(found->state, DP_ADJ_RESOLVED);
	assert_int_equal(found->dst_mac.addr_bytes[5], n);
	assert_int_equal(found->port, n % 2);
}

static void static_mode_sends_every_packet_of_a_family_one_way(void **state)
{
	struct dp_nexthops *nexthops = create(false, 0);
	struct dp_adjacency six = way(6), four = way(4);

	assert_int_equal(lookup_v4(nexthops, 1)->state, DP_ADJ_NO_ROUTE);
	assert_int_equal(lookup_v6(nexthops, "::1")->state, DP_ADJ_NO_ROUTE);
	dp_nexthops_set_static_v4(nexthops, &four);
	dp_nexthops_set_static_v6(nexthops, &six);
	assert_way(lookup_v4(nexthops, 0), 4);
	assert_way(lookup_v4(nexthops, UINT32_MAX), 4);
	assert_way(lookup_v6(nexthops, "2001:db8::1"), 6);
	dp_nexthops_destroy(nexthops);
}

static void static_mode_can_be_changed_any_number_of_times(void **state)
{
	struct dp_nexthops *nexthops = create(false, 0);

	for (uint32_t i = 0; i < 1000; i++) {
		struct dp_adjacency adjacency = way(i % 200);

		dp_nexthops_set_static_v4(nexthops, &adjacency);
		assert_way(lookup_v4(nexthops, 7), i % 200);
	}
	dp_nexthops_destroy(nexthops);
}

static void static_mode_refuses_routes(void **state)
{
	struct dp_nexthops *nexthops = create(false, 0);
	struct addr_v4_prefix four = prefix_v4("0.0.0.0/0");
	struct addr_v6_prefix six = prefix_v6("::/0");

	assert_int_equal(group_to(nexthops, AF_INET, 1), -EINVAL);
	assert_int_equal(dp_nexthops_route_v4_set(nexthops, &four, 1), -EINVAL);
	assert_int_equal(dp_nexthops_route_v6_set(nexthops, &six, 2), -EINVAL);
	assert_int_equal(dp_nexthops_route_v4_remove(nexthops, &four), -ENOENT);
	assert_int_equal(dp_nexthops_route_v6_remove(nexthops, &six), -ENOENT);
	dp_nexthops_destroy(nexthops);
}

static void create_refuses_sizes_out_of_range(void **state)
{
	static const struct dp_nexthops_params bad[] = {
		{.max_adjacencies = 0, .max_routes_v4 = 1, .max_routes_v6 = 1, .max_groups = 1},
		{.max_adjacencies = UINT32_MAX,
			.max_routes_v4 = 1,
			.max_routes_v6 = 1,
			.max_groups = 1},
		{.max_adjacencies = 1, .max_routes_v4 = 0, .max_routes_v6 = 1, .max_groups = 1},
		{.max_adjacencies = 1,
			.max_routes_v4 = 1,
			.max_routes_v6 = UINT32_MAX,
			.max_groups = 1},
		{.max_adjacencies = 1, .max_routes_v4 = 1, .max_routes_v6 = 1, .max_groups = 0},
		{.max_adjacencies = 1,
			.max_routes_v4 = 1,
			.max_routes_v6 = 1,
			.max_groups = INT16_MAX + 1},
	};

	for (size_t i = 0; i < RTE_DIM(bad); i++) {
		struct dp_nexthops_params params = bad[i];

		params.fib = true;
		params.max_readers = 1;
		assert_null(dp_nexthops_create(&params));
		assert_int_equal(rte_errno, EINVAL);
	}
}

static void the_longest_prefix_wins_down_to_the_default_route(void **state)
{
	struct dp_nexthops *nexthops = create(true, 64);
	struct addr_v4_prefix host4 = prefix_v4("192.0.2.7/32"), all4 = prefix_v4("0.0.0.0/0");
	struct addr_v6_prefix host6 = prefix_v6("2001:db8::7/128"), all6 = prefix_v6("::/0");

	assert_int_equal(lookup_v4(nexthops, 0xc0000207)->state, DP_ADJ_NO_ROUTE);
	set_v4(nexthops, "0.0.0.0/0", 1);
	set_v4(nexthops, "192.0.2.0/24", 2);
	set_v4(nexthops, "192.0.2.7/32", 3);
	assert_way(lookup_v4(nexthops, 0xc0000207), 3);
	assert_way(lookup_v4(nexthops, 0xc0000208), 2);
	assert_way(lookup_v4(nexthops, 0xc6336401), 1);
	assert_int_equal(dp_nexthops_route_v4_remove(nexthops, &host4), 0);
	assert_int_equal(dp_nexthops_route_v4_remove(nexthops, &host4), -ENOENT);
	assert_way(lookup_v4(nexthops, 0xc0000207), 2);
	assert_int_equal(dp_nexthops_route_v4_remove(nexthops, &all4), 0);
	assert_int_equal(lookup_v4(nexthops, 0xc6336401)->state, DP_ADJ_NO_ROUTE);

	set_v6(nexthops, "::/0", 4);
	set_v6(nexthops, "2001:db8::/64", 5);
	set_v6(nexthops, "2001:db8::7/128", 6);
	assert_way(lookup_v6(nexthops, "2001:db8::7"), 6);
	assert_way(lookup_v6(nexthops, "2001:db8::8"), 5);
	assert_way(lookup_v6(nexthops, "2001:db8:1::7"), 4);
	assert_int_equal(dp_nexthops_route_v6_remove(nexthops, &host6), 0);
	assert_int_equal(dp_nexthops_route_v6_remove(nexthops, &host6), -ENOENT);
	assert_way(lookup_v6(nexthops, "2001:db8::7"), 5);
	assert_int_equal(dp_nexthops_route_v6_remove(nexthops, &all6), 0);
	assert_int_equal(lookup_v6(nexthops, "2001:db8:1::7")->state, DP_ADJ_NO_ROUTE);
	dp_nexthops_destroy(nexthops);
}

static void routes_may_reach_the_end_of_the_address_space(void **state)
{
	static const char *const prefixes[] = {
		"128.0.0.0/1", "224.0.0.0/3", "255.0.0.0/8", "255.255.255.255/32"};
	struct dp_nexthops *nexthops = create(true, 8);

	for (uint32_t i = 0; i < RTE_DIM(prefixes); i++) {
		set_v4(nexthops, prefixes[i], i + 1);
		assert_way(lookup_v4(nexthops, UINT32_MAX), i + 1);
	}
	for (uint32_t i = RTE_DIM(prefixes); i > 0; i--) {
		struct addr_v4_prefix prefix = prefix_v4(prefixes[i - 1]);

		assert_way(lookup_v4(nexthops, UINT32_MAX), i);
		assert_int_equal(dp_nexthops_route_v4_remove(nexthops, &prefix), 0);
	}
	assert_int_equal(lookup_v4(nexthops, UINT32_MAX)->state, DP_ADJ_NO_ROUTE);
	dp_nexthops_destroy(nexthops);
}

/* What a route needed is free again when it has gone. */
static void host_routes_can_come_and_go_for_ever(void **state)
{
	struct dp_nexthops *nexthops = create(true, 8);
	struct addr_v6_prefix six = prefix_v6("2001:db8::/128");
	struct addr_v4_prefix four = prefix_v4("192.0.2.0/32");

	set_v6(nexthops, "2001:db8::/64", 2);
	set_v4(nexthops, "192.0.2.0/24", 2);
	for (uint32_t i = 0; i < 20000; i++) {
		six.addr.s6_addr[15] = i;
		six.addr.s6_addr[14] = i >> 8;
		four.addr = 0xc0000200 + i % 256;
		assert_int_equal(dp_nexthops_route_v6_set(
					 nexthops, &six, group_to(nexthops, AF_INET6, i % 2)),
			0);
		assert_int_equal(dp_nexthops_route_v4_set(
					 nexthops, &four, group_to(nexthops, AF_INET, i % 2)),
			0);
		assert_int_equal(dp_nexthops_route_v6_remove(nexthops, &six), 0);
		assert_int_equal(dp_nexthops_route_v4_remove(nexthops, &four), 0);
	}
	assert_way(lookup_v6(nexthops, "2001:db8::1"), 2);
	assert_way(lookup_v4(nexthops, 0xc0000201), 2);
	dp_nexthops_destroy(nexthops);
}

static void groups_with_one_way_share_its_place(void **state)
{
	/* Room for two ways: groups of them fit, a third way does not. */
	struct dp_nexthops *nexthops = create(true, 2);
	struct dp_adjacency both[] = {way(1), way(2)}, third = way(3);
	int one, two;

	one = dp_nexthops_group_add(nexthops, AF_INET, both, 2);
	assert_true(one > 0);
	assert_int_equal(dp_nexthops_group_add(nexthops, AF_INET, &third, 1), -ENOSPC);
	assert_int_equal(dp_nexthops_group_set(nexthops, one, &third, 1), -ENOSPC);
	two = dp_nexthops_group_add(nexthops, AF_INET, &both[1], 1);
	assert_true(two > 0);
	assert_int_equal(dp_nexthops_group_add(nexthops, AF_INET, both, 1), -ENOSPC);
	dp_nexthops_group_remove(nexthops, one);
	dp_nexthops_group_remove(nexthops, two);
	assert_true(dp_nexthops_group_add(nexthops, AF_INET, &third, 1) > 0);
	dp_nexthops_destroy(nexthops);
}

static void a_route_leads_to_a_group_of_its_family_alone(void **state)
{
	struct dp_nexthops *nexthops = create(true, 4);
	struct addr_v4_prefix four = prefix_v4("192.0.2.0/24");
	struct addr_v6_prefix six = prefix_v6("2001:db8::/32");
	struct dp_adjacency adjacencies[DP_GROUP_SLOTS + 1] = {way(1)};

	assert_int_equal(dp_nexthops_route_v4_set(nexthops, &four, 0), -EINVAL);
	assert_int_equal(dp_nexthops_route_v4_set(nexthops, &four, group_to(nexthops, AF_INET6, 1)),
		-EINVAL);
	assert_int_equal(
		dp_nexthops_route_v6_set(nexthops, &six, group_to(nexthops, AF_INET, 1)), -EINVAL);
	assert_int_equal(dp_nexthops_group_add(nexthops, AF_INET, adjacencies, 0), -EINVAL);
	assert_int_equal(
		dp_nexthops_group_add(nexthops, AF_INET, adjacencies, DP_GROUP_SLOTS + 1), -EINVAL);
	dp_nexthops_destroy(nexthops);
}

/* How many of 65,536 evenly spread hashes lead each way. */
static void count_ways(const struct dp_nexthops *nexthops, uint32_t v4, uint32_t *counts)
{
	const struct dp_group *group;

	memset(counts, 0, WAYS * sizeof(*counts));
	dp_nexthops_lookup_v4(nexthops, &v4, 1, &group);
	for (uint32_t i = 0; i < 65536; i++)
		counts[dp_group_choose(group, i << 16)->dst_mac.addr_bytes[5]]++;
}

/* S33: weights are slots; a changed group changes for all its routes, without a change of a route. */
static void a_group_spreads_by_weight_and_changes_in_place(void **state)
{
	struct dp_nexthops *nexthops = create(true, 8);
	struct dp_adjacency three[] = {way(1), way(2), way(2)};
	int group = dp_nexthops_group_add(nexthops, AF_INET, three, 3);
	uint32_t counts[WAYS];

	for (uint32_t i = 0; i < 100; i++) {
		struct addr_v4_prefix prefix = {.addr = 0x0a000000 + (i << 16), .len = 16};

		assert_int_equal(dp_nexthops_route_v4_set(nexthops, &prefix, group), 0);
	}
	count_ways(nexthops, 0x0a050001, counts);
	assert_in_range(counts[1], 21845, 21846);
	assert_in_range(counts[2], 43690, 43691);
	three[0] = way(3);
	assert_int_equal(dp_nexthops_group_set(nexthops, group, three, 2), 0);
	for (uint32_t i = 0; i < 100; i++) {
		count_ways(nexthops, 0x0a000001 + (i << 16), counts);
		assert_int_equal(counts[1], 0);
		assert_int_equal(counts[2], 32768);
		assert_int_equal(counts[3], 32768);
	}
	dp_nexthops_destroy(nexthops);
}

static void a_place_is_reused_only_after_every_reader_has_moved_on(void **state)
{
	struct dp_nexthops *nexthops = create(true, 2);
	struct rte_rcu_qsbr *qsbr = dp_nexthops_qsbr(nexthops);
	struct dp_adjacency third = way(3), second = way(2);
	const struct dp_adjacency *held;
	int group;

	rte_rcu_qsbr_thread_register(qsbr, 0);
	rte_rcu_qsbr_thread_online(qsbr, 0);
	set_v4(nexthops, "192.0.2.0/24", 1);
	group = group_to(nexthops, AF_INET, 1);
	held = lookup_v4(nexthops, 0xc0000201);
	assert_int_equal(dp_nexthops_group_set(nexthops, group, &second, 1), 0);
	assert_way(held, 1);
	assert_way(lookup_v4(nexthops, 0xc0000201), 2);
	assert_int_equal(dp_nexthops_group_set(nexthops, group, &third, 1), -ENOSPC);
	assert_way(held, 1);
	rte_rcu_qsbr_quiescent(qsbr, 0);
	assert_int_equal(dp_nexthops_group_set(nexthops, group, &third, 1), 0);
	assert_way(lookup_v4(nexthops, 0xc0000201), 3);
	rte_rcu_qsbr_thread_offline(qsbr, 0);
	rte_rcu_qsbr_thread_unregister(qsbr, 0);
	dp_nexthops_destroy(nexthops);
}

/* Who has looked a route up goes where it led, even if the group goes meanwhile. */
static void a_group_serves_its_last_readers(void **state)
{
	struct dp_nexthops *nexthops = create(true, 2);
	struct rte_rcu_qsbr *qsbr = dp_nexthops_qsbr(nexthops);
	struct addr_v4_prefix prefix = prefix_v4("192.0.2.0/24");
	const uint32_t v4 = 0xc0000201;
	const struct dp_group *held;

	rte_rcu_qsbr_thread_register(qsbr, 0);
	rte_rcu_qsbr_thread_online(qsbr, 0);
	set_v4(nexthops, "192.0.2.0/24", 1);
	dp_nexthops_lookup_v4(nexthops, &v4, 1, &held);
	assert_int_equal(dp_nexthops_route_v4_remove(nexthops, &prefix), 0);
	dp_nexthops_group_remove(nexthops, group_to(nexthops, AF_INET, 1));
	assert_true(group_to(nexthops, AF_INET, 2) > 0);
	assert_int_equal(group_to(nexthops, AF_INET, 3), -ENOSPC);
	assert_way(dp_group_choose(held, 0), 1);
	rte_rcu_qsbr_quiescent(qsbr, 0);
	assert_true(group_to(nexthops, AF_INET, 3) > 0);
	rte_rcu_qsbr_thread_offline(qsbr, 0);
	rte_rcu_qsbr_thread_unregister(qsbr, 0);
	dp_nexthops_destroy(nexthops);
}

static void a_full_table_refuses_and_keeps_what_it_has(void **state)
{
	struct dp_nexthops *nexthops = create(true, 4);
	uint32_t n = 0;

	for (; n < 4 * ROUTES_MAX; n++) {
		struct addr_v4_prefix prefix = {.addr = n << 16, .len = 32};

		if (dp_nexthops_route_v4_set(nexthops, &prefix, group_to(nexthops, AF_INET, 1)) !=
			0)
			break;
	}
	assert_int_equal(n, 2 * ROUTES_MAX); /* with those for hosts */
	for (uint32_t i = 0; i < n; i++)
		assert_way(lookup_v4(nexthops, i << 16), 1);
	dp_nexthops_destroy(nexthops);
}

/* --- oracle: the same routes in a plain list ------------------------------------------------------ */

struct model_route {
	bool live;
	uint8_t way;
	uint8_t len;
	struct in6_addr addr; /* IPv4 in the first four octets */
};

static struct model_route model[ROUTES_MAX];
static unsigned int seed;

static uint32_t random_below(uint32_t n)
{
	return (uint32_t)rand_r(&seed) % n;
}

/* Few distinct octets, so that prefixes nest and collide. */
static struct in6_addr random_addr(uint32_t octets)
{
	static const uint8_t choices[] = {0x00, 0x01, 0x80, 0xff};
	struct in6_addr addr = {0};

	for (uint32_t i = 0; i < octets; i++)
		addr.s6_addr[i] = choices[random_below(sizeof(choices))];
	return addr;
}

static void clear_host_bits(struct in6_addr *addr, uint8_t len)
{
	for (uint32_t bit = len; bit < 128; bit++)
		addr->s6_addr[bit / 8] &= ~(0x80 >> bit % 8);
}

static bool model_matches(const struct model_route *route, const struct in6_addr *addr)
{
	struct in6_addr masked = *addr;

	clear_host_bits(&masked, route->len);
	return addr_v6_equal(&masked, &route->addr);
}

/* The way of the longest matching route, or -1. */
static int model_lookup(const struct in6_addr *addr)
{
	int best = -1, best_len = -1;

	for (uint32_t i = 0; i < ROUTES_MAX; i++) {
		if (model[i].live && model[i].len > best_len && model_matches(&model[i], addr)) {
			best = model[i].way;
			best_len = model[i].len;
		}
	}
	return best;
}

static struct model_route *model_find(const struct in6_addr *addr, uint8_t len)
{
	for (uint32_t i = 0; i < ROUTES_MAX; i++) {
		if (model[i].live && model[i].len == len && addr_v6_equal(&model[i].addr, addr))
			return &model[i];
	}
	return NULL;
}

static uint32_t to_v4(const struct in6_addr *addr)
{
	return (uint32_t)addr->s6_addr[0] << 24 | (uint32_t)addr->s6_addr[1] << 16 |
	       (uint32_t)addr->s6_addr[2] << 8 | addr->s6_addr[3];
}

static int set_route(
	struct dp_nexthops *nexthops, bool v4, const struct in6_addr *addr, uint8_t len, uint8_t n)
{
	struct addr_v4_prefix four = {.addr = to_v4(addr), .len = len};
	struct addr_v6_prefix six = {.addr = *addr, .len = len};

	if (v4)
		return dp_nexthops_route_v4_set(nexthops, &four, group_to(nexthops, AF_INET, n));
	return dp_nexthops_route_v6_set(nexthops, &six, group_to(nexthops, AF_INET6, n));
}

static int remove_route(
	struct dp_nexthops *nexthops, bool v4, const struct in6_addr *addr, uint8_t len)
{
	struct addr_v4_prefix four = {.addr = to_v4(addr), .len = len};
	struct addr_v6_prefix six = {.addr = *addr, .len = len};

	return v4 ? dp_nexthops_route_v4_remove(nexthops, &four)
		  : dp_nexthops_route_v6_remove(nexthops, &six);
}

static void change_one_route(struct dp_nexthops *nexthops, bool v4)
{
	struct model_route *slot = &model[random_below(ROUTES_MAX)];
	/* Seldom one of half the table: it takes its time. */
	uint8_t shortest = random_below(16) == 0 ? 0 : 8;
	uint8_t len = shortest + random_below((v4 ? 33 : 129) - shortest);
	struct in6_addr addr = random_addr(v4 ? 4 : 16);
	struct model_route *same;
	uint8_t n = random_below(WAYS);
	int rc;

	if (slot->live && random_below(2) == 0) {
		assert_int_equal(remove_route(nexthops, v4, &slot->addr, slot->len), 0);
		slot->live = false;
		return;
	}
	clear_host_bits(&addr, len);
	same = model_find(&addr, len);
	if (same == NULL && slot->live)
		return;
	rc = set_route(nexthops, v4, &addr, len, n);
	/* Prefixes that share nothing may need more groups than there are; then nothing changes. */
	if (!v4 && same == NULL && rc == -ENOSPC)
		return;
	assert_int_equal(rc, 0);
	*(same != NULL ? same : slot) = (struct model_route){
		.live = true, .way = n, .len = len, .addr = addr};
}

static void compare_lookups(struct dp_nexthops *nexthops, bool v4)
{
	const struct dp_group *found[64];
	const struct in6_addr *pointers[64];
	struct in6_addr addrs[64];
	uint32_t v4s[64];

	for (uint32_t i = 0; i < 64; i++) {
		addrs[i] = random_addr(v4 ? 4 : 16);
		pointers[i] = &addrs[i];
		v4s[i] = to_v4(&addrs[i]);
	}
	if (v4)
		dp_nexthops_lookup_v4(nexthops, v4s, 64, found);
	else
		dp_nexthops_lookup_v6(nexthops, pointers, 64, found);
	for (uint32_t i = 0; i < 64; i++) {
		int expected = model_lookup(&addrs[i]);

		if (expected < 0)
			assert_int_equal(dp_group_choose(found[i], 0)->state, DP_ADJ_NO_ROUTE);
		else
			assert_way(dp_group_choose(found[i], 0), expected);
	}
}

static void lookups_agree_with_a_naive_list(bool v4)
{
	struct dp_nexthops *nexthops = create(true, WAYS * 4);

	seed = (unsigned int)test_seed();
	memset(model, 0, sizeof(model));
	for (uint32_t round = 0; round < 3000; round++) {
		change_one_route(nexthops, v4);
		compare_lookups(nexthops, v4);
	}
	for (uint32_t i = 0; i < ROUTES_MAX; i++) {
		if (model[i].live)
			assert_int_equal(
				remove_route(nexthops, v4, &model[i].addr, model[i].len), 0);
	}
	memset(model, 0, sizeof(model));
	compare_lookups(nexthops, v4);
	dp_nexthops_destroy(nexthops);
}

static void v4_lookups_agree_with_a_naive_list(void **state)
{
	lookups_agree_with_a_naive_list(true);
}

static void v6_lookups_agree_with_a_naive_list(void **state)
{
	lookups_agree_with_a_naive_list(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(static_mode_sends_every_packet_of_a_family_one_way),
		cmocka_unit_test(static_mode_can_be_changed_any_number_of_times),
		cmocka_unit_test(static_mode_refuses_routes),
		cmocka_unit_test(create_refuses_sizes_out_of_range),
		cmocka_unit_test(the_longest_prefix_wins_down_to_the_default_route),
		cmocka_unit_test(routes_may_reach_the_end_of_the_address_space),
		cmocka_unit_test(host_routes_can_come_and_go_for_ever),
		cmocka_unit_test(groups_with_one_way_share_its_place),
		cmocka_unit_test(a_route_leads_to_a_group_of_its_family_alone),
		cmocka_unit_test(a_group_spreads_by_weight_and_changes_in_place),
		cmocka_unit_test(a_place_is_reused_only_after_every_reader_has_moved_on),
		cmocka_unit_test(a_group_serves_its_last_readers),
		cmocka_unit_test(a_full_table_refuses_and_keeps_what_it_has),
		cmocka_unit_test(v4_lookups_agree_with_a_naive_list),
		cmocka_unit_test(v6_lookups_agree_with_a_naive_list),
	};

	if (test_eal_start(256) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
