// SPDX-License-Identifier: BSD-3-Clause
/* The sections "announce" and "ready" of the configuration. */
#pragma once

#include "control/tep_config.h"

extern const struct config_section tep_announce_section;
extern const struct config_section tep_ready_section;

/* 0, or -EINVAL with one sentence in error. */
int tep_announce_check(
	const char *path, const struct tep_config *config, struct config_error *error);
