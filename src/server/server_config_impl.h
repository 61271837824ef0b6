// SPDX-License-Identifier: BSD-3-Clause
/*
 * The parts of the configuration: its keys (server_config_keys.c), the checks between them
 * (server_config_check.c), loading and looking up (server_config.c), and what a reload has to change
 * (server_config_same.c). Only these include this.
 */
#pragma once

#include "server/server_config.h"

extern const struct config_section srv_config_section;

/* Returns 0, or -EINVAL with a sentence in error. */
int srv_config_check(const char *path, const struct srv_config *config, struct config_error *error);
