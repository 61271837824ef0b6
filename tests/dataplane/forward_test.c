// SPDX-License-Identifier: BSD-3-Clause
/*
 * Plain packets by routes (S33): the whole path over one packet, with next hops as the control thread writes them.
 * Without routes, tests/pcap has the rest.
 */
#include "dataplane/forward.h"

#include "dataplane/nexthop.h"
#include "dataplane/punt.h"
#include "dataplane/worker.h"
#include "support/eal.h"
#include "support/packets.h"

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define V4_AT 14
#define L4_AT (V4_AT + 20)
#define V6_AT 14
#define PORT  5000 /* that no binding has */

static struct dp_bindings *bindings;
static struct dp_nexthops *nexthops;
static struct dp_punt *punt;
static struct dp_ctx ctx;
static struct dp_burst burst;

static const struct rte_ether_addr router = {{0x02, 0, 0, 0, 0, 0x77}};
static const struct rte_ether_addr other = {{0x02, 0, 0, 0, 0, 0x78}};

static struct dp_adjacency way(enum dp_adjacency_state state, uint16_t port)
{
	return (struct dp_adjacency){.dst_mac = router,
		.src_mac = {{0x02, 0, 0, 0, 0, 1}},
		.port = port,
		.state = state};
}

static void route_v4(const char *text, enum dp_adjacency_state state, uint16_t port)
{
	const struct dp_adjacency adjacency = way(state, port);
	struct addr_v4_prefix prefix;

	assert_int_equal(addr_v4_prefix_parse(text, &prefix), 0);
	assert_int_equal(dp_nexthops_route_v4_set(nexthops, &prefix,
				 dp_nexthops_group_add(nexthops, AF_INET, &adjacency, 1)),
		0);
}

static void route_v6(const char *text, enum dp_adjacency_state state, uint16_t port)
{
	const struct dp_adjacency adjacency = way(state, port);
	struct addr_v6_prefix prefix;

	assert_int_equal(addr_v6_prefix_parse(text, &prefix), 0);
	assert_int_equal(dp_nexthops_route_v6_set(nexthops, &prefix,
				 dp_nexthops_group_add(nexthops, AF_INET6, &adjacency, 1)),
		0);
}

/* 192.0.2.0/24 and 2001:db8:4::/48 lie behind port 1, 10.0.0.0/8 and 2001:db8:6::/48 behind port 0. */
static int set_up(void **state)
{
	const struct dp_bindings_params bindings_params = {
		.max_bindings = 16, .max_readers = 1, .socket = SOCKET_ID_ANY};
	const struct dp_nexthops_params nexthops_params = {.fib = true,
		.max_adjacencies = 64,
		.max_groups = 64,
		.max_routes_v4 = 64,
		.max_routes_v6 = 64,
		.max_readers = 1,
		.socket = SOCKET_ID_ANY};
	struct dp_binding binding;

	bindings = dp_bindings_create(&bindings_params);
	nexthops = dp_nexthops_create(&nexthops_params);
	punt = dp_punt_create(64, SOCKET_ID_ANY);
	if (bindings == NULL || nexthops == NULL || punt == NULL)
		return -1;
	packets_binding_init(&binding);
	dp_bindings_add(bindings, &binding);
	packets_ctx_init(&ctx);
	ctx.bindings = bindings;
	ctx.nexthops = nexthops;
	ctx.punt = punt;
	ctx.forward = (struct dp_forward_params){.v4 = DP_FORWARD_ROUTE, .v6 = true};
	ctx.icmp.rate = 1000;
	ctx.icmp.burst = 10;
	ctx.icmp.plain = true;
	ctx.icmp.tunnel_v4 = 0xc0000001;
	ctx.icmp.v6_source = ctx.tep_v6[0];
	ctx.now_ms = 1000000;
	route_v4("192.0.2.0/24", DP_ADJ_RESOLVED, 1);
	route_v4("10.0.0.0/8", DP_ADJ_RESOLVED, 0);
	route_v6("2001:db8:4::/48", DP_ADJ_RESOLVED, 1);
	route_v6("2001:db8:6::/48", DP_ADJ_RESOLVED, 0);
	return 0;
}

static int tear_down(void **state)
{
	dp_punt_destroy(punt);
	dp_nexthops_destroy(nexthops);
	dp_bindings_destroy(bindings);
	return packets_all_back() ? 0 : -1;
}

