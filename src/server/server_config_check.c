// SPDX-License-Identifier: BSD-3-Clause
/* What no single key can say: names that have to be there or differ, prefixes that may not overlap. */
#include "server/server_config_impl.h"

#include "server/pool.h"
#include "tsp/tsp_secret.h"

#include <errno.h>
#include <string.h>

/* Clients rely on what they are told of each other for as long as a range rests. */
#define DIRECT_QUARANTINE_S 30

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

	if (!auth->anonymous && auth->users.n == 0 && auth->users_file == NULL && !auth->external)
		return config_fail(check->error, check->path, auth->pos,
			"nobody could lease: anonymous is false and there are no users");
	for (uint32_t i = 0; i < auth->users.n; i++) {
		const char *fault = tsp_user_fault(users[i].name);

		if (fault != NULL)
			return config_fail(check->error, check->path, users[i].pos,
				"the name of this user %s", fault);
		for (uint32_t j = 0; j < i; j++) {
			if (strcmp(users[i].name, users[j].name) == 0)
				return config_fail(check->error, check->path, users[i].pos,
					"user \"%s\" is there twice", users[i].name);
		}
	}
	return 0;
}

static int check_tls(const struct check *check)
{
	const struct srv_config *config = check->config;
	const struct srv_config_tep *teps = config->teps.items;
	const struct tsp_tls_config *tls = &config->tls;

	if ((tls->certificate != NULL) != (tls->key != NULL))
		return config_fail(check->error, check->path, tls->pos,
			"tls: certificate and key go together");
	if (config->listen_tls.n > 0 && tls->certificate == NULL)
		return config_fail(
			check->error, check->path, tls->pos, "listen_tls: tls has no certificate");
	if (config->auth.external && tls->ca == NULL)
		return config_fail(check->error, check->path, config->auth.pos,
			"auth.external: tls has no ca to check certificates by");
	for (uint32_t i = 0; i < config->teps.n; i++) {
		if (teps[i].tls_name != NULL && tls->ca == NULL)
			return config_fail(check->error, check->path, teps[i].pos,
				"tep \"%s\": tls_name, but tls has no ca", teps[i].name);
		if (teps[i].password == NULL &&
			(teps[i].tls_name == NULL || tls->certificate == NULL))
			return config_fail(check->error, check->path, teps[i].pos,
				"tep \"%s\": neither a password nor tls_name and a certificate",
				teps[i].name);
	}
	return 0;
}

static int check_redirect(const struct check *check)
{
	const struct srv_config_redirect *redirect = &check->config->redirect;

	if (redirect->when != 0 && redirect->brokers.n == 0)
		return config_fail(check->error, check->path, redirect->pos,
			"redirect: clients cannot be sent on without brokers");
	return 0;
}

/* The pool that names a TEP without having copies at all of its TEPs, or NULL. */
static const struct srv_config_pool *pool_without_copies(
	const struct srv_config *config, const struct srv_config_tep *tep)
{
	const struct srv_config_pool *pools = config->pools.items;

	for (uint32_t i = 0; i < config->pools.n; i++) {
		const struct srv_config_pool_tep *teps = pools[i].teps.items;

		for (uint32_t j = 0; pools[i].copies == SRV_COPIES_NONE && j < pools[i].teps.n; j++)
			if (strcmp(teps[j].name, tep->name) == 0)
				return &pools[i];
	}
	return NULL;
}

/* Packets for one tunnel address reach any of its TEPs, so each has to know, or find out, every lease. */
static int check_anycast(const struct check *check, const struct srv_config_tep *tep,
	const struct srv_config_tep *other)
{
	const struct srv_config_pool *pool = pool_without_copies(check->config, tep);

	if (pool == NULL)
		pool = pool_without_copies(check->config, other);
	if (pool == NULL)
		return 0;
	return config_fail(check->error, check->path, tep->pos,
		"teps \"%s\" and \"%s\" have the same v6, but pool \"%s\" has no copies",
		other->name, tep->name, pool->name);
}

