// SPDX-License-Identifier: BSD-3-Clause
#include "tsp/tsp_scram.h"

#include "tsp/tsp_secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <string.h>

#define CACHE_SIZE 1024 /* users; two that meet in a slot take turns */

/* The keys of one user, as long as the password is the one whose mark this is. */
struct entry {
	bool used;
	char user[TSP_USER_MAX + 1];
	uint8_t password_mark[TSP_SCRAM_KEY_LEN];
	struct tsp_scram_keys keys;
};

static struct entry cache[CACHE_SIZE];

/* Made on first use, never told to anybody. NULL: there is no randomness. */
static const uint8_t *process_secret(void)
{
	static uint8_t secret[TSP_SCRAM_KEY_LEN];
	static bool made;

	if (!made)
		made = RAND_bytes(secret, sizeof(secret)) == 1;
	return made ? secret : NULL;
}

static bool hmac(const uint8_t key[static TSP_SCRAM_KEY_LEN], const char *text,
	uint8_t out[static TSP_SCRAM_KEY_LEN])
{
	return HMAC(EVP_sha256(), key, TSP_SCRAM_KEY_LEN, (const uint8_t *)text, strlen(text), out,
		       NULL) != NULL;
}

/* A value that only this process can make of the text. The label keeps the uses of it apart. */
static bool mark(const char *label, const char *text, uint8_t out[static TSP_SCRAM_KEY_LEN])
{
	const uint8_t *secret = process_secret();
	uint8_t key[TSP_SCRAM_KEY_LEN];

	return secret != NULL && hmac(secret, label, key) && hmac(key, text, out);
}

bool tsp_scram_salt(const char *user, uint8_t salt[static TSP_SCRAM_SALT_LEN])
{
	uint8_t octets[TSP_SCRAM_KEY_LEN];

	if (!mark("salt", user, octets))
		return false;
	memcpy(salt, octets, TSP_SCRAM_SALT_LEN);
	return true;
}

bool tsp_scram_derive(const char *password, struct tsp_scram *scram)
{
	uint8_t salted[TSP_SCRAM_KEY_LEN], client[TSP_SCRAM_KEY_LEN];
	bool ok = PKCS5_PBKDF2_HMAC(password, strlen(password), scram->salt, sizeof(scram->salt),
			  scram->iterations, EVP_sha256(), sizeof(salted), salted) == 1 &&
		  hmac(salted, "Client Key", client) &&
		  hmac(salted, "Server Key", scram->keys.server) &&
		  SHA256(client, sizeof(client), scram->keys.stored) != NULL;

	OPENSSL_cleanse(salted, sizeof(salted));
	OPENSSL_cleanse(client, sizeof(client));
	return ok;
}

static bool derive(const char *user, const char *password, struct tsp_scram_keys *keys)
{
	struct tsp_scram scram = {.iterations = TSP_SCRAM_ITERATIONS};
	bool ok = tsp_scram_salt(user, scram.salt) && tsp_scram_derive(password, &scram);

	*keys = scram.keys;
	OPENSSL_cleanse(&scram, sizeof(scram));
	return ok;
}

bool tsp_scram_keys(const char *user, const char *password, struct tsp_scram_keys *keys)
{
	uint8_t slot[TSP_SCRAM_KEY_LEN], password_mark[TSP_SCRAM_KEY_LEN];
	struct entry *entry;

	if (password == NULL)
		return mark("no such user", user, keys->stored) &&
		       mark("nor server", user, keys->server);
	if (strlen(user) > TSP_USER_MAX || !mark("slot", user, slot) ||
		!mark("password", password, password_mark))
		return false;
	entry = &cache[(slot[0] << 8 | slot[1]) % CACHE_SIZE];
	if (!entry->used || strcmp(entry->user, user) != 0 ||
		CRYPTO_memcmp(entry->password_mark, password_mark, sizeof(password_mark)) != 0) {
		entry->used = derive(user, password, &entry->keys);
		strcpy(entry->user, user);
		memcpy(entry->password_mark, password_mark, sizeof(password_mark));
	}
	*keys = entry->keys;
	return entry->used;
}
