// SPDX-License-Identifier: BSD-3-Clause
/* The file of static bindings: what it may say, what it may not, and that it is all or nothing (R25). */
#include "control/binding_file.h"

#include "common/addr.h"

#include "support/binding.h"
#include "support/eal.h"

#include <rte_byteorder.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define V4 0xc6336407u /* 198.51.100.7 */

static char path[64];

static int read_text(
	const char *text, size_t len, struct tep_binding_file *file, struct config_error *error)
{
	struct in6_addr tep_v6[2];
	struct tep_binding_file_limits limits = {
		.tep_v6 = tep_v6, .n_tep_v6 = 2, .max_bindings = 5};
	FILE *stream = fopen(path, "w");

	assert_non_null(stream);
	assert_int_equal(fwrite(text, 1, len, stream), len);
	assert_int_equal(fclose(stream), 0);
	assert_int_equal(addr_v6_parse("2001:db8::1", &tep_v6[0]), 0);
	assert_int_equal(addr_v6_parse("2001:db8::2", &tep_v6[1]), 0);
	return tep_binding_file_read(path, &limits, file, error);
}

static void a_row_is_a_static_binding_without_end(void **state)
{
	static const char text[] = "198.51.100.7,1024-2047,2001:db8:1::17,2001:db8::2\n";
	struct tep_binding_file file;
	struct config_error error;
	struct in6_addr v6;

	assert_int_equal(read_text(text, strlen(text), &file, &error), 0);
	assert_int_equal(file.n, 1);
	assert_int_equal(file.lines[0], 1);
	assert_int_equal(rte_be_to_cpu_32(file.bindings[0].v4_be), V4);
	assert_int_equal(file.bindings[0].first, 1024);
	assert_int_equal(file.bindings[0].last, 2047);
	assert_int_equal(file.bindings[0].is_static, 1);
	assert_int_equal(file.bindings[0].end_s, DP_BINDING_ENDLESS);
	assert_int_equal(addr_v6_parse("2001:db8:1::17", &v6), 0);
	assert_true(addr_v6_equal(&file.bindings[0].client_v6, &v6));
	assert_int_equal(addr_v6_parse("2001:db8::2", &v6), 0);
	assert_true(addr_v6_equal(&file.bindings[0].tep_v6, &v6));
	tep_binding_file_free(&file);
}

static void every_allowed_form_is_read(void **state)
{
	static const char text[] = "# static bindings\r\n"
				   "\r\n"
				   " v4 , ports , client , tep \r\n"
				   "198.51.100.9,80,2001:db8:1::1,2001:db8::1\r\n"
				   "  198.51.100.7 , * ,\t2001:db8:1::2 , 2001:db8::1 \n"
				   "#198.51.100.7,*,2001:db8:1::2,2001:db8::1\n"
				   "   \n"
				   "198.51.100.8,,2001:db8:1::3,2001:db8::1\n"
				   "198.51.100.9,0-79,2001:db8:1::4,2001:db8::1";
	static const struct {
		uint32_t v4;
		uint16_t first;
		uint16_t last;
		uint32_t line;
	} expected[] = {
		{V4 + 2, 80, 80, 4}, {V4, 0, 65535, 5}, {V4 + 1, 0, 65535, 8}, {V4 + 2, 0, 79, 9}};
	struct tep_binding_file file;
	struct config_error error;

	assert_int_equal(read_text(text, strlen(text), &file, &error), 0);
	assert_int_equal(file.n, RTE_DIM(expected));
	for (uint32_t i = 0; i < file.n; i++) {
		assert_int_equal(rte_be_to_cpu_32(file.bindings[i].v4_be), expected[i].v4);
		assert_int_equal(file.bindings[i].first, expected[i].first);
		assert_int_equal(file.bindings[i].last, expected[i].last);
		assert_int_equal(file.lines[i], expected[i].line);
	}
	tep_binding_file_free(&file);
}

static void an_empty_file_is_no_bindings(void **state)
{
	struct tep_binding_file file;
	struct config_error error;

	assert_int_equal(read_text("", 0, &file, &error), 0);
	assert_int_equal(file.n, 0);
	tep_binding_file_free(&file);
}

#define GOOD "198.51.100.7,1024-2047,2001:db8:1::17,2001:db8::1\n"
#define TAIL ",2001:db8:1::17,2001:db8::1\n"

