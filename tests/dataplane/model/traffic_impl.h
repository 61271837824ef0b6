// SPDX-License-Identifier: BSD-3-Clause
/* What the files that make traffic share. */
#pragma once

#include "traffic.h"

#define ETHER     14
#define V6_HEADER 40
#define INNER     (ETHER + V6_HEADER)

static inline uint32_t below(struct traffic *t, uint32_t n)
{
	return traffic_below(t, n);
}

static inline bool chance(struct traffic *t, uint32_t thousandths)
{
	return traffic_chance(t, thousandths);
}

/* traffic.c */
/* Each writes a frame to t->whole and returns its length; *inner: where its IPv4 header is. */
uint32_t traffic_from_client(struct traffic *t, uint32_t payload, uint32_t *inner);
uint32_t traffic_from_peer(struct traffic *t, uint32_t payload, uint32_t *inner);
/* Extension headers between the IPv6 header of a frame and what follows; returns its new length. */
uint32_t traffic_insert_headers(struct traffic *t, uint8_t *frame, uint32_t len, uint32_t room);

/* traffic_pieces.c */
/* inner: where its IPv4 header is, 0: it has none. */
void traffic_damage(struct traffic *t, struct traffic_frame *frame, uint32_t inner);
/* A packet in pieces: all are pending then. */
void traffic_make_pieces(struct traffic *t, uint32_t side);
/* One of those that are pending. */
void traffic_take_pending(struct traffic *t, struct traffic_frame *frame);
