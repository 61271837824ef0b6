// SPDX-License-Identifier: BSD-3-Clause
/*
 * A file of users, with what can check their passwords and no password. A line each, parts apart by TAB:
 *
 *	name	SCRAM-SHA-256$4096:<salt>$<StoredKey>:<ServerKey>	[DIGEST-MD5$<realm>$<hex>]
 *
 * The second part is an authPassword of RFC 5803; salt and keys are base64. The third is there for users who
 * may log in by DIGEST-MD5, and is as good as their password. Empty lines and lines that begin with # are
 * skipped. A name stands there once.
 *
 * In memory sorted by name: found in log n steps. One thread.
 */
#pragma once

#include "common/config.h"
#include "tsp/tsp_secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TSP_USER_LINE_MAX 512 /* what tsp_users_format writes, with NUL */
#define TSP_REALM_MAX     63

struct tsp_user {
	char *name;
	uint32_t line; /* in its file, from 1 */
	struct tsp_scram scram;
	char *realm; /* of digest; NULL: no DIGEST-MD5 */
	uint8_t digest[TSP_DIGEST_LEN];
};

struct tsp_users {
	struct tsp_user *items; /* sorted by name */
	uint32_t n;
};

/*
 * Reads a file. Returns 0, or -errno with a sentence in error that names the file and line; *users is empty
 * then.
 */
int tsp_users_load(const char *path, struct tsp_users *users, struct config_error *error);
/* The same from memory; name stands for the file in messages. */
int tsp_users_parse(const char *name, const char *text, size_t len, struct tsp_users *users,
	struct config_error *error);
void tsp_users_free(struct tsp_users *users);

/* NULL: there is no such user. */
const struct tsp_user *tsp_users_find(const struct tsp_users *users, const char *name);

/* Fills secret as a responder of that realm needs it. */
void tsp_user_secret(const struct tsp_user *user, const char *realm, struct tsp_secret *secret);

/* The line of a user, with its end. realm is that of the digest, if there is one. */
void tsp_users_format(const char *name, const char *realm, const struct tsp_secret *secret,
	char line[static TSP_USER_LINE_MAX]);
