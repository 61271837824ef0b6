// SPDX-License-Identifier: BSD-3-Clause
#include "server/server_config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define TEPS      \
	"teps:\n" \
	"  - {name: t, control: \"[2001:db8::1]:3654\", user: u, password: p, v6: 2001:db8::1}\n"
#define ANYCAST \
	"  - {name: u, control: \"[2001:db8::2]:3654\", user: u, password: p, v6: 2001:db8::1}\n"
#define POOLS "pools:\n  - {name: a, prefix: 198.51.100.0/28, tep: t}\n"

/* Line and column are those of the mapping that is wrong. */
static const struct {
	const char *text;
	const char *error;
} bad[] = {
	{POOLS, "f:1:1: teps: missing: this key is required"},
	{TEPS, "f:1:1: pools: missing: this key is required"},
	{"teps: []\n" POOLS, "f:1:7: teps: 0 items, expected at least 1"},
	{TEPS POOLS "nonsense: 1\n", "f:5:1: unknown key \"nonsense\""},
	{TEPS "pools:\n  - {name: a, prefix: 198.51.100.1/28, tep: t}\n",
		"f:4:23: pools[0].prefix: expected an IPv4 prefix without host bits, not "
		"\"198.51.100.1/28\""},
	{TEPS "pools:\n  - {name: a, prefix: 198.51.100.0/28, tep: x}\n",
		"f:4:5: pool \"a\": there is no tep \"x\""},
	{"redirect: {when: always}\n" TEPS POOLS,
		"f:1:11: redirect: clients cannot be sent on without brokers"},
	{"redirect: {when: sometimes}\n" TEPS POOLS,
		"f:1:18: redirect.when: \"sometimes\" is not one of never, when-exhausted, always"},
	{"redirect: {brokers: [192.0.2.1]}\n" TEPS POOLS,
		"f:1:22: redirect.brokers[0]: expected an IPv6 address, not \"192.0.2.1\""},
	{"lease: {more_ports: yes}\n" TEPS POOLS,
		"f:1:21: lease.more_ports: \"yes\" is not one of never, same-address, "
		"another-address"},
	{TEPS "pools:\n  - {name: a, prefix: 198.51.100.0/28}\n",
		"f:4:5: pool \"a\": tep or teps is required"},
	{TEPS "pools:\n  - {name: a, prefix: 198.51.100.0/28, teps: []}\n",
		"f:4:46: pools[0].teps: 0 items, expected at least 1"},
	{TEPS "pools:\n  - {name: a, prefix: 198.51.100.0/28, tep: t, teps: [t, x]}\n",
		"f:4:5: pool \"a\": tep and teps are both there"},
	{TEPS "pools:\n  - {name: a, prefix: 198.51.100.0/28, teps: [t, x]}\n",
		"f:4:50: pool \"a\": there is no tep \"x\""},
	{TEPS "pools:\n  - {name: a, prefix: 198.51.100.0/28, teps: [t, {name: t}]}\n",
		"f:4:50: pool \"a\": tep \"t\" is there twice"},
	{TEPS "pools:\n  - {name: a, prefix: 198.51.100.0/28, teps: [{name: t, clients: []}]}\n",
		"f:4:66: pools[0].teps[0].clients: 0 items, expected at least 1"},
	{TEPS "pools:\n  - {name: a, prefix: 198.51.100.0/28, tep: t, tep_failure: wait}\n",
		"f:4:61: pools[0].tep_failure: \"wait\" is not one of another, refuse"},
	{TEPS "pools:\n  - {name: a, prefix: 198.51.100.0/28, tep: t, copies: all}\n",
		"f:4:56: pools[0].copies: \"all\" is not one of none, push, query, both"},
	{"lease: {quarantine_s: 9, tep_timeout_s: 9}\n" TEPS
	 "pools:\n  - {name: a, prefix: 198.51.100.0/28, tep: t, copies: query}\n",
		"f:5:5: pool \"a\": copies need a lease.quarantine_s above lease.tep_timeout_s"},
	{TEPS ANYCAST "pools:\n  - {name: a, prefix: 198.51.100.0/28, teps: [t, u], copies: push}\n"
		      "  - {name: b, prefix: 203.0.113.0/28, tep: u}\n",
		"f:3:5: teps \"t\" and \"u\" have the same v6, but pool \"b\" has no copies"},
	{TEPS "pools:\n  - {name: a, prefix: 198.51.100.0/28, tep: t, block_size: 1000}\n",
		"f:4:5: pool \"a\": block_size 1000 is not a power of two"},
	{TEPS "pools:\n  - {name: a, prefix: 198.51.100.0/28, tep: t, mode: exclusive, "
	      "blocks_per_lease: 2}\n",
		"f:4:5: pool \"a\": blocks_per_lease is for shared pools whose blocks are drawn by "
		"lot"},
	{TEPS "pools:\n  - {name: a, prefix: 198.51.100.0/28, tep: t, block_size: 65536}\n",
		"f:4:60: pools[0].block_size: 65536 is out of range 1..32768"},
	{"lease: {quarantine_s: 29}\n" TEPS
	 "pools:\n  - {name: a, prefix: 198.51.100.0/28, tep: t, direct: true}\n",
		"f:5:5: pool \"a\": direct needs a lease.quarantine_s of 30 or more"},
	{TEPS "pools:\n  - {name: a, prefix: 198.51.100.0/28, tep: t, mode: none}\n",
		"f:4:54: pools[0].mode: \"none\" is not one of shared, exclusive"},
	{TEPS "pools:\n  - {name: a, prefix: 198.51.0.0/16, tep: t, block_size: 128}\n",
		"f:4:5: pool \"a\": more than 16777216 blocks"},
	{TEPS "pools:\n  - {name: a, prefix: 64.0.0.0/7, tep: t, mode: exclusive}\n",
		"f:4:5: pool \"a\": more than 16777216 addresses"},
	{TEPS "pools:\n  - {name: a, prefix: 0.0.0.0/0, tep: t}\n",
		"f:4:5: pool \"a\": 0.0.0.0/0 holds addresses that no host can have"},
	{TEPS "pools:\n  - {name: a, prefix: 127.0.0.0/24, tep: t}\n",
		"f:4:5: pool \"a\": 127.0.0.0/24 holds addresses that no host can have"},
	{TEPS "pools:\n  - {name: a, prefix: 233.252.0.0/24, tep: t}\n",
		"f:4:5: pool \"a\": 233.252.0.0/24 holds addresses that no host can have"},
	{TEPS POOLS "  - {name: a, prefix: 203.0.113.0/28, tep: t}\n",
		"f:5:5: pool \"a\" is there twice"},
	{TEPS POOLS "  - {name: b, prefix: 198.51.100.8/30, tep: t}\n",
		"f:5:5: pools \"a\" and \"b\" overlap"},
	{TEPS POOLS "  - {name: b, prefix: 198.51.0.0/16, tep: t}\n",
		"f:5:5: pools \"a\" and \"b\" overlap"},
	{TEPS "  - {name: t, control: \"[2001:db8::2]:1\", user: u, password: p, v6: "
	      "2001:db8::2}\n" POOLS,
		"f:3:5: tep \"t\" is there twice"},
	{TEPS "  - {name: s, control: \"[2001:db8::1]:3654\", user: u, password: p, v6: "
	      "2001:db8::2}\n" POOLS,
		"f:3:5: teps \"t\" and \"s\" have the same control endpoint"},
	{TEPS "  - {name: s, control: \"[2001:db8::2]:9\", user: u, password: p, v6: "
	      "2001:db8::1}\n" POOLS,
		"f:3:5: teps \"t\" and \"s\" have the same v6, but pool \"a\" has no copies"},
	{TEPS "  - {name: s, control: \"[2001:db8::2]:0\", user: u, password: p, v6: "
	      "2001:db8::2}\n" POOLS,
		"f:3:5: tep \"s\": control needs an address and a port"},
	{TEPS "  - {name: s, control: \"[2001:db8::2]:9\", user: u, password: p, v6: "
	      "fe80::2}\n" POOLS,
		"f:3:5: tep \"s\": v6 cannot be a tunnel end"},
	{TEPS "  - {name: s, control: \"[2001:db8::2]:9\", user: u, v6: 2001:db8::2}\n" POOLS,
		"f:3:5: tep \"s\": neither a password nor tls_name and a certificate"},
	{TEPS "  - {name: s, control: \"[2001:db8::2]:9\", user: u, password: p, v6: 2001:db8::2, "
	      "tls_name: s}\n" POOLS,
		"f:3:5: tep \"s\": tls_name, but tls has no ca"},
	{"auth:\n  mechanisms: [CRAM-MD5]\n" TEPS POOLS,
		"f:2:16: auth.mechanisms[0]: \"CRAM-MD5\" is not one of EXTERNAL, SCRAM-SHA-256, "
		"DIGEST-MD5, PLAIN, ANONYMOUS"},
	{"auth:\n  users:\n    - {name: \"a\\\"b\", password: y}\n" TEPS POOLS,
		"f:3:7: the name of this user holds a quote or a backslash"},
	{"lease:\n  lifetime_s: 30\n" TEPS POOLS, "f:2:3: lifetime_min_s is above lifetime_s"},
	{"auth:\n  anonymous: false\n" TEPS POOLS,
		"f:2:3: nobody could lease: anonymous is false and there are no users"},
	{"auth:\n  users:\n    - {name: x, password: y}\n    - {name: x, password: z}\n" TEPS POOLS,
		"f:4:7: user \"x\" is there twice"},
	{"auth:\n  users:\n    - {name: x, password: \"\"}\n" TEPS POOLS,
		"f:3:27: auth.users[0].password: 0 characters long, expected at least 1"},
	{"listen: []\n" TEPS POOLS, "f:1:9: listen: 0 items, expected at least 1"},
	{"listen: [\"192.0.2.1:3653\"]\n" TEPS POOLS,
		"f:1:10: listen[0]: expected \"[IPv6 address]:port\", not \"192.0.2.1:3653\""},
	{"sandbox: maybe\n" TEPS POOLS, "f:1:10: sandbox: \"maybe\" is not one of on, log, off"},
	{"user: \"\"\n" TEPS POOLS, "f:1:7: user: 0 characters long, expected at least 1"},
	{"limits:\n  connections: 0\n" TEPS POOLS,
		"f:2:16: limits.connections: 0 is out of range 1..1000000"},
};

