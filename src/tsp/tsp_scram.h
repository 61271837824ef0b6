// SPDX-License-Identifier: BSD-3-Clause
/*
 * What a responder needs to check a SCRAM-SHA-256 proof (RFC 5802 section 3): salt, StoredKey, ServerKey.
 *
 * To derive the keys from a password takes thousands of hashes, and anybody may ask: where we hold
 * passwords, they are derived once a user and remembered. The salt follows from the name by a secret of the process. It stays the same
 * for a user, who exists or not, so that it tells nothing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TSP_SCRAM_ITERATIONS 4096 /* RFC 7677 section 4 */
#define TSP_SCRAM_SALT_LEN   16
#define TSP_SCRAM_KEY_LEN    32

struct tsp_scram_keys {
	uint8_t stored[TSP_SCRAM_KEY_LEN];
	uint8_t server[TSP_SCRAM_KEY_LEN];
};

/* Keys, and how they were made. */
struct tsp_scram {
	uint32_t iterations;
	uint8_t salt[TSP_SCRAM_SALT_LEN];
	struct tsp_scram_keys keys;
};

/* Sets the keys from a prepared password (RFC 4013), by iterations and salt, at their full price. */
bool tsp_scram_derive(const char *password, struct tsp_scram *scram);

/* The salt of a user whose password we know, or who does not exist. False: there is no randomness. */
bool tsp_scram_salt(const char *user, uint8_t salt[static TSP_SCRAM_SALT_LEN]);

/*
 * The keys by that salt. password is prepared; NULL: no such user, and the keys are such that nobody has
 * a proof.
 */
bool tsp_scram_keys(const char *user, const char *password, struct tsp_scram_keys *keys);
