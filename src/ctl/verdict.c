// SPDX-License-Identifier: BSD-3-Clause
#include "ctl/verdict.h"

#include "common/ctl_value.h"

#include <string.h>
#include <time.h>

#define HEX_OF_MAC 12

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "-";
}

static const char *summary_of(const json_t *frame)
{
	return text_of(json_object_get(frame, "summary"), "text");
}

static long long number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void print_binding(const char *title, const json_t *binding, FILE *file)
{
	char left[CTL_VALUE_LEN];

	fprintf(file, "%s%s ports %lld-%lld of client %s, TEP %s", title, text_of(binding, "v4"),
		number_of(binding, "first"), number_of(binding, "last"), text_of(binding, "client"),
		text_of(binding, "tep"));
	if (json_is_integer(json_object_get(binding, "seconds_left")))
		fprintf(file, ", ends in %s\n",
			ctl_value_format(
				json_object_get(binding, "seconds_left"), CTL_DURATION, left));
	else
		fputs(", without end\n", file);
}

static void print_lookup(const json_t *result, FILE *file)
{
	const json_t *key = json_object_get(result, "key");
	const json_t *binding = json_object_get(result, "binding");
	const json_t *target = json_object_get(result, "target");

	if (json_is_object(key)) {
		fprintf(file, "looked up   %s ", text_of(key, "v4"));
		if (json_is_integer(json_object_get(key, "port")))
			fprintf(file, "port %lld\n", number_of(key, "port"));
		else
			fputs("as a whole: a protocol without ports\n", file);
	}
	if (json_is_object(binding))
		print_binding("binding     ", binding, file);
	else if (json_is_object(key))
		fputs("binding     none\n", file);
	if (json_is_object(target))
		print_binding("receiver    ", target, file);
}

/* A frame that would leave: its next hop is in front. */
static void print_out(const json_t *frame, FILE *file)
{
	const char *octets = text_of(frame, "octets");

	fprintf(file, "leaves      by the %s side, %lld octets", text_of(frame, "side"),
		number_of(frame, "len"));
	if (strlen(octets) >= HEX_OF_MAC) {
		fputs(" to", file);
		for (int i = 0; i < HEX_OF_MAC; i += 2)
			fprintf(file, "%c%.2s", i == 0 ? ' ' : ':', octets + i);
	}
	fprintf(file, "\n            %s\n            %s\n", summary_of(frame), octets);
}

void ctl_verdict_print_explanation(const json_t *result, FILE *file)
{
	const json_t *in = json_object_get(result, "in"), *out = json_object_get(result, "out");
	const json_t *frame;
	size_t i;

	fprintf(file, "packet      %s\n", summary_of(in));
	fprintf(file, "arrives     at the %s side, %lld octets%s\n", text_of(in, "side"),
		number_of(in, "len"),
		json_is_true(json_object_get(result, "bare"))
			? " with an Ethernet header to our port"
			: "");
	if (json_is_true(json_object_get(result, "from_tunnel")))
		fputs("taken for   a packet that came through a tunnel\n", file);
	print_lookup(result, file);
	fprintf(file, "verdict     %s: the packet %s\n", text_of(result, "verdict"),
		text_of(result, "text"));
	if (json_is_string(json_object_get(result, "reason")))
		fprintf(file, "reason      %s: %s\n", text_of(result, "reason"),
			text_of(result, "reason_text"));
	json_array_foreach(out, i, frame) {
		print_out(frame, file);
	}
}

void ctl_verdict_print_record(const json_t *record, FILE *file)
{
	int64_t time_ns = json_integer_value(json_object_get(record, "time_ns"));
	const json_t *in = json_object_get(record, "in");
	time_t seconds = time_ns / 1000000000;
	char clock[32] = "";
	struct tm tm;

	if (localtime_r(&seconds, &tm) != NULL)
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	fprintf(file, "%s.%06lld worker %lld %s %s", clock,
		(long long)(time_ns % 1000000000 / 1000), number_of(record, "worker"),
		text_of(in, "side"), text_of(record, "verdict"));
	if (json_is_string(json_object_get(record, "reason")))
		fprintf(file, " %s", text_of(record, "reason"));
	fprintf(file, ": %s, %lld octets", summary_of(in), number_of(in, "len"));
	if (json_is_object(json_object_get(record, "binding")))
		fprintf(file, " (client %s)",
			text_of(json_object_get(record, "binding"), "client"));
	fputc('\n', file);
}

const char *ctl_verdict_comment(const json_t *record, char buf[static CTL_COMMENT_LEN])
{
	const json_t *binding = json_object_get(record, "binding");
	size_t used;

	snprintf(buf, CTL_COMMENT_LEN, "%s: the packet %s", text_of(record, "verdict"),
		text_of(record, "text"));
	used = strlen(buf);
	if (json_is_string(json_object_get(record, "reason")))
		snprintf(buf + used, CTL_COMMENT_LEN - used, "; %s: %s", text_of(record, "reason"),
			text_of(record, "reason_text"));
	used = strlen(buf);
	if (json_is_object(binding))
		snprintf(buf + used, CTL_COMMENT_LEN - used, "; binding %s %lld-%lld of %s",
			text_of(binding, "v4"), number_of(binding, "first"),
			number_of(binding, "last"), text_of(binding, "client"));
	return buf;
}
