// SPDX-License-Identifier: BSD-3-Clause
/*
 * The kernel's routes and neighbours against the next hops that follow from them.
 */
#include "control/mirror.h"
#include "support/eal.h"
#include "support/random.h"

#include <rte_memory.h>

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define INSIDE  10 /* interface index of the IPv6 twin ... */
#define OUTSIDE 20 /* ... and of the IPv4 twin */
#define OTHER   30 /* an interface that is no twin */

struct fixture {
	struct dp_nexthops *nexthops;
	struct tep_mirror *mirror;
};

#define ROUTES_MAX     512
#define NEIGHBOURS_MAX 64

static int set_up(void **state)
{
	static const struct dp_nexthops_params params = {
		.fib = true,
		.max_adjacencies = 128,
		.max_groups = 128,
		.max_routes_v4 = 64,
		.max_routes_v6 = 64,
		.max_readers = 1,
		.socket = SOCKET_ID_ANY,
	};
	static const struct tep_mirror_twin twins[] = {
		{.ifindex = INSIDE, .port = 0, .mac = {{2, 0, 0, 0, 0, 6}}},
		{.ifindex = OUTSIDE, .port = 1, .mac = {{2, 0, 0, 0, 0, 4}}},
	};
	struct tep_mirror_params mirror = {
		.twins = twins,
		.n_twins = RTE_DIM(twins),
		.max_routes = {ROUTES_MAX, ROUTES_MAX},
		.max_neighbours = NEIGHBOURS_MAX,
		.max_ways = 128,
	};
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->nexthops = dp_nexthops_create(&params);
	assert_non_null(f->nexthops);
	mirror.nexthops = f->nexthops;
	f->mirror = tep_mirror_create(&mirror);
	assert_non_null(f->mirror);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	tep_mirror_destroy(f->mirror);
	dp_nexthops_destroy(f->nexthops);
	free(f);
	return 0;
}

static struct tep_ip ip(const char *text)
{
	uint8_t family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
	uint8_t octets[16] = {0};

	assert_int_equal(inet_pton(family, text, octets), 1);
	return tep_ip_from_octets(family, octets);
}

static struct tep_route route(const char *dst, uint8_t len, uint32_t ifindex)
{
	return (struct tep_route){
		.dst = ip(dst),
		.len = len,
		.kind = TEP_ROUTE_UNICAST,
		.n_hops = 1,
		.hops = {{.ifindex = ifindex, .weight = 1}},
	};
}

static struct tep_route route_via(
	const char *dst, uint8_t len, uint32_t ifindex, const char *gateway)
{
	struct tep_route via = route(dst, len, ifindex);

	via.hops[0].has_gateway = true;
	via.hops[0].gateway = ip(gateway);
	return via;
}

static struct tep_route local(const char *dst, uint32_t ifindex)
{
	struct tep_route address = route(dst, 0, ifindex);

	address.len = (uint8_t)(tep_ip_size(&address.dst) * 8);
	address.kind = TEP_ROUTE_LOCAL;
	return address;
}

/* All routes there are, read anew. */
static void set_routes(struct fixture *f, const struct tep_route *routes, uint32_t n)
{
	tep_mirror_begin_reading(f->mirror);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(tep_mirror_read_route(f->mirror, &routes[i]), 0);
	tep_mirror_end_reading(f->mirror);
	while (!tep_mirror_sweep(f->mirror, 1))
		;
	assert_int_equal(tep_mirror_settle(f->mirror), 0);
}

static void set_neighbour(struct fixture *f, uint8_t twin, const char *address, uint8_t mac)
{
	const struct tep_neighbour neighbour = {
		.hop = {.twin = twin, .ip = ip(address)},
		.mac = {{2, 0, 0, 0, 1, mac}},
	};

	assert_int_equal(tep_mirror_set_neighbour(f->mirror, &neighbour), 0);
	assert_int_equal(tep_mirror_settle(f->mirror), 0);
}

