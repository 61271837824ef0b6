// SPDX-License-Identifier: BSD-3-Clause
/* ICMP in the model: queries and errors (RFC 792, RFC 5508), errors of our own (RFC 1812, RFC 4443), errors from
 * inside a tunnel (RFC 2473 section 8). */
#include "model_impl.h"

#define UNREACHABLE   3
#define TIME_EXCEEDED 11
#define ERROR_TOS     0xc0

enum icmp_kind icmp_kind_of(uint8_t type)
{
	switch (type) {
	case 0: /* echo reply */
	case 8: /* echo */
	case 13: /* timestamp and its reply */
	case 14:
	case 15: /* information */
	case 16:
	case 17: /* address mask */
	case 18:
		return ICMP_IS_QUERY;
	case UNREACHABLE:
	case TIME_EXCEEDED:
	case 12: /* parameter problem */
		return ICMP_IS_ERROR;
	default:
		return ICMP_IS_OTHER;
	}
}

/* One end of an IPv4 packet that may be cut off after 8 octets of its payload. */
static bool read_end(const uint8_t *v4, uint32_t room, bool take_source, struct model_key *key)
{
	uint32_t header;

	if (room < 20 || v4[0] >> 4 != 4)
		return false;
	header = (v4[0] & 15) * 4;
	if (header < 20 || header > room || !octets_checksum_holds(v4, header))
		return false;
	if ((get16(v4 + 6) & 0x1fff) != 0)
		return false; /* a later fragment says nothing about ports */
	key->v4 = get32(v4 + (take_source ? 12 : 16));
	key->has_port = v4[9] == PROTO_ICMP || v4[9] == PROTO_TCP || v4[9] == PROTO_UDP;
	if (!key->has_port)
		return true;
	if (room - header < 8)
		return false;
	if (v4[9] == PROTO_ICMP) {
		key->port = get16(v4 + header + 4);
		return icmp_kind_of(v4[header]) == ICMP_IS_QUERY;
	}
	key->port = get16(v4 + header + (take_source ? 0 : 2));
	return true;
}

/* RFC 1122 section 3.2.2: there are at least 8 octets behind the quoted header. */
bool icmp_read_quote(const uint8_t *icmp, uint32_t len, bool take_source, struct model_key *key)
{
	const uint8_t *v4 = icmp + 8;
	uint32_t wanted;

	if (!octets_checksum_holds(icmp, len) || len < 8 + 20)
		return false;
	wanted = (v4[0] & 15) * 4 + 8;
	return wanted <= len - 8 && wanted <= get16(v4 + 2) &&
	       read_end(v4, len - 8, take_source, key);
}

/* --- errors of our own --------------------------------------------------------------------------- */

static enum dp_icmp_kind kind_of(enum dp_counter reason)
{
	switch (reason) {
	case DP_DROP_V4_TTL_EXPIRED:
	case DP_DROP_INNER_TTL_EXPIRED:
		return DP_ICMP_TIME_EXCEEDED;
	case DP_DROP_TOO_BIG_V4:
	case DP_DROP_TOO_BIG_V6:
		return DP_ICMP_TOO_BIG;
	case DP_DROP_NO_BINDING_V4:
	case DP_DROP_NO_PORT_V4:
	case DP_DROP_HAIRPIN_NO_BINDING:
	case DP_DROP_POOL_NO_BINDING:
		return DP_ICMP_UNREACHABLE;
	case DP_DROP_V6_EXT_ORDER:
	case DP_DROP_V6_EXT_OPTION:
	case DP_DROP_V6_EXT_ROUTING:
		return DP_ICMP_PARAMETER;
	case DP_DROP_NO_BINDING_V6:
	case DP_DROP_NO_PORT_V6:
	case DP_DROP_SPOOFED_CLIENT:
	case DP_DROP_WRONG_TEP:
		return DP_ICMP_POLICY;
	default:
		return DP_ICMP_NONE;
	}
}

/* A bucket that gains rate thousandths a millisecond and holds burst errors. */
static bool take_token(struct model *model)
{
	const struct dp_icmp_params *icmp = &model->params.icmp;

	model->tokens += (model->now_ms - model->tokens_ms) * icmp->rate;
	if (model->tokens > icmp->burst * UINT64_C(1000))
		model->tokens = icmp->burst * UINT64_C(1000);
	model->tokens_ms = model->now_ms;
	if (model->tokens < 1000)
		return false;
	model->tokens -= 1000;
	return true;
}