/* --- one packet -------------------------------------------------------------------------------------- */

static uint8_t *octets(const struct dp_pkt *p)
{
	return rte_pktmbuf_mtod(p->m, uint8_t *);
}

static struct rte_mbuf *ipv4(const char *src, const char *dst, uint8_t ttl)
{
	const struct packet packet = {.ttl = ttl, .port = PORT, .payload = 20};
	struct rte_mbuf *m = packet_make(&packet);
	uint8_t *v4 = rte_pktmbuf_mtod_offset(m, uint8_t *, V4_AT);

	assert_int_equal(inet_pton(AF_INET, src, v4 + 12), 1);
	assert_int_equal(inet_pton(AF_INET, dst, v4 + 16), 1);
	packet_resum(m, V4_AT);
	memcpy(rte_pktmbuf_mtod_offset(m, uint8_t *, 6), &other, sizeof(other));
	return m;
}

/* UDP without sense, from the port that is not the IPv4 side's. */
static struct rte_mbuf *ipv6(const char *src, const char *dst, uint8_t hop_limit)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(packets_pool());
	uint8_t *at;

	assert_non_null(m);
	at = rte_pktmbuf_mtod(m, uint8_t *);
	rte_pktmbuf_append(m, V6_AT + 40 + 16);
	memset(at, 0, V6_AT + 40 + 16);
	memcpy(at, &ctx.macs[0], RTE_ETHER_ADDR_LEN);
	memcpy(at + 6, &other, sizeof(other));
	at[12] = 0x86;
	at[13] = 0xdd;
	at[V6_AT] = 0x60;
	at[V6_AT + 5] = 16;
	at[V6_AT + 6] = IPPROTO_UDP;
	at[V6_AT + 7] = hop_limit;
	assert_int_equal(inet_pton(AF_INET6, src, at + V6_AT + 8), 1);
	assert_int_equal(inet_pton(AF_INET6, dst, at + V6_AT + 24), 1);
	m->port = 0;
	return m;
}

static const struct dp_pkt *go(struct rte_mbuf *m)
{
	packets_burst_init(&burst, m);
	dp_worker_stages(&ctx, &burst, m->port);
	return &burst.pkts[0];
}

static void assert_leaves_by(const struct dp_pkt *p, uint16_t port)
{
	assert_int_equal(p->verdict, DP_TX);
	assert_int_equal(p->m->port, port);
	assert_memory_equal(octets(p), &router, sizeof(router));
}

static void assert_refused(const struct dp_pkt *p, enum dp_counter reason)
{
	assert_int_equal(p->verdict, DP_DROP);
	assert_string_equal(dp_counter_info[p->reason].name, dp_counter_info[reason].name);
	rte_pktmbuf_free(p->m);
}

static void assert_is_hosts(const struct dp_pkt *p, uint16_t port)
{
	assert_int_equal(p->verdict, DP_PUNT);
	assert_int_equal(p->m->port, port);
	rte_pktmbuf_free(p->m);
}

static uint64_t count(enum dp_counter counter)
{
	return ctx.counters.packets[counter];
}

/* --- tests ------------------------------------------------------------------------------------------- */

static void routes_say_where(void **state)
{
	static const struct {
		const char *src, *dst;
		uint16_t port;
	} ways[] = {{"10.1.1.1", "192.0.2.1", 1}, {"192.0.2.1", "10.1.1.1", 0}};
	const struct dp_pkt *p;

	for (uint32_t i = 0; i < RTE_DIM(ways); i++) {
		p = go(ipv4(ways[i].src, ways[i].dst, 64));
		assert_leaves_by(p, ways[i].port);
		assert_int_equal(octets(p)[V4_AT + 8], 63);
		assert_int_equal(packet_checksum(octets(p) + V4_AT, 20), 0);
		rte_pktmbuf_free(p->m);
	}
	p = go(ipv6("2001:db8:6::1", "2001:db8:4::1", 2));
	assert_leaves_by(p, 1);
	assert_int_equal(octets(p)[V6_AT + 7], 1);
	rte_pktmbuf_free(p->m);
	assert_int_equal(count(DP_COUNT_FORWARDED_V4), 2);
	assert_int_equal(count(DP_COUNT_FORWARDED_V6), 1);
}