static void remove_neighbour(struct fixture *f, uint8_t twin, const char *address)
{
	const struct tep_hop hop = {.twin = twin, .ip = ip(address)};

	tep_mirror_remove_neighbour(f->mirror, &hop);
	assert_int_equal(tep_mirror_settle(f->mirror), 0);
}

static const struct dp_adjacency *lookup(const struct fixture *f, const char *address)
{
	const struct dp_group *found;
	struct tep_ip dst = ip(address);
	const struct in6_addr *six = (const struct in6_addr *)dst.octets;
	uint32_t four = (uint32_t)dst.octets[0] << 24 | (uint32_t)dst.octets[1] << 16 |
			(uint32_t)dst.octets[2] << 8 | dst.octets[3];

	if (dst.family == AF_INET)
		dp_nexthops_lookup_v4(f->nexthops, &four, 1, &found);
	else
		dp_nexthops_lookup_v6(f->nexthops, &six, 1, &found);
	return dp_group_choose(found, 0);
}

static void assert_state(
	const struct fixture *f, const char *address, enum dp_adjacency_state state)
{
	assert_int_equal(lookup(f, address)->state, state);
}

static void assert_sent(const struct fixture *f, const char *address, uint16_t port, uint8_t mac)
{
	const struct dp_adjacency *found = lookup(f, address);

	assert_int_equal(found->state, DP_ADJ_RESOLVED);
	assert_int_equal(found->port, port);
	assert_int_equal(found->dst_mac.addr_bytes[5], mac);
	assert_int_equal(found->src_mac.addr_bytes[5], port == 0 ? 6 : 4);
}

static void assert_hop(const struct fixture *f, const char *dst, uint8_t twin, const char *expected)
{
	struct tep_ip to = ip(dst), hop_ip = ip(expected);
	struct tep_hop hop;

	assert_true(tep_mirror_next_hop(f->mirror, &to, &hop));
	assert_int_equal(hop.twin, twin);
	assert_true(tep_ip_equal(&hop.ip, &hop_ip));
}

static void a_link_is_gleaned_until_its_hosts_are_known(void **state)
{
	struct fixture *f = *state;
	const struct tep_route routes[] = {
		route("192.0.2.0", 24, OUTSIDE), route("2001:db8::", 64, INSIDE)};

	set_routes(f, routes, RTE_DIM(routes));
	assert_state(f, "192.0.2.80", DP_ADJ_GLEAN);
	assert_int_equal(lookup(f, "192.0.2.80")->port, 1);
	assert_state(f, "2001:db8::17", DP_ADJ_GLEAN);
	assert_state(f, "198.51.100.1", DP_ADJ_NO_ROUTE);
	assert_hop(f, "192.0.2.80", 1, "192.0.2.80");
	set_neighbour(f, 1, "192.0.2.80", 80);
	set_neighbour(f, 0, "2001:db8::17", 17);
	assert_sent(f, "192.0.2.80", 1, 80);
	assert_sent(f, "2001:db8::17", 0, 17);
	assert_state(f, "192.0.2.81", DP_ADJ_GLEAN);
	remove_neighbour(f, 1, "192.0.2.80");
	assert_state(f, "192.0.2.80", DP_ADJ_GLEAN);
}

