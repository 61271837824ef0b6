// SPDX-License-Identifier: BSD-3-Clause
/*
 * dstm-client run -- COMMAND: one program, in a network namespace of its own, has the lease, and the host has nothing
 * of it.
 *
 * The command is forked first, with all that the caller may do; it makes its namespace and waits. The client
 * then starts as it does for `netns`, with the namespace of that process as its place, and lets the command
 * go when a lease stands, or, on demand, when the device does. When the command ends, so does the lease.
 */
#pragma once

#define CL_RUN_FAILURE     125 /* the client's own, as of env(1) and timeout(1) */
#define CL_RUN_CANNOT_EXEC 126
#define CL_RUN_NOT_FOUND   127

/* The command's exit status, or 128 and the signal that ended it, or one of the above. */
int cl_run_run(int argc, char **argv);
