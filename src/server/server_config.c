// SPDX-License-Identifier: BSD-3-Clause
#include "server/server_config.h"

#include "server/pool.h"

#include <string.h>

#define NAME_MAX_LEN     63
#define PASSWORD_MAX_LEN 255
#define PATH_MAX_LEN     4095
#define SOCKET_MAX_LEN   107 /* sun_path */
#define YEAR_S           31536000

static const struct config_key user_keys[] = {
	{CONFIG_POS, offsetof(struct srv_config_user, pos)},
	{CONFIG_STRING, offsetof(struct srv_config_user, name), "name", .required = true, .min = 1,
		.max = SRV_USER_SIZE - 1},
	{CONFIG_STRING, offsetof(struct srv_config_user, password), "password", .required = true,
		.min = 1, .max = PASSWORD_MAX_LEN},
	{CONFIG_END},
};
static const struct config_section user_section = {user_keys, sizeof(struct srv_config_user)};

static const struct config_key tep_keys[] = {
	{CONFIG_POS, offsetof(struct srv_config_tep, pos)},
	{CONFIG_STRING, offsetof(struct srv_config_tep, name), "name", .required = true, .min = 1,
		.max = NAME_MAX_LEN},
	{CONFIG_ENDPOINT, offsetof(struct srv_config_tep, control), "control", .required = true},
	{CONFIG_STRING, offsetof(struct srv_config_tep, user), "user", .required = true, .min = 1,
		.max = SRV_USER_SIZE - 1},
	{CONFIG_STRING, offsetof(struct srv_config_tep, password), "password", .required = true,
		.min = 1, .max = PASSWORD_MAX_LEN},
	{CONFIG_V6, offsetof(struct srv_config_tep, v6), "v6", .required = true},
	{CONFIG_END},
};
static const struct config_section tep_section = {tep_keys, sizeof(struct srv_config_tep)};

static const char *const modes[] = {
	[SRV_POOL_SHARED] = "shared", [SRV_POOL_EXCLUSIVE] = "exclusive", NULL};

static const struct config_key pool_keys[] = {
	{CONFIG_POS, offsetof(struct srv_config_pool, pos)},
	{CONFIG_STRING, offsetof(struct srv_config_pool, name), "name", .required = true, .min = 1,
		.max = NAME_MAX_LEN},
	{CONFIG_V4_PREFIX, offsetof(struct srv_config_pool, prefix), "prefix", .required = true},
	{CONFIG_CHOICE, offsetof(struct srv_config_pool, mode), "mode", .value = "shared",
		.choices = modes},
	{CONFIG_U32, offsetof(struct srv_config_pool, block_size), "block_size", .value = "1024",
		.min = 1, .max = 32768},
	{CONFIG_STRING, offsetof(struct srv_config_pool, tep), "tep", .required = true, .min = 1,
		.max = NAME_MAX_LEN},
	{CONFIG_LIST, offsetof(struct srv_config_pool, clients), "clients", .value = "::/0",
		.min = 1, .item = CONFIG_V6_PREFIX},
	{CONFIG_END},
};
static const struct config_section pool_section = {pool_keys, sizeof(struct srv_config_pool)};

static const struct config_key lease_keys[] = {
	{CONFIG_POS, offsetof(struct srv_config_lease, pos)},
	{CONFIG_U32, offsetof(struct srv_config_lease, lifetime_s), "lifetime_s", .value = "3600",
		.min = 1, .max = YEAR_S},
	{CONFIG_U32, offsetof(struct srv_config_lease, lifetime_min_s), "lifetime_min_s",
		.value = "60", .min = 1, .max = YEAR_S},
	{CONFIG_U32, offsetof(struct srv_config_lease, quarantine_s), "quarantine_s",
		.value = "120", .min = 0, .max = YEAR_S},
	{CONFIG_U32, offsetof(struct srv_config_lease, tep_timeout_s), "tep_timeout_s",
		.value = "5", .min = 1, .max = 60},
	{CONFIG_END},
};
static const struct config_section lease_section = {lease_keys, sizeof(struct srv_config_lease)};