static void a_gateway_is_pending_until_it_is_known(void **state)
{
	struct fixture *f = *state;
	const struct tep_route routes[] = {
		route("192.0.2.0", 24, OUTSIDE),
		route_via("0.0.0.0", 0, OUTSIDE, "192.0.2.254"),
		route_via("::", 0, INSIDE, "fe80::b"),
	};

	set_routes(f, routes, RTE_DIM(routes));
	assert_state(f, "203.0.113.9", DP_ADJ_PENDING);
	assert_state(f, "2001:db8:1::17", DP_ADJ_PENDING);
	assert_hop(f, "203.0.113.9", 1, "192.0.2.254");
	assert_hop(f, "2001:db8:1::17", 0, "fe80::b");
	set_neighbour(f, 1, "192.0.2.254", 1);
	set_neighbour(f, 0, "fe80::b", 2);
	assert_sent(f, "203.0.113.9", 1, 1);
	assert_sent(f, "2001:db8:1::17", 0, 2);
	/* Another MAC address, and gone again. */
	set_neighbour(f, 0, "fe80::b", 3);
	assert_sent(f, "2001:db8:1::17", 0, 3);
	remove_neighbour(f, 0, "fe80::b");
	assert_state(f, "2001:db8:1::17", DP_ADJ_PENDING);
}

static void an_ipv4_route_may_have_an_ipv6_gateway(void **state)
{
	struct fixture *f = *state;
	const struct tep_route routes[] = {route_via("0.0.0.0", 0, OUTSIDE, "fe80::4")};

	set_routes(f, routes, RTE_DIM(routes));
	assert_hop(f, "203.0.113.9", 1, "fe80::4");
	set_neighbour(f, 1, "fe80::4", 4);
	assert_sent(f, "203.0.113.9", 1, 4);
}

static void the_same_address_on_another_link_is_another_neighbour(void **state)
{
	struct fixture *f = *state;
	const struct tep_route routes[] = {
		route("192.0.2.0", 24, OUTSIDE),
		route_via("::", 0, INSIDE, "fe80::b"),
	};

	set_routes(f, routes, RTE_DIM(routes));
	set_neighbour(f, 0, "192.0.2.80", 80);
	set_neighbour(f, 1, "fe80::b", 11);
	assert_state(f, "192.0.2.80", DP_ADJ_GLEAN);
	assert_state(f, "2001:db8:1::17", DP_ADJ_PENDING);
}

static void a_neighbour_that_is_routed_by_a_gateway_has_no_way_of_its_own(void **state)
{
	struct fixture *f = *state;
	const struct tep_route routes[] = {
		route_via("0.0.0.0", 0, OUTSIDE, "192.0.2.254"),
		route("192.0.2.0", 24, OUTSIDE),
	};

	set_routes(f, routes, RTE_DIM(routes));
	set_neighbour(f, 1, "203.0.113.9", 9);
	assert_state(f, "203.0.113.9", DP_ADJ_PENDING);
}

static void a_host_route_to_a_link_is_resolved_by_its_neighbour(void **state)
{
	struct fixture *f = *state;
	const struct tep_route routes[] = {route("203.0.113.9", 32, OUTSIDE)};

	set_routes(f, routes, RTE_DIM(routes));
	assert_state(f, "203.0.113.9", DP_ADJ_GLEAN);
	set_neighbour(f, 1, "203.0.113.9", 9);
	assert_sent(f, "203.0.113.9", 1, 9);
	remove_neighbour(f, 1, "203.0.113.9");
	assert_state(f, "203.0.113.9", DP_ADJ_GLEAN);
}

static void local_addresses_come_before_neighbours_and_routes(void **state)
{
	struct fixture *f = *state;
	const struct tep_route routes[] = {
		route("192.0.2.1", 32, OUTSIDE),
		local("192.0.2.1", OUTSIDE),
		route("192.0.2.0", 24, OUTSIDE),
		local("198.51.100.200", OTHER),
		local("127.0.0.1", OTHER),
		local("2001:db8::1", INSIDE),
		local("fe80::1", INSIDE),
	};
	uint32_t v4[4];

	set_routes(f, routes, RTE_DIM(routes));
	set_neighbour(f, 1, "192.0.2.1", 1);
	assert_state(f, "192.0.2.1", DP_ADJ_LOCAL);
	assert_int_equal(lookup(f, "192.0.2.1")->port, 1);
	assert_state(f, "198.51.100.200", DP_ADJ_LOCAL);
	assert_state(f, "2001:db8::1", DP_ADJ_LOCAL);
	assert_state(f, "127.0.0.1", DP_ADJ_NO_ROUTE);
	assert_int_equal(tep_mirror_local_v4(f->mirror, v4, RTE_DIM(v4)), 2);
	assert_int_equal(v4[0], 0xc0000201);
	assert_int_equal(v4[1], 0xc63364c8);
	assert_int_equal(tep_mirror_local_v4(f->mirror, v4, 1), 1);
}

