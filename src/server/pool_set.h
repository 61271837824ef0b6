// SPDX-License-Identifier: BSD-3-Clause
/*
 * The pools of the configuration, as the engine has them.
 *
 * A reload may add pools, change them and take them away. One with the same prefix, kind and block size
 * keeps its units; any other begins anew, and the engine finds the leases of both their places.
 */
#pragma once

#include "server/engine.h"
#include "server/server_config.h"

#include <stdint.h>

struct srv_pool_set {
	struct srv_engine_pool *items; /* names and prefixes are borrowed from the configuration */
	uint32_t n;
};

/*
 * Makes set of config; tep_numbers: of its TEPs. map[number in old] becomes the pool's number in set, or
 * SRV_POOL_NONE. The two share units until one of them goes. Returns 0 or -errno.
 */
int srv_pool_set_make(struct srv_pool_set *set, const struct srv_config *config,
	const uint32_t *tep_numbers, const struct srv_pool_set *old, uint16_t *map);
/* Frees old, without what it shares with a later set; map: as above. */
void srv_pool_set_free_old(struct srv_pool_set *old, const uint16_t *map);
/* Frees a set that came to nothing, without what it shares with old. */
void srv_pool_set_free_new(
	struct srv_pool_set *set, const struct srv_pool_set *old, const uint16_t *map);
void srv_pool_set_free(struct srv_pool_set *set);
