// SPDX-License-Identifier: BSD-3-Clause
/*
 * Times of records: milliseconds since 1970 (UTC) here, RFC 3339 as text.
 */
#pragma once

#include <stdint.h>

/* "2026-01-31T12:00:00.123Z"; "-" for a time that has no year of four digits. */
#define SRV_RECORD_TIME_STRLEN 32
const char *srv_record_time_format(int64_t utc_ms, char buf[static SRV_RECORD_TIME_STRLEN]);

/* Of RFC 3339: date, "T" or blank, time, up to nine decimals, "Z" or an offset. 0 or -EINVAL. */
int srv_record_time_parse(const char *text, int64_t *utc_ms);

/*
 * The same from a person: without an offset it is local time. Returns 0, or -EINVAL with a sentence in error, also
 * where the clocks were changed and the text means no time or two.
 */
#define SRV_RECORD_TIME_ERROR_SIZE 160
int srv_record_time_parse_local(
	const char *text, int64_t *utc_ms, char error[static SRV_RECORD_TIME_ERROR_SIZE]);