static void routes_that_no_twin_leads_to_are_no_route(void **state)
{
	struct fixture *f = *state;
	struct tep_route routes[] = {
		route_via("0.0.0.0", 0, OUTSIDE, "192.0.2.254"),
		route_via("10.0.0.0", 8, OTHER, "172.16.0.1"),
		route("203.0.113.0", 24, OUTSIDE),
	};
	struct tep_ip dst = ip("10.1.1.1");
	struct tep_hop hop;

	routes[2].kind = TEP_ROUTE_NONE;
	set_routes(f, routes, RTE_DIM(routes));
	set_neighbour(f, 1, "192.0.2.254", 1);
	assert_sent(f, "8.8.8.8", 1, 1);
	assert_state(f, "10.1.1.1", DP_ADJ_NO_ROUTE);
	assert_state(f, "203.0.113.9", DP_ADJ_NO_ROUTE);
	assert_false(tep_mirror_next_hop(f->mirror, &dst, &hop));
}

static void the_lowest_metric_wins_then_the_first(void **state)
{
	struct fixture *f = *state;
	struct tep_route routes[] = {
		route_via("0.0.0.0", 0, OUTSIDE, "192.0.2.1"),
		route_via("0.0.0.0", 0, OUTSIDE, "192.0.2.2"),
		route_via("0.0.0.0", 0, OUTSIDE, "192.0.2.3"),
	};

	routes[0].metric = 2048;
	routes[1].metric = 1024;
	routes[2].metric = 1024;
	set_routes(f, routes, RTE_DIM(routes));
	assert_hop(f, "203.0.113.1", 1, "192.0.2.2");
	/* As the kernel does with `ip route prepend`, `append` and `replace`. */
	routes[2].place = TEP_ROUTE_IN_FRONT;
	assert_int_equal(tep_mirror_remove_route(f->mirror, &routes[2]), 0);
	assert_int_equal(tep_mirror_set_route(f->mirror, &routes[2]), 0);
	assert_hop(f, "203.0.113.1", 1, "192.0.2.3");
	routes[0].metric = 1024;
	routes[0].place = TEP_ROUTE_INSTEAD;
	assert_int_equal(tep_mirror_set_route(f->mirror, &routes[0]), 0);
	assert_hop(f, "203.0.113.1", 1, "192.0.2.1");
	assert_int_equal(tep_mirror_remove_route(f->mirror, &routes[0]), 0);
	assert_hop(f, "203.0.113.1", 1, "192.0.2.2");
	set_routes(f, routes, 1);
	assert_hop(f, "203.0.113.1", 1, "192.0.2.1");
}

static struct tep_route route_by_two(const char *dst, uint8_t len, const char *a, const char *b)
{
	struct tep_route two = route_via(dst, len, OUTSIDE, a);

	two.hops[1] = two.hops[0];
	two.hops[1].gateway = ip(b);
	two.n_hops = 2;
	return two;
}

/* How many of 60 evenly spread hashes lead to this MAC address. */
static uint32_t share_of(const struct fixture *f, uint32_t v4, uint8_t mac)
{
	const struct dp_group *group;
	uint32_t n = 0;

	dp_nexthops_lookup_v4(f->nexthops, &v4, 1, &group);
	for (uint32_t i = 0; i < 60; i++)
		n += dp_group_choose(group, UINT32_MAX / 60 * i + 1)->dst_mac.addr_bytes[5] == mac;
	return n;
}

