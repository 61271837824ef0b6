// SPDX-License-Identifier: BSD-3-Clause
/*
 * Calls by UDP that came already: a caller that hears nothing sends its call again, and a REQUEST is not worked on twice. A
 * repetition of what is under way is dropped, since the answer comes anyway; one of what was answered gets the same reply.
 *
 * A call is the same when caller, port, and every octet are. Bounded: what was answered makes room for what is new, the oldest
 * first; a call under way keeps its place. Pure, one thread.
 */
#pragma once

#include "server/rpc_front.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define SRV_RPC_CACHE_MS 60000 /* how long an answer is kept; callers give up before */

struct srv_rpc_cache;

struct srv_rpc_cached {
	struct srv_rpc_exchange exchange; /* first */
	struct sockaddr_in6 peer;
	struct in6_pktinfo via; /* which address was called, for the answer to come from there */
	void *socket; /* the caller's */

	/* the cache's own, but to be read */
	struct srv_rpc_cache *cache;
	bool is_done;
	int64_t done_ms;
	uint64_t sum; /* of peer and message */
	TAILQ_ENTRY(srv_rpc_cached) in_order;
	LIST_ENTRY(srv_rpc_cached) in_bucket;
};

/* For up to max calls. NULL: out of memory or randomness. */
struct srv_rpc_cache *srv_rpc_cache_create(uint32_t max);
/* Forgets what is under way. NULL is allowed. */
void srv_rpc_cache_destroy(struct srv_rpc_cache *cache);

/* The call with this message, or NULL. */
struct srv_rpc_cached *srv_rpc_cache_find(struct srv_rpc_cache *cache,
	const struct sockaddr_in6 *peer, const uint8_t *data, size_t len, int64_t now_ms);
/* A call that is not there yet, with peer and nothing else set. NULL: too many are under way, or no memory. */
struct srv_rpc_cached *srv_rpc_cache_add(struct srv_rpc_cache *cache,
	const struct sockaddr_in6 *peer, const uint8_t *data, size_t len, int64_t now_ms);
/* It has been answered. */
void srv_rpc_cache_done(struct srv_rpc_cached *cached, int64_t now_ms);
/* It needs no memory of it: the same question gets the same answer. Not under way. */
void srv_rpc_cache_drop(struct srv_rpc_cached *cached);
uint32_t srv_rpc_cache_count(const struct srv_rpc_cache *cache);