static const struct config_key auth_keys[] = {
	{CONFIG_POS, offsetof(struct srv_config_auth, pos)},
	{CONFIG_BOOL, offsetof(struct srv_config_auth, anonymous), "anonymous", .value = "true"},
	{CONFIG_BOOL, offsetof(struct srv_config_auth, digest_md5), "digest_md5", .value = "true"},
	{CONFIG_STRING, offsetof(struct srv_config_auth, realm), "realm", .value = "dstm", .min = 1,
		.max = NAME_MAX_LEN},
	{CONFIG_LIST, offsetof(struct srv_config_auth, users), "users", .section = &user_section},
	{CONFIG_BOOL, offsetof(struct srv_config_auth, require_peer_address),
		"require_peer_address", .value = "true"},
	{CONFIG_END},
};
static const struct config_section auth_section = {auth_keys, sizeof(struct srv_config_auth)};

static const struct config_key limit_keys[] = {
	{CONFIG_U32, offsetof(struct srv_config_limits, connections), "connections",
		.value = "10000", .min = 1, .max = 1000000},
	{CONFIG_U32, offsetof(struct srv_config_limits, auth_timeout_s), "auth_timeout_s",
		.value = "30", .min = 1, .max = 3600},
	{CONFIG_U32, offsetof(struct srv_config_limits, message_timeout_s), "message_timeout_s",
		.value = "10", .min = 1, .max = 3600},
	{CONFIG_U32, offsetof(struct srv_config_limits, auth_attempts), "auth_attempts",
		.value = "3", .min = 1, .max = 100},
	{CONFIG_U32, offsetof(struct srv_config_limits, leases_per_client), "leases_per_client",
		.value = "4", .min = 1, .max = 65535},
	{CONFIG_END},
};
static const struct config_section limit_section = {limit_keys, sizeof(struct srv_config_limits)};

static const struct config_key root_keys[] = {
	{CONFIG_LIST, offsetof(struct srv_config, listen), "listen", .value = "[::]:3653", .min = 1,
		.max = 16, .item = CONFIG_ENDPOINT},
	{CONFIG_STRING, offsetof(struct srv_config, socket), "socket", .min = 1,
		.max = SOCKET_MAX_LEN},
	{CONFIG_STRING, offsetof(struct srv_config, store), "store",
		.value = "/var/lib/dstm/leases.db", .min = 1, .max = PATH_MAX_LEN},
	{CONFIG_SECTION, offsetof(struct srv_config, lease), "lease", .section = &lease_section},
	{CONFIG_SECTION, offsetof(struct srv_config, auth), "auth", .section = &auth_section},
	{CONFIG_SECTION, offsetof(struct srv_config, limits), "limits", .section = &limit_section},
	{CONFIG_LIST, offsetof(struct srv_config, teps), "teps", .required = true, .min = 1,
		.max = 1024, .section = &tep_section},
	{CONFIG_LIST, offsetof(struct srv_config, pools), "pools", .required = true, .min = 1,
		.max = 1024, .section = &pool_section},
	{CONFIG_END},
};
static const struct config_section root = {root_keys, sizeof(struct srv_config)};

/* A file under check. */
struct check {
	const struct srv_config *config;
	const char *path;
	struct config_error *error;
};

static int check_lease(const struct check *check)
{
	const struct srv_config_lease *lease = &check->config->lease;

	if (lease->lifetime_min_s > lease->lifetime_s)
		return config_fail(check->error, check->path, lease->pos,
			"lifetime_min_s is above lifetime_s");
	return 0;
}

