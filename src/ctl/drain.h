// SPDX-License-Identifier: BSD-3-Clause
/* "tep drain": the command ends when the daemon has. */
#pragma once

#include "ctl/print.h"

void ctl_print_draining(const json_t *result, const struct ctl_print_options *options, FILE *file);

/* Waits until the process of the answer has ended. What main should return. */
int ctl_drain_follow(const json_t *result);