static int check_tep(const struct check *check, uint32_t i)
{
	const struct srv_config_tep *teps = check->config->teps.items;
	const struct srv_config_tep *tep = &teps[i];

	for (uint32_t j = 0; j < i; j++) {
		if (strcmp(tep->name, teps[j].name) == 0)
			return config_fail(check->error, check->path, tep->pos,
				"tep \"%s\" is there twice", tep->name);
		if (addr_v6_equal(&tep->v6, &teps[j].v6) && check_anycast(check, tep, &teps[j]) < 0)
			return -EINVAL;
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

static int check_pool_teps(const struct check *check, const struct srv_config_pool *pool)
{
	const struct srv_config_pool_tep *teps = pool->teps.items;

	if (pool->teps.n == 0)
		return config_fail(check->error, check->path, pool->pos,
			"pool \"%s\": tep or teps is required", pool->name);
	if (pool->tep != NULL && (pool->teps.n > 1 || strcmp(pool->tep, teps[0].name) != 0))
		return config_fail(check->error, check->path, pool->pos,
			"pool \"%s\": tep and teps are both there", pool->name);
	for (uint32_t i = 0; i < pool->teps.n; i++) {
		if (srv_config_find_tep(check->config, teps[i].name) == check->config->teps.n)
			return config_fail(check->error, check->path, teps[i].pos,
				"pool \"%s\": there is no tep \"%s\"", pool->name, teps[i].name);
		for (uint32_t j = 0; j < i; j++) {
			if (strcmp(teps[i].name, teps[j].name) == 0)
				return config_fail(check->error, check->path, teps[i].pos,
					"pool \"%s\": tep \"%s\" is there twice", pool->name,
					teps[i].name);
		}
	}
	return 0;
}

/* A TEP that was told of an end but never answered is known as such before somebody else gets the range. */
static int check_copies(const struct check *check, const struct srv_config_pool *pool)
{
	const struct srv_config_pool_tep *teps = pool->teps.items;
	const struct srv_config_lease *lease = &check->config->lease;

	if (pool->copies == SRV_COPIES_NONE)
		return 0;
	if (lease->quarantine_s <= lease->tep_timeout_s)
		return config_fail(check->error, check->path, pool->pos,
			"pool \"%s\": copies need a lease.quarantine_s above lease.tep_timeout_s",
			pool->name);
	for (uint32_t i = 0; i < pool->teps.n; i++) {
		if (srv_config_find_tep(check->config, teps[i].name) >= SRV_COPIES_MAX)
			return config_fail(check->error, check->path, teps[i].pos,
				"pool \"%s\": copies need tep \"%s\" among the first %u of teps",
				pool->name, teps[i].name, SRV_COPIES_MAX);
	}
	return 0;
}

static int check_pool_alone(const struct check *check, const struct srv_config_pool *pool)
{
	bool is_shared = pool->mode == SRV_POOL_SHARED;
	char text[ADDR_PREFIX_STRLEN];

	if ((pool->block_size & (pool->block_size - 1)) != 0)
		return config_fail(check->error, check->path, pool->pos,
			"pool \"%s\": block_size %u is not a power of two", pool->name,
			pool->block_size);
	if (pool->blocks_per_lease > 1 && (!is_shared || pool->assign == SRV_ASSIGN_DETERMINISTIC))
		return config_fail(check->error, check->path, pool->pos,
			"pool \"%s\": blocks_per_lease is for shared pools whose blocks are drawn "
			"by lot",
			pool->name);
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

/* RFC 7422: who has no unit is known from the configuration, so it is said there. */
static int check_plan(const struct check *check, const struct srv_config_pool *pool)
{
	struct srv_deterministic plan = srv_config_plan(pool);
	uint64_t units = srv_pool_size(&plan.pool, plan.block_size);
	char text[ADDR_PREFIX_STRLEN];

	if (pool->assign != SRV_ASSIGN_DETERMINISTIC)
		return 0;
	if (pool->subscribers.len == 0)
		return config_fail(check->error, check->path, pool->pos,
			"pool \"%s\": assign: deterministic needs subscribers, the prefix of all "
			"of them",
			pool->name);
	if (pool->subscriber_length < pool->subscribers.len)
		return config_fail(check->error, check->path, pool->pos,
			"pool \"%s\": subscriber_length %u is shorter than %s", pool->name,
			pool->subscriber_length, addr_v6_prefix_format(&pool->subscribers, text));
	if (!pool->overflow && srv_deterministic_subscribers(&plan) > units)
		return config_fail(check->error, check->path, pool->pos,
			"pool \"%s\": %s has more subscribers with a /%u each than the pool has "
			"%s (%llu): set overflow: true to serve the rest from later pools",
			pool->name, addr_v6_prefix_format(&pool->subscribers, text),
			pool->subscriber_length, plan.block_size != 0 ? "blocks" : "addresses",
			(unsigned long long)units);
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
	if (pool->direct && check->config->lease.quarantine_s < DIRECT_QUARANTINE_S)
		return config_fail(check->error, check->path, pool->pos,
			"pool \"%s\": direct needs a lease.quarantine_s of %u or more", pool->name,
			DIRECT_QUARANTINE_S);
	if (check_pool_teps(check, pool) < 0 || check_copies(check, pool) < 0 ||
		check_pool_alone(check, pool) < 0)
		return -EINVAL;
	return check_plan(check, pool);
}

int srv_config_check(const char *path, const struct srv_config *config, struct config_error *error)
{
	const struct check all = {.config = config, .path = path, .error = error}, *check = &all;
	int ret = check_lease(check);

	if (ret == 0)
		ret = check_auth(check);
	if (ret == 0)
		ret = check_tls(check);
	if (ret == 0)
		ret = check_redirect(check);
	if (ret == 0)
		ret = srv_dhcp6_config_check(path, &config->dhcp6, error);
	if (ret == 0)
		ret = srv_rpc_config_check(path, &config->rpc, error);
	for (uint32_t i = 0; ret == 0 && i < check->config->teps.n; i++)
		ret = check_tep(check, i);
	for (uint32_t i = 0; ret == 0 && i < check->config->pools.n; i++)
		ret = check_pool(check, i);
	return ret;
}
