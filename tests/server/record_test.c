// SPDX-License-Identifier: BSD-3-Clause
/* Records as lines and back (S26, S28). */
#include "server/record.h"

#include "common/addr.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define NOON 1769860800123 /* 2026-01-31T12:00:00.123Z */

static struct srv_record sample(void)
{
	struct srv_record record = {
		.event = SRV_RECORD_ALLOCATED,
		.time_utc_ms = NOON,
		.id = 7,
		.lease = {.v4 = 0xc6336407, .n_ranges = 2, .ranges = {{1024, 2047}, {4096, 5119}}},
		.end_utc_ms = NOON + 3600000,
		.lifetime_s = 3600,
		.user = "alice",
		.pool = "shared",
		.tep = "tep1",
		.reason = "requested",
	};

	addr_v6_parse("2001:db8::1", &record.lease.client_v6);
	return record;
}

static void a_line_says_who_has_what_since_when_and_no_more(void **state)
{
	struct srv_record record = sample();
	char line[SRV_RECORD_LINE_SIZE];

	size_t len = srv_record_format(&record, line);

	assert_int_equal(len, strlen(line));
	assert_string_equal(line,
		"{\"time\":\"2026-01-31T12:00:00.123Z\",\"event\":\"allocated\",\"nat_event\":16,"
		"\"lease\":7,\"client\":\"2001:db8::1\",\"user\":\"alice\",\"v4\":\"198.51.100.7\","
		"\"ports\":[[1024,2047],[4096,5119]],\"protocols\":[\"tcp\",\"udp\",\"icmp\"],"
		"\"pool\":\"shared\",\"tep\":\"tep1\",\"lifetime_s\":3600,"
		"\"end\":\"2026-01-31T13:00:00.123Z\",\"reason\":\"requested\"}\n");
}

static void an_event_has_its_number_of_rfc_8158(void **state)
{
	static const struct {
		enum srv_record_event event;
		bool whole;
		uint32_t number;
	} cases[] = {
		{SRV_RECORD_ALLOCATED, false, 16},
		{SRV_RECORD_ALLOCATED, true, 14},
		{SRV_RECORD_RELEASED, false, 17},
		{SRV_RECORD_RELEASED, true, 15},
		{SRV_RECORD_CHANGED, false, 0},
		{SRV_RECORD_RENEWED, false, 0},
		{SRV_RECORD_QUOTA, false, 13},
		{SRV_RECORD_THRESHOLD, false, 18},
		{SRV_RECORD_RELAXED, false, 0},
		{SRV_RECORD_EXHAUSTED, false, 12},
		{SRV_RECORD_EXHAUSTED, true, 3},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct srv_record record = {.event = cases[i].event, .lease.n_ranges = 1};

		record.lease.ranges[0] = cases[i].whole ? PORT_RANGE_EXCLUSIVE
							: (struct port_range){1024, 2047};
		assert_int_equal(srv_record_nat_event(&record), cases[i].number);
	}
}

static void what_was_written_is_read_back(void **state)
{
	for (int event = 0; event < SRV_RECORD_EVENTS; event++) {
		struct srv_record record = sample(), read;
		char line[SRV_RECORD_LINE_SIZE], again[SRV_RECORD_LINE_SIZE];
		size_t len;

		record.event = event;
		record.percent = 81;
		record.from_utc_ms = NOON - 5;
		len = srv_record_format(&record, line);
		assert_int_equal(srv_record_parse(line, len - 1, &read), 0);
		srv_record_format(&read, again);
		assert_string_equal(line, again);
	}
}

static void the_longest_line_fits_and_odd_names_do_no_harm(void **state)
{
	struct srv_record record = sample(), read;
	char line[SRV_RECORD_LINE_SIZE];
	size_t len;

	memset(record.user, '\x01', sizeof(record.user) - 1); /* six octets each in JSON */
	memset(record.pool, '"', sizeof(record.pool) - 1);
	memset(record.tep, '\n', sizeof(record.tep) - 1);
	memset(record.reason, '\\', sizeof(record.reason) - 1);
	record.lease.n_ranges = LEASE_RANGES_MAX;
	for (uint32_t i = 0; i < LEASE_RANGES_MAX; i++)
		record.lease.ranges[i] = (struct port_range){60000 + 2 * i, 60001 + 2 * i};
	len = srv_record_format(&record, line);
	assert_true(len > 0);
	assert_ptr_equal(strchr(line, '\n'), line + len - 1);
	assert_int_equal(srv_record_parse(line, len - 1, &read), 0);
	assert_memory_equal(read.user, record.user, sizeof(read.user));

	record = sample();
	strcpy(record.user, "\xff\xfe");
	assert_true(srv_record_format(&record, line) > 0);
	assert_non_null(strstr(line, "\"user\":\"?\""));
}

static void a_line_that_is_no_record_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"null",
		"{}",
		"{\"event\":\"allocated\"}",
		"{\"time\":\"2026-01-31T12:00:00Z\",\"event\":\"exploded\"}",
		"{\"time\":\"yesterday\",\"event\":\"quota\"}",
		"{\"time\":7,\"event\":\"quota\"}",
		"{\"time\":\"2026-01-31T12:00:00Z\",\"event\":\"allocated\",\"lease\":0,"
		"\"client\":\"::1\",\"v4\":\"1.2.3.4\",\"ports\":[[1,2]]}",
		"{\"time\":\"2026-01-31T12:00:00Z\",\"event\":\"allocated\",\"lease\":1,"
		"\"client\":\"::1\",\"v4\":\"1.2.3.4\",\"ports\":[[2,1]]}",
		"{\"time\":\"2026-01-31T12:00:00Z\",\"event\":\"allocated\",\"lease\":1,"
		"\"client\":\"::1\",\"v4\":\"1.2.3.4\",\"ports\":[[1,65536]]}",
		"{\"time\":\"2026-01-31T12:00:00Z\",\"event\":\"allocated\",\"lease\":1,"
		"\"client\":\"::1\",\"v4\":\"1.2.3.4\",\"ports\":[[1],[2],[3],[4],[5],[6],[7],[8],["
		"9]]}",
		"{\"time\":\"2026-01-31T12:00:00Z\",\"event\":\"allocated\",\"lease\":1,"
		"\"client\":\"nobody\",\"v4\":\"1.2.3.4\",\"ports\":[[1,2]]}",
	};
	struct srv_record record = {.id = 42};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(srv_record_parse(bad[i], strlen(bad[i]), &record), -EINVAL);
	assert_int_equal(record.id, 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_says_who_has_what_since_when_and_no_more),
		cmocka_unit_test(an_event_has_its_number_of_rfc_8158),
		cmocka_unit_test(what_was_written_is_read_back),
		cmocka_unit_test(the_longest_line_fits_and_odd_names_do_no_harm),
		cmocka_unit_test(a_line_that_is_no_record_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
