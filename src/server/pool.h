// SPDX-License-Identifier: BSD-3-Clause
/*
 * A pool: one IPv4 prefix, cut into the units that leases are made of.
 *
 * A unit is an aligned block of block_size ports of one address (a power of two, so that first-last and
 * a PSID say the same thing, S17), or, in an exclusive pool, a whole address. Blocks that hold one of
 * the ports 0-1023 are never given out: 63 blocks of 1,024 an address. The first and last address of
 * the prefix serve like any other, since a pool is routed to its TEP and is no link.
 *
 * A unit is free, leased or resting (its lease ended, its quarantine has not, S24). The pool keeps no
 * time and no names: lease_db knows who holds what until when. Which free unit is taken is random,
 * from the kernel's generator, so that nobody can guess the next one (S29). Taking and giving one
 * unit is O(1).
 *
 * One thread.
 */
#pragma once

#include "common/addr.h"
#include "common/lease.h"

#include <stdbool.h>
#include <stdint.h>

#define SRV_POOL_UNITS_MAX (1U << 24) /* units of one pool: 12 octets of memory each */
#define SRV_POOL_PORT_MIN  1024 /* the lowest port of a shared address that is given out */

struct srv_pool;

struct srv_pool_counts {
	uint32_t total; /* = leased + resting + free */
	uint32_t leased;
	uint32_t resting;
	uint32_t free;
};

/* How many units a pool would have; block_size 0 means whole addresses. */
uint64_t srv_pool_size(const struct addr_v4_prefix *prefix, uint32_t block_size);

/* block_size: a power of two, 1..32768, or 0 for whole addresses. NULL + errno. */
struct srv_pool *srv_pool_create(const struct addr_v4_prefix *prefix, uint32_t block_size);
void srv_pool_destroy(struct srv_pool *pool);

/* True when create with these would make the same units. */
bool srv_pool_is_cut(
	const struct srv_pool *pool, const struct addr_v4_prefix *prefix, uint32_t block_size);
bool srv_pool_is_exclusive(const struct srv_pool *pool);
bool srv_pool_contains(const struct srv_pool *pool, uint32_t v4);
struct srv_pool_counts srv_pool_count(const struct srv_pool *pool);

/* How many units a wish for so many ports needs (0 ports: any size); always 1 of whole addresses. */
uint32_t srv_pool_units_for(const struct srv_pool *pool, uint32_t ports);

/* What srv_pool_take could take now, by the same lot, and takes nothing. */
int srv_pool_pick(const struct srv_pool *pool, uint32_t n_units, struct lease *lease);
/* True when the ranges of lease are units of this pool, and all of them are free. */
bool srv_pool_is_free(const struct srv_pool *pool, const struct lease *lease);

/*
 * Takes n_units free units of one address, by lot, and sets v4 and the ranges of lease, in ascending
 * order. Returns 0, or -ENOSPC: no address has that many free, or a lease cannot hold that many.
 */
int srv_pool_take(struct srv_pool *pool, uint32_t n_units, struct lease *lease);

/* The same, of one address alone. */
int srv_pool_take_at(struct srv_pool *pool, uint32_t v4, uint32_t n_units, struct lease *lease);

/* Takes exactly the units of lease again. Returns 0, or -EBUSY: not all of them are free or ours. */
int srv_pool_take_again(struct srv_pool *pool, const struct lease *lease);

/*
 * Takes every unit that lease touches, even one that is held already: for leases from the store,
 * which may have been made with another block size. Each reserve asks for one give.
 */
void srv_pool_reserve(struct srv_pool *pool, const struct lease *lease);

/* Leased to resting, and back when its former holder returns (S23). */
void srv_pool_rest(struct srv_pool *pool, const struct lease *lease);
void srv_pool_wake(struct srv_pool *pool, const struct lease *lease);

/* Leased to free; what rests is woken first. */
void srv_pool_give(struct srv_pool *pool, const struct lease *lease);
