// SPDX-License-Identifier: BSD-3-Clause
/*
 * What SQLite could not do, as an error of ours.
 */
#pragma once

#include <stddef.h>

struct sqlite3;

/*
 * Writes "path: what: SQLite's words" into text and returns the -errno that fits the last error of db: -ENOSPC,
 * -EBUSY, -ENOMEM, -EACCES (cannot be opened or written), else -EIO.
 */
int srv_sqlite_error(
	struct sqlite3 *db, const char *path, const char *what, char *text, size_t size);
