// SPDX-License-Identifier: BSD-3-Clause
#include "server/dhcp6_secret.h"

#include "common/log.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

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

/* HMAC-SHA256 of the use, the DUID with its length, and what is the use's own. */
static void derive(const struct srv_dhcp6_secret *secret, uint8_t use,
	const struct dhcp6_duid *duid, const void *own, size_t own_len,
	uint8_t digest[static DIGEST_LEN])
{
	uint8_t message[2 + DHCP6_DUID_MAX + sizeof(struct in6_addr)] = {use, duid->len};
	unsigned int len = DIGEST_LEN;

	memcpy(&message[2], duid->octets, duid->len);
	memcpy(&message[2 + duid->len], own, own_len);
	HMAC(EVP_sha256(), secret->octets, sizeof(secret->octets), message, 2 + duid->len + own_len,
		digest, &len);
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
