// SPDX-License-Identifier: BSD-3-Clause
/*
 * config/client.yaml and what is wrong with others, sentence by sentence.
 */
#include "client/client_config.h"
#include "client/servers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SERVER "server: \"[2001:db8::53]:3653\"\n"

#define DHCP6 "protocol: dhcpv6\ndhcpv6: {interface: eth0}\n"

/* Loads a text as a file named "f" in the current folder, which main made. */
static int load(const char *text, struct cl_config *config, struct config_error *error)
{
	FILE *file = fopen("f", "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	return cl_config_load("f", config, error);
}

static void example_shows_every_default(void **state)
{
	struct cl_config example, bare;
	struct config_error error;

	assert_int_equal(cl_config_load(EXAMPLE_CONFIG, &example, &error), 0);
	assert_int_equal(load(SERVER, &bare, &error), 0);
	assert_string_equal(example.user, "alice");
	assert_true(example.has_v6);
	assert_int_equal(bare.mode, CL_MODE_NAPT);
	/* Apart from what the file calls an example it says what an empty one means. */
	bare.user = example.user;
	bare.password = example.password;
	bare.has_v6 = true;
	bare.v6 = example.v6;
	assert_true(cl_config_equal(&bare, &example));
	bare.user = bare.password = NULL;
	cl_config_free(&bare);
	cl_config_free(&example);
}

static void name_of_a_server_is_a_whole_configuration(void **state)
{
	struct config_error error;
	struct cl_config config;
	struct cl_server server;

	assert_int_equal(load("server: dstm.example.net\n", &config, &error), 0);
	assert_int_equal(cl_servers_count(&config), 1);
	cl_servers_get(&config, 0, &server);
	assert_string_equal(server.name, "dstm.example.net");
	assert_int_equal(server.addr.port, 3653);
	cl_config_free(&config);
}

static void servers_stand_in_their_order_with_their_certificates(void **state)
{
	struct config_error error;
	struct cl_config config;
	struct cl_server server;

	assert_int_equal(load("servers: [a.example, {name: \"[2001:db8::1]:1\", tls_name: b}]\n"
			      "tls: {ca: /x}\ntls_name: c\n",
				 &config, &error),
		0);
	assert_int_equal(cl_servers_count(&config), 2);
	cl_servers_get(&config, 0, &server);
	assert_true(server.is_name);
	assert_string_equal(server.tls_name, "c");
	cl_servers_get(&config, 1, &server);
	assert_false(server.is_name);
	assert_int_equal(server.addr.port, 1);
	assert_string_equal(server.tls_name, "b");
	cl_config_free(&config);
}

static void each_key_makes_a_difference(void **state)
{
	static const char *const lines[] = {
		"generation: 1",
		"tls: {ca: /x}",
		"tls: {ca: /x, certificate: /x, key: /x}",
		"tls: {ca: /x}\ntls_name: x",
		"user: a\npassword: b",
		"mode: host",
		"ports: 256",
		"ports_max: 0",
		"lifetime_s: 600",
		"on_demand: true",
		"idle_s: 10",
		"on_demand: true\ndns_trigger: true",
		"on_demand: true\ngeneration: 1\naccept_push: true",
		"device: dti",
		"mtu: 1280",
		"queues: 2",
		"dscp: 46",
		"default_route: false",
		"v6: 2001:db8::1",
		"inner_v4: 192.0.0.3",
		"direct: [198.51.100.0/24]",
		"direct: [198.51.100.0/25]",
		"direct_auto: true",
		"hold_packets: 0",
		"forwards: [{to: 22}]",
		"forwards: [{to: 22, port: 2050}]",
		"forwards: [{to: 22, protocol: udp}]",
		"netns: blue",
		"retry_min_s: 2",
		"retry_max_s: 61",
		"socket: /tmp/s",
		"state: /tmp/t",
		"mode: host\nexclusive: true",
	};
	struct cl_config bare, other;
	struct config_error error;
	char text[256];

	assert_int_equal(load(SERVER, &bare, &error), 0);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		snprintf(text, sizeof(text), SERVER "%s\n", lines[i]);
		assert_int_equal(load(text, &other, &error), 0);
		assert_false(cl_config_equal(&bare, &other));
		cl_config_free(&other);
	}
	cl_config_free(&bare);
}

static void servers_of_the_other_protocols_stand_in_their_maps(void **state)
{
	static const char dhcp6[] = "protocol: dhcpv6\ndhcpv6: {interface: eth0}\n";
	static const char rpc[] = "protocol: rpc\nrpc: {server: a.example, port: 3654}\n";
	struct config_error error;
	struct cl_config config;
	struct cl_server server;
	char text[CL_SERVER_STRLEN];

	assert_int_equal(load(dhcp6, &config, &error), 0);
	assert_int_equal(cl_servers_count(&config), 1);
	cl_servers_get(&config, 0, &server);
	assert_string_equal(cl_server_format(&server, text), "[ff02::1:2]:547");
	assert_int_equal(config.dhcp6.port, 546);
	assert_int_equal(config.dhcp6.options, CL_DHCP6_DSTM);
	assert_int_equal(config.dhcp6.codes.ia, 65100);
	assert_int_equal(cl_config_generation(&config), TSP_GENERATION_1);
	cl_config_free(&config);
	assert_int_equal(load(rpc, &config, &error), 0);
	cl_servers_get(&config, 0, &server);
	assert_string_equal(cl_server_format(&server, text), "a.example:3654");
	cl_config_free(&config);
}

