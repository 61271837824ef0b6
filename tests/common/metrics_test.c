// SPDX-License-Identifier: BSD-3-Clause
/* The text format of metrics, octet for octet. */
#include "common/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <event2/buffer.h>

static struct metrics metrics;

static int set_up(void **state)
{
	metrics = (struct metrics){.out = evbuffer_new()};
	return metrics.out == NULL;
}

static int tear_down(void **state)
{
	evbuffer_free(metrics.out);
	return 0;
}

static void assert_text(const char *expected)
{
	evbuffer_add(metrics.out, "", 1);
	assert_string_equal(evbuffer_pullup(metrics.out, -1), expected);
}

static void a_family_has_its_sentence_and_type_before_its_samples(void **state)
{
	metrics_family(&metrics, METRICS_COUNTER, "Packets.", "dstm_%s_total", "rx");
	metrics_u64(&metrics, 1, METRICS_LABELS({"side", "v6"}, {"device", "net0"}));
	metrics_u64(&metrics, 2, METRICS_LABELS({"side", "v4"}, {"device", "net1"}));
	metrics_gauge(&metrics, "dstm_fill", "Full.", 3);
	assert_text("# HELP dstm_rx_total Packets.\n"
		    "# TYPE dstm_rx_total counter\n"
		    "dstm_rx_total{side=\"v6\",device=\"net0\"} 1\n"
		    "dstm_rx_total{side=\"v4\",device=\"net1\"} 2\n"
		    "# HELP dstm_fill Full.\n"
		    "# TYPE dstm_fill gauge\n"
		    "dstm_fill 3\n");
}

/* A sentence keeps its quotes; both keep to one line. */
static void no_text_gets_out_of_its_place(void **state)
{
	metrics_family(&metrics, METRICS_GAUGE, "a\\b\n# TYPE x \"q\"", "m");
	metrics_u64(&metrics, 0, METRICS_LABELS({"l", "\"} 1\nm{l=\"\\"}));
	metrics_u64(&metrics, 0, METRICS_LABELS({"l", ""}));
	metrics_u64(&metrics, 0, METRICS_LABELS({"l", "\xc3\xa9\\\\\n\n\"\""}));
	assert_text("# HELP m a\\\\b\\n# TYPE x \"q\"\n"
		    "# TYPE m gauge\n"
		    "m{l=\"\\\"} 1\\nm{l=\\\"\\\\\"} 0\n"
		    "m{l=\"\"} 0\n"
		    "m{l=\"\xc3\xa9\\\\\\\\\\n\\n\\\"\\\"\"} 0\n");
}

static void a_name_has_only_what_names_have(void **state)
{
	metrics_counter(&metrics, "over-quota of\n{a}\xc3\xa9", "", 0);
	assert_text("# HELP over_quota_of__a___ \n"
		    "# TYPE over_quota_of__a___ counter\n"
		    "over_quota_of__a___ 0\n");
}

static void a_name_that_is_too_long_is_cut(void **state)
{
	char name[2 * METRICS_NAME_LEN];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	metrics_family(&metrics, METRICS_COUNTER, "", "%s", name);
	assert_int_equal(strlen(metrics.name), METRICS_NAME_LEN - 1);
}

static void numbers_are_whole(void **state)
{
	metrics_u64(&metrics, UINT64_MAX, NULL);
	metrics_double(&metrics, 0.25, NULL);
	metrics_double(&metrics, 1763769600.125, NULL);
	metrics_double(&metrics, 1e300, METRICS_LABELS({"a", "b"}));
	assert_text(" 18446744073709551615\n"
		    " 0.25\n"
		    " 1763769600.125\n"
		    "{a=\"b\"} 1e+300\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_family_has_its_sentence_and_type_before_its_samples),
		TEST(no_text_gets_out_of_its_place),
		TEST(a_name_has_only_what_names_have),
		TEST(a_name_that_is_too_long_is_cut),
		TEST(numbers_are_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
