// SPDX-License-Identifier: BSD-3-Clause
/* Fragments in the model: joined as RFC 791, RFC 8200 section 4.5 and RFC 5722 tell it, within the bounds of
 * reassembly.h, and cut. */
#include "model_impl.h"

#include <stdlib.h>

/* A fragment as the table sees it. */
struct fragment {
	struct model_piece piece;
	uint8_t key[48]; /* outer addresses, IPv4 addresses, identification, protocol */
	uint8_t source[16];
	uint8_t ecn, outer_ecn;
	uint32_t df_len; /* of the IPv4 packet, if it says DF */
};

static struct model_waiting *oldest(
	struct model *model, enum dp_frag_kind kind, const uint8_t *source)
{
	struct model_waiting *found = NULL;

	for (uint32_t i = 0; i < MODEL_WAITING_MAX; i++) {
		struct model_waiting *w = &model->waiting[kind][i];

		if (w->used && (source == NULL || memcmp(w->source, source, 16) == 0) &&
			(found == NULL || w->order < found->order))
			found = w;
	}
	return found;
}

static void drop_pieces(struct model *model, enum dp_frag_kind kind, struct model_waiting *w,
	enum dp_frag_fault fault)
{
	for (uint32_t i = 0; i < w->n; i++) {
		count(model, dp_frag_drop(kind, fault), w->pieces[i].frame_len);
		free(w->pieces[i].frame);
	}
	w->n = 0;
}

static void forget(struct model *model, enum dp_frag_kind kind, struct model_waiting *w,
	enum dp_frag_fault fault)
{
	drop_pieces(model, kind, w, fault);
	w->used = false;
}

static void forget_since(struct model *model, uint64_t timeout_ms)
{
	for (uint32_t kind = 0; kind < DP_FRAG_N_KINDS; kind++)
		for (uint32_t i = 0; i < MODEL_WAITING_MAX; i++) {
			struct model_waiting *w = &model->waiting[kind][i];

			if (w->used && model->now_ms - w->since_ms >= timeout_ms)
				forget(model, kind, w, DP_FRAG_TIMEOUT);
		}
}

void model_set_clock(struct model *model, uint64_t now_ms)
{
	model->now_ms = now_ms;
	forget_since(model, model->params.reassembly.timeout_ms);
}

void model_flush(struct model *model)
{
	forget_since(model, 0);
}

static uint32_t held(const struct model *model, enum dp_frag_kind kind)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < MODEL_WAITING_MAX; i++)
		n += model->waiting[kind][i].used ? model->waiting[kind][i].n : 0;
	return n;
}

static uint32_t waiting(const struct model *model, enum dp_frag_kind kind, const uint8_t *source)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < MODEL_WAITING_MAX; i++) {
		const struct model_waiting *w = &model->waiting[kind][i];

		n += w->used && (source == NULL || memcmp(w->source, source, 16) == 0);
	}
	return n;
}

/* The packet that the fragment belongs to; room is made for a new one. */
static struct model_waiting *find(
	struct model *model, enum dp_frag_kind kind, const struct fragment *fragment)
{
	const struct dp_reassembly_params *params = &model->params.reassembly;
	struct model_waiting *w;

	while (held(model, kind) >= params->max_fragments)
		forget(model, kind, oldest(model, kind, NULL), DP_FRAG_EVICTED);
	for (uint32_t i = 0; i < MODEL_WAITING_MAX; i++) {
		w = &model->waiting[kind][i];
		if (w->used && memcmp(w->key, fragment->key, sizeof(w->key)) == 0)
			return w;
	}
	if (waiting(model, kind, fragment->source) >= params->per_source)
		forget(model, kind, oldest(model, kind, fragment->source), DP_FRAG_EVICTED);
	else if (waiting(model, kind, NULL) >= params->max_datagrams)
		forget(model, kind, oldest(model, kind, NULL), DP_FRAG_EVICTED);
	for (w = model->waiting[kind]; w->used; w++)
		;
	memset(w, 0, sizeof(*w));
	w->used = true;
	w->since_ms = model->now_ms;
	w->order = model->fragments_seen++;
	memcpy(w->key, fragment->key, sizeof(w->key));
	memcpy(w->source, fragment->source, sizeof(w->source));
	return w;
}