static void each_key_of_the_maps_makes_a_difference(void **state)
{
	static const char *const maps[] = {
		"interface: eth1",
		"server: 2001:db8::53",
		"interface: eth0, server: 2001:db8::53",
		"interface: eth0, port: 10546",
		"interface: eth0, server_port: 10547",
		"interface: eth0, options: softwire",
		"interface: eth0, options: vendor",
		"interface: eth0, options: vendor, vendor: 9",
		"interface: eth0, stateless: true",
		"interface: eth0, rapid_commit: false",
		"interface: eth0, duid: 00:04:01",
		"interface: eth0, codes: {ia: 1000}",
		"interface: eth0, codes: {tep: 1000}",
		"interface: eth0, codes: {ports: 1000}",
		"interface: eth0, codes: {client: 1000}",
		"interface: eth0, codes: {address: 1000}",
		"interface: eth0",
	};
	struct cl_config configs[sizeof(maps) / sizeof(maps[0])];
	struct config_error error;
	char text[256];

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		snprintf(text, sizeof(text), "protocol: dhcpv6\ndhcpv6: {%s}\n", maps[i]);
		assert_int_equal(load(text, &configs[i], &error), 0);
		for (size_t j = 0; j < i; j++)
			assert_false(cl_config_equal(&configs[j], &configs[i]));
	}
	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		cl_config_free(&configs[i]);
}

