// SPDX-License-Identifier: BSD-3-Clause
/*
 * RPC in front of the engine (draft-ietf-ngtrans-dstm-05, annex B): a call becomes a message of a session of its own, the
 * engine's answer the packet of its reply. Sockets are elsewhere (rpc_udp, rpc_tcp).
 *
 *	REQUEST	i4addr zero: the lease that the caller has, or a new one; else that lease, renewed
 *	RELEASE	i4addr zero: all that it has
 *
 * The tunnel end is the address that the call came from. A packet has no place for ports, so what is new is a whole
 * address; a lease in ranges that the caller holds by another protocol is renewed and named all the same. A
 * refusal is a reply whose i4addr is zero: there is no place for reasons either.
 *
 * One thread; an answer comes from the event loop, never within a call of these functions.
 */
#pragma once

#include "rpc/rpc_packet.h"
#include "server/counters.h"
#include "server/engine.h"
#include "server/rpc_config.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define SRV_RPC_REPLY_MAX 128 /* octets: a head of 24 and a packet */

struct event_base;
struct srv_rpc_front;

/* A call, in what its transport has to remember of it. */
struct srv_rpc_exchange {
	struct srv_session session; /* first */
	/* From the event loop: the reply is there, and the engine knows of no session any more. */
	void (*answered)(struct srv_rpc_exchange *exchange);
	size_t reply_len;
	uint8_t reply[SRV_RPC_REPLY_MAX];

	/* the front's own */
	struct srv_rpc_front *front;
	uint32_t xid;
	bool is_release;
	bool is_answered;
	struct rpc_packet packet;
	TAILQ_ENTRY(srv_rpc_exchange) link;
};

enum srv_rpc_step {
	SRV_RPC_DROPPED, /* no call: nobody can be answered */
	SRV_RPC_ANSWERED, /* the reply is there */
	SRV_RPC_BEGUN, /* answered() follows, unless it is forgotten */
};

struct srv_rpc_front_params {
	struct event_base *base;
	const struct srv_rpc_config *config; /* borrowed; may change between calls */
	struct srv_engine *engine;
	struct srv_counters *counters;
};

/* NULL: out of memory. */
struct srv_rpc_front *srv_rpc_front_create(const struct srv_rpc_front_params *params);
/* Its exchanges must be over or forgotten. NULL is allowed. */
void srv_rpc_front_destroy(struct srv_rpc_front *front);

/* False, and counted, when nobody there may call. */
bool srv_rpc_front_allows(struct srv_rpc_front *front, const struct in6_addr *peer);
/* Works on a message from peer. answered is the caller's to set; all else of exchange is made here. */
enum srv_rpc_step srv_rpc_front_begin(struct srv_rpc_front *front,
	struct srv_rpc_exchange *exchange, const struct in6_addr *peer, const uint8_t *data,
	size_t len);
/* The caller is gone before it was answered. */
void srv_rpc_front_forget(struct srv_rpc_exchange *exchange);