/* Global in the sense that it can be answered: not ::, ::1, fe80::/10, ff00::/8, nor IPv4 in disguise. */
static bool can_be_reached(const uint8_t *v6)
{
	static const uint8_t zeros[15];

	if (memcmp(v6, zeros, 15) == 0 && v6[15] <= 1)
		return false;
	if (v6[0] == 0xfe && (v6[1] & 0xc0) == 0x80)
		return false;
	if (memcmp(v6, zeros, 10) == 0 && v6[10] == 0xff && v6[11] == 0xff)
		return false;
	return v6[0] != 0xff;
}

/* A part of an ICMPv6 error, or of a redirect, or what may be one: later fragments only say what follows headers. */
static bool may_be_part_of_error(const uint8_t *v6)
{
	struct chain chain = {.next = v6[6], .end = V6_HEADER};
	uint32_t len = V6_HEADER + get16(v6 + 4);

	if (!skip_headers(v6, &chain))
		return true;
	if (chain.next == 44) {
		bool later;

		if (len - chain.end < 8)
			return true;
		later = (get16(v6 + chain.end + 2) & 0xfff8) != 0;
		chain.next = v6[chain.end];
		chain.end += 8;
		if (later)
			return chain.next == 58 || chain.next == 0 || chain.next == 43 ||
			       chain.next == 60;
		if (!skip_headers(v6, &chain) || chain.next == 44)
			return true;
	}
	return chain.next == 58 &&
	       (chain.end == len || v6[chain.end] < 128 || v6[chain.end] == 137);
}

static bool may_be_answered(const struct arrival *a, enum dp_icmp_kind kind)
{
	uint8_t code;
	uint32_t pointer;

	if ((a->frame[0] & 1) != 0)
		return false;
	if (a->v4 == NULL && kind != DP_ICMP_PARAMETER)
		return can_be_reached(a->v6 + 8) && !may_be_part_of_error(a->v6);
	if (kind == DP_ICMP_PARAMETER)
		return can_be_reached(a->v6 + 8) && parameter_problem(a->v6, &code, &pointer);
	if (a->v4[9] == PROTO_ICMP &&
		(a->v4_len <= a->v4_header || icmp_kind_of(a->v4[a->v4_header]) != ICMP_IS_QUERY))
		return false;
	if ((get16(a->v4 + 6) & 0x1fff) != 0)
		return false;
	if (kind == DP_ICMP_POLICY)
		return can_be_reached(a->v6 + 8);
	if (kind == DP_ICMP_TOO_BIG && (a->v4[6] & 0x40) == 0)
		return false; /* DF is what 3/4 speaks of */
	return !is_martian(get32(a->v4 + 12)) && !is_martian(get32(a->v4 + 16));
}

/* The ICMPv4 error about a packet, at v4; returns its length: 576 octets at most. */
static uint32_t write_error(const struct arrival *a, uint8_t *v4, uint32_t source, uint8_t type,
	uint8_t code, uint32_t mtu)
{
	uint32_t quoted = a->v4_len < 548 ? a->v4_len : 548;

	memset(v4, 0, 28);
	v4[0] = 0x45;
	v4[1] = ERROR_TOS;
	put16(v4 + 2, 28 + quoted);
	put16(v4 + 6, 0x4000);
	v4[8] = 64;
	v4[9] = PROTO_ICMP;
	put32(v4 + 12, source);
	memcpy(v4 + 16, a->v4 + 12, 4);
	v4_write_checksum(v4);
	v4[20] = type;
	v4[21] = code;
	put16(v4 + 26, mtu);
	memcpy(v4 + 28, a->v4, quoted);
	put16(v4 + 22, octets_checksum(v4 + 20, 8 + quoted));
	return 28 + quoted;
}

static uint32_t source_towards_v4(const struct model *model)
{
	if (model->params.icmp.v4_source != 0)
		return model->params.icmp.v4_source;
	for (uint32_t i = 0; i < model->n_local; i++)
		if (!is_martian(model->local_v4[i]))
			return model->local_v4[i];
	return model->params.icmp.tunnel_v4;
}

/* To the IPv4 sender; returns the error's length. */
static uint32_t answer_v4(
	struct model *model, const struct arrival *a, uint8_t type, uint8_t code, uint32_t mtu)
{
	uint8_t *frame = take_room(model, ETHER + 576);
	uint32_t len = write_error(a, frame + ETHER, source_towards_v4(model), type, code, mtu);

	egress(model, a->number, frame, ETHER + len, false);
	return len;
}

/* Back into the tunnel that the packet came from. */
static void answer_client(
	struct model *model, const struct arrival *a, uint8_t type, uint8_t code, uint32_t mtu)
{
	uint8_t error[576];
	uint32_t len = write_error(a, error, model->params.icmp.tunnel_v4, type, code, mtu);
	uint8_t *frame = new_tunnel_frame(model, error, len, a->v6 + 24, a->v6 + 8);