static void wrong_file_is_one_sentence_with_its_place(void **state)
{
	static const struct {
		const char *text;
		const char *error;
	} cases[] = {
		{"mode: napt\n", "f:1:1: server: missing: one is required"},
		{SERVER "servers: [\"2001:db8::54\"]\n",
			"f:1:1: server and servers do not go together"},
		{"servers: [{name: \"2001:db8::54\", tls_name: x}]\n",
			"f:1:1: tls: there is no ca to check the server's certificate by"},
		{SERVER "dns_trigger: true\n", "f:1:1: dns_trigger: only with on_demand: true"},
		{SERVER "accept_push: true\n",
			"f:1:1: accept_push: only with on_demand: true and generation: 1"},
		{SERVER "sever: 1\n", "f:2:1: unknown key \"sever\"; did you mean \"server\"?"},
		{SERVER "mtu: 100\n", "f:1:1: mtu: 0, or 512 and more"},
		{SERVER "queues: 0\n", "f:2:9: queues: 0 is out of range 1..16"},
		{SERVER "dscp: 64\n", "f:1:1: dscp: copy, or 0 to 63"},
		{SERVER "dscp: ef\n", "f:1:1: dscp: copy, or 0 to 63"},
		{SERVER "dscp: -1\n", "f:1:1: dscp: copy, or 0 to 63"},
		{SERVER "mode: nat\n", "f:2:7: mode: \"nat\" is not one of napt, host"},
		{SERVER "generation: 3\n", "f:2:13: generation: 3 is out of range 1..2"},
		{SERVER "device: sixteen_letters_\n",
			"f:2:9: device: 16 characters long, expected at most 15"},
		{SERVER "mtu: 1400\nmtu: 1400\n", "f:3:1: mtu: this key stands here twice"},
		{"server: \"[2001:db8::53]:0\"\n", "f:1:1: server: neither a name nor an IPv6 "
						   "address, with or without a port"},
		{"server: \"[ff02::1]:3653\"\n", "f:1:1: server: not the address of a host"},
		{"server: \"[::]:3653\"\n", "f:1:1: server: not the address of a host"},
		{"server: \"::ffff:192.0.2.1\"\n", "f:1:1: server: not the address of a host"},
		{SERVER "user: alice\n", "f:1:1: user and password go together"},
		{SERVER "password: x\n", "f:1:1: user and password go together"},
		{SERVER "tls: {ca: /x, key: /x}\n", "f:1:1: tls: certificate and key go together"},
		{SERVER "tls_name: x\n",
			"f:1:1: tls: there is no ca to check the server's certificate by"},
		{SERVER "exclusive: true\n", "f:1:1: exclusive: only with mode: host"},
		{SERVER "exclusive: true\nmode: host\nports: 5\n",
			"f:1:1: ports: not with exclusive: true"},
		{SERVER "device: a b\n",
			"f:1:1: device: letters, digits and _ - . behind a letter or digit"},
		{SERVER "device: \"a;flush\"\n",
			"f:1:1: device: letters, digits and _ - . behind a letter or digit"},
		{SERVER "device: ..\n",
			"f:1:1: device: letters, digits and _ - . behind a letter or digit"},
		{SERVER "v6: fe80::1\n", "f:1:1: v6: not a global address"},
		{SERVER "tep: ff02::1\n", "f:1:1: tep: not a global address"},
		{SERVER "v6: 2001:db8::1\ntep: 2001:db8::1\n",
			"f:1:1: v6 and tep are the same address"},
		{SERVER "inner_v4: 224.0.0.1\n", "f:1:1: inner_v4: not the address of a host"},
		{SERVER "inner_v4: 0.0.0.1\n", "f:1:1: inner_v4: not the address of a host"},
		{SERVER "hold_packets: 2000\n",
			"f:2:15: hold_packets: 2000 is out of range 0..1024"},
		{SERVER "netns: ../x\n",
			"f:1:1: netns: letters, digits and _ - . behind a letter or digit"},
		{SERVER "forwards: [{protocol: tcp}]\n",
			"f:2:12: forwards[0].to: missing: this key is required"},
		{SERVER "forwards: [{protocol: sctp, to: 22}]\n",
			"f:2:23: forwards[0].protocol: \"sctp\" is not one of tcp, udp"},
		{SERVER "forwards: [{to: 22; flush ruleset}]\n",
			"f:2:12: to: neither a port nor an IPv4 address and a port"},
		{SERVER "forwards:\n - {port: 9, to: 1}\n - {port: 9, to: 2}\n",
			"f:4:4: port: forwarded twice"},
		{SERVER "direct: [198.51.100.0/24]\ndirect_auto: true\n",
			"f:1:1: direct and direct_auto do not go together"},
		{SERVER "direct: [0.0.0.0/0]\n", "f:1:1: direct: a prefix shorter than /8"},
		{SERVER "protocol: dhcp\n",
			"f:2:11: protocol: \"dhcp\" is not one of tsp, dhcpv6, rpc"},
		{SERVER "dhcpv6: {interface: a}\n", "f:1:1: dhcpv6: only with protocol: dhcpv6"},
		{SERVER "rpc: {server: a}\n", "f:1:1: rpc: only with protocol: rpc"},
		{"protocol: dhcpv6\n", "f:1:1: dhcpv6: interface or server is required"},
		{"protocol: rpc\n", "f:1:1: rpc: server: missing: one is required"},
		{SERVER DHCP6, "f:1:1: server, servers: only with protocol: tsp"},
		{DHCP6 "tls: {ca: /x}\n", "f:1:1: tls, tls_name: only with protocol: tsp"},
		{DHCP6 "user: a\npassword: b\n", "f:1:1: user, password: only with protocol: tsp"},
		{DHCP6 "direct_auto: true\n",
			"f:1:1: direct, direct_auto: only with protocol: tsp"},
		{DHCP6 "ports: 64\n", "f:1:1: ports: only with protocol: tsp"},
		{"protocol: dhcpv6\ndhcpv6: {server: fe80::1}\n",
			"f:1:1: dhcpv6: server: not a global address"},
		{"protocol: dhcpv6\ndhcpv6: {interface: a, codes: {ia: 65101}}\n",
			"f:1:1: dhcpv6: codes: one number for two options, or one of the "
			"standard's"},
		{"protocol: dhcpv6\ndhcpv6: {interface: a, codes: {ia: 25}}\n",
			"f:1:1: dhcpv6: codes: one number for two options, or one of the "
			"standard's"},
		{"protocol: dhcpv6\ndhcpv6: {interface: a, duid: \"00:04:1\"}\n",
			"f:1:1: dhcpv6: duid: not 3 to 130 octets in hexadecimal"},
		{"protocol: dhcpv6\ndhcpv6: {interface: a, stateless: true}\nlifetime_s: 60\n",
			"f:1:1: lifetime_s: not with dhcpv6: stateless, nor with options: "
			"softwire"},
		{"protocol: rpc\nrpc: {server: a}\naccept_push: true\n",
			"f:1:1: accept_push: not with protocol: rpc"},
		{SERVER "retry_min_s: 9\nretry_max_s: 8\n",
			"f:1:1: retry_max_s: less than retry_min_s"},
	};
	struct config_error error;
	struct cl_config config;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(load(cases[i].text, &config, &error) < 0);
		assert_string_equal(error.text, cases[i].error);
		assert_null(config.state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(example_shows_every_default),
		cmocka_unit_test(name_of_a_server_is_a_whole_configuration),
		cmocka_unit_test(servers_stand_in_their_order_with_their_certificates),
		cmocka_unit_test(each_key_makes_a_difference),
		cmocka_unit_test(servers_of_the_other_protocols_stand_in_their_maps),
		cmocka_unit_test(each_key_of_the_maps_makes_a_difference),
		cmocka_unit_test(wrong_file_is_one_sentence_with_its_place),
	};
	char folder[] = "/tmp/dstm_client_config_XXXXXX";
	int failed;

	if (mkdtemp(folder) == NULL || chdir(folder) < 0)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink("f");
	return chdir("/") < 0 || rmdir(folder) < 0 || failed;
}