static int check_auth(const struct check *check)
{
	const struct srv_config_auth *auth = &check->config->auth;
	const struct srv_config_user *users = auth->users.items;

	if (!auth->anonymous && auth->users.n == 0)
		return config_fail(check->error, check->path, auth->pos,
			"nobody could lease: anonymous is false and there are no users");
	for (uint32_t i = 0; i < auth->users.n; i++) {
		for (uint32_t j = 0; j < i; j++) {
			if (strcmp(users[i].name, users[j].name) == 0)
				return config_fail(check->error, check->path, users[i].pos,
					"user \"%s\" is there twice", users[i].name);
		}
	}
	return 0;
}

static int check_tep(const struct check *check, uint32_t i)
{
	const struct srv_config_tep *teps = check->config->teps.items;
	const struct srv_config_tep *tep = &teps[i];

	for (uint32_t j = 0; j < i; j++) {
		if (strcmp(tep->name, teps[j].name) == 0)
			return config_fail(check->error, check->path, tep->pos,
				"tep \"%s\" is there twice", tep->name);
		if (addr_v6_equal(&tep->control.addr, &teps[j].control.addr) &&
			tep->control.port == teps[j].control.port)
			return config_fail(check->error, check->path, tep->pos,
				"teps \"%s\" and \"%s\" have the same control endpoint",
				teps[j].name, tep->name);
	}
	if (tep->control.port == 0 || IN6_IS_ADDR_UNSPECIFIED(&tep->control.addr))
		return config_fail(check->error, check->path, tep->pos,
			"tep \"%s\": control needs an address and a port", tep->name);
	if (!addr_v6_is_global(&tep->v6))
		return config_fail(check->error, check->path, tep->pos,
			"tep \"%s\": v6 cannot be a tunnel end", tep->name);
	return 0;
}

static int check_pool_alone(const struct check *check, const struct srv_config_pool *pool)
{
	bool is_shared = pool->mode == SRV_POOL_SHARED;
	char text[ADDR_PREFIX_STRLEN];

	if (srv_config_find_tep(check->config, pool->tep) == check->config->teps.n)
		return config_fail(check->error, check->path, pool->pos,
			"pool \"%s\": there is no tep \"%s\"", pool->name, pool->tep);
	if ((pool->block_size & (pool->block_size - 1)) != 0)
		return config_fail(check->error, check->path, pool->pos,
			"pool \"%s\": block_size %u is not a power of two", pool->name,
			pool->block_size);
	if (!addr_v4_prefix_is_unicast(&pool->prefix))
		return config_fail(check->error, check->path, pool->pos,
			"pool \"%s\": %s holds addresses that no host can have", pool->name,
			addr_v4_prefix_format(&pool->prefix, text));
	if (srv_pool_size(&pool->prefix, is_shared ? pool->block_size : 0) > SRV_POOL_UNITS_MAX)
		return config_fail(check->error, check->path, pool->pos,
			"pool \"%s\": more than %u %s", pool->name, SRV_POOL_UNITS_MAX,
			is_shared ? "blocks" : "addresses");
	return 0;
}

static int check_pool(const struct check *check, uint32_t i)
{
	const struct srv_config_pool *pools = check->config->pools.items;
	const struct srv_config_pool *pool = &pools[i];

	for (uint32_t j = 0; j < i; j++) {
		if (strcmp(pool->name, pools[j].name) == 0)
			return config_fail(check->error, check->path, pool->pos,
				"pool \"%s\" is there twice", pool->name);
		if (addr_v4_prefixes_overlap(&pool->prefix, &pools[j].prefix))
			return config_fail(check->error, check->path, pool->pos,
				"pools \"%s\" and \"%s\" overlap", pools[j].name, pool->name);
	}
	return check_pool_alone(check, pool);
}

static int check_all(const struct check *check)
{
	int ret = check_lease(check);

	if (ret == 0)
		ret = check_auth(check);
	for (uint32_t i = 0; ret == 0 && i < check->config->teps.n; i++)
		ret = check_tep(check, i);
	for (uint32_t i = 0; ret == 0 && i < check->config->pools.n; i++)
		ret = check_pool(check, i);
	return ret;
}

