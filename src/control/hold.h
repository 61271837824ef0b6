// SPDX-License-Identifier: BSD-3-Clause
/*
 * Packets that wait for the link-layer address of their next hop (RFC 4861 section 7.2.2: a small queue
 * for each). Bounded in every direction; nothing that waits is pushed out by what comes later, so that a scan
 * of a link's addresses costs the scanner its packets and nobody else.
 */
#pragma once

#include "control/hop.h"

#include <rte_mbuf.h>
#include <stdint.h>

#define TEP_HOLD_PER_HOP 8 /* packets */
#define TEP_HOLD_HOPS    256
#define TEP_HOLD_PACKETS 1024
#define TEP_HOLD_MS      3000

struct tep_hold;

struct tep_hold *tep_hold_create(void);
/* Frees what still waits. NULL is allowed. */
void tep_hold_destroy(struct tep_hold *hold);

enum tep_hold_result {
	TEP_HOLD_FIRST, /* waits, the first one for this hop: ask for its address */
	TEP_HOLD_WAITS,
	TEP_HOLD_FULL, /* still the caller's */
};

enum tep_hold_result tep_hold_add(
	struct tep_hold *hold, const struct tep_hop *hop, struct rte_mbuf *m, int64_t now_ms);

/* Gives the packets of a hop to take, oldest first; they are its own from then on. */
void tep_hold_release(struct tep_hold *hold, const struct tep_hop *hop,
	void (*take)(void *arg, struct rte_mbuf *m), void *arg);

/* Frees the packets of hops that have waited too long; returns how many. */
uint32_t tep_hold_expire(struct tep_hold *hold, int64_t now_ms);
