// SPDX-License-Identifier: BSD-3-Clause
#include "server/limiter.h"

#include <stdlib.h>
#include <sys/random.h>

#define WAYS      8 /* buckets that a source may use */
#define MINUTE_US 60000000

struct bucket {
	struct srv_source source;
	int64_t full_us; /* when it is full again; up to now: it is, and free */
};

struct srv_limiter {
	uint64_t secret;
	uint32_t n_sets; /* a power of two */
	struct bucket buckets[]; /* [n_sets * WAYS] */
};

struct srv_limiter *srv_limiter_create(uint32_t max)
{
	struct srv_limiter *limiter;
	uint32_t n_sets = 1;

	while (n_sets < max / WAYS)
		n_sets *= 2;
	limiter = calloc(1, sizeof(*limiter) + sizeof(struct bucket) * WAYS * n_sets);
	if (limiter == NULL)
		return NULL;
	limiter->n_sets = n_sets;
	if (getrandom(&limiter->secret, sizeof(limiter->secret), 0) ==
		(ssize_t)sizeof(limiter->secret))
		return limiter;
	free(limiter);
	return NULL;
}

void srv_limiter_destroy(struct srv_limiter *limiter)
{
	free(limiter);
}

/* The source's bucket, or the one of its set that is the nearest to full. */
static struct bucket *find(struct srv_limiter *limiter, const struct srv_source *source)
{
	uint32_t set = srv_source_hash(source, limiter->secret) & (limiter->n_sets - 1);
	struct bucket *buckets = &limiter->buckets[set * WAYS], *best = &buckets[0];

	for (uint32_t i = 0; i < WAYS; i++) {
		if (memcmp(&buckets[i].source, source, sizeof(*source)) == 0)
			return &buckets[i];
		if (buckets[i].full_us < best->full_us)
			best = &buckets[i];
	}
	best->source = *source;
	best->full_us = 0;
	return best;
}

bool srv_limiter_take(struct srv_limiter *limiter, const struct srv_source *source,
	uint32_t per_minute, int64_t now_ms)
{
	int64_t now_us = now_ms * 1000, token_us;
	struct bucket *bucket;

	if (per_minute == 0)
		return true;
	token_us = MINUTE_US / per_minute;
	bucket = find(limiter, source);
	if (bucket->full_us < now_us)
		bucket->full_us = now_us;
	if (bucket->full_us + token_us > now_us + MINUTE_US)
		return false;
	bucket->full_us += token_us;
	return true;
}