/* What stands behind "path:". */
static const struct {
	const char *text;
	const char *message;
} bad_files[] = {
	{"198.51.100,1-2" TAIL, "1:1: \"198.51.100\" is not an IPv4 address"},
	{GOOD "198.51.100.256,1-2" TAIL, "2:1: \"198.51.100.256\" is not an IPv4 address"},
	{"#\n\n ,1-2" TAIL, "3:2: \"\" is not an IPv4 address"},
	{GOOD "v4,ports,client,tep\n", "2:1: \"v4\" is not an IPv4 address"},
	{"198.51.100.7,2-1" TAIL,
		"1:14: \"2-1\" is not a range of ports; write first-last, or * for all"},
	{"198.51.100.7,1-65536" TAIL,
		"1:14: \"1-65536\" is not a range of ports; write first-last, or * for all"},
	{"198.51.100.7, -1" TAIL,
		"1:15: \"-1\" is not a range of ports; write first-last, or * for all"},
	{"198.51.100.7,1-2-3" TAIL,
		"1:14: \"1-2-3\" is not a range of ports; write first-last, or * for all"},
	{"198.51.100.7,1,2001:db8::g,2001:db8::1\n",
		"1:16: \"2001:db8::g\" is not an IPv6 address"},
	{"198.51.100.7,1,2001:db8::7,1.2.3.4\n", "1:28: \"1.2.3.4\" is not an IPv6 address"},
	{"198.51.100.7,1,2001:db8::7,2001:db8::3\n",
		"1:28: 2001:db8::3 is not one of this router's tunnel addresses"},
	{"198.51.100.7,1,2001:db8::7\n", "1:1: a row has four fields, v4,ports,client,tep, not 3"},
	{"198.51.100.7,1,2001:db8::7,2001:db8::1,\n",
		"1:1: a row has four fields, v4,ports,client,tep, not 5"},
	{"198.51.100.7;1;2001:db8::7;2001:db8::1\n",
		"1:1: a row has four fields, v4,ports,client,tep, not 1"},
	{GOOD GOOD, "2:1: ports of this row are also in the row on line 1"},
	{"198.51.100.7,2047" TAIL "198.51.100.6,*" TAIL GOOD,
		"3:1: ports of this row are also in the row on line 1"},
	{"198.51.100.7,*" TAIL "198.51.100.6,1" TAIL GOOD,
		"3:1: ports of this row are also in the row on line 1"},
	{"198.51.100.7,1" TAIL "198.51.100.7,2" TAIL "198.51.100.7,3" TAIL "198.51.100.7,4" TAIL
	 "198.51.100.7,5" TAIL "198.51.100.7,6" TAIL,
		"6:1: more rows than the 5 bindings that the table may hold"},
};

static void a_bad_row_is_named_and_nothing_is_read(void **state)
{
	for (size_t i = 0; i < RTE_DIM(bad_files); i++) {
		struct tep_binding_file file;
		struct config_error error;
		char message[600];

		assert_int_equal(
			read_text(bad_files[i].text, strlen(bad_files[i].text), &file, &error),
			-EINVAL);
		snprintf(message, sizeof(message), "%s:%s", path, bad_files[i].message);
		assert_string_equal(error.text, message);
		assert_null(file.bindings);
		assert_int_equal(file.n, 0);
	}
}

static void hostile_octets_are_refused(void **state)
{
	static const char with_nul[] = "198.51.100.7,1,2001:db8::7,2001:db8::1\0,x\n";
	static char endless[1 << 20];
	struct tep_binding_file file;
	struct config_error error;

	assert_int_equal(read_text(with_nul, sizeof(with_nul) - 1, &file, &error), -EINVAL);
	memset(endless, 'x', sizeof(endless));
	assert_int_equal(read_text(endless, sizeof(endless), &file, &error), -EINVAL);
	memset(endless, ',', sizeof(endless));
	assert_int_equal(read_text(endless, sizeof(endless), &file, &error), -EINVAL);
}

static void a_file_that_cannot_be_read_says_why(void **state)
{
	struct tep_binding_file_limits limits = {.max_bindings = 1};
	struct tep_binding_file file;
	struct config_error error;

	assert_int_equal(tep_binding_file_read("/nowhere/x.csv", &limits, &file, &error), -ENOENT);
	assert_string_equal(error.text, "/nowhere/x.csv: cannot read: No such file or directory");
	assert_int_equal(tep_binding_file_read("/", &limits, &file, &error), -EISDIR);
	assert_string_equal(error.text, "/: cannot read: Is a directory");
}

static struct dp_bindings *make_table(void)
{
	struct dp_bindings *table = dp_bindings_create(&(struct dp_bindings_params){
		.max_bindings = 4, .max_readers = 1, .socket = SOCKET_ID_ANY});

	assert_non_null(table);
	return table;
}

static void rows_are_added_all_or_none(void **state)
{
	static const char text[] = "198.51.100.7,1-2,2001:db8:1::1,2001:db8::1\n"
				   "198.51.100.7,3-4,2001:db8:1::2,2001:db8::1\n"
				   "198.51.100.7,5-6,2001:db8:1::3,2001:db8::1\n";
	struct dp_bindings *table = make_table();
	struct dp_binding other = test_binding(V4, 6, 7, 1);
	struct tep_binding_file file;
	struct config_error error;
	char message[600];

	assert_int_equal(read_text(text, strlen(text), &file, &error), 0);
	assert_int_equal(dp_bindings_add(table, &other), 0);
	assert_int_equal(dp_bindings_add(table, &file.bindings[1]), 0);
	assert_int_equal(tep_binding_file_add(&file, path, table, &error), -EEXIST);
	snprintf(message, sizeof(message),
		"%s:3:1: cannot add this binding: another holder has some of its ports", path);
	assert_string_equal(error.text, message);
	assert_null(dp_bindings_find(table, V4, 1));
	assert_non_null(dp_bindings_find(table, V4, 3));
	assert_null(dp_bindings_find(table, V4, 5));

	assert_int_equal(dp_bindings_remove(table, V4, (struct port_range){6, 7}), 0);
	assert_int_equal(tep_binding_file_add(&file, path, table, &error), 0);
	for (uint16_t port = 1; port <= 6; port++)
		assert_non_null(test_binding_lookup(table, V4, port, 1));
	tep_binding_file_free(&file);
	dp_bindings_destroy(table);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_is_a_static_binding_without_end),
		cmocka_unit_test(every_allowed_form_is_read),
		cmocka_unit_test(an_empty_file_is_no_bindings),
		cmocka_unit_test(a_bad_row_is_named_and_nothing_is_read),
		cmocka_unit_test(hostile_octets_are_refused),
		cmocka_unit_test(a_file_that_cannot_be_read_says_why),
		cmocka_unit_test(rows_are_added_all_or_none),
	};
	int rc;

	if (test_eal_start(64) < 0)
		return 1;
	snprintf(path, sizeof(path), "/tmp/dstm-binding-file-%d.csv", getpid());
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return rc;
}