/* Both families, and errors about them as well. */
static void what_has_no_route_is_answered(void **state)
{
	const struct dp_pkt *p = go(ipv4("10.1.1.1", "172.16.0.1", 64));

	assert_leaves_by(p, 0);
	assert_int_equal(octets(p)[L4_AT], ICMP_DEST_UNREACH);
	assert_int_equal(octets(p)[L4_AT + 1], ICMP_NET_UNREACH);
	rte_pktmbuf_free(p->m);

	p = go(ipv6("2001:db8:6::1", "2001:db8:5::1", 64));
	assert_leaves_by(p, 0);
	assert_int_equal(octets(p)[V6_AT + 6], IPPROTO_ICMPV6);
	assert_memory_equal(octets(p) + V6_AT + 8, &ctx.tep_v6[0], sizeof(ctx.tep_v6[0]));
	assert_int_equal(octets(p)[V6_AT + 40], ICMP6_DST_UNREACH);
	assert_int_equal(octets(p)[V6_AT + 41], ICMP6_DST_UNREACH_NOROUTE);
	rte_pktmbuf_free(p->m);

	assert_int_equal(count(DP_DROP_NO_ROUTE), 2);
	assert_int_equal(count(DP_COUNT_OUT_ICMPV4_ERRORS), 1);
	assert_int_equal(count(DP_COUNT_OUT_ICMPV6_ERRORS), 1);

	ctx.icmp.plain = false;
	assert_refused(go(ipv6("2001:db8:6::1", "2001:db8:5::1", 64)), DP_DROP_NO_ROUTE);
	/* Nobody to tell. */
	ctx.icmp.plain = true;
	assert_refused(go(ipv4("172.16.0.2", "172.16.0.1", 64)), DP_DROP_NO_ROUTE);
}

static void an_address_of_the_router_is_the_hosts_as_it_came(void **state)
{
	struct rte_mbuf *m;

	route_v4("192.0.2.9/32", DP_ADJ_LOCAL, 1);
	route_v6("2001:db8:4::9/128", DP_ADJ_LOCAL, 1);
	m = ipv4("10.1.1.1", "192.0.2.9", 1);
	assert_is_hosts(go(m), 1);
	/* From a link-local address, too, and from a client's: the host has its own opinion. */
	assert_is_hosts(go(ipv4("169.254.0.1", "192.0.2.9", 64)), 1);
	assert_is_hosts(go(ipv6("fe80::1", "2001:db8:4::9", 1)), 0);
	assert_is_hosts(go(ipv6("fe80::1", "fe80::2", 255)), 0);
	assert_is_hosts(go(ipv6("fe80::1", "ff02::1", 255)), 0);
	ctx.punt = NULL;
	assert_refused(go(ipv4("10.1.1.1", "192.0.2.9", 64)), DP_DROP_NO_HOST);
}

static void a_neighbour_that_is_not_known_yet_is_asked_for(void **state)
{
	static const uint8_t no_macs[12];
	const struct dp_pkt *p;

	route_v4("192.0.2.8/29", DP_ADJ_GLEAN, 1);
	route_v6("2001:db8:4:1::/64", DP_ADJ_PENDING, 1);
	p = go(ipv4("10.1.1.1", "192.0.2.9", 64));
	assert_int_equal(p->verdict, DP_RESOLVE);
	assert_int_equal(p->m->port, 1);
	assert_memory_equal(octets(p), no_macs, sizeof(no_macs));
	assert_int_equal(octets(p)[V4_AT + 8], 63);
	rte_pktmbuf_free(p->m);
	p = go(ipv6("2001:db8:6::1", "2001:db8:4:1::1", 64));
	assert_int_equal(p->verdict, DP_RESOLVE);
	rte_pktmbuf_free(p->m);
	assert_int_equal(count(DP_COUNT_FORWARDED_V6), 1);
	ctx.punt = NULL;
	assert_refused(go(ipv4("10.1.1.1", "192.0.2.9", 64)), DP_DROP_NO_NEXTHOP);
	assert_int_equal(count(DP_COUNT_FORWARDED_V4), 1);
}

