// SPDX-License-Identifier: BSD-3-Clause
#include "client/dhcp6_identity.h"

#include "common/log.h"

#include <jansson.h>
#include <openssl/evp.h>

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define UUID_LEN       16
#define MACHINE_ID_LEN 32 /* hexadecimal digits */
#define SALT           "dstm-client dhcpv6 " /* the machine's identifier itself is nobody's business */
#define KEY_STRLEN     (2 * DHCP6_AUTH_KEY_LEN + 1)

/* The same for a device whenever it comes: FNV-1a of its name. */
static uint32_t iaid_of(const char *device)
{
	uint32_t hash = 2166136261;

	for (; *device != '\0'; device++)
		hash = (hash ^ (uint8_t)*device) * 16777619;
	return hash;
}

static bool get_mac(const char *interface, uint8_t mac[static 6])
{
	struct ifreq request = {0};
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool found;

	if (fd < 0)
		return false;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	found = ioctl(fd, SIOCGIFHWADDR, &request) == 0 &&
		request.ifr_hwaddr.sa_family == ARPHRD_ETHER;
	if (found)
		memcpy(mac, request.ifr_hwaddr.sa_data, 6);
	close(fd);
	return found;
}

static bool read_machine_id(char id[static MACHINE_ID_LEN + 1])
{
	FILE *file = fopen("/etc/machine-id", "re");
	bool ok;

	if (file == NULL)
		return false;
	ok = fgets(id, MACHINE_ID_LEN + 1, file) != NULL &&
	     strspn(id, "0123456789abcdef") == MACHINE_ID_LEN;
	fclose(file);
	return ok;
}

static bool get_uuid(uint8_t uuid[static UUID_LEN])
{
	char text[sizeof(SALT) + MACHINE_ID_LEN] = SALT;
	uint8_t hash[EVP_MAX_MD_SIZE];

	if (!read_machine_id(text + strlen(SALT)) ||
		EVP_Digest(text, strlen(text), hash, NULL, EVP_sha256(), NULL) != 1)
		return false;
	memcpy(uuid, hash, UUID_LEN);
	return true;
}

/* A UUID of chance's or a digest's making says so (RFC 4122 version 4). */
static struct dhcp6_duid duid_of(uint8_t uuid[static UUID_LEN])
{
	uuid[6] = (uuid[6] & 0x0f) | 0x40;
	uuid[8] = (uuid[8] & 0x3f) | 0x80;
	return dhcp6_duid_from_uuid(uuid);
}

/* kept: what the file says, len 0: nothing. */
static int choose_duid(struct cl_dhcp6_identity *identity, const struct cl_dhcp6_config *config,
	const struct dhcp6_duid *kept)
{
	uint8_t uuid[UUID_LEN], mac[6];
	bool has_uuid;

	if (config->duid != NULL)
		return dhcp6_duid_parse(config->duid, &identity->duid);
	if (config->interface != NULL && get_mac(config->interface, mac)) {
		identity->duid = dhcp6_duid_from_mac(mac);
		return 0;
	}
	has_uuid = get_uuid(uuid);
	if (!has_uuid && kept->len > 0) {
		identity->duid = *kept;
		return 0;
	}
	if (!has_uuid && getrandom(uuid, sizeof(uuid), 0) != sizeof(uuid))
		return -errno;
	identity->duid = duid_of(uuid);
	return 0;
}

static int parse_key(const char *text, uint8_t key[static DHCP6_AUTH_KEY_LEN])
{
	if (strlen(text) != KEY_STRLEN - 1 || strspn(text, "0123456789abcdef") != KEY_STRLEN - 1)
		return -EINVAL;
	for (size_t i = 0; i < DHCP6_AUTH_KEY_LEN; i++)
		sscanf(text + 2 * i, "%2hhx", &key[i]);
	return 0;
}

static int parse(json_t *root, struct dhcp6_duid *duid, struct cl_dhcp6_identity *identity)
{
	const char *duid_text, *key = NULL, *replay = NULL;
	char *end;

	if (json_unpack(root, "{s:s, s?s, s?s}", "duid", &duid_text, "key", &key, "replay",
		    &replay) < 0 ||
		dhcp6_duid_parse(duid_text, duid) < 0)
		return -EINVAL;
	if (key == NULL || replay == NULL)
		return 0;
	identity->replay = strtoull(replay, &end, 10);
	if (*end != '\0' || replay[0] == '\0' || parse_key(key, identity->key) < 0)
		return -EINVAL;
	identity->has_key = true;
	return 0;
}

