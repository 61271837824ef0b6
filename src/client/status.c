// SPDX-License-Identifier: BSD-3-Clause
#include "client/status.h"

#include "client/command.h"
#include "client/counters.h"
#include "common/ctl.h"
#include "common/ctl_value.h"
#include "common/daemon.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 5000

/* A line: its title, and words with the values of the members named between them. */
struct line {
	const char *title;
	struct part {
		const char *before; /* the value */
		const char *key;
		enum ctl_value kind;
	} parts[4]; /* the first one's value must be there, or the line is not */
};

static const struct line lines[] = {
	{"address", {{"", "v4", CTL_TEXT}}},
	{"ports", {{"", "ports", CTL_PORTS}}},
	{"left", {{"", "seconds_left", CTL_DURATION}, {" of ", "lifetime_s", CTL_DURATION},
			 {"; renewed in ", "renew_in_s", CTL_DURATION},
			 {"; preferred for ", "preferred_left_s", CTL_DURATION}}},
	{"mode", {{"", "mode", CTL_TEXT}, {" on ", "device", CTL_TEXT}}},
	{"tunnel", {{"", "v6", CTL_TEXT}, {" to ", "tep", CTL_TEXT}}},
	{"server", {{"", "server", CTL_TEXT}}},
	{"path MTU", {{"", "path_mtu", CTL_NUMBER}}},
	{"held",
		{{"", "held_packets", CTL_COUNT}, {" packets waited for a lease", NULL, CTL_TEXT}}},
	{"sent", {{"", "tx_packets", CTL_COUNT}, {" packets, ", "tx_bytes", CTL_COUNT},
			 {" octets", NULL, CTL_TEXT}}},
	{"received", {{"", "rx_packets", CTL_COUNT}, {" packets, ", "rx_bytes", CTL_COUNT},
			     {" octets", NULL, CTL_TEXT}}},
	{"last error", {{"", "last_error", CTL_TEXT}}},
};

static bool is_said(const json_t *value)
{
	return value != NULL && !json_is_null(value) &&
	       !(json_is_array(value) && json_array_size(value) == 0);
}

static void print_line(const struct line *line, const json_t *show, FILE *file)
{
	char text[CTL_VALUE_LEN];

	if (!is_said(json_object_get(show, line->parts[0].key)))
		return;
	fprintf(file, "  %-12s", line->title);
	for (const struct part *part = line->parts; part < line->parts + 4; part++) {
		const json_t *value;

		if (part->before == NULL)
			break;
		if (part->key == NULL) {
			fputs(part->before, file);
			continue;
		}
		value = json_object_get(show, part->key);
		if (is_said(value))
			fprintf(file, "%s%s", part->before,
				ctl_value_format(value, part->kind, text));
	}
	fputc('\n', file);
}

/* "tcp 198.51.100.7:2050 to 22"; without an address when the lease does not have the port. */
static void print_forwards(const json_t *forwards, FILE *file)
{
	static const char *const keys[] = {"protocol", "public", "to"};
	static const char *const before[] = {"", " ", " to "};
	char text[CTL_VALUE_LEN];
	const json_t *item;
	size_t i;

	json_array_foreach(forwards, i, item) {
		fprintf(file, "  %-12s", "forward");
		for (size_t k = 0; k < 3; k++)
			fprintf(file, "%s%s", before[k],
				ctl_value_format(json_object_get(item, keys[k]), CTL_TEXT, text));
		fputc('\n', file);
	}
}

/* The sentence on a drop; an answer of another version may have others. */
static const char *meaning_of(const char *name)
{
	for (unsigned int i = 0; i < CL_COUNTERS_N; i++) {
		if (strcmp(cl_counter_rows[i].name, name) == 0)
			return cl_counter_rows[i].text;
	}
	return name;
}

static void print_drops(const json_t *drops, FILE *file)
{
	char text[CTL_VALUE_LEN];
	const json_t *packets;
	const char *name;

	json_object_foreach((json_t *)drops, name, packets) {
		if (json_integer_value(packets) != 0)
			fprintf(file, "  %-12s%s: %s\n", "dropped",
				ctl_value_format(packets, CTL_COUNT, text), meaning_of(name));
	}
}

void cl_status_print(const json_t *show, FILE *file)
{
	char state[CTL_VALUE_LEN];

	fprintf(file, "dstm-client is %s\n",
		ctl_value_format(json_object_get(show, "state"), CTL_TEXT, state));
	for (unsigned int i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		print_line(&lines[i], show, file);
	print_forwards(json_object_get(show, "forwards"), file);
	print_drops(json_object_get(show, "drops"), file);
}

int cl_status_exit_code(const json_t *show)
{
	const char *state = json_string_value(json_object_get(show, "state"));

	if (is_said(json_object_get(show, "v4")) || (state != NULL && strcmp(state, "idle") == 0))
		return EXIT_SUCCESS;
	return CL_STATUS_NO_LEASE;
}

static int ask(const char *socket, bool as_json)
{
	char error[CTL_ERROR_LEN] = "";
	json_t *show;
	int exit_code;

	if (ctl_request(socket, "show", NULL, TIMEOUT_MS, &show, error) < 0) {
		fprintf(stderr, "dstm-client: %s\n", error);
		return EXIT_FAILURE;
	}
	if (as_json) {
		json_dumpf(show, stdout, JSON_INDENT(2));
		fputc('\n', stdout);
	} else {
		cl_status_print(show, stdout);
	}
	exit_code = cl_status_exit_code(show);
	json_decref(show);
	return fflush(stdout) == 0 && !ferror(stdout) ? exit_code : EXIT_FAILURE;
}

int cl_status_run(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"help", no_argument, NULL, 'h'},
		{"json", no_argument, NULL, 'j'},
		{},
	};
	const char *socket = CL_STATUS_SOCKET;
	bool as_json = false;
	int option;

	while ((option = getopt_long(argc, argv, "s:h", long_options, NULL)) != -1) {
		switch (option) {
		case 's':
			socket = optarg;
			break;
		case 'j':
			as_json = true;
			break;
		case 'h':
			cl_command_print_usage(stdout);
			return EXIT_SUCCESS;
		default:
			cl_command_print_usage(stderr);
			return DAEMON_EXIT_CONFIG;
		}
	}
	if (optind < argc) {
		cl_command_print_usage(stderr);
		return DAEMON_EXIT_CONFIG;
	}
	return ask(socket, as_json);
}
