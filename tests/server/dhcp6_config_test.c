// SPDX-License-Identifier: BSD-3-Clause
#include "server/server_config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define REST                                                                           \
	"teps: [{name: t, control: \"[2001:db8::1]:3654\", user: u, password: p, v6: " \
	"2001:db8::1}]\n"                                                              \
	"pools: [{name: a, prefix: 198.51.100.0/28, tep: t}]\n"

static int parse(const char *dhcpv6, struct srv_config *config, struct config_error *error)
{
	char text[2048];

	snprintf(text, sizeof(text), "%s%s", dhcpv6, REST);
	return srv_config_parse("f", text, strlen(text), config, error);
}

static void mistakes_are_named_with_their_place(void **state)
{
	static const struct {
		const char *text;
		const char *error;
	} rows[] = {
		{"dhcpv6: {}\n", "f:1:9: dhcpv6: neither interfaces nor listen says where"},
		{"dhcpv6: {interfaces: [abcdefghijklmnop]}\n",
			"f:1:9: dhcpv6: \"abcdefghijklmnop\" cannot be an interface"},
		{"dhcpv6: {interfaces: [a], role: relay}\n",
			"f:1:33: dhcpv6.role: \"relay\" is not one of server, companion, "
			"stateless"},
		{"dhcpv6: {interfaces: [a], role: companion, addresses: \"2001:db8::/64\"}\n",
			"f:1:9: dhcpv6: addresses are for role: server"},
		{"dhcpv6: {interfaces: [a], addresses: \"2001:db8::/56\"}\n",
			"f:1:9: dhcpv6: addresses has to be a prefix of 64 bits that hosts can "
			"have"},
		{"dhcpv6: {interfaces: [a], addresses: \"fe80::/64\"}\n",
			"f:1:9: dhcpv6: addresses has to be a prefix of 64 bits that hosts can "
			"have"},
		{"dhcpv6: {interfaces: [a], codes: {tep: 65100}}\n",
			"f:1:9: dhcpv6: two of codes are 65100"},
		{"dhcpv6: {interfaces: [a], codes: {tep: 96}}\n",
			"f:1:40: dhcpv6.codes.tep: 96 is out of range 256..65535"},
		{"dhcpv6: {interfaces: [a], preference: 256}\n",
			"f:1:39: dhcpv6.preference: 256 is out of range 0..255"},
		{"dhcpv6: {interfaces: [a], duid: \"0:1\"}\n", "f:1:9: dhcpv6: duid is no DUID"},
		{"dhcpv6: {interfaces: [a], users: [{duid: \"00:0g\", user: x}]}\n",
			"f:1:35: dhcpv6: the duid of user \"x\" is none"},
		{"dhcpv6: {interfaces: [a], users: [{duid: \"00:01:\", user: x}]}\n",
			"f:1:35: dhcpv6: the duid of user \"x\" is none"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct config_error error = {""};
		struct srv_config config;

		assert_int_equal(parse(rows[i].text, &config, &error), -EINVAL);
		assert_string_equal(error.text, rows[i].error);
	}
}

/* Takes the "# " from the section's lines, which the example has as a comment. */
static char *example_with_dhcpv6(void)
{
	FILE *file = fopen(EXAMPLE_CONFIG, "r");
	char *text = calloc(1, 65536), line[512];
	bool is_inside = false;

	assert_non_null(file);
	assert_non_null(text);
	while (fgets(line, sizeof(line), file) != NULL) {
		is_inside = line[0] == '#' && (is_inside || strncmp(line, "# dhcpv6:", 9) == 0);
		strcat(text, is_inside ? line + 2 : line);
	}
	fclose(file);
	return text;
}

static void the_example_shows_every_default(void **state)
{
	struct srv_config example, least;
	struct config_error error;
	char *text = example_with_dhcpv6();

	assert_int_equal(srv_config_parse("f", text, strlen(text), &example, &error), 0);
	free(text);
	assert_int_equal(parse("", &least, &error), 0);

	const struct srv_dhcp6_config *shown = &example.dhcp6, *dhcp6 = &least.dhcp6;

	assert_true(shown->is_on);
	assert_int_equal(shown->interfaces.n, 1);
	assert_int_equal(shown->listen.n, 1);
	assert_int_equal(shown->addresses.len, 64);
	assert_false(dhcp6->is_on);
	assert_int_equal(shown->role, dhcp6->role);
	assert_int_equal(shown->preference, dhcp6->preference);
	assert_int_equal(shown->rapid_commit, dhcp6->rapid_commit);
	assert_int_equal(shown->unicast, dhcp6->unicast);
	assert_int_equal(shown->softwire, dhcp6->softwire);
	assert_int_equal(shown->vendor, dhcp6->vendor);
	assert_memory_equal(&shown->codes, &dhcp6->codes, sizeof(dhcp6->codes));
	assert_int_equal(shown->reconfigure, dhcp6->reconfigure);
	assert_memory_equal(
		shown->relays.items, dhcp6->relays.items, sizeof(struct addr_v6_prefix));
	assert_int_equal(shown->exchanges, dhcp6->exchanges);
	srv_config_free(&example);
	srv_config_free(&least);
}

/* Sockets and what clients know the server by stay; the rest changes by a reload. */
static void a_reload_knows_what_needs_a_restart(void **state)
{
	static const struct {
		const char *text;
		bool same;
	} rows[] = {
		{"dhcpv6: {interfaces: [a], preference: 7, rapid_commit: true}\n", true},
		{"dhcpv6: {interfaces: [a], role: stateless, codes: {tep: 700}}\n", true},
		{"dhcpv6: {interfaces: [a, b]}\n", false},
		{"dhcpv6: {interfaces: [b]}\n", false},
		{"dhcpv6: {interfaces: [a], listen: [\"[::1]:547\"]}\n", false},
		{"dhcpv6: {interfaces: [a], duid: 000401}\n", false},
		{"dhcpv6: {interfaces: [a], secret_file: /tmp/s}\n", false},
		{"dhcpv6: {interfaces: [a], exchanges: 7}\n", false},
		{"", false},
	};
	struct srv_config config, other;
	struct config_error error;

	assert_int_equal(parse("dhcpv6: {interfaces: [a]}\n", &config, &error), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(parse(rows[i].text, &other, &error), 0);
		assert_int_equal(srv_config_same_fixtures(&config, &other), rows[i].same);
		srv_config_free(&other);
	}
	srv_config_free(&config);
}

static void fixtures_stay_and_the_rest_changes(void **state)
{
	struct srv_config config, next;
	struct config_error error;

	assert_int_equal(parse("dhcpv6: {interfaces: [a]}\n", &config, &error), 0);
	assert_int_equal(
		parse("dhcpv6: {interfaces: [b], preference: 7, duid: 000401}\n", &next, &error),
		0);
	srv_dhcp6_config_swap_fixtures(&config.dhcp6, &next.dhcp6);
	assert_string_equal(((char **)next.dhcp6.interfaces.items)[0], "a");
	assert_int_equal(next.dhcp6.preference, 7);
	assert_null(next.dhcp6.duid);
	assert_string_equal(config.dhcp6.duid, "000401");
	srv_config_free(&next);

	assert_int_equal(parse("", &next, &error), 0);
	srv_dhcp6_config_swap_fixtures(&config.dhcp6, &next.dhcp6);
	assert_true(next.dhcp6.is_on);
	assert_false(config.dhcp6.is_on);
	srv_config_free(&next);
	srv_config_free(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_are_named_with_their_place),
		cmocka_unit_test(the_example_shows_every_default),
		cmocka_unit_test(a_reload_knows_what_needs_a_restart),
		cmocka_unit_test(fixtures_stay_and_the_rest_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
