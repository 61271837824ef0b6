// SPDX-License-Identifier: BSD-3-Clause
/* The commands of dstmctl that tell a client something unasked (R32): struct ctl_command run. */
#pragma once

#include "common/ctl.h"

#include <stdbool.h>

json_t *srv_ctl_push_create(void *arg, const json_t *arguments, char error[static CTL_ERROR_LEN]);
json_t *srv_ctl_push_delete(void *arg, const json_t *arguments, char error[static CTL_ERROR_LEN]);

/* A whole number from min to max in arguments, if it is there. False, with a sentence: something else. */
bool srv_ctl_number(const json_t *arguments, const char *name, json_int_t min, json_int_t max,
	json_int_t *value, char error[static CTL_ERROR_LEN]);
