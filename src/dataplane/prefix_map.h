// SPDX-License-Identifier: BSD-3-Clause
/*
 * Which number each prefix has: a hash table by prefix, the writer's of an lpm. Addresses of both families are 128 bits, IPv4 in the
 * uppermost ones; prefixes have no host bits.
 */
#pragma once

#include <stdint.h>

typedef unsigned __int128 dp_prefix_key;

struct dp_prefix_map;

/* NULL + errno. */
struct dp_prefix_map *dp_prefix_map_create(uint32_t max);
/* NULL is allowed. */
void dp_prefix_map_destroy(struct dp_prefix_map *map);

static inline dp_prefix_key dp_prefix_mask(dp_prefix_key key, uint32_t len)
{
	return len == 0 ? 0 : key & ~(dp_prefix_key)0 << (128 - len);
}

/* The number of exactly this prefix, or 0. */
uint32_t dp_prefix_map_get(const struct dp_prefix_map *map, dp_prefix_key key, uint32_t len);
/* 0 or -ENOSPC. */
int dp_prefix_map_set(struct dp_prefix_map *map, dp_prefix_key key, uint32_t len, uint32_t number);
void dp_prefix_map_remove(struct dp_prefix_map *map, dp_prefix_key key, uint32_t len);
/* The number and length of the longest prefix that contains this one and is not it; 0 and 0: none. */
uint32_t dp_prefix_map_above(
	const struct dp_prefix_map *map, dp_prefix_key key, uint32_t len, uint32_t *above_len);
