// SPDX-License-Identifier: BSD-3-Clause
/*
 * What would happen to this packet, and why? A copy of it goes through the very stages that workers run,
 * with the tables and settings of the running data plane, on a context of its own: nothing is
 * sent, handed over, counted or kept, and no worker's ICMP error is used up. A fragment finds nothing that
 * waits: the answer is that it would wait.
 *
 * What would leave is shown without VLAN tags, as the path knows no others (vlan.h).
 *
 * The control thread only: it reads the tables as their writer.
 */
#pragma once

#include "dataplane/outcome.h"

#define DP_EXPLAIN_LEN_MAX 9728 /* octets of a frame: the largest MTU, tags and all */
#define DP_EXPLAIN_OUT_MAX 32 /* frames that a packet may leave in */

struct dp_explainer;

enum dp_explain_link {
	DP_EXPLAIN_GUESS, /* an IP packet if its length field fits, else a frame */
	DP_EXPLAIN_ETHERNET,
	DP_EXPLAIN_IP, /* gets an Ethernet header as from the next station */
};

enum dp_explain_side {
	DP_EXPLAIN_BY_PACKET, /* by its destination MAC address, or by what it carries */
	DP_EXPLAIN_V6,
	DP_EXPLAIN_V4,
};

struct dp_explain_question {
	const uint8_t *octets;
	uint32_t len;
	enum dp_explain_link link;
	enum dp_explain_side side;
};

struct dp_explanation {
	uint32_t side; /* that it was taken to arrive at: 0 or 1 */
	bool is_bare; /* it came without an Ethernet header */
	struct dp_outcome outcome;
	/* What would leave, if anything (dp_outcome_leaves); belongs to the explainer until it is asked again. */
	uint32_t n_out;
	const uint8_t *out[DP_EXPLAIN_OUT_MAX];
	uint32_t out_len[DP_EXPLAIN_OUT_MAX];
	/* The frame as it would have arrived, likewise. */
	const uint8_t *in;
	uint32_t in_len;
};

/* The data plane is borrowed and outlives it. NULL: no memory. */
struct dp_explainer *dp_explainer_create(const struct dp_datapath *datapath);
void dp_explainer_destroy(struct dp_explainer *explainer);

/* 0; -EINVAL: no packet at all; -EMSGSIZE: longer than any frame; -ENOMEM. */
int dp_explain(struct dp_explainer *explainer, const struct dp_explain_question *question,
	struct dp_explanation *explanation);