/* S33: by weight, over those that can be sent to, as long as there is one. */
static void several_gateways_share_the_flows(void **state)
{
	struct fixture *f = *state;
	struct tep_route two = route_by_two("203.0.113.0", 24, "192.0.2.1", "192.0.2.2");
	const uint32_t v4 = 0xcb007109;

	two.hops[1].weight = 2;
	assert_int_equal(tep_mirror_set_route(f->mirror, &two), 0);
	assert_state(f, "203.0.113.9", DP_ADJ_PENDING);
	set_neighbour(f, 1, "192.0.2.1", 1);
	assert_int_equal(share_of(f, v4, 1), 60);
	assert_hop(f, "203.0.113.9", 1, "192.0.2.2"); /* the one that is not known is asked for */
	set_neighbour(f, 1, "192.0.2.2", 2);
	assert_in_range(share_of(f, v4, 1), 19, 21);
	assert_in_range(share_of(f, v4, 2), 39, 41);
	set_neighbour(f, 1, "192.0.2.1", 3);
	assert_in_range(share_of(f, v4, 3), 19, 21);
	remove_neighbour(f, 1, "192.0.2.2");
	assert_int_equal(share_of(f, v4, 3), 60);
	tep_mirror_set_link(f->mirror, 1, false);
	assert_int_equal(tep_mirror_settle(f->mirror), 0);
	assert_state(f, "203.0.113.9", DP_ADJ_NO_ROUTE);
	tep_mirror_set_link(f->mirror, 1, true);
	assert_int_equal(tep_mirror_settle(f->mirror), 0);
	assert_int_equal(share_of(f, v4, 3), 60);
}

/* IPv6: the whole set is told when one comes, and only those that go. */
static void gateways_of_an_ipv6_route_come_and_go_one_by_one(void **state)
{
	struct fixture *f = *state;
	struct tep_route two = route_by_two("2001:db8:1::", 48, "fe80::1", "fe80::2");
	struct tep_route one = route_via("2001:db8:1::", 48, OUTSIDE, "fe80::1");
	uint32_t n_routes, n_neighbours;

	set_neighbour(f, 1, "fe80::1", 1);
	set_neighbour(f, 1, "fe80::2", 2);
	assert_int_equal(tep_mirror_set_route(f->mirror, &one), 0);
	assert_sent(f, "2001:db8:1::7", 1, 1);
	assert_int_equal(tep_mirror_set_route(f->mirror, &two), 0);
	assert_int_equal(tep_mirror_remove_route(f->mirror, &one), 0);
	assert_sent(f, "2001:db8:1::7", 1, 2);
	tep_mirror_usage(f->mirror, &n_routes, &n_neighbours);
	assert_int_equal(n_routes, 1);
	assert_int_equal(tep_mirror_remove_route(f->mirror, &one), -ENOENT);
	assert_int_equal(tep_mirror_remove_route(f->mirror, &two), 0);
	assert_state(f, "2001:db8:1::7", DP_ADJ_NO_ROUTE);
}

/* What is announced while all routes are read is newer than what is read. */
static void announcements_count_more_than_what_is_read(void **state)
{
	struct fixture *f = *state;
	struct tep_route old = route_via("203.0.113.0", 24, OUTSIDE, "192.0.2.1");
	struct tep_route new = route_via("203.0.113.0", 24, OUTSIDE, "192.0.2.2");
	struct tep_route gone = route_via("10.0.0.0", 8, OUTSIDE, "192.0.2.1");

	set_routes(f, &gone, 1);
	new.place = TEP_ROUTE_INSTEAD;
	tep_mirror_begin_reading(f->mirror);
	assert_int_equal(tep_mirror_set_route(f->mirror, &new), 0);
	assert_int_equal(tep_mirror_remove_route(f->mirror, &gone), 0);
	assert_int_equal(tep_mirror_read_route(f->mirror, &old), 0);
	assert_int_equal(tep_mirror_read_route(f->mirror, &gone), 0);
	assert_state(f, "10.1.1.1", DP_ADJ_NO_ROUTE);
	tep_mirror_end_reading(f->mirror);
	while (!tep_mirror_sweep(f->mirror, 1))
		;
	assert_hop(f, "203.0.113.9", 1, "192.0.2.2");
	assert_state(f, "10.1.1.1", DP_ADJ_NO_ROUTE);
}