/* Out of the port that it came by: to another neighbour, but never back to its sender. */
static void what_came_from_its_next_hop_is_dropped(void **state)
{
	struct rte_mbuf *m = ipv4("192.0.2.1", "192.0.2.2", 64);
	const struct dp_pkt *p = go(m);

	assert_leaves_by(p, 1);
	rte_pktmbuf_free(p->m);

	m = ipv4("192.0.2.1", "192.0.2.2", 64);
	memcpy(rte_pktmbuf_mtod_offset(m, uint8_t *, 6), &router, sizeof(router));
	p = go(m);
	/* The way to its sender is the same one. */
	assert_leaves_by(p, 1);
	assert_int_equal(octets(p)[L4_AT], ICMP_DEST_UNREACH);
	assert_int_equal(count(DP_DROP_FORWARD_LOOP), 1);
	rte_pktmbuf_free(p->m);

	ctx.icmp.plain = false;
	m = ipv6("2001:db8:4::1", "2001:db8:6::1", 64);
	memcpy(rte_pktmbuf_mtod_offset(m, uint8_t *, 6), &router, sizeof(router));
	assert_refused(go(m), DP_DROP_FORWARD_LOOP);
	/* The same MAC address on another link is another station. */
	m = ipv6("2001:db8:6::1", "2001:db8:4::1", 64);
	memcpy(rte_pktmbuf_mtod_offset(m, uint8_t *, 6), &router, sizeof(router));
	p = go(m);
	assert_leaves_by(p, 1);
	rte_pktmbuf_free(p->m);
}

static void the_host_forwards_what_is_no_clients(void **state)
{
	const struct dp_pkt *p;

	ctx.forward = (struct dp_forward_params){.v4 = DP_FORWARD_HOST};
	p = go(ipv4("10.1.1.1", "172.16.0.1", 1));
	assert_int_equal(octets(p)[V4_AT + 8], 1);
	assert_is_hosts(p, 1);
	assert_is_hosts(go(ipv6("2001:db8:6::1", "2001:db8:5::1", 1)), 0);
	/* It would forward them for their port, but they are not that client's own. */
	assert_refused(go(ipv4("198.51.100.7", "172.16.0.1", 64)), DP_DROP_FORWARD_SPOOFED);
	assert_refused(go(ipv4("169.254.0.1", "172.16.0.1", 64)), DP_DROP_FORWARD_V4_ADDRESS);
	assert_refused(go(ipv4("10.1.1.1", "198.51.100.7", 64)), DP_DROP_NO_BINDING_V4);
	assert_int_equal(count(DP_COUNT_FORWARDED_V4), 0);
}

static void nothing_is_forwarded_unless_asked_for(void **state)
{
	ctx.forward = (struct dp_forward_params){0};
	assert_refused(go(ipv4("10.1.1.1", "192.0.2.1", 64)), DP_DROP_NO_BINDING_V4);
	assert_is_hosts(go(ipv6("2001:db8:6::1", "2001:db8:4::1", 64)), 0);
}

/* The MTU is that of the port that the route names, whatever the family. */
static void the_mtu_is_that_of_the_way_out(void **state)
{
	const struct packet large = {.payload = 1300};
	const struct dp_pkt *p;
	struct rte_mbuf *m;
	uint8_t *v4;

	ctx.mtu_v6 = 1280;
	for (uint32_t df = 0; df < 2; df++) {
		m = packet_make(&large);
		v4 = rte_pktmbuf_mtod_offset(m, uint8_t *, V4_AT);
		v4[6] = df != 0 ? 0x40 : 0;
		assert_int_equal(inet_pton(AF_INET, "192.0.2.1", v4 + 12), 1);
		assert_int_equal(inet_pton(AF_INET, "10.0.0.1", v4 + 16), 1);
		packet_resum(m, V4_AT);
		p = go(m);
		assert_leaves_by(p, df != 0 ? 1 : 0);
		assert_int_equal(p->cut, df == 0);
		if (df != 0) {
			assert_int_equal(octets(p)[L4_AT + 1], ICMP_FRAG_NEEDED);
			assert_int_equal(octets(p)[L4_AT + 6] << 8 | octets(p)[L4_AT + 7], 1280);
		}
		rte_pktmbuf_free(p->m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(routes_say_where, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_has_no_route_is_answered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			an_address_of_the_router_is_the_hosts_as_it_came, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_neighbour_that_is_not_known_yet_is_asked_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_came_from_its_next_hop_is_dropped, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			the_host_forwards_what_is_no_clients, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			nothing_is_forwarded_unless_asked_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_mtu_is_that_of_the_way_out, set_up, tear_down),
	};

	if (test_eal_start(128) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
