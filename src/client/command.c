// SPDX-License-Identifier: BSD-3-Clause
#include "client/command.h"

#include "client/run.h"
#include "client/status.h"
#include "common/daemon.h"

#include <string.h>

const struct cl_command cl_commands[] = {
	{NULL, "[-c FILE] [-t] [-v]", "the daemon, which gives this host its IPv4"},
	{"status", "[--json] [-s SOCKET]",
		"what the daemon does; exit status 0: it has a lease, or needs none; 3: it has "
		"none",
		"  --json         the daemon's answer as it is\n"
		"  -s SOCKET      the daemon's; default: " CL_STATUS_SOCKET "\n"
		"  -h, --help     print this and exit\n",
		cl_status_run},
	{"run", "[-c FILE] [--resolv-conf FILE] [-v] -- COMMAND ...",
		"a command with a lease of its own, in a network namespace of its own",
		"  -c FILE             configuration; default: " CL_CONFIG_PATH "\n"
		"  --resolv-conf FILE  the command's /etc/resolv.conf\n"
		"  -v                  say what happens, not only what goes wrong\n"
		"  -h, --help          print this and exit\n",
		cl_run_run},
	{0},
};

const struct cl_command *cl_command_find(const char *name)
{
	for (const struct cl_command *row = &cl_commands[1]; row->synopsis != NULL; row++) {
		if (strcmp(row->name, name) == 0)
			return row;
	}
	return NULL;
}

static void print_name(FILE *file, const struct cl_command *row)
{
	fprintf(file, "dstm-client%s%s", row->name != NULL ? " " : "",
		row->name != NULL ? row->name : "");
}

void cl_command_print_usage(FILE *file)
{
	for (const struct cl_command *row = cl_commands; row->synopsis != NULL; row++) {
		fputs(row == cl_commands ? "usage: " : "       ", file);
		print_name(file, row);
		fprintf(file, " %s\n", row->synopsis);
	}
	for (const struct cl_command *row = cl_commands; row->synopsis != NULL; row++) {
		fputc('\n', file);
		print_name(file, row);
		fprintf(file, ": %s\n", row->help);
		if (row->options != NULL)
			fputs(row->options, file);
		else
			daemon_print_options(file, CL_CONFIG_PATH);
	}
}
