// SPDX-License-Identifier: BSD-3-Clause
/*
 * Work in another network namespace.
 *
 * A namespace belongs to a thread, so a thread of its own lives in the other one for as long as it is open and
 * does there, one piece at a time, what the caller waits for: entering takes CAP_SYS_ADMIN, which
 * the process may have given up by then.
 */
#pragma once

struct cl_netns;

/*
 * A namespace of `ip netns` or, with a slash in its name, any path to one. NULL: our own, where work is a
 * plain call. NULL + errno on failure.
 */
struct cl_netns *cl_netns_open(const char *name);
void cl_netns_close(struct cl_netns *netns); /* NULL is allowed */

/* Returns what work(arg) returns. */
int cl_netns_call(struct cl_netns *netns, int (*work)(void *arg), void *arg);
