// SPDX-License-Identifier: BSD-3-Clause
#include "tsp/tsp_secret.h"

#include <gsasl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Quotes and backslashes are escaped in DIGEST-MD5, which few implementations do right: with them one name
 * would be two.
 */
const char *tsp_user_fault(const char *user)
{
	size_t len = strlen(user);

	if (len == 0)
		return "is empty";
	if (len > TSP_USER_MAX)
		return "is longer than 63 octets";
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)user[i] < ' ' || user[i] == 0x7f)
			return "holds a control character";
		if (user[i] == '"' || user[i] == '\\')
			return "holds a quote or a backslash";
	}
	return NULL;
}

char *tsp_password_prepare(const char *password)
{
	char *prepared = NULL;

	if (gsasl_saslprep(password, GSASL_ALLOW_UNASSIGNED, &prepared, NULL) != GSASL_OK)
		return NULL;
	return prepared;
}

/* UTF-8 to ISO 8859-1 where every character has a place there, as RFC 2831 section 2.1.2.1 asks for. */
static void to_latin1(char *text)
{
	const unsigned char *in = (const unsigned char *)text;
	char *out = text;

	for (const unsigned char *p = in; *p != '\0'; p++) {
		if (*p < 0x80)
			continue;
		if (*p < 0xc2 || *p > 0xc3 || (p[1] & 0xc0) != 0x80)
			return;
		p++;
	}
	for (; *in != '\0'; in++) {
		if (*in < 0x80) {
			*out++ = *in;
		} else {
			*out++ = (in[0] & 0x3) << 6 | (in[1] & 0x3f);
			in++;
		}
	}
	*out = '\0';
}

static bool derive_digest(const char *user, const char *realm, const char *password,
	uint8_t digest[static TSP_DIGEST_LEN])
{
	char *latin1 = strdup(password), *text = NULL;
	unsigned int digest_len = 0;
	int len = -1;

	if (latin1 != NULL) {
		to_latin1(latin1);
		len = asprintf(&text, "%s:%s:%s", user, realm, latin1);
		OPENSSL_cleanse(latin1, strlen(latin1));
	}
	free(latin1);
	if (len < 0)
		return false;
	EVP_Digest(text, len, digest, &digest_len, EVP_md5(), NULL);
	OPENSSL_cleanse(text, len);
	free(text);
	return digest_len == TSP_DIGEST_LEN;
}

int tsp_secret_derive(
	const char *user, const char *realm, const char *password, struct tsp_secret *secret)
{
	char *prepared = tsp_password_prepare(password);
	int ret = -EIO;

	memset(secret, 0, sizeof(*secret));
	if (prepared == NULL || prepared[0] == '\0' || strlen(password) >= TSP_PASSWORD_MAX) {
		ret = -EINVAL;
		goto out;
	}
	secret->scram.iterations = TSP_SCRAM_ITERATIONS;
	if (RAND_bytes(secret->scram.salt, sizeof(secret->scram.salt)) != 1 ||
		!tsp_scram_derive(prepared, &secret->scram))
		goto out;
	secret->has_digest = realm != NULL;
	if (realm != NULL && !derive_digest(user, realm, password, secret->digest))
		goto out;
	ret = 0;
out:
	if (prepared != NULL)
		OPENSSL_cleanse(prepared, strlen(prepared));
	gsasl_free(prepared);
	return ret;
}
