// SPDX-License-Identifier: BSD-3-Clause
/*
 * A tap copies packets that match a filter, with what became of them, from the workers to the control thread:
 * dstmctl tep trace and capture.
 *
 * Each worker has a queue of slots of its own for each tap; a full queue counts the packet as missed and blocks
 * nobody. Without a tap a worker pays one test a burst; with one it goes through worker.c's
 * process_tapped(), which copies the head of each frame before the stages rewrite it, and what leaves after them.
 *
 * Frames are as the path sees them, without VLAN tags (vlan.h). Seen is what comes through the ports. What a full port, ring or pool loses after its verdict shows
 * in the counters only, as do fragments whose others never come.
 */
#pragma once

#include "common/addr.h"
#include "dataplane/outcome.h"

#define DP_TAPS_MAX        2 /* at once */
#define DP_TAP_SNAPLEN_MAX 9728

enum dp_tap_side {
	DP_TAP_BOTH_SIDES,
	DP_TAP_V6,
	DP_TAP_V4,
};

/* All that are given must match. */
struct dp_tap_filter {
	enum dp_tap_side side; /* that it arrived at */
	bool has_v4;
	bool has_v6;
	bool has_port;
	bool has_reason;
	struct addr_v4_prefix v4; /* source or destination, as it came or as it left */
	struct addr_v6_prefix v6;
	uint16_t port; /* source or destination port, or identifier of an ICMP query */
	uint8_t reason; /* enum dp_counter, of dropped and answered packets */
	uint32_t fates; /* bit 1 << enum dp_fate; 0: all */
};

struct dp_tap_params {
	struct dp_tap_filter filter;
	uint32_t snaplen; /* octets kept of a frame, 14 to DP_TAP_SNAPLEN_MAX */
	uint32_t memory; /* octets of slots that all queues have together, at least one slot each */
};

struct dp_tap_record {
	uint64_t tsc; /* when its burst came */
	uint32_t worker;
	uint32_t side; /* that it arrived at; by what it carries where one port is both */
	struct dp_outcome outcome;
	uint32_t in_len; /* the frame as it came ... */
	uint32_t out_len; /* ... and as it left, before it was cut into fragments; 0: it did not */
	uint32_t in_kept; /* octets of them that follow here */
	uint32_t out_kept;
	uint8_t octets[];
};

struct dp_tap;
struct dp_tap_queue;

/* --- the control thread ----------------------------------------------------------------------------- */

/* Begins. NULL + errno: ENOMEM; EBUSY: as many as there may be. */
struct dp_tap *dp_tap_create(struct dp_datapath *datapath, const struct dp_tap_params *params);
/* Ends, when no worker is in it any more. */
void dp_tap_destroy(struct dp_tap *tap);

/* The oldest record that waits, or NULL; valid until it is dismissed. */
const struct dp_tap_record *dp_tap_first(struct dp_tap *tap);
void dp_tap_dismiss(struct dp_tap *tap);
/* Matching packets that found no slot since the beginning. */
uint64_t dp_tap_missed(const struct dp_tap *tap);

/* --- a worker, between the beginning of a burst and its stages, and before its delivery ---------------- */

void dp_tap_before(struct dp_tap_queue *queues, struct dp_burst *burst);
void dp_tap_after(struct dp_tap_queue *queues, const struct dp_ctx *ctx,
	const struct dp_burst *burst, uint32_t side);

/* Does a packet match? Its frames are looked at as far as they were kept. */
bool dp_tap_filter_matches(const struct dp_tap_filter *filter, const struct dp_tap_record *record);