	count(model, DP_COUNT_OUT_ICMPV4_ERRORS, len);
	egress(model, a->number, frame, ETHER + overhead(model) + len, true);
}

/* ICMPv6 to the IPv6 source, of 1,280 octets at most; returns the frame's length. */
static uint32_t write_error_v6(struct model *model, const struct arrival *a, const uint8_t *source,
	uint8_t type, uint8_t code, uint32_t pointer, uint8_t **written)
{
	uint32_t quoted, len;
	uint8_t *frame, *icmp;

	assert(a->v6 != NULL);
	quoted = V6_HEADER + get16(a->v6 + 4);
	quoted = quoted < 1232 ? quoted : 1232;
	len = 8 + quoted;
	frame = new_v6_frame(model, ERROR_TOS, len, 58, 64, source, a->v6 + 8);
	icmp = frame + ETHER + V6_HEADER;
	icmp[0] = type;
	icmp[1] = code;
	put16(icmp + 2, 0);
	put32(icmp + 4, pointer);
	memcpy(icmp + 8, a->v6, quoted);
	put16(icmp + 2, (uint16_t)~octets_fold(octets_icmp6_sum(frame + ETHER, icmp, len)));
	count(model, DP_COUNT_OUT_ICMPV6_ERRORS, V6_HEADER + len);
	*written = frame;
	return ETHER + V6_HEADER + len;
}

static void answer_v6(
	struct model *model, const struct arrival *a, uint8_t type, uint8_t code, uint32_t pointer)
{
	uint8_t *frame;
	uint32_t len = write_error_v6(model, a, a->v6 + 24, type, code, pointer, &frame);

	egress(model, a->number, frame, len, true);
}

static void answer_parameter(struct model *model, const struct arrival *a)
{
	uint32_t pointer;
	uint8_t code;

	if (parameter_problem(a->v6, &code, &pointer))
		answer_v6(model, a, 4, code, pointer);
}

void icmp_answer(struct model *model, const struct arrival *a, enum dp_counter reason, uint32_t mtu)
{
	const struct dp_icmp_params *icmp = &model->params.icmp;
	enum dp_icmp_kind kind = kind_of(reason);
	uint8_t type = kind == DP_ICMP_TIME_EXCEEDED ? TIME_EXCEEDED : UNREACHABLE;
	uint8_t code = kind == DP_ICMP_TOO_BIG ? 4 : kind == DP_ICMP_UNREACHABLE ? 1 : 0;

	if (kind == DP_ICMP_NONE || !(a->v6 != NULL ? icmp->to_clients : icmp->to_v4)[kind] ||
		!may_be_answered(a, kind))
		return;
	if (!take_token(model))
		count(model, DP_COUNT_ICMP_WITHHELD, a->len);
	else if (kind == DP_ICMP_POLICY)
		answer_v6(model, a, 1, 5, 0);
	else if (kind == DP_ICMP_PARAMETER)
		answer_parameter(model, a);
	else if (a->v6 != NULL)
		answer_client(model, a, type, code, mtu);
	else
		count(model, DP_COUNT_OUT_ICMPV4_ERRORS, answer_v4(model, a, type, code, mtu));
}

/* --- about plain packets: back by the side that they came from ------------------------------------------ */

static enum dp_icmp_kind kind_of_plain(enum dp_counter reason)
{
	switch (reason) {
	case DP_DROP_V4_TTL_EXPIRED:
	case DP_DROP_FORWARD_HOP_LIMIT:
		return DP_ICMP_TIME_EXCEEDED;
	case DP_DROP_FORWARD_V4_TOO_BIG:
	case DP_DROP_FORWARD_V6_TOO_BIG:
		return DP_ICMP_TOO_BIG;
	case DP_DROP_NO_ROUTE:
		return DP_ICMP_NO_ROUTE;
	default:
		return DP_ICMP_NONE;
	}
}

void icmp_answer_plain(
	struct model *model, const struct arrival *a, enum dp_counter reason, uint32_t mtu)
{
	const uint8_t *source = model->params.icmp.v6_source.s6_addr;
	const struct model_hop *hop = &model->hops[a->side];
	enum dp_icmp_kind kind = kind_of_plain(reason);
	bool time = kind == DP_ICMP_TIME_EXCEEDED, big = kind == DP_ICMP_TOO_BIG;
	uint8_t *frame;
	uint32_t len;

