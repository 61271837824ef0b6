// SPDX-License-Identifier: BSD-3-Clause
#include "tsp/tsp_plain.h"

#include <gsasl.h>
#include <openssl/crypto.h>

#include <string.h>

/* Takes the part up to the next NUL, or to the end where it is the last one. */
static bool take_part(const char **data, size_t *len, bool is_last, char *part, size_t size)
{
	const char *end = memchr(*data, '\0', *len);
	size_t n = end != NULL ? (size_t)(end - *data) : *len;

	if ((end == NULL) != is_last || n >= size)
		return false;
	memcpy(part, *data, n);
	part[n] = '\0';
	*data += is_last ? n : n + 1;
	*len -= is_last ? n : n + 1;
	return true;
}

static size_t count_nuls(const char *data, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += data[i] == '\0';
	return n;
}

static bool read_raw(struct tsp_plain *plain, const char *data, size_t len)
{
	plain->role[0] = '\0';
	return (count_nuls(data, len) < 2 ||
		       take_part(&data, &len, false, plain->role, sizeof(plain->role))) &&
	       take_part(&data, &len, false, plain->user, sizeof(plain->user)) &&
	       take_part(&data, &len, true, plain->password, sizeof(plain->password)) &&
	       plain->user[0] != '\0' && plain->password[0] != '\0';
}

bool tsp_plain_read(struct tsp_plain *plain, const char *data, size_t len)
{
	size_t decoded_len;
	char *decoded;
	bool ok;

	if (memchr(data, '\0', len) != NULL)
		return read_raw(plain, data, len);
	if (gsasl_base64_from(data, len, &decoded, &decoded_len) != GSASL_OK)
		return false;
	ok = read_raw(plain, decoded, decoded_len);
	OPENSSL_cleanse(decoded, decoded_len);
	gsasl_free(decoded);
	return ok;
}

bool tsp_plain_check(const char *password, const struct tsp_scram *scram)
{
	struct tsp_scram claimed = *scram;
	char *prepared = tsp_password_prepare(password);
	bool ok = tsp_scram_derive(prepared != NULL ? prepared : "", &claimed) &&
		  CRYPTO_memcmp(claimed.keys.stored, scram->keys.stored,
			  sizeof(scram->keys.stored)) == 0 &&
		  prepared != NULL && prepared[0] != '\0';

	if (prepared != NULL)
		OPENSSL_cleanse(prepared, strlen(prepared));
	gsasl_free(prepared);
	OPENSSL_cleanse(&claimed, sizeof(claimed));
	return ok;
}
