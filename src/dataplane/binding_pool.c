// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/binding_pool.h"

#include <rte_common.h>
#include <rte_malloc.h>

#include <errno.h>
#include <stdlib.h>

#define PIECE_TAKEN (UINT32_C(1) << 31)

static uint32_t n_chunks(const struct dp_pool_params *params, uint32_t pieces)
{
	return ((uint64_t)pieces + (UINT64_C(1) << params->chunk_shift) - 1) >> params->chunk_shift;
}

/* Gives the next chunk of piece numbers their memory. */
static int pool_grow(struct dp_pool *pool)
{
	const struct dp_pool_params *params = &pool->params;
	uint32_t n = RTE_MIN(UINT32_C(1) << params->chunk_shift, params->max - pool->capacity);
	uint32_t *state;
	void *chunk;

	if (n == 0)
		return -ENOSPC;
	state = realloc(pool->state, (pool->capacity + (size_t)n) * sizeof(*state));
	if (state == NULL)
		return -ENOMEM;
	pool->state = state;
	chunk = rte_zmalloc_socket("dstm_pool", n * params->piece_size, 64, params->socket);
	if (chunk == NULL)
		return -ENOMEM;
	pool->chunks[pool->capacity >> params->chunk_shift] = chunk;
	pool->capacity += n;
	return 0;
}

int dp_pool_init(struct dp_pool *pool, const struct dp_pool_params *params)
{
	*pool = (struct dp_pool){.params = *params, .fresh = 1};
	pool->chunks = calloc(n_chunks(params, params->max), sizeof(*pool->chunks));
	if (pool->chunks == NULL)
		return -ENOMEM;
	return pool_grow(pool);
}

void dp_pool_destroy(struct dp_pool *pool)
{
	for (uint32_t i = 0; i < n_chunks(&pool->params, pool->capacity); i++)
		rte_free(pool->chunks[i]);
	free(pool->chunks);
	free(pool->state);
}

int dp_pool_reserve(struct dp_pool *pool, uint32_t n)
{
	while (pool->free.n + pool->capacity - pool->fresh < n) {
		int rc = pool_grow(pool);

		if (rc < 0)
			return rc;
	}
	return 0;
}

uint32_t dp_pool_take(struct dp_pool *pool)
{
	uint32_t piece = pool->free.head;

	if (piece != 0) {
		pool->free.head = pool->state[piece];
		pool->free.n--;
	} else {
		piece = pool->fresh++;
	}
	pool->state[piece] = PIECE_TAKEN;
	pool->taken++;
	return piece;
}

void dp_pool_retire(struct dp_pool *pool, uint32_t piece)
{
	struct dp_piece_list *list = &pool->retired;

	if (list->n++ == 0)
		list->tail = piece;
	pool->state[piece] = list->head;
	list->head = piece;
	pool->taken--;
}

void dp_pool_rest(struct dp_pool *pool)
{
	pool->resting = pool->retired;
	pool->retired = (struct dp_piece_list){0};
}

void dp_pool_settle(struct dp_pool *pool)
{
	struct dp_piece_list *resting = &pool->resting;

	if (resting->n == 0)
		return;
	pool->state[resting->tail] = pool->free.head;
	pool->free.head = resting->head;
	pool->free.n += resting->n;
	*resting = (struct dp_piece_list){0};
}

bool dp_pool_is_taken(const struct dp_pool *pool, uint32_t piece)
{
	return (pool->state[piece] & PIECE_TAKEN) != 0;
}

uint32_t dp_pool_use(struct dp_pool *pool, uint32_t piece, uint32_t n)
{
	pool->state[piece] += n;
	return pool->state[piece] & ~PIECE_TAKEN;
}

uint32_t dp_pool_unuse(struct dp_pool *pool, uint32_t piece, uint32_t n)
{
	pool->state[piece] -= n;
	return pool->state[piece] & ~PIECE_TAKEN;
}

uint64_t dp_pool_bytes(const struct dp_pool *pool)
{
	uint64_t per_piece = pool->params.piece_size + sizeof(*pool->state);

	return pool->capacity * per_piece +
	       n_chunks(&pool->params, pool->params.max) * sizeof(*pool->chunks);
}
