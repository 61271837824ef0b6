// SPDX-License-Identifier: BSD-3-Clause
/*
 * A tunnel's MTU (S16): configured by the longest prefix, learnt from errors, never raised by one, never under 1,280,
 * forgotten after ten minutes, and kept when the binding is renewed; what is admitted, cut or refused.
 */
#include "dataplane/ipv4.h"
#include "dataplane/mtu_rules.h"
#include "dataplane/tunnel_mtu.h"
#include "support/eal.h"
#include "support/packets.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct dp_ctx ctx;
static struct dp_binding binding;

static int set_up(void **state)
{
	packets_ctx_init(&ctx);
	packets_binding_init(&binding);
	ctx.now_s = 1000;
	return 0;
}

static void learn(uint32_t mtu)
{
	dp_tunnel_mtu_learn(&ctx, &binding, mtu, 100);
}

static void assert_mtu(uint32_t mtu)
{
	assert_int_equal(dp_tunnel_mtu(&ctx, &binding), mtu);
}

static void what_is_learnt_only_goes_down(void **state)
{
	assert_mtu(1500);
	learn(1500);
	learn(9000);
	assert_mtu(1500);
	assert_int_equal(binding.mtu_until_s, 0);
	learn(1400);
	assert_mtu(1400);
	learn(1450);
	assert_mtu(1400);
	learn(1280);
	assert_mtu(1280);
	assert_int_equal(ctx.counters.packets[DP_COUNT_PATH_MTU_LEARNT], 2);
	assert_int_equal(ctx.counters.bytes[DP_COUNT_PATH_MTU_LEARNT], 200);
}

/* Is a packet of this length let into the tunnel whole? */
static bool passes(uint16_t v4_len)
{
	struct rte_ipv4_hdr v4 = {.fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG)};
	struct dp_pkt p = {.v4 = &v4, .v4_len = v4_len};

	if (v4_len + ctx.tunnel_overhead <= dp_tunnel_mtu(&ctx, &binding))
		return true;
	return dp_tunnel_mtu_admit(&ctx, &p, &binding);
}

static void after_ten_minutes_the_way_is_tried_again(void **state)
{
	learn(1400);
	ctx.now_s += 599;
	assert_false(passes(1361));
	assert_true(passes(1360));
	learn(1400); /* told again: ten more minutes */
	ctx.now_s += 599;
	assert_false(passes(1361));
	ctx.now_s += 1;
	assert_true(passes(1361));
	assert_true(passes(1460));
	assert_false(passes(1461));
	learn(1300);
	ctx.now_s += 600;
	learn(1350); /* larger than what is forgotten, smaller than the port's */
	assert_mtu(1350);
}

static void a_configured_limit_is_what_comes_back(void **state)
{
	binding.mtu_less_fixed = 50;
	binding.mtu_less = 50;
	learn(1450);
	assert_int_equal(binding.mtu_until_s, 0);
	ctx.now_s += 6000;
	assert_true(passes(1410));
	assert_false(passes(1411));
	learn(1300);
	assert_mtu(1300);
	ctx.now_s += 600;
	assert_true(passes(1410));
	assert_mtu(1450);
}

static void a_packet_too_long_is_refused_or_cut(void **state)
{
	struct rte_ipv4_hdr v4 = {0};
	struct dp_pkt p = {.v4 = &v4, .v4_len = 1461};

	assert_true(dp_tunnel_mtu_admit(&ctx, &p, &binding));
	assert_true(p.cut);
	v4.fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG);
	p.cut = false;
	assert_false(dp_tunnel_mtu_admit(&ctx, &p, &binding));
	assert_int_equal(p.verdict, DP_DROP);
	assert_int_equal(p.reason, DP_DROP_TOO_BIG_V6);
	p = (struct dp_pkt){.v4 = &v4, .v4_len = 1461};
	ctx.ignore_df = true;
	assert_true(dp_tunnel_mtu_admit(&ctx, &p, &binding));
	assert_true(p.cut);
}