static int parse(const char *text, struct srv_config *config, struct config_error *error)
{
	return srv_config_parse("f", text, strlen(text), config, error);
}

/* Every mistake is one sentence with its place, and nothing is kept. */
static void mistakes_are_named_with_their_place(void **state)
{
	static const struct srv_config zero;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct config_error error = {""};
		struct srv_config config;

		assert_int_equal(parse(bad[i].text, &config, &error), -EINVAL);
		assert_string_equal(error.text, bad[i].error);
		assert_memory_equal(&config, &zero, sizeof(zero));
	}
}

static void the_example_shows_every_default(void **state)
{
	struct srv_config example, least;
	struct config_error error;

	assert_int_equal(srv_config_load(EXAMPLE_CONFIG, &example, &error), 0);
	assert_int_equal(parse(TEPS POOLS, &least, &error), 0);
	assert_memory_equal(
		&example.lease.lifetime_s, &least.lease.lifetime_s, 4 * sizeof(uint32_t));
	assert_memory_equal(&example.limits, &least.limits, sizeof(least.limits));
	assert_int_equal(example.lease.more_ports, least.lease.more_ports);
	assert_int_equal(example.auth.send_ok_to_v1, least.auth.send_ok_to_v1);
	assert_int_equal(example.redirect.when, least.redirect.when);
	assert_int_equal(example.auth.anonymous, least.auth.anonymous);
	assert_int_equal(example.auth.digest_md5, least.auth.digest_md5);
	assert_int_equal(example.auth.require_peer_address, least.auth.require_peer_address);
	assert_string_equal(example.auth.realm, least.auth.realm);
	assert_string_equal(example.store, least.store);
	assert_int_equal(example.sandbox, least.sandbox);
	assert_int_equal(least.listen.n, 1);
	assert_memory_equal(example.listen.items, least.listen.items, sizeof(struct addr_endpoint));

	const struct srv_config_pool *shown = example.pools.items, *pool = least.pools.items;

	assert_int_equal(shown->block_size, pool->block_size);
	assert_int_equal(shown->mode, pool->mode);
	assert_int_equal(shown->tep_failure, pool->tep_failure);
	assert_int_equal(shown->copies, pool->copies);
	assert_int_equal(shown->direct, pool->direct);
	assert_memory_equal(
		shown->clients.items, pool->clients.items, sizeof(struct addr_v6_prefix));
	srv_config_free(&example);
	srv_config_free(&least);
}

