// SPDX-License-Identifier: BSD-3-Clause
#include "tsp/tsp_users.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCRAM          "SCRAM-SHA-256$"
#define DIGEST         "DIGEST-MD5$"
#define ITERATIONS_MAX 1000000
#define FILE_MAX       (1024 * 1024 * 1024L)
#define BASE64_LEN(n)  (((n) + 2) / 3 * 4)

/* --- one line ------------------------------------------------------------------------------------ */

/* Base64 of exactly len octets, from *text up to the character end, which is skipped. */
static bool take_base64(const char **text, char end, uint8_t *octets, size_t len)
{
	size_t chars = BASE64_LEN(len), padding = chars / 4 * 3 - len;
	uint8_t decoded[BASE64_LEN(TSP_SCRAM_KEY_LEN)];
	char copy[BASE64_LEN(TSP_SCRAM_KEY_LEN) + 1];

	if (strnlen(*text, chars) < chars || (*text)[chars] != end)
		return false;
	memcpy(copy, *text, chars);
	copy[chars] = '\0';
	if (strcspn(copy, "=") != chars - padding ||
		EVP_DecodeBlock(decoded, (const uint8_t *)copy, chars) != (int)(chars / 4 * 3))
		return false;
	memcpy(octets, decoded, len);
	*text += chars + (end != '\0');
	return true;
}

static bool parse_scram(const char *text, struct tsp_scram *scram)
{
	char *end;

	if (strncmp(text, SCRAM, strlen(SCRAM)) != 0)
		return false;
	text += strlen(SCRAM);
	if (text[0] < '1' || text[0] > '9')
		return false;
	errno = 0;
	unsigned long iterations = strtoul(text, &end, 10);

	if (errno != 0 || *end != ':' || iterations < TSP_SCRAM_ITERATIONS ||
		iterations > ITERATIONS_MAX)
		return false;
	scram->iterations = iterations;
	text = end + 1;
	return take_base64(&text, '$', scram->salt, sizeof(scram->salt)) &&
	       take_base64(&text, ':', scram->keys.stored, sizeof(scram->keys.stored)) &&
	       take_base64(&text, '\0', scram->keys.server, sizeof(scram->keys.server));
}

static bool parse_hex(const char *text, uint8_t digest[static TSP_DIGEST_LEN])
{
	static const char digits[] = "0123456789abcdef";

	if (strlen(text) != 2 * TSP_DIGEST_LEN || strspn(text, digits) != strlen(text))
		return false;
	for (size_t i = 0; i < TSP_DIGEST_LEN; i++)
		digest[i] = (strchr(digits, text[2 * i]) - digits) << 4 |
			    (strchr(digits, text[2 * i + 1]) - digits);
	return true;
}

/* The realm may hold anything that a name may: the last $ ends it. */
static bool parse_digest(const char *text, const char **realm, size_t *realm_len,
	uint8_t digest[static TSP_DIGEST_LEN])
{
	const char *end;

	if (strncmp(text, DIGEST, strlen(DIGEST)) != 0)
		return false;
	*realm = text + strlen(DIGEST);
	end = strrchr(*realm, '$');
	if (end == NULL || end == *realm || end - *realm > TSP_REALM_MAX)
		return false;
	*realm_len = end - *realm;
	return parse_hex(end + 1, digest);
}

/* Reads a line, which it cuts into its parts. Returns NULL, or what is wrong with it. */
static const char *parse_line(char *line, struct tsp_user *user)
{
	char *scram = strchr(line, '\t'), *digest = NULL;
	const char *realm = NULL, *fault;
	size_t realm_len = 0;

	if (scram == NULL)
		return "no TAB behind the name";
	*scram++ = '\0';
	fault = tsp_user_fault(line);
	if (fault != NULL)
		return fault;
	digest = strchr(scram, '\t');
	if (digest != NULL)
		*digest++ = '\0';
	if (!parse_scram(scram, &user->scram))
		return "no SCRAM-SHA-256 keys behind the name";
	if (digest != NULL && !parse_digest(digest, &realm, &realm_len, user->digest))
		return "no DIGEST-MD5 secret behind the keys";
	user->name = strdup(line);
	user->realm = realm != NULL ? strndup(realm, realm_len) : NULL;
	if (user->name == NULL || (realm != NULL && user->realm == NULL))
		return "out of memory";
	return NULL;
}

