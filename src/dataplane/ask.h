// SPDX-License-Identifier: BSD-3-Clause
/*
 * The way of packets without a binding to the control thread, which asks a server who holds their address, and
 * back (R72).
 *
 *	miss -> DP_ASK -> ring -> control thread: holds the packet, asks
 *	answer -> the binding stands, or nobody has it -> ring -> worker 0: through all stages anew
 *
 * The rings are not those of the host: what strangers send must not push out a routing protocol. They are bounded,
 * and a full one is a counted drop. Before them stand the negative cache and, at each worker, a token bucket
 * for each prefix that packets come from, so that a scan uses up the scanner's share and nobody else's.
 */
#pragma once

#include "dataplane/binding.h"
#include "dataplane/negative.h"

#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

/* What has been asked about a packet: each only once, or it might go round for ever. */
enum dp_asked {
	DP_ASKED_HOLDER =
		1, /* whose packet it is: by its source in a tunnel, by its destination outside */
	DP_ASKED_TARGET = 2, /* of a packet out of a tunnel: who holds its destination */
};

/* A packet that cannot go on before somebody has said who holds the key. */
struct dp_question {
	struct rte_mbuf *m; /* the whole frame, as it came */
	struct dp_binding_key key;
	uint64_t asker; /* the prefix that it came from: 24 bits of IPv4, 64 of IPv6 */
	uint8_t side; /* that it came by */
	uint8_t asked; /* enum dp_asked bits, this question among them */
	bool from_v6;
	uint8_t outer_offset; /* in m, of the outer IPv6 header; 0: it came from the IPv4 side */
	uint8_t spare[4];
};
static_assert(sizeof(struct dp_question) == 32); /* rings move it in words of four octets */

struct dp_ask;

struct dp_ask_params {
	uint32_t ring_size; /* power of two, packets each way */
	uint32_t rate; /* of questions a second that the control thread may ask */
	bool of_v4; /* ask about packets from the IPv4 side, and those between clients ... */
	bool of_v6; /* ... and about packets out of tunnels */
	int socket;
};

/* NULL + rte_errno. */
struct dp_ask *dp_ask_create(const struct dp_ask_params *params);
/* Frees the packets that are still in it. NULL is allowed. */
void dp_ask_destroy(struct dp_ask *ask);

const struct dp_ask_params *dp_ask_params(const struct dp_ask *ask);
struct dp_negative *dp_ask_negative(const struct dp_ask *ask);

/* --- workers ------------------------------------------------------------------------------------------ */

/* Hands questions over; returns how many were taken from the front, the rest stay the caller's. */
uint32_t dp_ask_put(struct dp_ask *ask, const struct dp_question *questions, uint32_t n);
/* Worker 0: packets that come back. */
uint32_t dp_ask_returned(struct dp_ask *ask, struct dp_question *questions, uint32_t n);

/* --- the control thread --------------------------------------------------------------------------------- */

/* Readable when packets wait; dp_ask_take clears it. */
int dp_ask_eventfd(const struct dp_ask *ask);
uint32_t dp_ask_take(struct dp_ask *ask, struct dp_question *questions, uint32_t n);
/* False: ring full, the packet is still the caller's. */
bool dp_ask_give_back(struct dp_ask *ask, const struct dp_question *question);

/* --- a worker's own token buckets --------------------------------------------------------------------- */

/*
 * The hash of a prefix, by which it shares buckets with others. It is another one every quarter of a second: who
 * shares his with a scanner does not for long.
 */
static inline uint32_t dp_ask_hash(uint64_t asker, uint64_t seed, uint64_t now_ms)
{
	uint64_t hash = (asker ^ seed ^ now_ms >> 8 << 32) * UINT64_C(0x9e3779b97f4a7c15);

	hash = (hash ^ hash >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return (uint32_t)(hash >> 32);
}

struct dp_ask_limits;

/* NULL: no memory. */
struct dp_ask_limits *dp_ask_limits_create(uint32_t rate, int socket);
void dp_ask_limits_destroy(struct dp_ask_limits *limits);

/* May a packet of this prefix be handed over now? */
bool dp_ask_limits_take(
	struct dp_ask_limits *limits, bool from_v6, uint64_t asker, uint64_t now_ms);
