// SPDX-License-Identifier: BSD-3-Clause
#include "dhcp6/dhcp6_auth.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#define MSG_HEADER    4
#define PROTOCOL_RKAP 3
#define ALGORITHM_MD5 1
#define RDM_MONOTONIC 0
#define INFO_AT       11 /* in the option's data, behind protocol, algorithm, RDM, replay value */
#define INFO_KEY      1
#define INFO_HMAC     2
#define INFO_LEN      (1 + DHCP6_AUTH_KEY_LEN)
#define HMAC_LEN      16

static void set_info(struct dhcp6_auth *auth, uint64_t replay, uint8_t type)
{
	memset(auth, 0, sizeof(*auth));
	auth->present = true;
	auth->protocol = PROTOCOL_RKAP;
	auth->algorithm = ALGORITHM_MD5;
	auth->rdm = RDM_MONOTONIC;
	auth->replay = replay;
	auth->info_len = INFO_LEN;
	auth->info[0] = type;
}

void dhcp6_auth_set_key(
	struct dhcp6_auth *auth, uint64_t replay, const uint8_t key[static DHCP6_AUTH_KEY_LEN])
{
	set_info(auth, replay, INFO_KEY);
	memcpy(auth->info + 1, key, DHCP6_AUTH_KEY_LEN);
}

void dhcp6_auth_set_hmac(struct dhcp6_auth *auth, uint64_t replay)
{
	set_info(auth, replay, INFO_HMAC);
}

bool dhcp6_auth_get_key(const struct dhcp6_auth *auth, uint8_t key[static DHCP6_AUTH_KEY_LEN])
{
	if (!auth->present || auth->protocol != PROTOCOL_RKAP || auth->algorithm != ALGORITHM_MD5 ||
		auth->info_len != INFO_LEN || auth->info[0] != INFO_KEY)
		return false;
	memcpy(key, auth->info + 1, DHCP6_AUTH_KEY_LEN);
	return true;
}

/* The data of the one option that holds an HMAC of this protocol, or NULL. */
static const uint8_t *find_hmac(const uint8_t *message, size_t len)
{
	struct dhcp6_option option;
	struct dhcp6_cursor cursor;
	const uint8_t *data = NULL;
	int found;

	if (len < MSG_HEADER || len > DHCP6_MSG_MAX)
		return NULL;
	cursor = dhcp6_cursor_over(message + MSG_HEADER, len - MSG_HEADER);
	while ((found = dhcp6_cursor_next(&cursor, &option)) == 1) {
		if (option.code != DHCP6_OPTION_AUTH)
			continue;
		if (data != NULL || option.len != INFO_AT + INFO_LEN ||
			option.data[0] != PROTOCOL_RKAP || option.data[1] != ALGORITHM_MD5 ||
			option.data[2] != RDM_MONOTONIC || option.data[INFO_AT] != INFO_HMAC)
			return NULL;
		data = option.data;
	}
	return found == 0 ? data : NULL;
}

/* The HMAC of the message with the HMAC_LEN octets at field taken as zero. */
static int compute(const uint8_t *message, size_t len, size_t field,
	const uint8_t key[static DHCP6_AUTH_KEY_LEN], uint8_t hmac[static HMAC_LEN])
{
	static const uint8_t zero[HMAC_LEN];
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string("digest", (char[]){"MD5"}, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
	size_t written = 0;
	bool is_done;

	is_done = ctx != NULL && EVP_MAC_init(ctx, key, DHCP6_AUTH_KEY_LEN, params) == 1 &&
		  EVP_MAC_update(ctx, message, field) == 1 &&
		  EVP_MAC_update(ctx, zero, sizeof(zero)) == 1 &&
		  EVP_MAC_update(ctx, message + field + HMAC_LEN, len - field - HMAC_LEN) == 1 &&
		  EVP_MAC_final(ctx, hmac, &written, HMAC_LEN) == 1 && written == HMAC_LEN;
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
	return is_done ? 0 : -ENOTSUP;
}

int dhcp6_auth_sign(uint8_t *message, size_t len, const uint8_t key[static DHCP6_AUTH_KEY_LEN])
{
	const uint8_t *data = find_hmac(message, len);
	uint8_t hmac[HMAC_LEN];
	size_t field;
	int rc;

	if (data == NULL)
		return -ENOENT;
	field = (size_t)(data - message) + INFO_AT + 1;
	rc = compute(message, len, field, key, hmac);
	if (rc == 0)
		memcpy(message + field, hmac, sizeof(hmac));
	return rc;
}

bool dhcp6_auth_verify(const uint8_t *message, size_t len,
	const uint8_t key[static DHCP6_AUTH_KEY_LEN], uint64_t *replay)
{
	const uint8_t *data = find_hmac(message, len);
	uint8_t hmac[HMAC_LEN];
	uint64_t value;
	size_t field;

	if (data == NULL)
		return false;
	field = (size_t)(data - message) + INFO_AT + 1;
	value = dhcp6_get_u64(data + 3);
	if (value <= *replay || compute(message, len, field, key, hmac) != 0 ||
		CRYPTO_memcmp(hmac, message + field, sizeof(hmac)) != 0)
		return false;
	*replay = value;
	return true;
}
