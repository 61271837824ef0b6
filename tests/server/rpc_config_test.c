// SPDX-License-Identifier: BSD-3-Clause
#include "server/server_config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define REST                                                                           \
	"teps: [{name: t, control: \"[2001:db8::1]:3654\", user: u, password: p, v6: " \
	"2001:db8::1}]\n"                                                              \
	"pools: [{name: a, prefix: 198.51.100.0/28, tep: t}]\n"

static int parse(const char *rpc, struct srv_config *config, struct config_error *error)
{
	char text[2048];

	snprintf(text, sizeof(text), "%s%s", rpc, REST);
	return srv_config_parse("f", text, strlen(text), config, error);
}

/* Nobody has RPC, or lets everybody in, without saying so. */
static void mistakes_are_named_with_their_place(void **state)
{
	static const struct {
		const char *text;
		const char *error;
	} rows[] = {
		{"rpc: {}\n", "f:1:6: rpc: listen does not say where"},
		{"rpc: {listen: [\"[::1]:3655\"]}\n", "f:1:6: rpc: allow does not say who may ask"},
		{"rpc: {listen: [\"[::1]:3655\"], allow: []}\n",
			"f:1:6: rpc: allow does not say who may ask"},
		{"rpc: {listen: [\"[::1]:0\"], allow: [\"::1/128\"]}\n",
			"f:1:6: rpc: nobody can find [::1]:0 without rpcbind: true"},
		{"rpc: {listen: [\"[::1]:111\"], allow: [\"::1/128\"]}\n",
			"f:1:6: rpc: [::1]:111: ports below 1024 are not for this server"},
		{"rpc: {listen: [\"[::1]:3655\", \"[::1]:3656\"], allow: [\"::1/128\"], rpcbind: "
		 "true}\n",
			"f:1:6: rpc: rpcbind knows one address of a program, listen has 2"},
		{"rpc: {listen: [\"[::1]:3655\"], allow: [\"::1/128\"], program: 100000}\n",
			"f:1:60: rpc.program: 100000 is out of range 536870912..1073741823"},
		{"rpc: {listen: [\"[::1]:3655\"], allow: [\"::1/128\"], users: [{from: "
		 "\"::1/128\", user: \"a b\\u0001\"}]}\n",
			NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct srv_config config;
		struct config_error error;

		assert_int_equal(parse(rows[i].text, &config, &error), -EINVAL);
		if (rows[i].error != NULL)
			assert_string_equal(error.text, rows[i].error);
	}
}

static void it_is_off_unless_it_is_there(void **state)
{
	struct srv_config config;
	struct config_error error;

	assert_int_equal(parse("", &config, &error), 0);
	assert_false(config.rpc.is_on);
	srv_config_free(&config);
	assert_int_equal(parse("rpc: {listen: [\"[::1]:3655\"], allow: [\"2001:db8::/32\"]}\n",
				 &config, &error),
		0);
	assert_true(config.rpc.is_on);
	assert_int_equal(config.rpc.program, 0x20000d57);
	assert_false(config.rpc.rpcbind);
	assert_int_equal(config.rpc.connections, 256);
	assert_int_equal(config.rpc.idle_s, 30);
	srv_config_free(&config);
}

static const char *user_at(const struct srv_config *config, const char *text)
{
	struct in6_addr v6;

	assert_int_equal(addr_v6_parse(text, &v6), 0);
	return srv_rpc_config_user(&config->rpc, &v6);
}

static void the_first_prefix_that_fits_names_the_user(void **state)
{
	struct srv_config config;
	struct config_error error;

	assert_int_equal(parse("rpc:\n  listen: [\"[::1]:3655\"]\n  allow: [\"::/0\"]\n  users:\n"
			       "    - {from: \"2001:db8:1:2::/64\", user: alice}\n"
			       "    - {from: \"2001:db8:1::/48\", user: bob}\n",
				 &config, &error),
		0);
	assert_string_equal(user_at(&config, "2001:db8:1:2::9"), "alice");
	assert_string_equal(user_at(&config, "2001:db8:1:3::9"), "bob");
	assert_string_equal(user_at(&config, "2001:db8:2::9"), "");
	srv_config_free(&config);
}

/* A reload may change who calls, and not where. */
static void where_it_is_needs_a_restart(void **state)
{
	static const struct {
		const char *text;
		bool is_same;
	} rows[] = {
		{"rpc: {listen: [\"[::1]:3655\"], allow: [\"::1/128\"], idle_s: 5}\n", true},
		{"rpc: {listen: [\"[::1]:3656\"], allow: [\"::/0\"]}\n", false},
		{"rpc: {listen: [\"[::1]:3655\"], allow: [\"::/0\"], rpcbind: true}\n", false},
		{"rpc: {listen: [\"[::1]:3655\"], allow: [\"::/0\"], program: 536870912}\n", false},
		{"", false},
	};
	struct srv_config config, other;
	struct config_error error;

	assert_int_equal(
		parse("rpc: {listen: [\"[::1]:3655\"], allow: [\"::/0\"]}\n", &config, &error), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(parse(rows[i].text, &other, &error), 0);
		assert_int_equal(srv_config_same_fixtures(&config, &other), rows[i].is_same);
		srv_rpc_config_swap_fixtures(&config.rpc, &other.rpc);
		srv_rpc_config_swap_fixtures(&config.rpc, &other.rpc);
		assert_int_equal(srv_config_same_fixtures(&config, &other), rows[i].is_same);
		srv_config_free(&other);
	}
	srv_config_free(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_are_named_with_their_place),
		cmocka_unit_test(it_is_off_unless_it_is_there),
		cmocka_unit_test(the_first_prefix_that_fits_names_the_user),
		cmocka_unit_test(where_it_is_needs_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