	if (kind == DP_ICMP_NONE || !model->params.icmp.plain || !may_be_answered(a, kind))
		return;
	if (!take_token(model)) {
		count(model, DP_COUNT_ICMP_WITHHELD, a->len);
	} else if (a->v4 == NULL) {
		len = write_error_v6(model, a, source, time ? 3 : big ? 2 : 1, 0, mtu, &frame);
		egress_by(model, a->number, frame, len, true, hop, UINT32_MAX);
	} else {
		frame = take_room(model, ETHER + 576);
		len = write_error(a, frame + ETHER, source_towards_v4(model),
			time ? TIME_EXCEEDED : UNREACHABLE, big ? 4 : 0, mtu);
		count(model, DP_COUNT_OUT_ICMPV4_ERRORS, len);
		egress_by(model, a->number, frame, ETHER + len, false, hop, UINT32_MAX);
	}
}

/* --- errors from inside a tunnel ------------------------------------------------------------------- */

/*
 * Where the IPv4 packet begins in a quoted tunnel packet of ours, which may have a fragment header and
 * behind it an encapsulation limit; 0: it is none.
 */
static uint32_t quoted_tunnel(const uint8_t *v6, uint32_t room)
{
	uint32_t at = V6_HEADER;
	uint8_t next;

	if (room < V6_HEADER || v6[0] >> 4 != 6)
		return 0;
	next = v6[6];
	if (next == 44 && room >= at + 8) {
		next = v6[at];
		at += 8;
	}
	if (next == 60 && room >= at + 8 && v6[at + 1] == 0) {
		next = v6[at];
		at += 8;
	}
	return next == 4 ? at : 0;
}

/* Could we have sent it? Then a tells of the IPv4 packet in it, as far as it is quoted. */
static bool is_ours(const struct model *model, struct arrival *a, const uint8_t *v6, uint32_t room)
{
	uint32_t offset = quoted_tunnel(v6, room);
	const uint8_t *v4 = v6 + offset;
	const struct model_binding *holder;
	struct model_key key = {0};

	if (v6[6] == 44 && (get16(v6 + V6_HEADER + 2) & 0xfff8) != 0)
		return false; /* its IPv4 header was in the first one */
	room -= offset;
	if (room < 20 || get16(v4 + 2) < (v4[0] & 15) * 4U)
		return false;
	a->v4 = v4;
	a->v4_len = get16(v4 + 2) < room ? get16(v4 + 2) : room;
	a->v4_header = (v4[0] & 15) * 4;
	if (!read_end(v4, a->v4_len, false, &key))
		return false;
	if (v4[9] == PROTO_TCP && a->v4_len - a->v4_header < 20)
		return false;
	holder = model_binding_find(model, key.v4, key.has_port, key.port);
	return holder != NULL && same_v6(holder->client, v6 + 24) && same_v6(holder->tep, v6 + 8) &&
	       same_v6(holder->tep, a->v6 + 24);
}

/* What the IPv4 sender hears: false, nothing. */
static bool translate(const struct model *model, const uint8_t *icmp, const uint8_t *quoted,
	uint8_t *code, uint32_t *mtu)
{
	uint32_t reported = get32(icmp + 4);

	*code = 1;
	*mtu = 0;
	if (icmp[0] == 3)
		return icmp[1] == 0;
	if (icmp[0] != 2)
		return true;
	if (reported < 1280)
		reported = 1280; /* no IPv6 link has less */
	*code = 4;
	*mtu = reported - overhead(model);
	return reported < (uint32_t)V6_HEADER + get16(quoted + 4);
}

bool icmp_relay(struct model *model, const struct arrival *arrival)
{
	struct arrival a = *arrival;
	const uint8_t *icmp = a.v6 + V6_HEADER, *quoted = icmp + 8;
	uint32_t len = get16(a.v6 + 4), mtu;
	uint8_t code;

	if (len <= 8 || icmp[0] < 1 || icmp[0] > 4 || quoted_tunnel(quoted, len - 8) == 0)
		return false;
	drop(model, arrival, DP_DROP_TUNNEL_ERROR);
	if (arrival->group || octets_fold(octets_icmp6_sum(a.v6, icmp, len)) != 0xffff ||
		!is_ours(model, &a, quoted, len - 8) ||
		!translate(model, icmp, quoted, &code, &mtu) ||
		(code == 4 && (a.v4[6] & 0x40) == 0) || !may_be_answered(&a, DP_ICMP_UNREACHABLE))
		return true;
	if (!take_token(model)) {
		count(model, DP_COUNT_ICMP_WITHHELD, a.len);
		return true;
	}
	model->packets[DP_DROP_TUNNEL_ERROR]--;
	model->bytes[DP_DROP_TUNNEL_ERROR] -= a.len;
	count(model, DP_COUNT_ICMPV6_RELAYED, answer_v4(model, &a, UNREACHABLE, code, mtu));
	return true;
}
