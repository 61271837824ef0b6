// SPDX-License-Identifier: BSD-3-Clause
/*
 * dstm-client status: what a running client says about itself, on a screen.
 */
#pragma once

#include <jansson.h>
#include <stdio.h>

#define CL_STATUS_SOCKET "/run/dstm/client.sock" /* where the daemon listens by default */

/* Exit codes beside those of every daemon: EXIT_FAILURE when nobody answers. */
#define CL_STATUS_NO_LEASE 3

/* The command; argv[0] is its name. Returns main's value. */
int cl_status_run(int argc, char **argv);

/* The answer to "show" as a screen. What it does not say is left out. */
void cl_status_print(const json_t *show, FILE *file);

/* 0: the client has a lease, or waits for traffic without one; else CL_STATUS_NO_LEASE. */
int cl_status_exit_code(const json_t *show);
