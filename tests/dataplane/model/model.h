// SPDX-License-Identifier: BSD-3-Clause
/*
 * A naive tunnel end point, to hold the data plane against: one frame in, a list of frames out, counters.
 *
 * It is written from the requirements and the RFCs, and shares with src/dataplane its parameters and the
 * names of its counters, nothing else. No structure in it is clever: bindings, waiting fragments and routes are
 * arrays that are searched from the front, headers are read and written octet by octet, checksums
 * are always computed over everything.
 *
 *	model.c		what is this frame, whose packet is it, what happens to it
 *	model_ext.c	IPv6 extension headers
 *	model_icmp.c	ICMP as the lookup sees it, errors of our own, errors from inside a tunnel
 *	model_mss.c	the segment size of TCP SYNs
 *	model_forward.c	what is for no tunnel
 *	model_frag.c	packets from fragments, and fragments from packets
 *
 * The identifications of IPv6 fragments and flow labels that are hashes cannot be foretold: the model writes zero
 * there, and whoever compares skips them.
 */
#pragma once

#include "dataplane/datapath.h"

#include <stdbool.h>
#include <stdint.h>

#define MODEL_BINDINGS_MAX 512
#define MODEL_WAITING_MAX  128 /* packets that wait for fragments, of each kind */
#define MODEL_PIECES_MAX   64 /* fragments of one packet */
#define MODEL_SENT_MAX     8192 /* frames out of one burst */

struct model_binding {
	uint32_t v4;
	uint16_t first, last;
	uint8_t client[16], tep[16];
	uint32_t end_s;
};

/* Where a frame leaves. */
enum model_way {
	MODEL_PORT_V6,
	MODEL_PORT_V4,
	MODEL_HOST,
	MODEL_RESOLVE,
	MODEL_ASKER,
	MODEL_N_WAYS
};

struct model_sent {
	enum model_way way;
	uint32_t number; /* of the frame that it comes from */
	uint32_t len;
	const uint8_t *octets; /* until the next burst */
};

/* The only way out of a side. */
struct model_hop {
	uint8_t dst[6], src[6];
	enum dp_adjacency_state state;
	uint32_t side; /* of the port that it leaves by */
};

struct model_piece {
	uint32_t offset, len; /* of its payload in the packet */
	uint32_t header, start; /* in the frame: the header that is its packet's, and its payload */
	bool more;
	uint32_t frame_len;
	uint8_t *frame;
};

/* A packet that is not whole yet. */
struct model_waiting {
	bool used, refused;
	enum dp_frag_fault fault;
	uint8_t key[48];
	uint8_t source[16];
	uint64_t since_ms, order;
	uint32_t n;
	struct model_piece pieces[MODEL_PIECES_MAX];
	bool ecn_seen[4];
	bool outer_ce;
	uint32_t df_len; /* of the longest piece that says DF */
};

struct model {
	struct dp_datapath_params params; /* its pointers are not used */
	enum dp_dscp_mode dscp_mode; /* what params.outer.dscp stands for */
	uint8_t dscp_outer, dscp_inner;
	bool host; /* is there one behind the router? */
	bool asks
		[2]; /* about what has no binding: from the IPv4 side and between clients, out of tunnels */
	uint8_t macs[2][6];
	struct model_hop hops[2]; /* to the IPv6 side, to the IPv4 side */
	uint32_t n_local;
	uint32_t local_v4[DP_LOCAL_V4_MAX];
	uint64_t now_ms;
	uint32_t n_bindings;
	struct model_binding bindings[MODEL_BINDINGS_MAX];

	struct model_waiting waiting[DP_FRAG_N_KINDS][MODEL_WAITING_MAX];
	uint64_t fragments_seen; /* how old a waiting packet is */
	uint64_t tokens, tokens_ms; /* thousandths of an ICMP error; when they were counted */

	uint64_t packets[DP_N_COUNTERS], bytes[DP_N_COUNTERS];
	uint32_t n_sent;
	struct model_sent sent[MODEL_SENT_MAX];
	uint32_t room_used;
	uint8_t room[16 << 20]; /* frames of this burst */
};

/* Forgets what the last burst sent. */
void model_begin(struct model *model);
/* One frame that arrived on the port of this side. */
void model_process(
	struct model *model, uint32_t number, uint32_t side, const uint8_t *frame, uint32_t len);
/* Another time: what waited too long is dropped. */
void model_set_clock(struct model *model, uint64_t now_ms);
/* Drops all that waits, as too late. */
void model_flush(struct model *model);

/* As dp_bindings_add and dp_bindings_remove: 0 or -errno. */
int model_binding_add(struct model *model, const struct model_binding *binding);
int model_binding_remove(struct model *model, uint32_t v4, uint16_t first, uint16_t last);
/* Removes what has ended. */
void model_bindings_sweep(struct model *model);
/* Who holds it now, or NULL; without has_port only who holds the whole address. */
const struct model_binding *model_binding_find(
	const struct model *model, uint32_t v4, bool has_port, uint16_t port);
