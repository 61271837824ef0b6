// SPDX-License-Identifier: BSD-3-Clause
#include "server/sqlite_error.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>

int srv_sqlite_error(
	struct sqlite3 *db, const char *path, const char *what, char *text, size_t size)
{
	int code = sqlite3_errcode(db);

	snprintf(text, size, "%s: %s: %s", path, what, sqlite3_errmsg(db));
	switch (code & 0xff) {
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
		return -EACCES;
	default:
		return -EIO;
	}
}
