// SPDX-License-Identifier: BSD-3-Clause
/* What the files of the model share. */
#pragma once

#include "model.h"
#include "octets.h"

#include <assert.h>

#define ETHER      14
#define V6_HEADER  40
#define FRAGMENT   8 /* octets of an IPv6 fragment header */
#define ONE_BUFFER 2048 /* octets: a longer fragment, which others brought in pieces, is refused */
#define PROTO_ICMP 1
#define PROTO_TCP  6
#define PROTO_UDP  17
#define NO_FAULT   UINT32_MAX

enum {
	ECN_NOT_ECT = 0,
	ECN_ECT_1 = 1,
	ECN_ECT_0 = 2,
	ECN_CE = 3
};

/* A frame that arrived, or that was joined from such, and what has been found in it. */
struct arrival {
	uint32_t number, side;
	const uint8_t *frame;
	uint32_t len;
	const uint8_t *
		v6; /* outer header of what came to a tunnel address, or that of a plain packet; or NULL */
	const uint8_t *v4; /* the packet that is to be forwarded */
	uint32_t v4_len, v4_header;
	bool was_fragment; /* of an IPv6 packet */
	bool group; /* to a group of MAC addresses: forwarded by nobody */
};

/* Whose packet: an address and a port, or an address alone. */
struct model_key {
	uint32_t v4;
	bool has_port;
	uint16_t port;
};

enum icmp_kind {
	ICMP_IS_QUERY,
	ICMP_IS_ERROR,
	ICMP_IS_OTHER
};

static inline void count(struct model *model, uint32_t counter, uint64_t bytes)
{
	model->packets[counter]++;
	model->bytes[counter] += bytes;
}

static inline bool is_martian(uint32_t v4)
{
	return v4 >> 24 == 0 || v4 >> 24 == 127 || v4 >> 24 >= 224;
}

static inline bool same_v6(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, 16) == 0;
}

/* Octets that stay until the next burst. */
static inline uint8_t *take_room(struct model *model, uint32_t len)
{
	uint8_t *room = model->room + model->room_used;

	assert(len <= sizeof(model->room) - model->room_used);
	model->room_used += len;
	return room;
}

/* model_classify.c */
void classify(struct model *model, const struct arrival *arrival);

/* model.c */
/* Whole, sound packets, to be forwarded: out of a tunnel, and into one. */
void from_tunnel(struct model *model, const struct arrival *a);
void from_v4(struct model *model, const struct arrival *a);
void drop(struct model *model, const struct arrival *arrival, enum dp_counter reason);
/* The same, but its sender may be told. */
void refuse(
	struct model *model, const struct arrival *arrival, enum dp_counter reason, uint32_t mtu);
void to_host(struct model *model, const struct arrival *arrival);
bool is_local(const struct model *model, uint32_t v4);
/* A frame whose Ethernet addresses are still to be written, by the way out of one side. */
void egress(struct model *model, uint32_t number, uint8_t *frame, uint32_t len, bool to_v6);
/* The same by any hop; false: it was dropped there. */
bool egress_by(struct model *model, uint32_t number, uint8_t *frame, uint32_t len, bool to_v6,
	const struct model_hop *hop, uint32_t mtu);
bool in_pool(const struct model *model, uint32_t v4);
bool has_bindings(const struct model *model, uint32_t v4);
void sent(struct model *model, enum model_way way, uint32_t number, const uint8_t *frame,
	uint32_t len);
/* Why these octets are no IPv4 packet: 0 truncated, 1 version, 2 header length, 3 length, 4 checksum. */
uint32_t v4_fault(const uint8_t *v4, uint32_t room);
void v4_write_checksum(uint8_t *v4);
/* A frame in new room with an IPv6 header for a payload that is still to be written. */
uint8_t *new_v6_frame(struct model *model, uint8_t traffic_class, uint32_t payload_len,
	uint8_t next_header, uint8_t hop_limit, const uint8_t *src, const uint8_t *dst);
/* The same for a tunnel: all that is in front of the IPv4 packet, which is copied. */
uint8_t *new_tunnel_frame(struct model *model, const uint8_t *v4, uint32_t v4_len,
	const uint8_t *src, const uint8_t *dst);
/* Octets in front of the IPv4 packet in a tunnel. */
static inline uint32_t overhead(const struct model *model)
{
	return V6_HEADER + (model->params.outer.has_encapsulation_limit ? 8 : 0);
}

/* model_forward.c */
/* Is it for nobody inside tunnels, and wanted to go on all the same? */
bool is_plain_v4(const struct model *model, const struct arrival *a);
bool is_plain_v6(const struct model *model, const struct arrival *a);
/* One of these. */
void forward(struct model *model, const struct arrival *a);

/* model_mss.c */
/* A packet that is forwarded: does it announce too large a segment? */
void clamp_mss(struct model *model, uint8_t *v4, uint32_t frame_len);

/* model_ext.c */
/* The extension headers of an IPv6 packet, up to what is not to be skipped; offsets from the IPv6 header on. */
struct chain {
	uint8_t next; /* protocol of what follows */
	uint32_t next_at; /* the octet that says so */
	uint32_t end; /* where it begins, or the header at fault */
	uint32_t fault_at;
};

/* DP_N_DROPS, or the reason to refuse it. */
uint32_t walk_headers(const uint8_t *v6, struct chain *chain);
/* Where the header at chain->end leads, whatever it says: false, it is not all there or too far. */
bool skip_headers(const uint8_t *v6, struct chain *chain);
/* What the sender of a refused one hears, by code and pointer; false: nothing. */
bool parameter_problem(const uint8_t *v6, uint8_t *code, uint32_t *pointer);

/* model_icmp.c */
enum icmp_kind icmp_kind_of(uint8_t type);
/* The end of the packet that an ICMP error quotes, its source or its destination. */
bool icmp_read_quote(const uint8_t *icmp, uint32_t len, bool take_source, struct model_key *key);
/* A refused packet: is its sender told? */
void icmp_answer(
	struct model *model, const struct arrival *arrival, enum dp_counter reason, uint32_t mtu);
/* A plain packet that was not forwarded: is its sender told, by the hop that it came from? */
void icmp_answer_plain(
	struct model *model, const struct arrival *a, enum dp_counter reason, uint32_t mtu);
/* ICMPv6 to a tunnel address: false, it is no error about a tunnel packet. */
bool icmp_relay(struct model *model, const struct arrival *arrival);

/* model_frag.c */
/* Its fragment header is at this offset from its IPv6 header on. */
void join_v6(struct model *model, const struct arrival *arrival, uint32_t offset);
void join_v4(struct model *model, const struct arrival *arrival);
/* Sends a frame that is too long for its way out in fragments. */
void cut(struct model *model, enum model_way way, uint32_t number, const uint8_t *frame,
	uint32_t len, uint32_t mtu, bool is_v6);
