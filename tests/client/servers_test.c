// SPDX-License-Identifier: BSD-3-Clause
/*
 * Servers as they are written, and what is none.
 */
#include "client/servers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void each_way_to_write_a_server(void **state)
{
	static const struct {
		const char *text, *read;
	} cases[] = {
		{"dstm.example.net", "dstm.example.net:3653"},
		{"dstm.example.net:65535", "dstm.example.net:65535"},
		{"localhost", "localhost:3653"},
		{"4a.example.", "4a.example.:3653"},
		{"2001:db8::53", "[2001:db8::53]:3653"},
		{"[2001:db8::53]", "[2001:db8::53]:3653"},
		{"[2001:db8::53]:1", "[2001:db8::53]:1"},
		{"::1", "[::1]:3653"},
	};
	char text[CL_SERVER_STRLEN];
	struct cl_server server;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(cl_server_parse(cases[i].text, &server), 0);
		assert_string_equal(cl_server_format(&server, text), cases[i].read);
		assert_null(server.tls_name);
	}
}

static void what_is_no_server(void **state)
{
	static const char *const cases[] = {"", ":3653", "a:", "a:0", "a:65536", "a:1x", "a: 1",
		"a:-1", "a:+1", "a b", "a..b", ".a", "-a", "a/b", "192.0.2.1", "192.0.2.1:3653",
		"[]", "[", "[]:1", "[2001:db8::53", "[2001:db8::53]3653",
		"[2001:db8::53]:", "[2001:db8::53]:0", "[2001:db8::53]:1:1", "[a]:1",
		"[192.0.2.1]:1", "2001:db8:::1", "fe80::1%eth0", "a\nb",
		"[aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]:1"};
	struct cl_server server = {.addr.port = 7};
	char label[80], name[300];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_true(cl_server_parse(cases[i], &server) < 0);
	snprintf(label, sizeof(label), "%064d", 0);
	memset(label, 'a', 64);
	assert_true(cl_server_parse(label, &server) < 0);
	memset(name, 'a', sizeof(name));
	for (size_t i = 60; i < sizeof(name); i += 61)
		name[i] = '.';
	name[254] = '\0';
	assert_true(cl_server_parse(name, &server) < 0);
	name[253] = '\0';
	assert_int_equal(server.addr.port, 7);
	assert_int_equal(cl_server_parse(name, &server), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_way_to_write_a_server),
		cmocka_unit_test(what_is_no_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