static void read_file(struct cl_dhcp6_identity *identity, struct dhcp6_duid *duid)
{
	json_error_t error;
	json_t *root;

	*duid = (struct dhcp6_duid){0};
	if (identity->path == NULL || access(identity->path, F_OK) < 0)
		return;
	root = json_load_file(identity->path, 0, &error);
	if (root == NULL || parse(root, duid, identity) < 0) {
		*duid = (struct dhcp6_duid){0};
		identity->has_key = false;
		log_warn("%s: not an identity of a client, ignored", identity->path);
	}
	json_decref(root);
}

static json_t *to_json(const struct cl_dhcp6_identity *identity)
{
	char duid[DHCP6_DUID_STRLEN], key[KEY_STRLEN];
	json_t *root = json_pack("{s:s}", "duid", dhcp6_duid_format(&identity->duid, duid));

	if (root == NULL || !identity->has_key)
		return root;
	for (size_t i = 0; i < DHCP6_AUTH_KEY_LEN; i++)
		snprintf(key + 2 * i, 3, "%02x", identity->key[i]);
	json_object_set_new(root, "key", json_string(key));
	json_object_set_new(
		root, "replay", json_sprintf("%llu", (unsigned long long)identity->replay));
	return root;
}

static int replace_file(const char *path, json_t *root)
{
	char temp[4096];
	int fd, ret = 0;

	if ((size_t)snprintf(temp, sizeof(temp), "%s.new", path) >= sizeof(temp))
		return -ENAMETOOLONG;
	fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (json_dumpfd(root, fd, 0) < 0 || fsync(fd) < 0)
		ret = errno != 0 ? -errno : -EIO;
	close(fd);
	if (ret == 0 && rename(temp, path) < 0)
		ret = -errno;
	return ret;
}

static void save(const struct cl_dhcp6_identity *identity)
{
	json_t *root;
	int ret;

	if (identity->path == NULL)
		return;
	root = to_json(identity);
	ret = root != NULL ? replace_file(identity->path, root) : -ENOMEM;
	if (ret < 0)
		log_warn("%s: cannot be written: %s", identity->path, strerror(-ret));
	json_decref(root);
}

int cl_dhcp6_identity_init(struct cl_dhcp6_identity *identity, const struct cl_config *config)
{
	struct dhcp6_duid kept;
	int ret;

	*identity = (struct cl_dhcp6_identity){.iaid = iaid_of(config->device)};
	if (config->state != NULL && asprintf(&identity->path, "%s.dhcpv6", config->state) < 0) {
		identity->path = NULL;
		return -ENOMEM;
	}
	read_file(identity, &kept);
	ret = choose_duid(identity, &config->dhcp6, &kept);
	if (ret < 0) {
		cl_dhcp6_identity_fini(identity);
		return ret;
	}
	if (dhcp6_duid_equal(&identity->duid, &kept))
		return 0;
	identity->has_key = false; /* it was given to somebody else */
	save(identity);
	return 0;
}

void cl_dhcp6_identity_fini(struct cl_dhcp6_identity *identity)
{
	free(identity->path);
	*identity = (struct cl_dhcp6_identity){0};
}

void cl_dhcp6_identity_set_key(struct cl_dhcp6_identity *identity,
	const uint8_t key[static DHCP6_AUTH_KEY_LEN], uint64_t replay)
{
	if (identity->has_key && memcmp(identity->key, key, DHCP6_AUTH_KEY_LEN) == 0)
		return;
	memcpy(identity->key, key, DHCP6_AUTH_KEY_LEN);
	identity->replay = replay;
	identity->has_key = true;
	save(identity);
}

bool cl_dhcp6_identity_verify(
	struct cl_dhcp6_identity *identity, const uint8_t *message, size_t len)
{
	if (!identity->has_key ||
		!dhcp6_auth_verify(message, len, identity->key, &identity->replay))
		return false;
	save(identity);
	return true;
}
