// SPDX-License-Identifier: BSD-3-Clause
#include "server/dhcp6_config.h"

#include "dhcp6/dhcp6_codes.h"
#include "dhcp6/dhcp6_duid.h"
#include "server/store.h"
#include "tsp/tsp_secret.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>

#define DUID_TEXT_MAX  (DHCP6_DUID_STRLEN - 1)
#define PATH_MAX_LEN   4095
#define ADDRESSES_BITS 64

static const char *const roles[] = {[SRV_DHCP6_SERVER] = "server",
	[SRV_DHCP6_COMPANION] = "companion",
	[SRV_DHCP6_STATELESS] = "stateless",
	NULL};

static const struct config_key user_keys[] = {
	{CONFIG_POS, offsetof(struct srv_dhcp6_user, pos)},
	{CONFIG_STRING, offsetof(struct srv_dhcp6_user, duid), "duid", .required = true, .min = 2,
		.max = DUID_TEXT_MAX},
	{CONFIG_STRING, offsetof(struct srv_dhcp6_user, user), "user", .required = true, .min = 1,
		.max = SRV_USER_SIZE - 1},
	{CONFIG_END},
};
static const struct config_section user_section = {user_keys, sizeof(struct srv_dhcp6_user)};

#define CODE(name, default_value)                                                                 \
	{                                                                                         \
		CONFIG_U32, offsetof(struct srv_dhcp6_codes, name), #name,                        \
			.value = (default_value), .min = DHCP6_CODE_FIRST_FREE, .max = UINT16_MAX \
	}

static const struct config_key code_keys[] = {
	CODE(ia, "65100"),
	CODE(tep, "65101"),
	CODE(ports, "65102"),
	CODE(client, "65103"),
	CODE(address, "65104"),
	{CONFIG_END},
};
static const struct config_section code_section = {code_keys, sizeof(struct srv_dhcp6_codes)};

static const struct config_key keys[] = {
	{CONFIG_POS, offsetof(struct srv_dhcp6_config, pos)},
	{CONFIG_LIST, offsetof(struct srv_dhcp6_config, interfaces), "interfaces",
		.max = SRV_DHCP6_INTERFACES_MAX, .item = CONFIG_STRING},
	{CONFIG_LIST, offsetof(struct srv_dhcp6_config, listen), "listen",
		.max = SRV_DHCP6_LISTEN_MAX, .item = CONFIG_ENDPOINT},
	{CONFIG_CHOICE, offsetof(struct srv_dhcp6_config, role), "role", .value = "server",
		.choices = roles},
	{CONFIG_V6_PREFIX, offsetof(struct srv_dhcp6_config, addresses), "addresses"},
	{CONFIG_U32, offsetof(struct srv_dhcp6_config, preference), "preference", .value = "0",
		.max = UINT8_MAX},
	{CONFIG_BOOL, offsetof(struct srv_dhcp6_config, rapid_commit), "rapid_commit",
		.value = "false"},
	{CONFIG_BOOL, offsetof(struct srv_dhcp6_config, unicast), "unicast", .value = "false"},
	{CONFIG_BOOL, offsetof(struct srv_dhcp6_config, softwire), "softwire", .value = "true"},
	{CONFIG_U32, offsetof(struct srv_dhcp6_config, vendor), "vendor", .value = "32473",
		.max = UINT32_MAX},
	{CONFIG_SECTION, offsetof(struct srv_dhcp6_config, codes), "codes",
		.section = &code_section},
	{CONFIG_LIST, offsetof(struct srv_dhcp6_config, users), "users", .section = &user_section},
	{CONFIG_LIST, offsetof(struct srv_dhcp6_config, relays), "relays", .value = "::/0",
		.item = CONFIG_V6_PREFIX},
	{CONFIG_BOOL, offsetof(struct srv_dhcp6_config, reconfigure), "reconfigure",
		.value = "true"},
	{CONFIG_U32, offsetof(struct srv_dhcp6_config, exchanges), "exchanges", .value = "4096",
		.min = 1, .max = 1000000},
	{CONFIG_STRING, offsetof(struct srv_dhcp6_config, duid), "duid", .min = 2,
		.max = DUID_TEXT_MAX},
	{CONFIG_STRING, offsetof(struct srv_dhcp6_config, secret_file), "secret_file", .min = 1,
		.max = PATH_MAX_LEN},
	{CONFIG_END},
};
const struct config_section srv_dhcp6_config_section = {keys, sizeof(struct srv_dhcp6_config)};

/* --- checks -------------------------------------------------------------------------------------- */

