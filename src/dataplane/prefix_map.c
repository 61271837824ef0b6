// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/prefix_map.h"

#include <rte_common.h>

#include <errno.h>
#include <stdlib.h>

struct entry {
	dp_prefix_key key;
	uint32_t number;
	uint32_t next; /* of the chain, or of those that are free; 0: none */
	uint32_t len;
};

/* Arrays of their final size: memory is the system's until a place is used. */
struct dp_prefix_map {
	uint32_t max;
	uint32_t used; /* places that were ever in use */
	uint32_t first_free;
	uint32_t bucket_mask;
	uint32_t of_len[129]; /* prefixes of each length */
	uint32_t *buckets;
	struct entry *entries; /* from 1 */
};

struct dp_prefix_map *dp_prefix_map_create(uint32_t max)
{
	struct dp_prefix_map *map = calloc(1, sizeof(*map));

	if (map == NULL)
		return NULL;
	map->max = max;
	map->bucket_mask = rte_align32pow2(max) - 1;
	map->buckets = calloc((size_t)map->bucket_mask + 1, sizeof(*map->buckets));
	map->entries = calloc((size_t)max + 1, sizeof(*map->entries));
	if (map->buckets != NULL && map->entries != NULL)
		return map;
	dp_prefix_map_destroy(map);
	errno = ENOMEM;
	return NULL;
}

void dp_prefix_map_destroy(struct dp_prefix_map *map)
{
	if (map == NULL)
		return;
	free(map->entries);
	free(map->buckets);
	free(map);
}

/* What leads to this prefix, or to the end of its chain. */
static uint32_t *find(const struct dp_prefix_map *map, dp_prefix_key key, uint32_t len)
{
	uint64_t hash = ((uint64_t)(key >> 64) + len) * UINT64_C(0x9e3779b97f4a7c15);
	uint32_t *link;

	hash = ((hash ^ hash >> 32) + (uint64_t)key) * UINT64_C(0x6a09e667f3bcc909);
	link = &map->buckets[(uint32_t)(hash >> 32) & map->bucket_mask];
	while (*link != 0 && (map->entries[*link].key != key || map->entries[*link].len != len))
		link = &map->entries[*link].next;
	return link;
}

uint32_t dp_prefix_map_get(const struct dp_prefix_map *map, dp_prefix_key key, uint32_t len)
{
	return map->entries[*find(map, key, len)].number;
}

static uint32_t take_place(struct dp_prefix_map *map)
{
	uint32_t place = map->first_free;

	if (place != 0) {
		map->first_free = map->entries[place].next;
		return place;
	}
	return map->used < map->max ? ++map->used : 0;
}

int dp_prefix_map_set(struct dp_prefix_map *map, dp_prefix_key key, uint32_t len, uint32_t number)
{
	uint32_t *link = find(map, key, len);
	uint32_t place = *link;

	if (place == 0) {
		place = take_place(map);
		if (place == 0)
			return -ENOSPC;
		map->entries[place] = (struct entry){.key = key, .len = len};
		map->of_len[len]++;
		*link = place;
	}
	map->entries[place].number = number;
	return 0;
}

void dp_prefix_map_remove(struct dp_prefix_map *map, dp_prefix_key key, uint32_t len)
{
	uint32_t *link = find(map, key, len);
	uint32_t place = *link;

	if (place == 0)
		return;
	*link = map->entries[place].next;
	map->entries[place] = (struct entry){.next = map->first_free};
	map->first_free = place;
	map->of_len[len]--;
}

uint32_t dp_prefix_map_above(
	const struct dp_prefix_map *map, dp_prefix_key key, uint32_t len, uint32_t *above_len)
{
	for (*above_len = len; *above_len > 0;) {
		uint32_t number = 0;

		--*above_len;
		if (map->of_len[*above_len] > 0)
			number = dp_prefix_map_get(
				map, dp_prefix_mask(key, *above_len), *above_len);
		if (number != 0)
			return number;
	}
	return 0;
}