/* --- oracle: routes in a plain list ---------------------------------------------------------------- */

#define MODEL_ROUTES 48
#define MODEL_STEPS  4000

struct model_route {
	bool live;
	uint8_t len;
	uint32_t v4, metric;
	uint8_t gateways; /* bit by number */
};

static struct model_route model[MODEL_ROUTES];

static struct tep_route route_of_model(const struct model_route *of)
{
	struct tep_route made = {.dst = ip("0.0.0.0"),
		.len = of->len,
		.kind = TEP_ROUTE_UNICAST,
		.metric = of->metric};

	for (uint32_t i = 0; i < 4; i++)
		made.dst.octets[i] = (uint8_t)(of->v4 >> (24 - 8 * i));
	for (uint32_t i = 0; i < 8; i++) {
		struct tep_route_hop *hop = &made.hops[made.n_hops];

		if ((of->gateways >> i & 1) == 0)
			continue;
		*hop = (struct tep_route_hop){.has_gateway = true,
			.gateway = ip("192.0.2.0"),
			.ifindex = OUTSIDE,
			.weight = 1};
		hop->gateway.octets[3] = (uint8_t)i;
		made.n_hops++;
	}
	return made;
}

/* The gateways of the longest prefix, and of its lowest metric; 0: no route. */
static uint8_t gateways_of_model(uint32_t v4)
{
	const struct model_route *best = NULL;

	for (uint32_t i = 0; i < MODEL_ROUTES; i++) {
		const struct model_route *other = &model[i];

		if (!other->live || (v4 & (uint32_t)(UINT64_MAX << (32 - other->len))) != other->v4)
			continue;
		if (best == NULL || other->len > best->len ||
			(other->len == best->len && other->metric < best->metric))
			best = other;
	}
	return best == NULL ? 0 : best->gateways;
}

static void change_model(struct fixture *f, uint64_t *random)
{
	struct model_route *slot = &model[test_random_below(random, MODEL_ROUTES)];
	struct tep_route told;

	if (slot->live) {
		told = route_of_model(slot);
		assert_int_equal(tep_mirror_remove_route(f->mirror, &told), 0);
		slot->live = false;
		return;
	}
	slot->len = (uint8_t)(8 + test_random_below(random, 25));
	slot->v4 = 0x0a000000 | (test_random_below(random, 4) << 16) | test_random_below(random, 4);
	slot->v4 &= (uint32_t)(UINT64_MAX << (32 - slot->len));
	slot->metric = slot - model; /* no two alike: which of them is first is another test's */
	slot->gateways = (uint8_t)(1 + test_random_below(random, 255));
	slot->live = true;
	told = route_of_model(slot);
	assert_int_equal(tep_mirror_set_route(f->mirror, &told), 0);
}

static void compare_with_model(const struct fixture *f, uint32_t v4)
{
	uint8_t expected = gateways_of_model(v4), found = 0;
	const struct dp_group *group;

	dp_nexthops_lookup_v4(f->nexthops, &v4, 1, &group);
	for (uint32_t i = 0; i < group->n; i++)
		if (group->slots[i]->state == DP_ADJ_RESOLVED)
			found |= (uint8_t)(1U << group->slots[i]->dst_mac.addr_bytes[5]);
	assert_int_equal(found, expected);
}

