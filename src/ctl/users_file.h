// SPDX-License-Identifier: BSD-3-Clause
/* One line of a users file, changed in a new file that then takes the place of the old one. */
#pragma once

#include "common/config.h"

#include <stdbool.h>

/*
 * Sets the line of a user, or takes it away where line is NULL. A file that is not there counts as empty. A
 * damaged one is not touched. The new file has mode 0640 and the owner and group of the old one; a first one
 * has those of its folder. *existed says whether the user stood there before. Returns 0, or -errno with a
 * sentence in error.
 */
int ctl_users_file_set(const char *path, const char *name, const char *line, bool *existed,
	struct config_error *error);
