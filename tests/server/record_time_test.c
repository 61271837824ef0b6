// SPDX-License-Identifier: BSD-3-Clause
/* Times of records, and of the questions about them (S26, S27). */
#include "server/record_time.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#define NOON 1769860800123 /* 2026-01-31T12:00:00.123Z */

static void times_are_those_of_rfc_3339(void **state)
{
	static const struct {
		const char *text;
		int64_t utc_ms; /* -1: refused */
	} cases[] = {
		{"2026-01-31T12:00:00.123Z", NOON},
		{"2026-01-31 12:00:00.123Z", NOON},
		{"2026-01-31t12:00:00.123999999z", NOON},
		{"2026-01-31T13:30:00.123+01:30", NOON},
		{"2026-01-31T07:00:00.123-05:00", NOON},
		{"2026-01-31T12:00:00Z", NOON - 123},
		{"1970-01-01T00:00:00Z", 0},
		{"2016-12-31T23:59:60Z", 1483228800000},
		{"2024-02-29T00:00:00Z", 1709164800000},
		{"2026-01-31T12:00:00", -1},
		{"2026-02-29T00:00:00Z", -1},
		{"2026-04-31T12:30:00Z", -1},
		{"2026-13-01T00:00:00Z", -1},
		{"2026-00-01T00:00:00Z", -1},
		{"2026-01-01T24:00:00Z", -1},
		{"2026-01-01T00:60:00Z", -1},
		{"2026-01-01T00:00:00.Z", -1},
		{"2026-01-01T00:00:00.1234567890Z", -1},
		{"2026-01-01T00:00:00+25:00", -1},
		{"2026-01-01T00:00:00Zjunk", -1},
		{"1969-12-31T23:59:59Z", -1},
		{"1970-01-01T00:00:00+00:01", -1},
		{"26-01-01T00:00:00Z", -1},
		{"", -1},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t utc_ms = -1;
		int ret = srv_record_time_parse(cases[i].text, &utc_ms);

		if (ret != (cases[i].utc_ms < 0 ? -EINVAL : 0) || utc_ms != cases[i].utc_ms)
			fail_msg("%s: %lld", cases[i].text, (long long)utc_ms);
	}
}

static void a_time_that_no_year_holds_is_not_written(void **state)
{
	char text[SRV_RECORD_TIME_STRLEN];

	assert_string_equal(srv_record_time_format(-1, text), "-");
	assert_string_equal(srv_record_time_format(INT64_MAX, text), "-");
	assert_string_equal(
		srv_record_time_format(253402300799999, text), "9999-12-31T23:59:59.999Z");
	assert_string_equal(srv_record_time_format(253402300800000, text), "-");
}

static void a_time_without_offset_is_local(void **state)
{
	static const struct {
		const char *zone, *text;
		int64_t utc_ms; /* -1: refused */
		const char *why;
	} cases[] = {
		{"UTC", "2026-01-31 12:00:00.123", NOON},
		{"Europe/Berlin", "2026-01-31 13:00:00.123", NOON},
		{"Europe/Berlin", "2026-01-31T12:00:00.123Z", NOON},
		{"America/New_York", "2026-01-31T07:00:00.123", NOON},
		{"Asia/Kolkata", "2026-01-31 17:30:00.123", NOON},
		{"Europe/Berlin", "2026-03-29 01:59:59", 1774745999000},
		{"Europe/Berlin", "2026-03-29 02:30:00", -1, "never was"},
		{"Europe/Berlin", "2026-03-29 03:00:00", 1774746000000},
		{"Europe/Berlin", "2026-10-25 01:59:59", 1792886399000},
		{"Europe/Berlin", "2026-10-25 02:30:00", -1, "was twice"},
		{"Europe/Berlin", "2026-10-25 03:00:00", 1792893600000},
		{"Europe/Berlin", "2026-10-25T02:30:00+01:00", 1792891800000},
		{"Australia/Lord_Howe", "2026-04-05 01:45:00", -1, "was twice"},
		{"UTC", "2026-02-30 12:00:00", -1, "is not a time"},
		{"UTC", "yesterday", -1, "is not a time"},
		{"UTC", "", -1, "is not a time"},
		{"UTC", "1970-01-01 00:00:00", -1, "is not a time"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char error[SRV_RECORD_TIME_ERROR_SIZE] = "";
		int64_t utc_ms = -1;
		int ret;

		setenv("TZ", cases[i].zone, 1);
		tzset();
		ret = srv_record_time_parse_local(cases[i].text, &utc_ms, error);
		if (ret != (cases[i].utc_ms < 0 ? -EINVAL : 0) || utc_ms != cases[i].utc_ms)
			fail_msg("%s in %s: %lld", cases[i].text, cases[i].zone, (long long)utc_ms);
		if (cases[i].why != NULL)
			assert_non_null(strstr(error, cases[i].why));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_those_of_rfc_3339),
		cmocka_unit_test(a_time_that_no_year_holds_is_not_written),
		cmocka_unit_test(a_time_without_offset_is_local),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
