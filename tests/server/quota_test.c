// SPDX-License-Identifier: BSD-3-Clause
/* Quotas and the gate, without server and sockets. */
#include "server/quota.h"

#include "common/addr.h"
#include "server/gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define NOW_MS INT64_C(5000000)

static const struct srv_holdings nothing, one_lease = {.leases = 1, .ports = 1024};
static struct addr_v6_prefix here_prefix, all_prefix;
static const struct config_list all = {&all_prefix, 1}, here = {&here_prefix, 1};

static int group_setup(void **state)
{
	return addr_v6_prefix_parse("2001:db8:ffff::/48", &here_prefix);
}

static struct in6_addr v6(const char *text)
{
	struct in6_addr addr;

	assert_int_equal(addr_v6_parse(text, &addr), 0);
	return addr;
}

static struct lease lease_of(const char *client)
{
	return (struct lease){.client_v6 = v6(client), .n_ranges = 1, .ranges = {{1024, 2047}}};
}

static bool allows(const struct srv_quota *quota, const char *user, const char *client)
{
	struct in6_addr addr = v6(client);

	return srv_quota_allows(quota, user, &addr, &nothing, &one_lease);
}

/* S25: each limit by itself. */
static void what_is_held_is_counted_by_user_and_prefix(void **state)
{
	static const struct {
		struct srv_quota_limits limits;
		bool same_user, same_prefix, other; /* whether they may have one more */
	} rows[] = {
		{{.prefix_length = 64}, true, true, true},
		{{.user = {.leases = 2}, .prefix_length = 64}, false, true, true},
		{{.user = {.leases = 3}, .prefix_length = 64}, true, true, true},
		{{.user = {.ports = 3071}, .prefix_length = 64}, false, true, true},
		{{.user = {.ports = 3072}, .prefix_length = 64}, true, true, true},
		{{.prefix = {.leases = 2}, .prefix_length = 64}, true, false, true},
		{{.prefix = {.ports = 3071}, .prefix_length = 64}, true, false, true},
		{{.prefix = {.leases = 2}, .prefix_length = 32}, false, false, false},
		{{.client = {.ports = 1023}, .prefix_length = 64}, false, false, false},
	};
	struct lease first = lease_of("2001:db8:1:1::1"), second = lease_of("2001:db8:1:1::2");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct srv_quota *quota = srv_quota_create(&rows[i].limits);

		srv_quota_hold(quota, "alice", &first);
		srv_quota_hold(quota, "alice", &second);
		assert_int_equal(allows(quota, "alice", "2001:db8:9:9::1"), rows[i].same_user);
		assert_int_equal(allows(quota, "", "2001:db8:1:1::9"), rows[i].same_prefix);
		assert_int_equal(allows(quota, "bob", "2001:db8:9:9::1"), rows[i].other);
		srv_quota_free(quota, "alice", &first);
		srv_quota_free(quota, "alice", &second);
		assert_int_equal(allows(quota, "alice", "2001:db8:1:1::1"),
			rows[i].limits.client.ports == 0);
		srv_quota_destroy(quota);
	}
}

/* A limit that a reload brings or changes: what is held is told again, and counts once. */
static void changed_limits_count_what_is_held_already(void **state)
{
	struct srv_quota_limits limits = {.prefix_length = 64};
	struct srv_quota *quota = srv_quota_create(&limits);
	struct lease lease = lease_of("2001:db8:1:1::1");

	srv_quota_hold(quota, "alice", &lease);
	assert_false(srv_quota_set_limits(quota, &limits));
	limits.user.leases = 2;
	assert_true(srv_quota_set_limits(quota, &limits));
	srv_quota_hold(quota, "alice", &lease);
	assert_true(allows(quota, "alice", "2001:db8:1:1::1"));
	limits.user.leases = 1;
	assert_false(srv_quota_set_limits(quota, &limits));
	assert_false(allows(quota, "alice", "2001:db8:1:1::1"));
	limits.prefix.leases = 2;
	assert_true(srv_quota_set_limits(quota, &limits));
	srv_quota_hold(quota, "alice", &lease);
	assert_false(allows(quota, "alice", "2001:db8:9:9::1"));
	assert_true(allows(quota, "", "2001:db8:1:1::1"));
	limits.user.leases = 0;
	limits.prefix_length = 48;
	assert_true(srv_quota_set_limits(quota, &limits));
	srv_quota_hold(quota, "alice", &lease);
	assert_true(allows(quota, "alice", "2001:db8:1:2::1"));
	limits.prefix.leases = 1;
	srv_quota_set_limits(quota, &limits);
	assert_false(allows(quota, "alice", "2001:db8:1:2::1"));
	srv_quota_destroy(quota);
}

