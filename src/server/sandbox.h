// SPDX-License-Identifier: BSD-3-Clause
/*
 * The server's own sandbox: the folders and system calls that leasing needs, and no others. What it
 * opens on a reload must lie in the folders that the configuration named at the start.
 */
#pragma once

#include "server/server_config.h"

/*
 * Shuts the process in, as config->sandbox says. Comes before the first thread. Returns 0, or -errno
 * with the reason logged. A kernel without Landlock is a warning.
 */
int srv_sandbox_enter(const struct srv_config *config, const char *config_path);
