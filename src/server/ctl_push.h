// SPDX-License-Identifier: BSD-3-Clause
/* The commands of dstmctl that tell a client something unasked (R32): struct ctl_command run. */
#pragma once

#include "common/ctl.h"

#include <netinet/in.h>
#include <stdbool.h>

/* Items in one answer of a list. */
#define SRV_CTL_LIMIT_DEFAULT 1000
#define SRV_CTL_LIMIT_MAX     10000

json_t *srv_ctl_push_create(void *arg, const json_t *arguments, char error[static CTL_ERROR_LEN]);
json_t *srv_ctl_push_delete(void *arg, const json_t *arguments, char error[static CTL_ERROR_LEN]);

/* The IPv6 address of a client. False, with a sentence: there is none. */
bool srv_ctl_client(
	const json_t *arguments, struct in6_addr *client, char error[static CTL_ERROR_LEN]);

/* A whole number from min to max in arguments, if it is there. False, with a sentence: something else. */
bool srv_ctl_number(const json_t *arguments, const char *name, json_int_t min, json_int_t max,
	json_int_t *value, char error[static CTL_ERROR_LEN]);