static struct dp_mtu_rule rule(const char *prefix, uint8_t len, uint32_t mtu)
{
	struct dp_mtu_rule rule = {.prefix.len = len, .mtu = mtu};

	assert_int_equal(inet_pton(AF_INET6, prefix, &rule.prefix.addr), 1);
	return rule;
}

static void the_longest_prefix_and_the_smallest_limit_count(void **state)
{
	static struct dp_mtu_rules rules;
	struct in6_addr other;

	assert_int_equal(dp_mtu_rules_less(NULL, &binding.tep_v6, &binding.client_v6), 0);
	rules.mtu_v6 = 1500;
	assert_int_equal(dp_mtu_rules_less(&rules, &binding.tep_v6, &binding.client_v6), 0);
	rules.clients[rules.n_clients++] = rule("2001:db8:1::", 48, 1400);
	rules.clients[rules.n_clients++] = rule("::", 0, 1300);
	assert_int_equal(dp_mtu_rules_less(&rules, &binding.tep_v6, &binding.client_v6), 100);
	inet_pton(AF_INET6, "2001:db8:2::17", &other);
	assert_int_equal(dp_mtu_rules_less(&rules, &binding.tep_v6, &other), 200);
	rules.teps[rules.n_teps++] = rule("2001:db8::1", 128, 1450);
	assert_int_equal(dp_mtu_rules_less(&rules, &binding.tep_v6, &binding.client_v6), 100);
	rules.clients[rules.n_clients++] = rule("2001:db8:1::17", 128, 1500);
	assert_int_equal(dp_mtu_rules_less(&rules, &binding.tep_v6, &binding.client_v6), 50);
}

static void a_renewal_keeps_what_was_learnt_and_a_new_binding_does_not(void **state)
{
	static struct dp_mtu_rules rules = {.mtu_v6 = 1500, .n_clients = 1};
	const struct dp_bindings_params params = {
		.max_bindings = 4, .max_readers = 1, .socket = SOCKET_ID_ANY, .mtu_rules = &rules};
	struct dp_bindings *table = dp_bindings_create(&params);
	const struct dp_binding *found;

	rules.clients[0] = rule("2001:db8:1::", 48, 1450);
	assert_non_null(table);
	assert_int_equal(dp_bindings_add(table, &binding), 0);
	found = dp_bindings_find(table, PACKET_CLIENT_V4, PACKET_CLIENT_PORT);
	assert_int_equal(dp_tunnel_mtu(&ctx, found), 1450);
	dp_tunnel_mtu_learn(&ctx, found, 1300, 100);
	assert_int_equal(dp_bindings_add(table, &binding), 0);
	assert_int_equal(dp_tunnel_mtu(&ctx, found), 1300);
	binding = *found; /* taken out and put back with what it had learnt: begins anew */
	assert_int_equal(dp_bindings_remove(table, PACKET_CLIENT_V4,
				 (struct port_range){binding.first, binding.last}),
		0);
	assert_int_equal(dp_bindings_add(table, &binding), 0);
	found = dp_bindings_find(table, PACKET_CLIENT_V4, PACKET_CLIENT_PORT);
	assert_int_equal(dp_tunnel_mtu(&ctx, found), 1450);
	dp_bindings_destroy(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define WITH_CTX(test) cmocka_unit_test_setup(test, set_up)
		WITH_CTX(what_is_learnt_only_goes_down),
		WITH_CTX(after_ten_minutes_the_way_is_tried_again),
		WITH_CTX(a_configured_limit_is_what_comes_back),
		WITH_CTX(a_packet_too_long_is_refused_or_cut),
		WITH_CTX(the_longest_prefix_and_the_smallest_limit_count),
		WITH_CTX(a_renewal_keeps_what_was_learnt_and_a_new_binding_does_not),
	};

	if (test_eal_start(64) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