/* --- a whole file -------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct tsp_user *)a)->name, ((const struct tsp_user *)b)->name);
}

static int fail(struct config_error *error, const char *path, uint32_t line, const char *why)
{
	return config_fail(error, path, (struct config_pos){line, 1}, "users file: %s", why);
}

static int add_line(
	struct tsp_users *users, uint32_t *capacity, char *text, uint32_t line, const char **why)
{
	struct tsp_user *items = users->items;

	if (users->n == *capacity) {
		*capacity = *capacity > 0 ? *capacity * 2 : 64;
		items = realloc(users->items, *capacity * sizeof(*items));
		*why = "out of memory";
		if (items == NULL)
			return -ENOMEM;
		users->items = items;
	}
	items[users->n] = (struct tsp_user){.line = line};
	*why = parse_line(text, &items[users->n++]);
	return *why == NULL ? 0 : -EINVAL;
}

static int parse_lines(
	const char *path, char *text, struct tsp_users *users, struct config_error *error)
{
	uint32_t capacity = 0, number = 1;
	const char *why;

	for (char *line = text, *next; line != NULL; line = next, number++) {
		next = strchr(line, '\n');
		if (next != NULL)
			*next++ = '\0';
		if (line[0] == '\0' || line[0] == '#')
			continue;
		if (add_line(users, &capacity, line, number, &why) < 0)
			return fail(error, path, number, why);
	}
	if (users->n > 1)
		qsort(users->items, users->n, sizeof(*users->items), compare);
	for (uint32_t i = 1; i < users->n; i++) {
		const struct tsp_user *a = &users->items[i - 1], *b = &users->items[i];

		if (strcmp(a->name, b->name) == 0)
			return fail(error, path, a->line > b->line ? a->line : b->line,
				"this user stands there twice");
	}
	return 0;
}

int tsp_users_parse(const char *name, const char *text, size_t len, struct tsp_users *users,
	struct config_error *error)
{
	char *copy;
	int ret;

	*users = (struct tsp_users){0};
	if (memchr(text, '\0', len) != NULL)
		return fail(error, name, 1, "holds a NUL");
	copy = strndup(text, len);
	if (copy == NULL)
		return fail(error, name, 1, "out of memory");
	ret = parse_lines(name, copy, users, error);
	if (ret < 0)
		tsp_users_free(users);
	OPENSSL_cleanse(copy, len);
	free(copy);
	return ret;
}

/* Reads all of a descriptor. Returns malloc'ed text, or NULL + errno. */
static char *read_all(int fd, size_t *len)
{
	struct stat st;
	char *text;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return NULL;
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX) {
		errno = S_ISREG(st.st_mode) ? EFBIG : EINVAL;
		return NULL;
	}
	text = malloc(st.st_size + 1);
	if (text == NULL)
		return NULL;
	for (*len = 0; *len < (size_t)st.st_size; *len += n) {
		n = read(fd, text + *len, st.st_size - *len);
		if (n < 0) {
			free(text);
			return NULL;
		}
		if (n == 0)
			break;
	}
	return text;
}

int tsp_users_load(const char *path, struct tsp_users *users, struct config_error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), ret;
	char *text = NULL;
	size_t len = 0;

	*users = (struct tsp_users){0};
	if (fd >= 0)
		text = read_all(fd, &len);
	if (text == NULL) {
		ret = -errno;
		snprintf(error->text, sizeof(error->text), "%s: users file: %s", path,
			strerror(errno));
	} else {
		ret = tsp_users_parse(path, text, len, users, error);
		OPENSSL_cleanse(text, len);
	}
	free(text);
	if (fd >= 0)
		close(fd);
	return ret;
}

void tsp_users_free(struct tsp_users *users)
{
	for (uint32_t i = 0; i < users->n; i++) {
		free(users->items[i].name);
		free(users->items[i].realm);
		OPENSSL_cleanse(&users->items[i], sizeof(users->items[i]));
	}
	free(users->items);
	*users = (struct tsp_users){0};
}

const struct tsp_user *tsp_users_find(const struct tsp_users *users, const char *name)
{
	const struct tsp_user key = {.name = (char *)name};

	if (users->n == 0)
		return NULL;
	return bsearch(&key, users->items, users->n, sizeof(*users->items), compare);
}

void tsp_user_secret(const struct tsp_user *user, const char *realm, struct tsp_secret *secret)
{
	secret->scram = user->scram;
	secret->has_digest = user->realm != NULL && strcmp(user->realm, realm) == 0;
	if (secret->has_digest)
		memcpy(secret->digest, user->digest, sizeof(secret->digest));
}

void tsp_users_format(const char *name, const char *realm, const struct tsp_secret *secret,
	char line[static TSP_USER_LINE_MAX])
{
	const struct tsp_scram *scram = &secret->scram;
	char salt[BASE64_LEN(TSP_SCRAM_SALT_LEN) + 1];
	char keys[2][BASE64_LEN(TSP_SCRAM_KEY_LEN) + 1];
	int len;

	EVP_EncodeBlock((uint8_t *)salt, scram->salt, sizeof(scram->salt));
	EVP_EncodeBlock((uint8_t *)keys[0], scram->keys.stored, sizeof(scram->keys.stored));
	EVP_EncodeBlock((uint8_t *)keys[1], scram->keys.server, sizeof(scram->keys.server));
	len = snprintf(line, TSP_USER_LINE_MAX, "%s\t" SCRAM "%u:%s$%s:%s", name, scram->iterations,
		salt, keys[0], keys[1]);
	if (secret->has_digest) {
		len += snprintf(line + len, TSP_USER_LINE_MAX - len, "\t" DIGEST "%s$", realm);
		for (size_t i = 0; i < TSP_DIGEST_LEN; i++)
			len += snprintf(
				line + len, TSP_USER_LINE_MAX - len, "%02x", secret->digest[i]);
	}
	snprintf(line + len, TSP_USER_LINE_MAX - len, "\n");
}
