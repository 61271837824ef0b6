// SPDX-License-Identifier: BSD-3-Clause
/*
 * The world of the data-plane fuzzers: one worker between two ring ports and the bindings of tests/pcap/base.yaml, so
 * that the frames of packet cases mean here what they mean there. A target turns its input into frames; here they
 * go the worker's whole way, and whatever leaves is checked by readers of our own (path_check.c).
 *
 * After each input every frame is in exactly one place by the counters, and all buffers are back.
 */
#pragma once

#include "dataplane/worker.h"

#define PATH_CONFIG     4 /* octets of an input that choose the configuration */
#define PATH_FRAME_MAX  2000
#define PATH_FRAMES_MAX 200 /* of one input */
#define PATH_HOLDERS    4
#define PATH_WAITING    20 /* fragments of a kind */
#define PATH_NAT46      0xc0000001U /* 192.0.0.1: whom our own errors come from in tunnels */
#define PATH_ROUTER_V4  0xc6336401U /* 198.51.100.1: an address of the host */

/* Who holds what: the naive binding table. */
struct path_holder {
	uint8_t client[16];
	uint8_t tep[16];
	uint32_t v4; /* host order */
	uint16_t first, last;
};
extern const struct path_holder path_holders[PATH_HOLDERS];

/* Whom our own errors about plain IPv6 packets come from. */
extern const uint8_t path_router_v6[16];

/* A frame as it came in. */
struct path_frame {
	uint32_t side;
	uint32_t len;
	uint8_t octets[PATH_FRAME_MAX];
};

struct path {
	struct dp_worker worker;
	struct path_frame frames[PATH_FRAMES_MAX];
	uint32_t n_frames;
	bool strict; /* reads behind a frame are errors */
};
extern struct path path;

static inline void path_require(bool holds)
{
	if (!holds)
		__builtin_trap();
}

/* Once, from LLVMFuzzerInitialize. */
void path_start(void);

/* config: PATH_CONFIG octets. Counters at 0, no fragment waits. */
void path_begin(const uint8_t *config);
/* A frame for the next burst; what is too long or too many is left out. */
void path_add(uint32_t side, const uint8_t *frame, uint32_t len);
/* Milliseconds pass. */
void path_wait(uint32_t ms);
/* The frames that were added go through, all of one side; what left is checked. */
void path_run(void);
/* Runs what was added, gives up on waiting fragments, and settles the account. */
void path_end(void);

/* Makes checksums right that no fuzzer guesses: IPv4, ICMP, ICMPv6, and the IPv4 header that either quotes. */
void path_mend(uint8_t *frame, uint32_t len);

/* --- path_check_plain.c ------------------------------------------------------------------------------- */

/* A frame that leaves by the port of this side: true, it is a packet of no tunnel that came by the other one, as it is to
 * go on, or an error about one from this side. */
bool path_check_plain(uint32_t side, const uint8_t *frame, uint32_t len);

/* --- path_check.c -------------------------------------------------------------------------------------- */

/* A frame that leaves by the port of this side, ready or but for its MAC addresses. */
void path_check_sent(uint32_t side, const uint8_t *frame, uint32_t len, bool resolved);
/* A frame for the host. */
void path_check_punted(const uint8_t *frame, uint32_t len);
/* Parts of it: an IPv4 packet of ours to send; an ICMP error of our own, known by its form; an ICMPv6 error. */
void path_check_v4(const uint8_t *v4, uint32_t len);
bool path_is_own_error(const uint8_t *v4);
void path_check_own_error(const uint8_t *v4, uint32_t len);
void path_check_icmpv6(const uint8_t *v6, uint32_t len);
void path_check_counters(const struct dp_counters *counters);
