// SPDX-License-Identifier: BSD-3-Clause
#include "common/metrics.h"

#include <event2/buffer.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char *const types[] = {[METRICS_COUNTER] = "counter", [METRICS_GAUGE] = "gauge"};

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

/* With a backslash before a backslash, and before each of the others. */
static void add_escaped(struct evbuffer *out, const char *text, const char *others)
{
	while (*text != '\0') {
		size_t plain = strcspn(text, "\\\n\"");

		evbuffer_add(out, text, plain);
		text += plain;
		if (*text == '\0')
			break;
		if (*text == '\n')
			evbuffer_add(out, "\\n", 2);
		else if (*text == '\\' || strchr(others, *text) != NULL)
			evbuffer_add_printf(out, "\\%c", *text);
		else
			evbuffer_add(out, text, 1);
		text++;
	}
}

static void begin(struct metrics *metrics, enum metrics_type type, const char *help)
{
	for (char *at = metrics->name; *at != '\0'; at++) {
		if (!is_name_char(*at))
			*at = '_';
	}
	evbuffer_add_printf(metrics->out, "# HELP %s ", metrics->name);
	add_escaped(metrics->out, help, "");
	evbuffer_add_printf(metrics->out, "\n# TYPE %s %s\n", metrics->name, types[type]);
}

void metrics_family(
	struct metrics *metrics, enum metrics_type type, const char *help, const char *name, ...)
{
	va_list args;

	va_start(args, name);
	vsnprintf(metrics->name, sizeof(metrics->name), name, args);
	va_end(args);
	begin(metrics, type, help);
}

static void begin_sample(struct metrics *metrics, const struct metrics_label *labels)
{
	char before = '{';

	evbuffer_add_printf(metrics->out, "%s", metrics->name);
	for (; labels != NULL && labels->name != NULL; labels++) {
		evbuffer_add_printf(metrics->out, "%c%s=\"", before, labels->name);
		add_escaped(metrics->out, labels->value, "\"");
		evbuffer_add(metrics->out, "\"", 1);
		before = ',';
	}
	if (before == ',')
		evbuffer_add(metrics->out, "}", 1);
}

void metrics_u64(struct metrics *metrics, uint64_t value, const struct metrics_label *labels)
{
	begin_sample(metrics, labels);
	evbuffer_add_printf(metrics->out, " %" PRIu64 "\n", value);
}

void metrics_double(struct metrics *metrics, double value, const struct metrics_label *labels)
{
	begin_sample(metrics, labels);
	evbuffer_add_printf(metrics->out, " %.15g\n", value);
}

void metrics_counter(struct metrics *metrics, const char *name, const char *help, uint64_t value)
{
	metrics_family(metrics, METRICS_COUNTER, help, "%s", name);
	metrics_u64(metrics, value, NULL);
}

void metrics_gauge(struct metrics *metrics, const char *name, const char *help, uint64_t value)
{
	metrics_family(metrics, METRICS_GAUGE, help, "%s", name);
	metrics_u64(metrics, value, NULL);
}

void metrics_gauge_double(struct metrics *metrics, const char *name, const char *help, double value)
{
	metrics_family(metrics, METRICS_GAUGE, help, "%s", name);
	metrics_double(metrics, value, NULL);
}