static int checked(int ret, const char *path, struct srv_config *config, struct config_error *error)
{
	const struct check check = {.config = config, .path = path, .error = error};

	if (ret == 0)
		ret = check_all(&check);
	if (ret < 0)
		srv_config_free(config);
	return ret;
}

int srv_config_load(const char *path, struct srv_config *config, struct config_error *error)
{
	return checked(config_load(path, &root, config, error), path, config, error);
}

int srv_config_parse(const char *name, const char *text, size_t len, struct srv_config *config,
	struct config_error *error)
{
	return checked(config_parse(name, text, len, &root, config, error), name, config, error);
}

void srv_config_free(struct srv_config *config)
{
	config_free(&root, config);
}

uint32_t srv_config_find_tep(const struct srv_config *config, const char *name)
{
	const struct srv_config_tep *teps = config->teps.items;

	for (uint32_t i = 0; i < config->teps.n; i++) {
		if (strcmp(teps[i].name, name) == 0)
			return i;
	}
	return config->teps.n;
}

const char *srv_config_find_password(const struct srv_config *config, const char *user)
{
	const struct srv_config_user *users = config->auth.users.items;

	for (uint32_t i = 0; i < config->auth.users.n; i++) {
		if (strcmp(users[i].name, user) == 0)
			return users[i].password;
	}
	return NULL;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_endpoint(const struct addr_endpoint *a, const struct addr_endpoint *b)
{
	return addr_v6_equal(&a->addr, &b->addr) && a->port == b->port;
}

static bool same_listen(const struct config_list *a, const struct config_list *b)
{
	const struct addr_endpoint *as = a->items, *bs = b->items;

	for (uint32_t i = 0; a->n == b->n && i < a->n; i++) {
		if (!same_endpoint(&as[i], &bs[i]))
			return false;
	}
	return a->n == b->n;
}

static bool same_teps(const struct config_list *a, const struct config_list *b)
{
	const struct srv_config_tep *as = a->items, *bs = b->items;

	for (uint32_t i = 0; a->n == b->n && i < a->n; i++) {
		if (!same_text(as[i].name, bs[i].name) ||
			!same_endpoint(&as[i].control, &bs[i].control) ||
			!same_text(as[i].user, bs[i].user) ||
			!same_text(as[i].password, bs[i].password) ||
			!addr_v6_equal(&as[i].v6, &bs[i].v6))
			return false;
	}
	return a->n == b->n;
}

static bool same_clients(const struct config_list *a, const struct config_list *b)
{
	const struct addr_v6_prefix *as = a->items, *bs = b->items;

	for (uint32_t i = 0; a->n == b->n && i < a->n; i++) {
		if (as[i].len != bs[i].len || !addr_v6_equal(&as[i].addr, &bs[i].addr))
			return false;
	}
	return a->n == b->n;
}

static bool same_pools(const struct config_list *a, const struct config_list *b)
{
	const struct srv_config_pool *as = a->items, *bs = b->items;

	for (uint32_t i = 0; a->n == b->n && i < a->n; i++) {
		if (!same_text(as[i].name, bs[i].name) || as[i].prefix.addr != bs[i].prefix.addr ||
			as[i].prefix.len != bs[i].prefix.len || as[i].mode != bs[i].mode ||
			as[i].block_size != bs[i].block_size || !same_text(as[i].tep, bs[i].tep) ||
			!same_clients(&as[i].clients, &bs[i].clients))
			return false;
	}
	return a->n == b->n;
}

bool srv_config_same_plan(const struct srv_config *a, const struct srv_config *b)
{
	return same_listen(&a->listen, &b->listen) && same_text(a->socket, b->socket) &&
	       same_text(a->store, b->store) && same_teps(&a->teps, &b->teps) &&
	       same_pools(&a->pools, &b->pools) && a->lease.tep_timeout_s == b->lease.tep_timeout_s;
}
