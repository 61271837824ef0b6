// SPDX-License-Identifier: BSD-3-Clause
/*
 * PLAIN (RFC 4616) as TSP clients send it: not in base64, and at once:
 *
 *	role NUL user NUL password CR LF
 *
 * The role is empty, and what stands in front of an empty role - the NUL that old clients put behind
 * AUTHENTICATE - has been swallowed by the framing, so "user NUL password" is understood as well. A
 * line without any NUL is taken for base64 of the same.
 */
#pragma once

#include "tsp/tsp_secret.h"

#include <stdbool.h>
#include <stddef.h>

struct tsp_plain {
	char role[TSP_USER_MAX + 1];
	char user[TSP_USER_MAX + 1];
	char password[TSP_PASSWORD_MAX];
};

/* Reads the line without its end. False: it is no such message, or too long in a part. */
bool tsp_plain_read(struct tsp_plain *plain, const char *data, size_t len);

/* Whether the keys are made of this password; takes equally long for every password. */
bool tsp_plain_check(const char *password, const struct tsp_scram *scram);
