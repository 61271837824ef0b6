// SPDX-License-Identifier: BSD-3-Clause
#include "server/record_time.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

const char *srv_record_time_format(int64_t utc_ms, char buf[static SRV_RECORD_TIME_STRLEN])
{
	time_t seconds = utc_ms / 1000;
	struct tm tm;

	if (utc_ms < 0 || gmtime_r(&seconds, &tm) == NULL || tm.tm_year > 9999 - 1900) {
		strcpy(buf, "-");
		return buf;
	}
	snprintf(buf, SRV_RECORD_TIME_STRLEN, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
		(unsigned)(tm.tm_year + 1900) % 10000, (unsigned)(tm.tm_mon + 1) % 100,
		(unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
		(unsigned)tm.tm_sec % 100, (unsigned)(utc_ms % 1000));
	return buf;
}

/* Exactly n digits at *text, which moves behind them; false: others, or above max. */
static bool digits(const char **text, int n, int min, int max, int *value)
{
	*value = 0;
	for (; n > 0; n--, (*text)++) {
		if (!isdigit((unsigned char)**text))
			return false;
		*value = *value * 10 + **text - '0';
	}
	return *value >= min && *value <= max;
}

static bool one_of(const char **text, const char *characters)
{
	return **text != '\0' && strchr(characters, *(*text)++) != NULL;
}

static bool date_and_time(const char **text, struct tm *tm)
{
	return digits(text, 4, 1970, 9999, &tm->tm_year) && one_of(text, "-") &&
	       digits(text, 2, 1, 12, &tm->tm_mon) && one_of(text, "-") &&
	       digits(text, 2, 1, 31, &tm->tm_mday) && one_of(text, "Tt ") &&
	       digits(text, 2, 0, 23, &tm->tm_hour) && one_of(text, ":") &&
	       digits(text, 2, 0, 59, &tm->tm_min) && one_of(text, ":") &&
	       digits(text, 2, 0, 60, &tm->tm_sec);
}

/* Up to nine decimals; what is beyond milliseconds is cut. */
static bool decimals(const char **text, int *ms)
{
	int n = 0, scale = 100;

	*ms = 0;
	if (**text != '.')
		return true;
	for ((*text)++; isdigit((unsigned char)**text); (*text)++, n++) {
		*ms += (**text - '0') * scale;
		scale /= 10;
	}
	return n >= 1 && n <= 9;
}

static bool offset(const char **text, int *minutes)
{
	int hours, rest, sign;

	*minutes = 0;
	if (**text == 'Z' || **text == 'z') {
		(*text)++;
		return true;
	}
	sign = **text == '-' ? -1 : 1;
	if (!one_of(text, "+-") || !digits(text, 2, 0, 23, &hours) || !one_of(text, ":") ||
		!digits(text, 2, 0, 59, &rest))
		return false;
	*minutes = sign * (hours * 60 + rest);
	return true;
}

/* What a text says, its offset aside. */
struct clock_face {
	struct tm tm;
	int ms;
	bool is_leap;
};

static bool read_face(const char **text, struct clock_face *face)
{
	memset(face, 0, sizeof(*face));
	if (!date_and_time(text, &face->tm) || !decimals(text, &face->ms))
		return false;
	face->tm.tm_year -= 1900;
	face->tm.tm_mon--;
	face->is_leap = face->tm.tm_sec == 60;
	return true;
}

/* As if it were UTC; false for the 31st of a shorter month. */
static bool seconds_of(const struct clock_face *face, int64_t *seconds)
{
	struct tm tm = face->tm;

	*seconds = timegm(&tm);
	return tm.tm_mday == face->tm.tm_mday || face->is_leap;
}

static int set_time(int64_t seconds, int ms, int64_t *utc_ms)
{
	if (seconds < 0)
		return -EINVAL;
	*utc_ms = seconds * 1000 + ms;
	return 0;
}

int srv_record_time_parse(const char *text, int64_t *utc_ms)
{
	struct clock_face face;
	int64_t seconds;
	int minutes;

	if (!read_face(&text, &face) || !offset(&text, &minutes) || *text != '\0' ||
		!seconds_of(&face, &seconds))
		return -EINVAL;
	return set_time(seconds - (int64_t)minutes * 60, face.ms, utc_ms);
}

/* --- local time ---------------------------------------------------------------------------------- */

#define DAY_S INT64_C(86400)

static int64_t local_offset_s(int64_t seconds)
{
	time_t t = seconds;
	struct tm tm = {0};

	localtime_r(&t, &tm);
	return tm.tm_gmtoff;
}

/* The offsets of the days around decide: where they differ, each may fit, or none. */
int srv_record_time_parse_local(
	const char *text, int64_t *utc_ms, char error[static SRV_RECORD_TIME_ERROR_SIZE])
{
	struct clock_face face;
	const char *rest = text;
	int64_t seconds, before, after;
	bool fits_before, fits_after;

	if (srv_record_time_parse(text, utc_ms) == 0)
		return 0;
	if (!read_face(&rest, &face) || *rest != '\0' || !seconds_of(&face, &seconds) ||
		seconds < DAY_S) {
		snprintf(error, SRV_RECORD_TIME_ERROR_SIZE,
			"\"%.40s\" is not a time like 2026-01-31T12:00:00Z, "
			"2026-01-31T12:00:00+01:00 or (local) 2026-01-31 12:00:00",
			text);
		return -EINVAL;
	}
	before = local_offset_s(seconds - DAY_S);
	after = local_offset_s(seconds + DAY_S);
	fits_before = local_offset_s(seconds - before) == before;
	fits_after = local_offset_s(seconds - after) == after;
	if (fits_before == fits_after && before != after) {
		snprintf(error, SRV_RECORD_TIME_ERROR_SIZE,
			"\"%.40s\" %s, because the clocks were changed: give an offset or UTC "
			"(Z)",
			text, fits_before ? "was twice" : "never was");
		return -EINVAL;
	}
	return set_time(seconds - (fits_before ? before : after), face.ms, utc_ms);
}
