// SPDX-License-Identifier: BSD-3-Clause
#include "server/pool_set.h"

#include <errno.h>
#include <stdlib.h>

/* The TEPs of a pool by their numbers. NULL: out of memory. */
static struct srv_pool_tep *number_teps(const struct srv_config *config,
	const struct srv_config_pool *pool, const uint32_t *tep_numbers)
{
	const struct srv_config_pool_tep *from = pool->teps.items;
	struct srv_pool_tep *teps = calloc(pool->teps.n, sizeof(*teps));

	for (uint32_t i = 0; teps != NULL && i < pool->teps.n; i++)
		teps[i] = (struct srv_pool_tep){
			.tep = tep_numbers[srv_config_find_tep(config, from[i].name)],
			.clients = from[i].clients.items,
			.n_clients = from[i].clients.n,
		};
	return teps;
}

static uint32_t block_size_of(const struct srv_config_pool *config)
{
	return config->mode == SRV_POOL_SHARED ? config->block_size : 0;
}

/* The number in old of a pool with the same units, or old->n. */
static uint32_t find_same(const struct srv_pool_set *old, const struct srv_config_pool *config)
{
	uint32_t i = 0;

	while (i < old->n &&
		!srv_pool_is_cut(old->items[i].pool, &config->prefix, block_size_of(config)))
		i++;
	return i;
}

static int make_one(struct srv_engine_pool *pool, const struct srv_config *config,
	const struct srv_config_pool *from, const uint32_t *tep_numbers)
{
	if (pool->pool == NULL)
		pool->pool = srv_pool_create(&from->prefix, block_size_of(from));
	if (pool->pool == NULL)
		return -ENOMEM;
	pool->name = from->name;
	pool->blocks_per_lease = from->blocks_per_lease;
	pool->is_deterministic = from->assign == SRV_ASSIGN_DETERMINISTIC;
	pool->plan = srv_config_plan(from);
	pool->teps = number_teps(config, from, tep_numbers);
	pool->n_teps = from->teps.n;
	pool->another_tep = from->tep_failure == SRV_TEP_FAILURE_ANOTHER;
	pool->pushes_copies = from->copies == SRV_COPIES_PUSH || from->copies == SRV_COPIES_BOTH;
	pool->answers_queries = from->copies == SRV_COPIES_QUERY || from->copies == SRV_COPIES_BOTH;
	pool->is_direct = from->direct;
	pool->prefix = from->prefix;
	pool->clients = from->clients.items;
	pool->n_clients = from->clients.n;
	return pool->teps != NULL ? 0 : -ENOMEM;
}

int srv_pool_set_make(struct srv_pool_set *set, const struct srv_config *config,
	const uint32_t *tep_numbers, const struct srv_pool_set *old, uint16_t *map)
{
	const struct srv_config_pool *from = config->pools.items;
	int ret = 0;

	for (uint32_t i = 0; i < old->n; i++)
		map[i] = SRV_POOL_NONE;
	set->n = config->pools.n;
	set->items = calloc(set->n, sizeof(*set->items));
	if (set->items == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; ret == 0 && i < set->n; i++) {
		uint32_t same = find_same(old, &from[i]);

		if (same < old->n) {
			set->items[i].pool = old->items[same].pool;
			set->items[i].level = old->items[same].level;
			map[same] = i;
		}
		ret = make_one(&set->items[i], config, &from[i], tep_numbers);
	}
	if (ret < 0)
		srv_pool_set_free_new(set, old, map);
	return ret;
}

void srv_pool_set_free(struct srv_pool_set *set)
{
	for (uint32_t i = 0; i < set->n; i++) {
		srv_pool_destroy(set->items[i].pool);
		free((void *)set->items[i].teps);
	}
	free(set->items);
	*set = (struct srv_pool_set){0};
}

void srv_pool_set_free_old(struct srv_pool_set *old, const uint16_t *map)
{
	for (uint32_t i = 0; i < old->n; i++) {
		if (map[i] != SRV_POOL_NONE)
			old->items[i].pool = NULL;
	}
	srv_pool_set_free(old);
}

void srv_pool_set_free_new(
	struct srv_pool_set *set, const struct srv_pool_set *old, const uint16_t *map)
{
	for (uint32_t i = 0; set->items != NULL && i < old->n; i++) {
		if (map[i] != SRV_POOL_NONE)
			set->items[map[i]].pool = NULL;
	}
	srv_pool_set_free(set);
}
