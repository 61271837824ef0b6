// SPDX-License-Identifier: BSD-3-Clause
/*
 * The process that becomes the command of `dstm-client run`, and its namespace.
 */
#pragma once

#include <sys/types.h>

struct cl_run_child {
	pid_t pid; /* 0: there is none, any more */
	int go_fd;
};

/*
 * Forks, and returns when the child waits in a network namespace of its own, with lo up and, unless NULL,
 * resolv_conf as its /etc/resolv.conf. The child gets SIGTERM when this process dies. 0, or -1 with
 * the reason logged and no child.
 */
int cl_run_child_start(struct cl_run_child *child, char **command, const char *resolv_conf);

/* Lets it execute the command. */
void cl_run_child_go(struct cl_run_child *child);

/* Kills it if it is there still. */
void cl_run_child_end(struct cl_run_child *child);
