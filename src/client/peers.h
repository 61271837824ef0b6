// SPDX-License-Identifier: BSD-3-Clause
/*
 * Other clients of the domain, reached directly instead of through the TEP (R16, S20).
 *
 * The table says which host holds which ports of which IPv4 address, by the server's word alone: the
 * main thread learns it (client/directory.h), the data threads look up each packet. Only addresses
 * of the domain's prefixes are ever looked at; anything else costs a comparison. What the table
 * does not know goes through the TEP as ever and leaves a question behind, for the main thread to
 * put to the server; so nothing waits.
 *
 * How two clients come to talk directly without losing a packet: the first packet between them goes
 * through the TEP, both see it, both ask about the other. From its answer on each takes direct
 * packets of the other, but sends none before PEERS_SETTLE_MS are over, so that the other has heard
 * its answer, too. A host that is sent packets directly and never sends any is left alone after a
 * while, longer each time: something between the two does not pass IPv4 in IPv6, or nobody is there.
 * One that is heard again is sent to again.
 *
 * An answer is believed for as long as it says and no longer. Towards its end sending stops a little
 * before receiving, again so that the other side never meets a stranger.
 *
 * Threads: one that learns, any number that look up; a read-write lock, which only packets of the
 * prefixes take. Questions are deduplicated, bounded, and one a second for a destination.
 */
#pragma once

#include "common/addr.h"
#include "common/lease.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CL_PEERS_MAX          512 /* ranges and denials remembered */
#define CL_PEERS_PREFIXES_MAX 16
#define CL_PEERS_PREFIX_MIN   8 /* bits of the shortest one that may be asked about */
#define CL_PEERS_SETTLE_MS    3000 /* from the answer to the first packet sent directly */
#define CL_PEERS_SILENCE_MS   3000 /* unanswered for that long, and ... */
#define CL_PEERS_UNANSWERED   4 /* ... that many packets: back to the TEP */
#define CL_PEERS_SHUN_MIN_MS  60000 /* for so long at first, doubled each time ... */
#define CL_PEERS_SHUN_MAX_MS  3600000 /* ... up to here */
#define CL_PEERS_LOST_MS      60000 /* after an ICMPv6 error, whatever comes from there */
#define CL_PEERS_QUESTIONS    64 /* that wait for the main thread */

struct cl_peers;

/* NULL + errno. */
struct cl_peers *cl_peers_create(void);
/* No other thread may be looking up. NULL is allowed. */
void cl_peers_destroy(struct cl_peers *peers);

/* --- data threads; packet is IPv4 and has passed cl_inner_check, now_ms is the boot clock --- */

/*
 * True: the packet goes straight to *v6. False: to the TEP. NULL peers are allowed.
 */
bool cl_peers_out(struct cl_peers *peers, const uint8_t *packet, size_t len, int64_t now_ms,
	struct in6_addr *v6);
/*
 * A packet came out of the tunnel, from the TEP or from outer_src. True: it may pass. For one from
 * the TEP always; for others only if the server has named outer_src as the holder of its source.
 */
bool cl_peers_in(struct cl_peers *peers, bool from_tep, const struct in6_addr *outer_src,
	const uint8_t *packet, size_t len, int64_t now_ms);
/* An ICMPv6 error says that packets to this host do not arrive. Any thread; any address. */
void cl_peers_lost(struct cl_peers *peers, const struct in6_addr *v6, int64_t now_ms);

/* --- the thread that learns --- */

struct cl_peers_question {
	uint32_t v4; /* host order */
	uint16_t port;
	bool is_stranger; /* a direct packet claims to be from there; who sends it may lie */
	uint8_t denials; /* how often the answer has been "unknown" lately */
};

/* Whom to ask about, CL_PEERS_PREFIXES_MAX at most; at first nobody. */
void cl_peers_cover(struct cl_peers *peers, const struct addr_v4_prefix *prefixes, uint32_t n);
/* Becomes readable when questions wait; belongs to peers. */
int cl_peers_fd(const struct cl_peers *peers);
/* Takes the questions that wait, oldest first, at most CL_PEERS_QUESTIONS. Returns how many. */
uint32_t cl_peers_take(
	struct cl_peers *peers, struct cl_peers_question questions[static CL_PEERS_QUESTIONS]);
/* Questions, or only those about strangers, are not wanted before then. */
void cl_peers_pause(struct cl_peers *peers, bool only_strangers, int64_t until_ms);
/* The server's word: holder->client_v6 has holder's ranges until holder->end_ms. */
void cl_peers_learn(struct cl_peers *peers, const struct lease *holder, int64_t now_ms);
/*
 * Nobody that we may know of has this port; it is not asked about before until_ms. To whom it was said to
 * belong nothing is sent any more, and its packets pass until the end that was said then: so the server keeps
 * its word, and the other side need not hear of it first.
 */
void cl_peers_deny(
	struct cl_peers *peers, uint32_t v4, uint16_t port, int64_t until_ms, int64_t now_ms);
/* Our own lease is gone, and with it all that was learnt. */
void cl_peers_forget(struct cl_peers *peers);
/* Ranges of other clients that are known. */
uint32_t cl_peers_count(struct cl_peers *peers);