/* Two TEPs have one tunnel address when all their pools have copies; copies are for the first 64 TEPs (R67). */
static void teps_may_share_a_tunnel_address_where_leases_have_copies(void **state)
{
	struct config_error error;
	struct srv_config config;
	char text[16384] = "teps:\n";

	assert_int_equal(
		parse(TEPS ANYCAST "pools:\n  - {name: a, prefix: 198.51.100.0/28, teps: [t, "
				   "u], copies: push}\n",
			&config, &error),
		0);
	assert_int_equal(((struct srv_config_pool *)config.pools.items)->copies, SRV_COPIES_PUSH);
	srv_config_free(&config);
	for (uint32_t i = 0; i <= SRV_COPIES_MAX; i++)
		sprintf(text + strlen(text),
			"  - {name: t%u, control: \"[2001:db8::1]:%u\", user: u, password: p, "
			"v6: \"2001:db8::%x\"}\n",
			i, 4000 + i, 1 + i);
	strcat(text, "pools:\n  - {name: a, prefix: 198.51.100.0/28, tep: t64, copies: both}\n");
	assert_int_equal(parse(text, &config, &error), -EINVAL);
	assert_string_equal(error.text,
		"f:68:5: pool \"a\": copies need tep \"t64\" among the first 64 of teps");
}