static bool is_copy(const struct model_piece *a, const struct model_piece *b)
{
	return a->offset == b->offset && a->len == b->len &&
	       memcmp(a->frame + a->start, b->frame + b->start, a->len) == 0;
}

/* Why the piece cannot be one of this packet; -1: it can. */
static int piece_fault(const struct model_waiting *w, const struct model_piece *piece)
{
	uint32_t end = piece->offset + piece->len;

	for (uint32_t i = 0; i < w->n; i++)
		if (is_copy(&w->pieces[i], piece))
			return DP_FRAG_DUPLICATE;
	for (uint32_t i = 0; i < w->n; i++)
		if (piece->offset < w->pieces[i].offset + w->pieces[i].len &&
			w->pieces[i].offset < end)
			return DP_FRAG_OVERLAP;
	for (uint32_t i = 0; i < w->n; i++) {
		bool two_ends = !piece->more && !w->pieces[i].more;
		bool behind_it = !w->pieces[i].more && piece->offset > w->pieces[i].offset;
		bool before_it = !piece->more && w->pieces[i].offset > piece->offset;

		if (two_ends || behind_it || before_it)
			return DP_FRAG_MALFORMED;
	}
	return w->n == MODEL_PIECES_MAX ? DP_FRAG_TOO_MANY : -1;
}

/* In the order of their places. */
static void keep(struct model_waiting *w, const struct fragment *fragment)
{
	uint32_t at = w->n;

	for (; at > 0 && w->pieces[at - 1].offset > fragment->piece.offset; at--)
		w->pieces[at] = w->pieces[at - 1];
	w->pieces[at] = fragment->piece;
	w->pieces[at].frame = malloc(fragment->piece.frame_len);
	memcpy(w->pieces[at].frame, fragment->piece.frame, fragment->piece.frame_len);
	w->n++;
	if (fragment->df_len > w->df_len)
		w->df_len = fragment->df_len;
	w->ecn_seen[fragment->ecn] = true;
	w->outer_ce = w->outer_ce || fragment->outer_ecn == ECN_CE;
}

static bool is_whole(const struct model_waiting *w)
{
	uint32_t end = 0;

	for (uint32_t i = 0; i < w->n; i++) {
		if (w->pieces[i].offset != end)
			return false;
		end += w->pieces[i].len;
	}
	return !w->pieces[w->n - 1].more;
}

/* The header of the first fragment, then all payload; the packet waits no more. */
static uint8_t *join(
	struct model *model, enum dp_frag_kind kind, struct model_waiting *w, uint32_t *payload_len)
{
	const struct model_piece *last = &w->pieces[w->n - 1];
	uint32_t start = w->pieces[0].start;
	uint8_t *frame;

	*payload_len = last->offset + last->len;
	frame = take_room(model, start + *payload_len);
	memcpy(frame, w->pieces[0].frame, start);
	for (uint32_t i = 0; i < w->n; i++) {
		const struct model_piece *piece = &w->pieces[i];

		memcpy(frame + start + piece->offset, piece->frame + piece->start, piece->len);
		count(model, DP_COUNT_FRAGMENTS_JOINED, piece->frame_len);
		free(piece->frame);
	}
	count(model, DP_COUNT_V6_REASSEMBLED + kind, start + *payload_len);
	w->used = false;
	return frame;
}

/* Takes a fragment in. Returns the packet that is whole with it, of which the frame is written, or NULL. */
static struct model_waiting *take_in(struct model *model, enum dp_frag_kind kind,
	const struct arrival *a, const struct fragment *fragment, uint8_t **frame,
	uint32_t *payload_len)
{
	const struct model_piece *piece = &fragment->piece;
	struct model_waiting *w;
	int fault;

	if (piece->len == 0 || (piece->more && piece->len % 8 != 0) ||
		piece->offset + piece->len > 65535) {
		drop(model, a, dp_frag_drop(kind, DP_FRAG_MALFORMED));
		return NULL;
	}
	w = find(model, kind, fragment);
	fault = w->refused ? (int)w->fault : piece_fault(w, piece);
	if (fault >= 0) {
		drop(model, a, dp_frag_drop(kind, fault));
		if (fault != DP_FRAG_DUPLICATE) {
			drop_pieces(model, kind, w, fault);
			w->refused = true;
			w->fault = fault;
		}
		return NULL;
	}
	keep(w, fragment);
	if (!is_whole(w))
		return NULL;
	*frame = join(model, kind, w, payload_len);
	return w;
}

