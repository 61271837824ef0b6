// SPDX-License-Identifier: BSD-3-Clause
/*
 * The section "plain" of the configuration: what becomes of traffic that is not for a tunnel.
 */
#pragma once

#include "control/tep_config.h"

extern const struct config_section tep_plain_section;

/* What the table of keys cannot say. 0, or -EINVAL with one sentence. */
int tep_plain_check(const char *path, const struct tep_config *config, struct config_error *error);

/* The same for the data plane. */
struct dp_forward_params tep_plain_forward(const struct tep_config *config);