static void names_are_found(void **state)
{
	struct config_error error;
	struct srv_config config;

	assert_int_equal(
		parse("auth:\n  users: [{name: x, password: y}]\n" TEPS POOLS, &config, &error), 0);
	assert_string_equal(srv_config_find_password(&config, "x"), "y");
	assert_null(srv_config_find_password(&config, ""));
	assert_null(srv_config_find_password(&config, "X"));
	assert_int_equal(srv_config_find_tep(&config, "t"), 0);
	assert_int_equal(srv_config_find_tep(&config, "T"), 1);
	srv_config_free(&config);
}

static void a_reload_knows_what_needs_a_restart(void **state)
{
	static const struct {
		const char *text;
		bool same;
	} rows[] = {
		{"lease: {lifetime_s: 900}\nlimits: {connections: 5}\n"
		 "auth: {users: [{name: x, password: y}]}\n" TEPS POOLS,
			true},
		{"listen: [\"[::1]:3653\"]\n" TEPS POOLS, true},
		{"store: /tmp/other.db\n" TEPS POOLS, false},
		{"socket: /tmp/s\n" TEPS POOLS, false},
		{TEPS POOLS "  - {name: b, prefix: 203.0.113.0/28, tep: t}\n", true},
		{"user: nobody\n" TEPS POOLS, false},
		{"sandbox: \"off\"\n" TEPS POOLS, false},
	};
	struct srv_config config, other;
	struct config_error error;

	assert_int_equal(parse(TEPS POOLS, &config, &error), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(parse(rows[i].text, &other, &error), 0);
		assert_int_equal(srv_config_same_fixtures(&config, &other), rows[i].same);
		srv_config_free(&other);
	}
	srv_config_free(&config);
}

/* A session goes on when only the tunnel address is another. */
static void a_reload_knows_which_sessions_go_on(void **state)
{
	static const struct {
		const char *tep;
		bool same;
	} rows[] = {
		{"{name: t, control: \"[2001:db8::1]:3654\", user: u, password: p, v6: "
		 "2001:db8::9}",
			true},
		{"{name: s, control: \"[2001:db8::1]:3654\", user: u, password: p, v6: "
		 "2001:db8::1}",
			false},
		{"{name: t, control: \"[2001:db8::1]:3655\", user: u, password: p, v6: "
		 "2001:db8::1}",
			false},
		{"{name: t, control: \"[2001:db8::1]:3654\", user: v, password: p, v6: "
		 "2001:db8::1}",
			false},
		{"{name: t, control: \"[2001:db8::1]:3654\", user: u, password: q, v6: "
		 "2001:db8::1}",
			false},
	};
	struct srv_config config, other;
	struct config_error error;
	char text[512];

	assert_int_equal(parse(TEPS POOLS, &config, &error), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text),
			"teps: [%s]\npools: [{name: a, prefix: 198.51.100.0/28, tep: %c}]\n",
			rows[i].tep, rows[i].tep[7]);
		assert_int_equal(parse(text, &other, &error), 0);
		assert_int_equal(
			srv_config_same_session(config.teps.items, other.teps.items), rows[i].same);
		srv_config_free(&other);
	}
	srv_config_free(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_are_named_with_their_place),
		cmocka_unit_test(the_example_shows_every_default),
		cmocka_unit_test(teps_may_share_a_tunnel_address_where_leases_have_copies),
		cmocka_unit_test(names_are_found),
		cmocka_unit_test(a_reload_knows_what_needs_a_restart),
		cmocka_unit_test(a_reload_knows_which_sessions_go_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
