// SPDX-License-Identifier: BSD-3-Clause
#include "server/dhcp6_secret.h"

#include "common/log.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_LEN   (2 * SRV_DHCP6_SECRET_LEN)
#define DIGEST_LEN 32
/* What is derived for one use says nothing of another: each begins with an octet of its own. */
#define USE_KEY          1
#define USE_INTERFACE_ID 2

char *srv_dhcp6_secret_path(const char *file, const char *store)
{
	char *copy, *path = NULL;

	if (file != NULL)
		return strdup(file);
	copy = strdup(store);
	if (copy != NULL && asprintf(&path, "%s/dhcpv6.secret", dirname(copy)) < 0)
		path = NULL;
	free(copy);
	return path;
}

/* --- the file ------------------------------------------------------------------------------------ */

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int parse(const char *text, size_t len, struct srv_dhcp6_secret *secret)
{
	struct srv_dhcp6_secret parsed;

	if (len != TEXT_LEN && !(len == TEXT_LEN + 1 && text[TEXT_LEN] == '\n'))
		return -EINVAL;
	for (size_t i = 0; i < SRV_DHCP6_SECRET_LEN; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		parsed.octets[i] = high << 4 | low;
	}
	*secret = parsed;
	return 0;
}

static int read_from(int fd, struct srv_dhcp6_secret *secret)
{
	char text[TEXT_LEN + 2];
	struct stat st;
	ssize_t len;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return -EPERM;
	len = read(fd, text, sizeof(text));
	return len < 0 ? -errno : parse(text, len, secret);
}

static int write_to(int fd, const struct srv_dhcp6_secret *secret)
{
	char text[TEXT_LEN + 2];
	ssize_t written;

	for (size_t i = 0; i < SRV_DHCP6_SECRET_LEN; i++)
		snprintf(&text[2 * i], 3, "%02x", secret->octets[i]);
	text[TEXT_LEN] = '\n';
	written = write(fd, text, TEXT_LEN + 1);
	if (written < 0 || fsync(fd) < 0)
		return -errno;
	return written == TEXT_LEN + 1 ? 0 : -EIO;
}

static void sync_folder(const char *path)
{
	char *copy = strdup(path);
	int fd = copy != NULL ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	free(copy);
}

/* Whole or not at all: it is written under another name first. */
static int make(const char *path, struct srv_dhcp6_secret *secret)
{
	struct srv_dhcp6_secret made;
	char *draft = NULL;
	int fd, ret;

	if (getrandom(made.octets, sizeof(made.octets), 0) != (ssize_t)sizeof(made.octets))
		return -EIO;
	if (asprintf(&draft, "%s.new", path) < 0)
		return -ENOMEM;
	unlink(draft); /* of one who died over it */
	fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
	ret = fd < 0 ? -errno : write_to(fd, &made);
	if (fd >= 0)
		close(fd);
	if (ret == 0 && rename(draft, path) < 0)
		ret = -errno;
	if (ret == 0) {
		sync_folder(path);
		*secret = made;
		log_info("dhcpv6: secret %s: made", path);
	} else if (fd >= 0) {
		unlink(draft);
	}
	free(draft);
	return ret;
}

static const char *reason(int error)
{
	switch (error) {
	case -EPERM:
		return "others than its owner may read it";
	case -EINVAL:
		return "it is not a file of 64 hexadecimal digits";
	default:
		return strerror(-error);
	}
}

int srv_dhcp6_secret_open(const char *path, struct srv_dhcp6_secret *secret)
{
	int fd = open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC), ret;

	if (fd >= 0) {
		ret = read_from(fd, secret);
		close(fd);
	} else {
		ret = errno == ENOENT ? make(path, secret) : -errno;
	}
	if (ret < 0)
		log_err("dhcpv6: secret %s: %s", path, reason(ret));
	return ret;
}

/* --- what is derived ----------------------------------------------------------------------------- */

/*
 * An HMAC-SHA256 with that key, ready for a message. To look the algorithm up and to take in the key costs ten times as much
 * as the message, and several are made for each exchange: so it is kept for the next one. NULL: out of memory.
 */
static EVP_MAC_CTX *begin_hmac(const struct srv_dhcp6_secret *secret)
{
	static EVP_MAC_CTX *kept;
	static struct srv_dhcp6_secret key;
	static char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *hmac;

	if (kept != NULL && memcmp(&key, secret, sizeof(key)) == 0)
		return EVP_MAC_init(kept, NULL, 0, NULL) == 1 ? kept : NULL;
	if (kept == NULL) {
		hmac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
		kept = EVP_MAC_CTX_new(hmac);
		EVP_MAC_free(hmac);
	}
	key = *secret;
	if (kept == NULL || EVP_MAC_init(kept, key.octets, sizeof(key.octets), params) != 1)
		return NULL;
	return kept;
}

/*
 * HMAC-SHA256 of the use, the DUID with its length, and what is the use's own. Without memory for it: something that nobody
 * can guess, and that is good for nothing.
 */
static void derive(const struct srv_dhcp6_secret *secret, uint8_t use,
	const struct dhcp6_duid *duid, const void *own, size_t own_len,
	uint8_t digest[static DIGEST_LEN])
{
	const uint8_t head[2] = {use, duid->len};
	EVP_MAC_CTX *hmac = begin_hmac(secret);
	size_t len;

	if (hmac == NULL || EVP_MAC_update(hmac, head, sizeof(head)) != 1 ||
		EVP_MAC_update(hmac, duid->octets, duid->len) != 1 ||
		EVP_MAC_update(hmac, own, own_len) != 1 ||
		EVP_MAC_final(hmac, digest, &len, DIGEST_LEN) != 1)
		arc4random_buf(digest, DIGEST_LEN);
}

void srv_dhcp6_secret_key(const struct srv_dhcp6_secret *secret, const struct dhcp6_duid *duid,
	const struct in6_addr *tunnel_end, uint8_t key[static DHCP6_AUTH_KEY_LEN])
{
	uint8_t digest[DIGEST_LEN];

	derive(secret, USE_KEY, duid, tunnel_end, sizeof(*tunnel_end), digest);
	memcpy(key, digest, DHCP6_AUTH_KEY_LEN);
}

uint64_t srv_dhcp6_secret_interface_id(
	const struct srv_dhcp6_secret *secret, const struct dhcp6_duid *duid, uint32_t iaid)
{
	uint8_t digest[DIGEST_LEN];
	uint64_t id;

	derive(secret, USE_INTERFACE_ID, duid, &iaid, sizeof(iaid), digest);
	memcpy(&id, digest, sizeof(id));
	return id;
}