static bool is_duid(const char *text)
{
	struct dhcp6_duid duid;

	return dhcp6_duid_parse(text, &duid) == 0;
}

static int check_places(
	const char *path, const struct srv_dhcp6_config *config, struct config_error *error)
{
	char *const *interfaces = config->interfaces.items;

	if (config->interfaces.n == 0 && config->listen.n == 0)
		return config_fail(error, path, config->pos,
			"dhcpv6: neither interfaces nor listen says where");
	for (uint32_t i = 0; i < config->interfaces.n; i++) {
		if (interfaces[i][0] == '\0' || strlen(interfaces[i]) >= IF_NAMESIZE)
			return config_fail(error, path, config->pos,
				"dhcpv6: \"%s\" cannot be an interface", interfaces[i]);
	}
	return 0;
}

static int check_addresses(
	const char *path, const struct srv_dhcp6_config *config, struct config_error *error)
{
	const struct addr_v6_prefix *addresses = &config->addresses;

	if (addresses->len == 0)
		return 0;
	if (config->role != SRV_DHCP6_SERVER)
		return config_fail(
			error, path, config->pos, "dhcpv6: addresses are for role: server");
	if (addresses->len != ADDRESSES_BITS || !addr_v6_is_global(&addresses->addr))
		return config_fail(error, path, config->pos,
			"dhcpv6: addresses has to be a prefix of 64 bits that hosts can have");
	return 0;
}

static int check_codes(
	const char *path, const struct srv_dhcp6_config *config, struct config_error *error)
{
	const struct srv_dhcp6_codes *codes = &config->codes;
	const uint32_t all[] = {codes->ia, codes->tep, codes->ports, codes->client, codes->address};

	for (uint32_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		for (uint32_t j = 0; j < i; j++) {
			if (all[i] == all[j])
				return config_fail(error, path, config->pos,
					"dhcpv6: two of codes are %u", all[i]);
		}
	}
	return 0;
}

static int check_users(
	const char *path, const struct srv_dhcp6_config *config, struct config_error *error)
{
	const struct srv_dhcp6_user *users = config->users.items;

	for (uint32_t i = 0; i < config->users.n; i++) {
		const char *fault = tsp_user_fault(users[i].user);

		if (fault != NULL)
			return config_fail(error, path, users[i].pos,
				"dhcpv6: the name of this user %s", fault);
		if (!is_duid(users[i].duid))
			return config_fail(error, path, users[i].pos,
				"dhcpv6: the duid of user \"%s\" is none", users[i].user);
	}
	return 0;
}

int srv_dhcp6_config_check(
	const char *path, const struct srv_dhcp6_config *config, struct config_error *error)
{
	int ret;

	if (!config->is_on)
		return 0;
	ret = check_places(path, config, error);
	if (ret == 0)
		ret = check_addresses(path, config, error);
	if (ret == 0)
		ret = check_codes(path, config, error);
	if (ret == 0)
		ret = check_users(path, config, error);
	if (ret == 0 && config->duid != NULL && !is_duid(config->duid))
		ret = config_fail(error, path, config->pos, "dhcpv6: duid is no DUID");
	return ret;
}

/* --- reload -------------------------------------------------------------------------------------- */

static bool same_interfaces(const struct config_list *a, const struct config_list *b)
{
	char *const *names = a->items, *const *others = b->items;

	for (uint32_t i = 0; a->n == b->n && i < a->n; i++) {
		if (strcmp(names[i], others[i]) != 0)
			return false;
	}
	return a->n == b->n;
}

bool srv_dhcp6_config_same_fixtures(
	const struct srv_dhcp6_config *a, const struct srv_dhcp6_config *b)
{
	return a->is_on == b->is_on && same_interfaces(&a->interfaces, &b->interfaces) &&
	       config_same_endpoints(&a->listen, &b->listen) && a->exchanges == b->exchanges &&
	       config_same_text(a->duid, b->duid) &&
	       config_same_text(a->secret_file, b->secret_file);
}

void srv_dhcp6_config_swap_fixtures(struct srv_dhcp6_config *a, struct srv_dhcp6_config *b)
{
	const struct srv_dhcp6_config before = *a;

	if (a->is_on != b->is_on) {
		*a = *b;
		*b = before;
		return;
	}
	a->interfaces = b->interfaces;
	a->listen = b->listen;
	a->exchanges = b->exchanges;
	a->duid = b->duid;
	a->secret_file = b->secret_file;
	b->interfaces = before.interfaces;
	b->listen = before.listen;
	b->exchanges = before.exchanges;
	b->duid = before.duid;
	b->secret_file = before.secret_file;
}