static void read_all(struct fixture *f)
{
	tep_mirror_begin_reading(f->mirror);
	for (uint32_t i = 0; i < MODEL_ROUTES; i++) {
		struct tep_route told = route_of_model(&model[i]);

		if (model[i].live)
			assert_int_equal(tep_mirror_read_route(f->mirror, &told), 0);
	}
	tep_mirror_end_reading(f->mirror);
	while (!tep_mirror_sweep(f->mirror, 7))
		;
}

static void any_order_of_changes_ends_where_a_plain_list_does(void **state)
{
	struct fixture *f = *state;
	uint64_t random = test_seed();

	memset(model, 0, sizeof(model));
	for (uint8_t i = 0; i < 8; i++) {
		char text[INET_ADDRSTRLEN];

		snprintf(text, sizeof(text), "192.0.2.%u", i);
		set_neighbour(f, 1, text, i);
	}
	for (uint32_t step = 0; step < MODEL_STEPS; step++) {
		change_model(f, &random);
		if (step % 200 == 0)
			read_all(f);
		assert_int_equal(tep_mirror_settle(f->mirror), 0);
		for (uint32_t i = 0; i < 16; i++)
			compare_with_model(f, 0x0a000000 | i / 4 << 16 | i % 4);
	}
}

static void what_is_never_sent_to_is_not_mirrored(void **state)
{
	struct fixture *f = *state;
	const struct tep_route routes[] = {
		route("224.0.0.0", 4, OUTSIDE),
		route("255.255.255.255", 32, OUTSIDE),
		route("ff00::", 8, INSIDE),
		route("fe80::", 64, INSIDE),
		local("::1", OTHER),
	};
	uint32_t n_routes, n_neighbours;

	set_routes(f, routes, RTE_DIM(routes));
	tep_mirror_usage(f->mirror, &n_routes, &n_neighbours);
	assert_int_equal(n_routes, 0);
}

static void everything_can_go_and_come_back(void **state)
{
	struct fixture *f = *state;
	const struct tep_route routes[] = {
		local("192.0.2.1", OUTSIDE),
		route("192.0.2.0", 24, OUTSIDE),
		route_via("0.0.0.0", 0, OUTSIDE, "192.0.2.254"),
	};

	for (uint32_t i = 0; i < 100; i++) {
		set_routes(f, routes, RTE_DIM(routes));
		set_neighbour(f, 1, "192.0.2.254", (uint8_t)i);
		assert_sent(f, "203.0.113.9", 1, (uint8_t)i);
		if (i % 2 == 0) {
			tep_mirror_begin_neighbours(f->mirror);
			tep_mirror_end_neighbours(f->mirror);
		}
		set_routes(f, NULL, 0);
		assert_state(f, "203.0.113.9", DP_ADJ_NO_ROUTE);
		assert_state(f, "192.0.2.1", DP_ADJ_NO_ROUTE);
	}
}

/* The data plane of the fixture has room for 64 routes: what does not fit is told, and tried again. */
static void what_does_not_fit_is_tried_again(void **state)
{
	struct fixture *f = *state;
	struct tep_route routes[300];

	for (uint32_t i = 0; i < RTE_DIM(routes); i++) {
		routes[i] = route("10.0.0.1", 32, OUTSIDE);
		routes[i].dst.octets[1] = (uint8_t)(i / 2);
		routes[i].dst.octets[2] = (uint8_t)i;
		assert_int_equal(tep_mirror_set_route(f->mirror, &routes[i]), 0);
	}
	assert_true(tep_mirror_settle(f->mirror) > 0);
	for (uint32_t i = 0; i + 3 < RTE_DIM(routes); i++)
		assert_int_equal(tep_mirror_remove_route(f->mirror, &routes[i]), 0);
	tep_mirror_retry(f->mirror);
	assert_int_equal(tep_mirror_settle(f->mirror), 0);
	for (uint32_t i = RTE_DIM(routes) - 3; i < RTE_DIM(routes); i++) {
		const uint8_t *octets = routes[i].dst.octets;
		char text[INET_ADDRSTRLEN];

		assert_state(f, inet_ntop(AF_INET, octets, text, sizeof(text)), DP_ADJ_GLEAN);
	}
}