/* RFC 3168 section 5.3: CE beside Not-ECT cannot be. */
static bool marks_contradict(const struct model_waiting *w)
{
	return w->ecn_seen[ECN_CE] && w->ecn_seen[ECN_NOT_ECT];
}

/* Without the fragment header at this offset, what it announced follows what was before it. */
static void go_on_v6(struct model *model, const struct arrival *arrival, uint32_t offset,
	uint32_t payload_len, bool ce)
{
	struct arrival a = *arrival;
	const uint8_t *v6 = a.frame + ETHER;
	uint8_t *whole = take_room(model, a.len - FRAGMENT);
	struct chain chain;

	walk_headers(v6, &chain);
	memcpy(whole, a.frame, ETHER + offset);
	memcpy(whole + ETHER + offset, v6 + offset + FRAGMENT, a.len - ETHER - offset - FRAGMENT);
	whole[ETHER + chain.next_at] = v6[offset];
	put16(whole + ETHER + 4, payload_len);
	if (ce)
		whole[ETHER + 1] |= ECN_CE << 4;
	a.frame = whole;
	a.len -= FRAGMENT;
	a.was_fragment = true;
	classify(model, &a);
}

/* The parts are together: a frame of which the IPv6 header has still the length of the first one. */
static void go_on_joined(struct model *model, const struct arrival *a, uint8_t *frame,
	uint32_t payload_len, uint32_t offset, const struct model_waiting *w)
{
	struct arrival whole = *a;
	uint32_t repeated = offset - V6_HEADER;

	whole.frame = frame;
	whole.len = ETHER + offset + FRAGMENT + payload_len;
	if (marks_contradict(w) || repeated + payload_len > 65535) {
		drop(model, &whole, DP_DROP_V6_FRAG_MALFORMED);
		return;
	}
	go_on_v6(model, &whole, offset, repeated + payload_len, w->ecn_seen[ECN_CE]);
}

/* Why the fragment cannot be one of a tunnel packet; DP_N_DROPS: it can. */
static uint32_t refuse_fragment(const struct arrival *a, const uint8_t *header, uint32_t room)
{
	if (room < FRAGMENT)
		return DP_DROP_V6_FRAG_MALFORMED;
	switch (header[0]) {
	case 0: /* stands before a fragment header only */
	case 44:
		return DP_DROP_V6_EXT_ORDER;
	case 50:
		return DP_DROP_V6_ESP;
	case 51:
		return DP_DROP_V6_AH;
	case 4:
	case 43:
	case 60:
		return a->was_fragment ? DP_DROP_V6_EXT_ORDER : DP_N_DROPS;
	default:
		return DP_N_DROPS; /* the host's */
	}
}

void join_v6(struct model *model, const struct arrival *a, uint32_t offset)
{
	const uint8_t *header = a->v6 + offset;
	uint32_t room = V6_HEADER + get16(a->v6 + 4) - offset, place, payload_len;
	uint32_t fault = refuse_fragment(a, header, room);
	struct fragment fragment = {.ecn = a->v6[1] >> 4 & 3};
	struct model_waiting *w;
	uint8_t *frame;

	if (fault != DP_N_DROPS) {
		drop(model, a, fault);
		return;
	}
	if (header[0] != 4 && header[0] != 43 && header[0] != 60) {
		to_host(model, a);
		return;
	}
	if (a->group) {
		drop(model, a, DP_DROP_GROUP_MAC);
		return;
	}
	place = get16(header + 2);
	if ((place & 0xfff9) == 0) { /* RFC 6946 */
		go_on_v6(model, a, offset, get16(a->v6 + 4) - FRAGMENT, false);
		return;
	}
	fragment.piece = (struct model_piece){.offset = place & 0xfff8,
		.len = room - FRAGMENT,
		.header = ETHER,
		.start = ETHER + offset + FRAGMENT,
		.more = place & 1,
		.frame_len = a->len,
		.frame = (uint8_t *)(uintptr_t)a->frame};
	memcpy(fragment.key, a->v6 + 8, 32);
	memcpy(fragment.key + 40, header + 4, 4);
	memcpy(fragment.source, a->v6 + 8, 16);
	w = take_in(model, DP_FRAG_V6, a, &fragment, &frame, &payload_len);
	if (w != NULL)
		go_on_joined(
			model, a, frame, payload_len, w->pieces[0].start - ETHER - FRAGMENT, w);
}

