// SPDX-License-Identifier: BSD-3-Clause
#include "server/rpc_config.h"

#include "server/store.h"
#include "tsp/tsp_secret.h"

#include <errno.h>

/* The range that RFC 5531 leaves to users; the default is 0x20000d57. */
#define PROGRAM_MIN     0x20000000
#define PROGRAM_MAX     0x3fffffff
#define PROGRAM_DEFAULT "536874327"
#define PORT_PRIVILEGED 1024 /* below: not for a server that has dropped its privilege */

static const struct config_key user_keys[] = {
	{CONFIG_POS, offsetof(struct srv_rpc_user, pos)},
	{CONFIG_V6_PREFIX, offsetof(struct srv_rpc_user, from), "from", .required = true},
	{CONFIG_STRING, offsetof(struct srv_rpc_user, user), "user", .required = true, .min = 1,
		.max = SRV_USER_SIZE - 1},
	{CONFIG_END},
};
static const struct config_section user_section = {user_keys, sizeof(struct srv_rpc_user)};

static const struct config_key keys[] = {
	{CONFIG_POS, offsetof(struct srv_rpc_config, pos)},
	{CONFIG_LIST, offsetof(struct srv_rpc_config, listen), "listen", .max = SRV_RPC_LISTEN_MAX,
		.item = CONFIG_ENDPOINT},
	{CONFIG_U32, offsetof(struct srv_rpc_config, program), "program", .value = PROGRAM_DEFAULT,
		.min = PROGRAM_MIN, .max = PROGRAM_MAX},
	{CONFIG_BOOL, offsetof(struct srv_rpc_config, rpcbind), "rpcbind", .value = "false"},
	{CONFIG_LIST, offsetof(struct srv_rpc_config, allow), "allow", .item = CONFIG_V6_PREFIX},
	{CONFIG_LIST, offsetof(struct srv_rpc_config, users), "users", .section = &user_section},
	{CONFIG_U32, offsetof(struct srv_rpc_config, connections), "connections", .value = "256",
		.min = 1, .max = 100000},
	{CONFIG_U32, offsetof(struct srv_rpc_config, idle_s), "idle_s", .value = "30", .min = 1,
		.max = 3600},
	{CONFIG_END},
};
const struct config_section srv_rpc_config_section = {keys, sizeof(struct srv_rpc_config)};

/* --- checks -------------------------------------------------------------------------------------- */

static int check_listen(
	const char *path, const struct srv_rpc_config *config, struct config_error *error)
{
	const struct addr_endpoint *listen = config->listen.items;
	char text[ADDR_ENDPOINT_STRLEN];

	if (config->rpcbind && config->listen.n > 1)
		return config_fail(error, path, config->pos,
			"rpc: rpcbind knows one address of a program, listen has %u",
			config->listen.n);
	for (uint32_t i = 0; i < config->listen.n; i++) {
		addr_endpoint_format(&listen[i], text);
		if (listen[i].port == 0 && !config->rpcbind)
			return config_fail(error, path, config->pos,
				"rpc: nobody can find %s without rpcbind: true", text);
		if (listen[i].port > 0 && listen[i].port < PORT_PRIVILEGED)
			return config_fail(error, path, config->pos,
				"rpc: %s: ports below %u are not for this server", text,
				PORT_PRIVILEGED);
	}
	return 0;
}

static int check_users(
	const char *path, const struct srv_rpc_config *config, struct config_error *error)
{
	const struct srv_rpc_user *users = config->users.items;

	for (uint32_t i = 0; i < config->users.n; i++) {
		const char *fault = tsp_user_fault(users[i].user);

		if (fault != NULL)
			return config_fail(
				error, path, users[i].pos, "rpc: the name of this user %s", fault);
	}
	return 0;
}

int srv_rpc_config_check(
	const char *path, const struct srv_rpc_config *config, struct config_error *error)
{
	int ret;

	if (!config->is_on)
		return 0;
	if (config->listen.n == 0)
		return config_fail(error, path, config->pos, "rpc: listen does not say where");
	/* The protocol has no authentication, so everybody is nothing that a default could be. */
	if (config->allow.n == 0)
		return config_fail(error, path, config->pos, "rpc: allow does not say who may ask");
	ret = check_listen(path, config, error);
	if (ret == 0)
		ret = check_users(path, config, error);
	return ret;
}

const char *srv_rpc_config_user(const struct srv_rpc_config *config, const struct in6_addr *peer)
{
	const struct srv_rpc_user *users = config->users.items;

	for (uint32_t i = 0; i < config->users.n; i++) {
		if (addr_v6_prefix_contains(&users[i].from, peer))
			return users[i].user;
	}
	return "";
}

/* --- reload -------------------------------------------------------------------------------------- */

bool srv_rpc_config_same_fixtures(const struct srv_rpc_config *a, const struct srv_rpc_config *b)
{
	return a->is_on == b->is_on && config_same_endpoints(&a->listen, &b->listen) &&
	       a->program == b->program && a->rpcbind == b->rpcbind;
}

void srv_rpc_config_swap_fixtures(struct srv_rpc_config *a, struct srv_rpc_config *b)
{
	const struct srv_rpc_config before = *a;

	if (a->is_on != b->is_on) {
		*a = *b;
		*b = before;
		return;
	}
	a->listen = b->listen;
	a->program = b->program;
	a->rpcbind = b->rpcbind;
	b->listen = before.listen;
	b->program = before.program;
	b->rpcbind = before.rpcbind;
}
