// SPDX-License-Identifier: BSD-3-Clause
/*
 * Pools of equal pieces: trie nodes, pages, sub-pages and records, named by a 32-bit number.
 *
 * Memory comes from the EAL heap in chunks that never move, so that a reader turns a number into an address
 * without a lock; it stays with the pool. Piece 0 is never handed out and stays all zero: a reader that
 * finds "empty" goes on through it, without a branch.
 *
 * A piece that the writer took out of the table rests until no reader can hold it any more. It goes
 * retired -> resting -> free, in whole lists: dp_pool_rest when a grace period begins, dp_pool_settle when it has
 * ended. A piece comes out of dp_pool_take as it went in; what must be zero is made so by its owner.
 *
 * Only the writer calls functions of this file; readers use chunks[] alone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dp_piece_list {
	uint32_t head;
	uint32_t tail;
	uint32_t n;
};

struct dp_pool_params {
	size_t piece_size; /* octets, a multiple of 64 */
	uint32_t
		chunk_shift; /* a chunk holds 1 << chunk_shift pieces; the last one may hold fewer */
	uint32_t max; /* pieces at most, below 2^30 */
	int socket;
};

struct dp_pool {
	uint8_t **chunks;
	uint32_t *state; /* a piece's next in its list, or PIECE_TAKEN and how often it is used */
	struct dp_pool_params params;
	uint32_t capacity; /* pieces that have memory, number 0 included */
	uint32_t fresh; /* the first number that was never handed out */
	uint32_t taken;
	struct dp_piece_list free;
	struct dp_piece_list retired;
	struct dp_piece_list resting;
};

/* 0, or -ENOMEM. A pool that is all zero may be destroyed. */
int dp_pool_init(struct dp_pool *pool, const struct dp_pool_params *params);
void dp_pool_destroy(struct dp_pool *pool);

/* Makes sure that the next n pieces can be taken. 0, -ENOSPC or -ENOMEM. */
int dp_pool_reserve(struct dp_pool *pool, uint32_t n);
/* A reserved piece, its use count zero. */
uint32_t dp_pool_take(struct dp_pool *pool);
void dp_pool_retire(struct dp_pool *pool, uint32_t piece);

void dp_pool_rest(struct dp_pool *pool);
void dp_pool_settle(struct dp_pool *pool);

bool dp_pool_is_taken(const struct dp_pool *pool, uint32_t piece);
/* How many entries of a taken piece are in use; the owner counts, both return the new number. */
uint32_t dp_pool_use(struct dp_pool *pool, uint32_t piece, uint32_t n);
uint32_t dp_pool_unuse(struct dp_pool *pool, uint32_t piece, uint32_t n);

uint64_t dp_pool_bytes(const struct dp_pool *pool);
