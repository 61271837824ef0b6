// SPDX-License-Identifier: BSD-3-Clause
/*
 * What a responder knows of a user. Either the password itself; or only what is derived from it: keys
 * that can check a SCRAM-SHA-256 proof or a password and cannot be used to log in by SCRAM, and, where old
 * clients need it, the secret of DIGEST-MD5, which can (RFC 2831 section 3.9).
 */
#pragma once

#include "tsp/tsp_scram.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TSP_USER_MAX     63 /* octets of a user's name */
#define TSP_PASSWORD_MAX 256 /* with NUL */
#define TSP_DIGEST_LEN   16

struct tsp_secret {
	char password[TSP_PASSWORD_MAX]; /* "": not known, but what follows is */
	struct tsp_scram scram;
	bool has_digest;
	uint8_t digest[TSP_DIGEST_LEN]; /* MD5 of user:realm:password */
};

/* What is wrong with a user's name, as in "the name is empty"; NULL: nothing. */
const char *tsp_user_fault(const char *user);

/* RFC 4013. Returns malloc'ed text, or NULL: no password can look like that. */
char *tsp_password_prepare(const char *password);

/*
 * What may be kept of a password: keys of a fresh salt, and the secret of DIGEST-MD5 where realm is not
 * NULL. Returns 0, -EINVAL for a password that cannot be, -EIO without randomness.
 */
int tsp_secret_derive(
	const char *user, const char *realm, const char *password, struct tsp_secret *secret);