static void requests_are_counted_by_user_address_and_prefix(void **state)
{
	const struct srv_quota_limits limits = {
		.user = {.requests_per_minute = 30},
		.client = {.requests_per_minute = 10},
		.prefix = {.requests_per_minute = 20},
		.prefix_length = 64,
		.exempt = &here,
	};
	struct srv_quota *quota = srv_quota_create(&limits);
	struct in6_addr a = v6("2001:db8:1:1::1"), b = v6("2001:db8:1:1::2");
	struct in6_addr c = v6("2001:db8:1:1::3"), ours = v6("2001:db8:ffff::1");

	for (int n = 0; n < 10; n++)
		assert_true(srv_quota_request(quota, "", &a, NOW_MS));
	assert_false(srv_quota_request(quota, "", &a, NOW_MS));
	for (int n = 0; n < 10; n++)
		assert_true(srv_quota_request(quota, "", &b, NOW_MS));
	assert_false(srv_quota_request(quota, "", &c, NOW_MS));
	for (int n = 0; n < 1000; n++)
		assert_true(srv_quota_request(quota, "", &ours, NOW_MS));
	for (int n = 0; n < 30; n++)
		assert_true(srv_quota_request(quota, "alice", &ours, NOW_MS));
	assert_false(srv_quota_request(quota, "alice", &ours, NOW_MS));
	assert_true(srv_quota_request(quota, "bob", &ours, NOW_MS));
	assert_true(srv_quota_request(quota, "alice", &ours, NOW_MS + 2001));
	srv_quota_destroy(quota);
}

static enum srv_gate_verdict enter(
	struct srv_gate *gate, const char *peer, struct srv_gate_pass *pass)
{
	struct in6_addr addr = v6(peer);

	return srv_gate_enter(gate, &addr, NOW_MS, pass);
}

/* S36: who is not named is not let in, and leaves no trace. */
static void the_gate_knows_who_may_ask(void **state)
{
	struct srv_gate *gate = srv_gate_create(
		&(struct srv_gate_limits){.allow = &here, .exempt = &all, .prefix_length = 64});
	struct srv_gate_pass pass;

	assert_int_equal(enter(gate, "2001:db8:1::1", &pass), SRV_GATE_FORBIDDEN);
	assert_int_equal(srv_gate_prefixes(gate), 0);
	assert_int_equal(enter(gate, "2001:db8:ffff::1", &pass), SRV_GATE_OPEN);
	assert_int_equal(srv_gate_prefixes(gate), 1);
	srv_gate_leave(gate, &pass);
	assert_int_equal(srv_gate_prefixes(gate), 0);
	srv_gate_destroy(gate);
}

static void the_gate_counts_connections_of_a_prefix(void **state)
{
	const struct srv_gate_limits limits = {.allow = &all,
		.exempt = &here,
		.prefix_length = 64,
		.connections = 3,
		.unauthenticated = 2};
	struct srv_gate *gate = srv_gate_create(&limits);
	struct srv_gate_pass first, second, third, other;

	assert_int_equal(enter(gate, "2001:db8:1::1", &first), SRV_GATE_OPEN);
	assert_int_equal(enter(gate, "2001:db8:1::2", &second), SRV_GATE_OPEN);
	assert_int_equal(enter(gate, "2001:db8:1::3", &third), SRV_GATE_HALF_OPEN);
	srv_gate_authenticated(gate, &first);
	srv_gate_authenticated(gate, &first);
	assert_int_equal(enter(gate, "2001:db8:1::3", &third), SRV_GATE_OPEN);
	srv_gate_authenticated(gate, &second);
	assert_int_equal(enter(gate, "2001:db8:1::4", &other), SRV_GATE_FULL);
	assert_int_equal(enter(gate, "2001:db8:2::4", &other), SRV_GATE_OPEN);
	srv_gate_leave(gate, &other);
	for (int n = 0; n < 100; n++)
		assert_int_equal(enter(gate, "2001:db8:ffff::4", &other), SRV_GATE_OPEN);
	srv_gate_leave(gate, &second);
	assert_int_equal(enter(gate, "2001:db8:1::4", &other), SRV_GATE_OPEN);
	assert_int_equal(enter(gate, "2001:db8:1::5", &other), SRV_GATE_FULL);
	srv_gate_destroy(gate);
}

static void the_gate_counts_how_fast_they_come(void **state)
{
	const struct srv_gate_limits limits = {
		.allow = &all, .exempt = &here, .prefix_length = 64, .connections_per_minute = 5};
	struct srv_gate *gate = srv_gate_create(&limits);
	struct srv_gate_pass pass;

	for (int n = 0; n < 5; n++) {
		assert_int_equal(enter(gate, "2001:db8:1::1", &pass), SRV_GATE_OPEN);
		srv_gate_leave(gate, &pass);
	}
	assert_int_equal(enter(gate, "2001:db8:1::2", &pass), SRV_GATE_FAST);
	assert_int_equal(enter(gate, "2001:db8:2::2", &pass), SRV_GATE_OPEN);
	srv_gate_destroy(gate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_held_is_counted_by_user_and_prefix),
		cmocka_unit_test(changed_limits_count_what_is_held_already),
		cmocka_unit_test(requests_are_counted_by_user_address_and_prefix),
		cmocka_unit_test(the_gate_knows_who_may_ask),
		cmocka_unit_test(the_gate_counts_connections_of_a_prefix),
		cmocka_unit_test(the_gate_counts_how_fast_they_come),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
