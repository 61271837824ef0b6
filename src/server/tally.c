// SPDX-License-Identifier: BSD-3-Clause
#include "server/tally.h"

#include <stdlib.h>
#include <sys/random.h>

#define START_BUCKETS 64

struct entry {
	struct entry *next;
	struct srv_source source;
	struct srv_count count;
};

struct srv_tally {
	uint64_t secret;
	struct entry **buckets;
	uint32_t n_buckets; /* a power of two */
	uint32_t n;
};

struct srv_tally *srv_tally_create(void)
{
	struct srv_tally *tally = calloc(1, sizeof(*tally));

	if (tally == NULL)
		return NULL;
	tally->n_buckets = START_BUCKETS;
	tally->buckets = calloc(tally->n_buckets, sizeof(struct entry *));
	if (tally->buckets != NULL && getrandom(&tally->secret, sizeof(tally->secret), 0) ==
					      (ssize_t)sizeof(tally->secret))
		return tally;
	srv_tally_destroy(tally);
	return NULL;
}

void srv_tally_destroy(struct srv_tally *tally)
{
	if (tally == NULL)
		return;
	for (uint32_t i = 0; tally->buckets != NULL && i < tally->n_buckets; i++) {
		for (struct entry *entry = tally->buckets[i], *next; entry != NULL; entry = next) {
			next = entry->next;
			free(entry);
		}
	}
	free(tally->buckets);
	free(tally);
}

/* Where the entry of a source hangs, or would. */
static struct entry **find(const struct srv_tally *tally, const struct srv_source *source)
{
	uint64_t hash = srv_source_hash(source, tally->secret);
	struct entry **at = &tally->buckets[hash & (tally->n_buckets - 1)];

	while (*at != NULL && memcmp(&(*at)->source, source, sizeof(*source)) != 0)
		at = &(*at)->next;
	return at;
}

/* Twice the buckets; without memory for them the chains grow. */
static void grow(struct srv_tally *tally)
{
	struct srv_tally next = *tally;

	next.n_buckets *= 2;
	next.buckets = calloc(next.n_buckets, sizeof(struct entry *));
	if (next.buckets == NULL)
		return;
	for (uint32_t i = 0; i < tally->n_buckets; i++) {
		for (struct entry *entry = tally->buckets[i], *follower; entry != NULL;
			entry = follower) {
			follower = entry->next;
			entry->next = NULL;
			*find(&next, &entry->source) = entry;
		}
	}
	free(tally->buckets);
	*tally = next;
}

bool srv_tally_add(struct srv_tally *tally, const struct srv_source *source, uint32_t weight)
{
	struct entry **at = find(tally, source);

	if (*at == NULL) {
		*at = calloc(1, sizeof(**at));
		if (*at == NULL)
			return false;
		(*at)->source = *source;
		tally->n++;
	}
	(*at)->count.n++;
	(*at)->count.weight += weight;
	if (tally->n > tally->n_buckets)
		grow(tally);
	return true;
}

void srv_tally_take(struct srv_tally *tally, const struct srv_source *source, uint32_t weight)
{
	struct entry **at = find(tally, source), *entry = *at;

	if (entry == NULL)
		return;
	entry->count.n--;
	entry->count.weight -= weight < entry->count.weight ? weight : entry->count.weight;
	if (entry->count.n > 0)
		return;
	*at = entry->next;
	free(entry);
	tally->n--;
}

struct srv_count srv_tally_get(const struct srv_tally *tally, const struct srv_source *source)
{
	const struct entry *entry = *find(tally, source);

	return entry != NULL ? entry->count : (struct srv_count){0};
}

uint32_t srv_tally_sources(const struct srv_tally *tally)
{
	return tally->n;
}
