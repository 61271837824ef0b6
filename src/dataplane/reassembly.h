// SPDX-License-Identifier: BSD-3-Clause
/*
 * Fragments that wait for the rest of their packet: a worker's own table, one for each kind (outer IPv6,
 * inner IPv4, IPv4 from outside), which knows keys and offsets but no headers.
 *
 * librte_ip_frag does not serve here: as it is built, it gives up at 8 fragments a packet, it joins
 * overlapping fragments without a look, and one sender can fill its table, which then refuses the newest. Here:
 *
 *	memory		never more than max_datagrams packets and max_fragments buffers; when one is
 *			full the oldest packet goes and not the newest, so first fragments that never
 *			complete block nobody for longer than it takes to replace them
 *	sources		each has at most per_source packets waiting; its own oldest one goes for the next.
 *			Sources share that right when their keyed hashes collide
 *	overlap		the whole packet is refused, and what still comes of it until its time is up
 *			(RFC 5722, RFC 8200 section 4.5; for IPv4, too); an exact copy is only dropped
 *	time		timeout_ms after its first fragment came, whatever came since
 *	order		any; atomic fragments do not come here (RFC 6946)
 *	length		a fragment lies in one buffer; a longer one, which came in fragments itself, is refused
 *
 * A whole packet lies in one buffer if it fits there, and always with its first DP_CONTIGUOUS octets; the
 * rest is chained. Only the owning worker calls these, and all in the same time.
 */
#pragma once

#include "dataplane/pkt_ctx.h"

#define DP_CONTIGUOUS         1294 /* all that later stages read, or quote in an ICMPv6 error */
#define DP_DATAGRAM_FRAGMENTS 64 /* of one packet: 65,535 octets come in 54 through 1,280 */
#define DP_DATAGRAM_MAX       65535

/* Equal for the fragments of one packet and no others; what a kind does not have is 0. */
struct dp_frag_key {
	uint8_t outer_src[16];
	uint8_t outer_dst[16];
	uint32_t src;
	uint32_t dst;
	uint32_t id;
	uint32_t protocol;
};

struct dp_frag {
	struct dp_frag_key key;
	uint32_t offset; /* of its payload in the packet's ... */
	uint32_t len; /* ... and how long */
	uint32_t start; /* of its payload in the frame */
	bool more; /* not the last one */
	uint32_t df_len; /* of an IPv4 fragment that may not be cut: its length; else 0 */
	uint8_t ecn; /* of the header that is reassembled ... */
	uint8_t outer_ecn; /* ... and of the one around it, or 0 */
};

enum dp_frag_result {
	DP_FRAG_HELD, /* the buffer is the table's */
	DP_FRAG_WHOLE, /* the packet is complete, and the caller's */
	DP_FRAG_REFUSED, /* for the fault; the buffer is still the caller's */
};

/* What *whole tells about a complete packet. */
struct dp_whole {
	struct rte_mbuf *m; /* headers of the first fragment as they came, then the payload */
	uint32_t start; /* of the payload */
	uint32_t payload_len;
	uint32_t df_len; /* the longest of its fragments that may not be cut; 0: none forbids it */
	uint8_t ecn_seen; /* bit n: a fragment had ECN n (RFC 3168 section 5.3) */
	bool outer_ce; /* a header around one had CE */
};

/* Where a key belongs in one table. */
struct dp_frag_place {
	uint32_t bucket;
	uint32_t source;
};

struct dp_reassembly;

/* NULL: no memory. */
struct dp_reassembly *dp_reassembly_create(
	const struct dp_reassembly_params *params, enum dp_frag_kind kind, int socket);
/* Of an empty one (dp_reassembly_flush). */
void dp_reassembly_destroy(struct dp_reassembly *table);

/* Before dp_reassembly_add, best for a whole burst: what that will read is on its way into the cache. */
struct dp_frag_place dp_reassembly_place(
	const struct dp_reassembly *table, const struct dp_frag_key *key);
/* fault is written with DP_FRAG_REFUSED, whole with DP_FRAG_WHOLE. */
enum dp_frag_result dp_reassembly_add(struct dp_ctx *ctx, struct dp_reassembly *table,
	const struct dp_frag *frag, struct dp_frag_place place, struct rte_mbuf *m,
	struct dp_whole *whole, enum dp_frag_fault *fault);

/* Drops what has waited for too long, at ctx->now_ms. */
void dp_reassembly_expire(struct dp_ctx *ctx, struct dp_reassembly *table);
/* Drops all, as if its time was up. */
void dp_reassembly_flush(struct dp_ctx *ctx, struct dp_reassembly *table);

/* How full it is, in percent of what it may hold; any thread. */
uint32_t dp_reassembly_fill(const struct dp_reassembly *table);
