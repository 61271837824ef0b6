// SPDX-License-Identifier: BSD-3-Clause
/*
 * Random traffic for a tunnel end point, from one seed: mostly what clients and their peers send, much that is
 * damaged, forged, fragmented or plain rubbish, and the churn of bindings.
 */
#pragma once

#include "model.h"

#define TRAFFIC_V4_MAX      24
#define TRAFFIC_CLIENTS_MAX 24
#define TRAFFIC_PEERS       6
#define TRAFFIC_FRAME_MAX   2000 /* octets: one packet buffer */
#define TRAFFIC_PENDING_MAX 256

struct traffic_frame {
	uint32_t side, len;
	uint8_t at[TRAFFIC_FRAME_MAX];
};

struct traffic {
	uint64_t random;
	const struct model *model; /* its bindings and addresses are what packets are made for */
	uint32_t n_v4, v4[TRAFFIC_V4_MAX]; /* addresses of ours: the pool */
	uint32_t n_clients;
	uint8_t clients[TRAFFIC_CLIENTS_MAX][16];
	uint32_t peers[TRAFFIC_PEERS];
	uint32_t fragments; /* of 1,000 packets, how many come in pieces */
	uint32_t hostile; /* of 1,000 packets, how many are tampered with */
	bool one_sender; /* one client, one peer, nothing forged: for limits that are per sender */
	uint32_t n_pending; /* pieces that are still to come */
	struct traffic_frame pending[TRAFFIC_PENDING_MAX];
	uint8_t whole[66000];
};

/* Addresses; model: with its parameters and local addresses set. */
void traffic_init(struct traffic *traffic, uint64_t seed, const struct model *model);
/* The next frame. */
void traffic_next(struct traffic *traffic, struct traffic_frame *frame);
/* A binding to be tried: usually a new one, sometimes a renewal or one that must be refused. */
void traffic_binding(struct traffic *traffic, struct model_binding *binding);

uint32_t traffic_below(struct traffic *traffic, uint32_t n);
/* True that often in a thousand. */
bool traffic_chance(struct traffic *traffic, uint32_t thousandths);
