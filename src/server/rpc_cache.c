// SPDX-License-Identifier: BSD-3-Clause
#include "server/rpc_cache.h"

#include <stdlib.h>
#include <sys/random.h>
#include <xxhash.h>

#define BUCKETS 1024

struct srv_rpc_cache {
	uint64_t seed; /* callers choose what is hashed */
	uint32_t max, n;
	TAILQ_HEAD(cached_list, srv_rpc_cached) under_way, done; /* oldest first */
	LIST_HEAD(, srv_rpc_cached) buckets[BUCKETS];
};

struct srv_rpc_cache *srv_rpc_cache_create(uint32_t max)
{
	struct srv_rpc_cache *cache = calloc(1, sizeof(*cache));

	if (cache == NULL)
		return NULL;
	if (getrandom(&cache->seed, sizeof(cache->seed), 0) != sizeof(cache->seed)) {
		free(cache);
		return NULL;
	}
	cache->max = max;
	TAILQ_INIT(&cache->under_way);
	TAILQ_INIT(&cache->done);
	return cache;
}

static void forget(struct srv_rpc_cached *cached)
{
	struct srv_rpc_cache *cache = cached->cache;

	TAILQ_REMOVE(cached->is_done ? &cache->done : &cache->under_way, cached, in_order);
	LIST_REMOVE(cached, in_bucket);
	cache->n--;
	free(cached);
}

void srv_rpc_cache_destroy(struct srv_rpc_cache *cache)
{
	struct srv_rpc_cached *cached, *next;

	if (cache == NULL)
		return;
	for (cached = TAILQ_FIRST(&cache->under_way); cached != NULL; cached = next) {
		next = TAILQ_NEXT(cached, in_order);
		srv_rpc_front_forget(&cached->exchange);
		forget(cached);
	}
	for (cached = TAILQ_FIRST(&cache->done); cached != NULL; cached = next) {
		next = TAILQ_NEXT(cached, in_order);
		forget(cached);
	}
	free(cache);
}

static uint64_t sum_of(const struct srv_rpc_cache *cache, const struct sockaddr_in6 *peer,
	const uint8_t *data, size_t len)
{
	uint64_t sum = XXH64(&peer->sin6_addr, sizeof(peer->sin6_addr), cache->seed);

	sum = XXH64(&peer->sin6_port, sizeof(peer->sin6_port), sum);
	return XXH64(data, len, sum);
}

/* Returns the oldest answer that stays, or NULL. */
static struct srv_rpc_cached *forget_old(struct srv_rpc_cache *cache, int64_t now_ms)
{
	struct srv_rpc_cached *oldest = TAILQ_FIRST(&cache->done), *next;

	for (; oldest != NULL && oldest->done_ms + SRV_RPC_CACHE_MS <= now_ms; oldest = next) {
		next = TAILQ_NEXT(oldest, in_order);
		forget(oldest);
	}
	return oldest;
}

static bool is_same_peer(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b)
{
	return addr_v6_equal(&a->sin6_addr, &b->sin6_addr) && a->sin6_port == b->sin6_port &&
	       a->sin6_scope_id == b->sin6_scope_id;
}

struct srv_rpc_cached *srv_rpc_cache_find(struct srv_rpc_cache *cache,
	const struct sockaddr_in6 *peer, const uint8_t *data, size_t len, int64_t now_ms)
{
	uint64_t sum = sum_of(cache, peer, data, len);
	struct srv_rpc_cached *cached;

	forget_old(cache, now_ms);
	LIST_FOREACH(cached, &cache->buckets[sum % BUCKETS], in_bucket) {
		if (cached->sum == sum && is_same_peer(&cached->peer, peer))
			return cached;
	}
	return NULL;
}

struct srv_rpc_cached *srv_rpc_cache_add(struct srv_rpc_cache *cache,
	const struct sockaddr_in6 *peer, const uint8_t *data, size_t len, int64_t now_ms)
{
	struct srv_rpc_cached *oldest = forget_old(cache, now_ms), *cached;

	if (cache->n == cache->max && oldest == NULL)
		return NULL;
	if (cache->n == cache->max)
		forget(oldest);
	cached = calloc(1, sizeof(*cached));
	if (cached == NULL)
		return NULL;
	cached->cache = cache;
	cached->peer = *peer;
	cached->sum = sum_of(cache, peer, data, len);
	TAILQ_INSERT_TAIL(&cache->under_way, cached, in_order);
	LIST_INSERT_HEAD(&cache->buckets[cached->sum % BUCKETS], cached, in_bucket);
	cache->n++;
	return cached;
}

void srv_rpc_cache_done(struct srv_rpc_cached *cached, int64_t now_ms)
{
	struct srv_rpc_cache *cache = cached->cache;

	TAILQ_REMOVE(&cache->under_way, cached, in_order);
	TAILQ_INSERT_TAIL(&cache->done, cached, in_order);
	cached->is_done = true;
	cached->done_ms = now_ms;
}

void srv_rpc_cache_drop(struct srv_rpc_cached *cached)
{
	forget(cached);
}

uint32_t srv_rpc_cache_count(const struct srv_rpc_cache *cache)
{
	return cache->n;
}
