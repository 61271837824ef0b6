// SPDX-License-Identifier: BSD-3-Clause
/*
 * The section "learn" of the configuration: what a packet out of a tunnel without a binding may lead to.
 */
#pragma once

#include "control/tep_config.h"

extern const struct config_section tep_learn_section;

/* What the table of keys cannot say. 0, or -EINVAL with one sentence. */
int tep_learn_check(const char *path, const struct tep_config *config, struct config_error *error);
