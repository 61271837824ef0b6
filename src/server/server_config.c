// SPDX-License-Identifier: BSD-3-Clause
#include "server/server_config.h"

#include "server/server_config_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "tep: a" is "teps: [a]". */
static int expand_tep(struct srv_config_pool *pool)
{
	struct srv_config_pool_tep *tep;

	if (pool->tep == NULL || pool->teps.n > 0)
		return 0;
	tep = calloc(1, sizeof(*tep));
	if (tep == NULL || (tep->name = strdup(pool->tep)) == NULL) {
		free(tep);
		return -ENOMEM;
	}
	tep->pos = pool->pos;
	pool->teps = (struct config_list){.items = tep, .n = 1};
	return 0;
}

static int expand(const char *path, struct srv_config *config, struct config_error *error)
{
	struct srv_config_pool *pools = config->pools.items;

	for (uint32_t i = 0; i < config->pools.n; i++) {
		if (expand_tep(&pools[i]) == 0)
			continue;
		config_fail(error, path, (struct config_pos){}, "out of memory");
		return -ENOMEM;
	}
	return 0;
}

static int checked(int ret, const char *path, struct srv_config *config, struct config_error *error)
{
	if (ret == 0)
		ret = expand(path, config, error);
	if (ret == 0)
		ret = srv_config_check(path, config, error);
	if (ret < 0)
		srv_config_free(config);
	return ret;
}

int srv_config_load(const char *path, struct srv_config *config, struct config_error *error)
{
	return checked(config_load(path, &srv_config_section, config, error), path, config, error);
}

int srv_config_parse(const char *name, const char *text, size_t len, struct srv_config *config,
	struct config_error *error)
{
	return checked(config_parse(name, text, len, &srv_config_section, config, error), name,
		config, error);
}

void srv_config_free(struct srv_config *config)
{
	config_free(&srv_config_section, config);
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

struct srv_deterministic srv_config_plan(const struct srv_config_pool *pool)
{
	return (struct srv_deterministic){
		.subscribers = pool->subscribers,
		.subscriber_len = (uint8_t)pool->subscriber_length,
		.pool = pool->prefix,
		.block_size = pool->mode == SRV_POOL_SHARED ? pool->block_size : 0,
	};
}

char *srv_config_index_path(const struct srv_config_records *records)
{
	char *path;

	if (records->index != NULL)
		return strdup(records->index);
	return asprintf(&path, "%s.index", records->file) >= 0 ? path : NULL;
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
