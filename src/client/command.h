// SPDX-License-Identifier: BSD-3-Clause
/*
 * What dstm-client can be told to do: one row each, from which its usage is printed and main
 * chooses. Without a command's name it is the daemon.
 */
#pragma once

#include <stdio.h>

#define CL_CONFIG_PATH "/etc/dstm/client.yaml"

struct cl_command {
	const char *name; /* NULL: the daemon */
	const char *synopsis; /* what stands behind the name */
	const char *help; /* one sentence */
	const char *options; /* a line each; NULL: those of every daemon */
	int (*run)(int argc, char **argv); /* argv[0] is the name; returns main's value */
};

/* The first row is the daemon; a row without a synopsis ends the table. */
extern const struct cl_command cl_commands[];

/* NULL: there is none of this name. */
const struct cl_command *cl_command_find(const char *name);

void cl_command_print_usage(FILE *file);