/* DF on a fragment is the packet's, unless all of them would pass and the packet would not. */
static bool stays_whole(const struct model *model, const struct model_waiting *w, uint32_t len)
{
	uint32_t into_tunnel = model->params.mtu_v6 - overhead(model);
	uint32_t passes = into_tunnel < model->params.mtu_v4 ? into_tunnel : model->params.mtu_v4;

	if (w->df_len == 0)
		return false;
	return len <= passes || w->df_len > passes;
}

void join_v4(struct model *model, const struct arrival *a)
{
	enum dp_frag_kind kind = a->v6 != NULL ? DP_FRAG_INNER : DP_FRAG_V4;
	uint32_t at = (uint32_t)(a->v4 - a->frame), flags = get16(a->v4 + 6), payload_len;
	struct fragment fragment = {.piece = {.offset = (flags & 0x1fff) * 8,
					    .len = a->v4_len - a->v4_header,
					    .header = at,
					    .start = at + a->v4_header,
					    .more = (flags & 0x2000) != 0,
					    .frame_len = a->len,
					    .frame = (uint8_t *)(uintptr_t)a->frame},
		.ecn = a->v4[1] & 3,
		.df_len = (flags & 0x4000) != 0 ? a->v4_len : 0};
	struct arrival whole = *a;
	struct model_waiting *w;
	uint8_t *frame;

	if (a->was_fragment &&
		a->len + FRAGMENT > ONE_BUFFER) { /* with the header that is gone by now */
		drop(model, a, dp_frag_drop(kind, DP_FRAG_MALFORMED));
		return;
	}
	memcpy(fragment.key + 32, a->v4 + 12, 8);
	memcpy(fragment.key + 40, a->v4 + 4, 2);
	fragment.key[44] = a->v4[9];
	memcpy(fragment.source, a->v4 + 12, 4);
	if (a->v6 != NULL) {
		memcpy(fragment.key, a->v6 + 8, 32);
		memcpy(fragment.source, a->v6 + 8, 16);
		fragment.outer_ecn = a->v6[1] >> 4 & 3;
	}
	w = take_in(model, kind, a, &fragment, &frame, &payload_len);
	if (w == NULL)
		return;
	at = w->pieces[0].header;
	whole.frame = frame;
	whole.len = w->pieces[0].start + payload_len;
	if (marks_contradict(w) || whole.len - at > 65535 ||
		(a->v6 != NULL && whole.len - ETHER - V6_HEADER > 65535)) {
		drop(model, &whole, dp_frag_drop(kind, DP_FRAG_MALFORMED));
		return;
	}
	put16(frame + at + 2, whole.len - at);
	put16(frame + at + 6, stays_whole(model, w, whole.len - at) ? 0x4000 : 0);
	if (w->ecn_seen[ECN_CE])
		frame[at + 1] |= ECN_CE;
	v4_write_checksum(frame + at);
	if (a->v6 != NULL) {
		put16(frame + ETHER + 4, whole.len - ETHER - V6_HEADER);
		if (w->outer_ce)
			frame[ETHER + 1] |= ECN_CE << 4;
	}
	classify(model, &whole);
}

/* --- cut ------------------------------------------------------------------------------------------- */

static uint8_t *piece_v6(struct model *model, const uint8_t *frame, uint32_t offset, uint32_t len,
	bool more, uint32_t *start)
{
	uint8_t *piece = take_room(model, ETHER + V6_HEADER + FRAGMENT + len);
	uint8_t *header = piece + ETHER + V6_HEADER;

	memcpy(piece, frame, ETHER + V6_HEADER);
	put16(piece + ETHER + 4, FRAGMENT + len);
	piece[ETHER + 6] = 44;
	memset(header, 0, FRAGMENT);
	header[0] = frame[ETHER + 6];
	put16(header + 2, offset | more);
	*start = ETHER + V6_HEADER + FRAGMENT;
	return piece;
}