static void too_many_are_refused(void **state)
{
	struct fixture *f = *state;
	struct tep_neighbour neighbour = {.hop = {.ip = {.family = AF_INET6}}};
	struct tep_route more = route("2001:db8::", 64, OTHER);
	uint32_t n = 0;

	for (; n <= NEIGHBOURS_MAX; n++) {
		neighbour.hop.ip.octets[15] = (uint8_t)n;
		if (tep_mirror_set_neighbour(f->mirror, &neighbour) != 0)
			break;
	}
	assert_int_equal(n, NEIGHBOURS_MAX);
	for (n = 0; n < ROUTES_MAX; n++) {
		more.dst.octets[6] = (uint8_t)(n >> 8);
		more.dst.octets[7] = (uint8_t)n;
		assert_int_equal(tep_mirror_set_route(f->mirror, &more), 0);
	}
	more.dst.octets[5] = 1;
	assert_int_equal(tep_mirror_set_route(f->mirror, &more), -ENOSPC);
	assert_true(tep_mirror_settle(f->mirror) > 0);
}

static void count_hop(void *arg, const struct tep_hop *hop)
{
	uint32_t *n = arg;

	++*n;
	assert_int_equal(hop->ip.octets[3], 80);
}

static void stale_neighbours_are_found_and_stay_in_use(void **state)
{
	struct fixture *f = *state;
	struct tep_neighbour neighbour = {
		.hop = {.twin = 1, .ip = ip("192.0.2.80")},
		.is_stale = true,
		.mac = {{2, 0, 0, 0, 1, 80}},
	};
	const struct tep_route routes[] = {route("192.0.2.0", 24, OUTSIDE)};
	uint32_t n = 0;

	set_routes(f, routes, RTE_DIM(routes));
	set_neighbour(f, 1, "192.0.2.81", 81);
	assert_int_equal(tep_mirror_set_neighbour(f->mirror, &neighbour), 0);
	assert_int_equal(tep_mirror_settle(f->mirror), 0);
	assert_sent(f, "192.0.2.80", 1, 80);
	tep_mirror_visit_stale(f->mirror, count_hop, &n);
	assert_int_equal(n, 1);
}

#define MIRROR_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MIRROR_TEST(a_link_is_gleaned_until_its_hosts_are_known),
		MIRROR_TEST(a_gateway_is_pending_until_it_is_known),
		MIRROR_TEST(an_ipv4_route_may_have_an_ipv6_gateway),
		MIRROR_TEST(the_same_address_on_another_link_is_another_neighbour),
		MIRROR_TEST(a_neighbour_that_is_routed_by_a_gateway_has_no_way_of_its_own),
		MIRROR_TEST(a_host_route_to_a_link_is_resolved_by_its_neighbour),
		MIRROR_TEST(local_addresses_come_before_neighbours_and_routes),
		MIRROR_TEST(routes_that_no_twin_leads_to_are_no_route),
		MIRROR_TEST(the_lowest_metric_wins_then_the_first),
		MIRROR_TEST(several_gateways_share_the_flows),
		MIRROR_TEST(gateways_of_an_ipv6_route_come_and_go_one_by_one),
		MIRROR_TEST(announcements_count_more_than_what_is_read),
		MIRROR_TEST(any_order_of_changes_ends_where_a_plain_list_does),
		MIRROR_TEST(what_is_never_sent_to_is_not_mirrored),
		MIRROR_TEST(everything_can_go_and_come_back),
		MIRROR_TEST(what_does_not_fit_is_tried_again),
		MIRROR_TEST(too_many_are_refused),
		MIRROR_TEST(stale_neighbours_are_found_and_stay_in_use),
	};

	if (test_eal_start(192) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
