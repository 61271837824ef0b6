// SPDX-License-Identifier: BSD-3-Clause
/*
 * dstmctl server user: the file of users, edited in place of an editor. Each change is a whole new file that
 * takes the old one's name once it is on disk; two who edit at once take turns. The rest of the file, comments
 * included, stays as it is. Passwords come from the terminal, without echo, or from standard input.
 */
#pragma once

#include <stdbool.h>

#define CTL_USERS_FILE "/etc/dstm/users"

struct ctl_users_options {
	const char *file; /* NULL: CTL_USERS_FILE */
	const char *realm; /* of DIGEST-MD5; NULL: "dstm" */
	const char *socket; /* the server that reads the file again */
	bool digest; /* add: the user may log in by DIGEST-MD5 too */
	bool json; /* list */
};

/* verb is add, delete or list; name is NULL for list. Returns what main should. */
int ctl_users_run(const char *verb, const char *name, const struct ctl_users_options *options);