/* The options that go with every fragment (the first bit of their type), up to one that lies about its length. */
static uint32_t copied_options(const uint8_t *from, uint32_t len, uint8_t *to)
{
	uint32_t n = 0, at = 0;

	while (at < len && from[at] != 0) {
		uint32_t size = from[at] == 1 ? 1 : at + 1 < len ? from[at + 1] : 0;

		if (from[at] != 1 && (size < 2 || at + size > len))
			break;
		if (from[at] >= 128)
			for (uint32_t i = 0; i < size; i++)
				to[n++] = from[at + i];
		at += size;
	}
	while (n % 4 != 0)
		to[n++] = 0;
	return n;
}

static uint8_t *piece_v4(struct model *model, const uint8_t *frame, uint32_t offset, uint32_t len,
	bool more, uint32_t *start)
{
	const uint8_t *whole = frame + ETHER;
	uint32_t header = (whole[0] & 15) * 4;
	uint8_t *piece = take_room(model, ETHER + header + len), *v4 = piece + ETHER;

	memcpy(piece, frame, ETHER + header);
	if (offset != 0)
		header = 20 + copied_options(whole + 20, header - 20, v4 + 20);
	v4[0] = (uint8_t)(0x40 | header / 4);
	put16(v4 + 2, header + len);
	/* A fragment that is cut again stays where it was. */
	put16(v4 + 6, ((get16(whole + 6) & 0x1fff) + offset / 8) |
			      (more || (get16(whole + 6) & 0x2000) != 0 ? 0x2000 : 0));
	v4_write_checksum(v4);
	*start = ETHER + header;
	return piece;
}

/* Into a tunnel with an IPv4 packet whose fragments are tunnel packets each (RFC 7597 section 8.3.1). */
static void cut_inner(struct model *model, enum model_way way, uint32_t number,
	const uint8_t *frame, uint32_t len, uint32_t mtu)
{
	uint32_t at = ETHER + overhead(model), header = (frame[at] & 15) * 4;
	uint32_t step = (mtu - overhead(model) - header) / 8 * 8;
	uint32_t payload_len = len - at - header, start;

	count(model, DP_COUNT_FRAGMENTED, len);
	for (uint32_t offset = 0; offset < payload_len; offset += step) {
		bool more = payload_len - offset > step;
		uint32_t n = more ? step : payload_len - offset;
		/* piece_v4 takes an Ethernet header in front of the packet */
		uint8_t *piece = piece_v4(model, frame + at - ETHER, offset, n, more, &start);
		uint8_t *whole = take_room(model, at + start - ETHER + n);

		memcpy(whole, frame, at);
		memcpy(whole + at, piece + ETHER, start - ETHER);
		memcpy(whole + at + start - ETHER, frame + at + header + offset, n);
		put16(whole + ETHER + 4, at - ETHER - V6_HEADER + start - ETHER + n);
		count(model, DP_COUNT_FRAGMENTS_MADE, at + start - ETHER + n);
		sent(model, way, number, whole, at + start - ETHER + n);
	}
}

void cut(struct model *model, enum model_way way, uint32_t number, const uint8_t *frame,
	uint32_t len, uint32_t mtu, bool is_v6)
{
	uint32_t header = is_v6 ? V6_HEADER : (frame[ETHER] & 15) * 4;
	uint32_t step = (mtu - header - (is_v6 ? FRAGMENT : 0)) / 8 * 8;
	uint32_t payload_len = len - ETHER - header, start;

	if (is_v6 && model->params.fragment_inner) {
		cut_inner(model, way, number, frame, len, mtu);
		return;
	}
	count(model, DP_COUNT_FRAGMENTED, len);
	for (uint32_t offset = 0; offset < payload_len; offset += step) {
		bool more = payload_len - offset > step;
		uint32_t n = more ? step : payload_len - offset;
		uint8_t *piece = (is_v6 ? piece_v6 : piece_v4)(
			model, frame, offset, n, more, &start);

		memcpy(piece + start, frame + ETHER + header + offset, n);
		count(model, DP_COUNT_FRAGMENTS_MADE, start + n);
		sent(model, way, number, piece, start + n);
	}
}
