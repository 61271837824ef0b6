// SPDX-License-Identifier: BSD-3-Clause
#include "client/status.h"

#include "client/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static json_t *parse(const char *text)
{
	json_error_t error;
	json_t *show = json_loads(text, 0, &error);

	if (show == NULL)
		fail_msg("%s", error.text);
	return show;
}

static void assert_screen(const char *answer, const char *screen)
{
	json_t *show = parse(answer);
	char *text = NULL;
	size_t len;
	FILE *file = open_memstream(&text, &len);

	assert_non_null(file);
	cl_status_print(show, file);
	fclose(file);
	assert_string_equal(text, screen);
	free(text);
	json_decref(show);
}

static void a_lease_is_a_screen(void **state)
{
	assert_screen(
		"{\"version\": \"1\", \"state\": \"bound\", \"server\": \"[2001:db8::53]:3653\","
		"\"mode\": \"napt\", \"device\": \"dstm0\", \"v4\": \"198.51.100.7\","
		"\"ports\": [[1024, 2047], [4096, 5119]], \"v6\": \"2001:db8:1::17\","
		"\"tep\": \"2001:db8:fe::1\", \"lifetime_s\": 3600, \"seconds_left\": 3543,"
		"\"renew_in_s\": 1743, \"last_error\": null, \"held_packets\": 0, \"forwards\": ["
		"{\"protocol\": \"tcp\", \"public\": \"198.51.100.7:1024\", \"to\": \"22\"},"
		"{\"protocol\": \"udp\", \"public\": null, \"to\": \"192.168.7.5:53\"}],"
		"\"tx_packets\": 1234,"
		"\"tx_bytes\": 56789, \"rx_packets\": 0, \"rx_bytes\": 0,"
		"\"drops\": {\"rx_error\": 3, \"tx_port\": 0}}",
		"dstm-client is bound\n"
		"  address     198.51.100.7\n"
		"  ports       1024-2047,4096-5119\n"
		"  left        59 min 3 s of 1 h 0 min; renewed in 29 min 3 s\n"
		"  mode        napt on dstm0\n"
		"  tunnel      2001:db8:1::17 to 2001:db8:fe::1\n"
		"  server      [2001:db8::53]:3653\n"
		"  held        0 packets waited for a lease\n"
		"  sent        1,234 packets, 56,789 octets\n"
		"  received    0 packets, 0 octets\n"
		"  forward     tcp 198.51.100.7:1024 to 22\n"
		"  forward     udp - to 192.168.7.5:53\n"
		"  dropped     3: tunnelled packet that the device did not take\n");
}

static void what_is_not_there_is_left_out(void **state)
{
	assert_screen("{\"state\": \"backoff\", \"mode\": \"host\", \"v4\": null, \"ports\": null,"
		      "\"tep\": null, \"forwards\": [], \"last_error\": \"server: \\u001b[2Jno\"}",
		"dstm-client is backoff\n"
		"  mode        host\n"
		"  last error  server: ?[2Jno\n");
	assert_screen("{}", "dstm-client is -\n");
	assert_screen("[1]", "dstm-client is -\n");
}

static void the_exit_code_says_whether_there_is_ipv4(void **state)
{
	static const struct {
		const char *answer;
		int exit_code;
	} cases[] = {
		{"{\"state\": \"bound\", \"v4\": \"198.51.100.7\"}", 0},
		{"{\"state\": \"renewing\", \"v4\": \"198.51.100.7\"}", 0},
		{"{\"state\": \"idle\", \"v4\": null}", 0},
		{"{\"state\": \"backoff\", \"v4\": null}", CL_STATUS_NO_LEASE},
		{"{\"state\": 7}", CL_STATUS_NO_LEASE},
		{"{}", CL_STATUS_NO_LEASE},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *show = parse(cases[i].answer);

		assert_int_equal(cl_status_exit_code(show), cases[i].exit_code);
		json_decref(show);
	}
}

static void every_command_is_found_by_its_name(void **state)
{
	assert_null(cl_commands[0].name);
	for (const struct cl_command *row = &cl_commands[1]; row->synopsis != NULL; row++) {
		assert_ptr_equal(cl_command_find(row->name), row);
		assert_non_null(row->run);
	}
	assert_null(cl_command_find("stat"));
	assert_null(cl_command_find(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lease_is_a_screen),
		cmocka_unit_test(what_is_not_there_is_left_out),
		cmocka_unit_test(the_exit_code_says_whether_there_is_ipv4),
		cmocka_unit_test(every_command_is_found_by_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
