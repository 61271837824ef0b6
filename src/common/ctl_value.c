// SPDX-License-Identifier: BSD-3-Clause
#include "common/ctl_value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* snprintf() at the end of what buf holds; cuts at its size. */
__attribute__((format(printf, 2, 3))) static void append(char *buf, const char *format, ...)
{
	size_t used = strlen(buf);
	va_list args;

	va_start(args, format);
	vsnprintf(buf + used, CTL_VALUE_LEN - used, format, args);
	va_end(args);
}

static void format_count(int64_t count, char *buf)
{
	char digits[24];
	size_t n = snprintf(digits, sizeof(digits), "%" PRId64, count);
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		if (i > 0 && (n - i) % 3 == 0 && digits[i - 1] != '-')
			buf[used++] = ',';
		buf[used++] = digits[i];
	}
	buf[used] = '\0';
}

/* The two largest units: more would be read as noise. */
static void format_duration(int64_t seconds, char *buf)
{
	int64_t minutes = seconds / 60, hours = minutes / 60, days = hours / 24;

	if (days > 0)
		append(buf, "%" PRId64 " d %" PRId64 " h", days, hours % 24);
	else if (hours > 0)
		append(buf, "%" PRId64 " h %" PRId64 " min", hours, minutes % 60);
	else if (minutes > 0)
		append(buf, "%" PRId64 " min %" PRId64 " s", minutes, seconds % 60);
	else
		append(buf, "%" PRId64 " s", seconds);
}

static void format_time(int64_t seconds, char *buf)
{
	time_t when = seconds;
	char text[32];
	struct tm tm;

	if (localtime_r(&when, &tm) != NULL &&
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm) != 0)
		append(buf, "%s", text);
}

static void format_ports(const json_t *ranges, char *buf)
{
	const json_t *range;
	size_t i;

	json_array_foreach(ranges, i, range)
		append(buf, "%s%" JSON_INTEGER_FORMAT "-%" JSON_INTEGER_FORMAT, i > 0 ? "," : "",
			json_integer_value(json_array_get(range, 0)),
			json_integer_value(json_array_get(range, 1)));
}

static void format_texts(const json_t *texts, char *buf)
{
	const json_t *text;
	size_t i;

	json_array_foreach(texts, i, text)
		append(buf, "%s%s", i > 0 ? ", " : "",
			json_is_string(text) ? json_string_value(text) : "?");
}

static void format_scalar(const json_t *value, enum ctl_value kind, char *buf)
{
	if (json_is_string(value))
		append(buf, "%s", json_string_value(value));
	else if (json_is_integer(value) && kind == CTL_COUNT)
		format_count(json_integer_value(value), buf);
	else if (json_is_integer(value) && kind == CTL_DURATION)
		format_duration(json_integer_value(value), buf);
	else if (json_is_integer(value) && kind == CTL_TIME)
		format_time(json_integer_value(value), buf);
	else if (json_is_integer(value))
		append(buf, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_real(value))
		append(buf, "%.1f", json_real_value(value));
	else if (json_is_true(value))
		append(buf, "yes");
}

const char *ctl_value_format(
	const json_t *value, enum ctl_value kind, char buf[static CTL_VALUE_LEN])
{
	buf[0] = '\0';
	if (kind == CTL_PORTS)
		format_ports(value, buf);
	else if (kind == CTL_TEXTS)
		format_texts(value, buf);
	else
		format_scalar(value, kind, buf);

	for (char *c = buf; *c != '\0'; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	}
	if (buf[0] == '\0')
		append(buf, "-");
	return buf;
}
