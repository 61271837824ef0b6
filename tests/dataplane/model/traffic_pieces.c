// SPDX-License-Identifier: BSD-3-Clause
/* Packets that come damaged, and packets that come in pieces. */
#include "octets.h"
#include "traffic_impl.h"

#include <rte_common.h>

/* --- damage ------------------------------------------------------------------------------------------ */

/* Makes a damaged IPv4 header's checksum right again, so that the damage is looked at. */
static void mend(uint8_t *frame, uint32_t len, uint32_t inner)
{
	uint32_t header = inner == 0 || inner + 20 > len ? 0 : (frame[inner] & 15) * 4;

	if (header < 20 || inner + header > len)
		return;
	put16(frame + inner + 10, 0);
	put16(frame + inner + 10, octets_checksum(frame + inner, header));
}

void traffic_damage(struct traffic *t, struct traffic_frame *frame, uint32_t inner)
{
	uint32_t at = below(t, RTE_MIN(frame->len, 100U));

	switch (below(t, 6)) {
	case 0:
		frame->at[at] ^= (uint8_t)(1 << below(t, 8));
		break;
	case 1:
		frame->at[at] = (uint8_t)below(t, 256);
		break;
	case 2: /* in a header */
		if (inner == 0 || inner + 20 > frame->len)
			break;
		frame->at[inner + below(t, 20)] = (uint8_t)below(t, 256);
		break;
	case 3: /* lengths */
		if (inner + 6 <= frame->len)
			put16(frame->at + (chance(t, 500) ? 18 : RTE_MAX(inner, 14U) + 2),
				below(t, chance(t, 500) ? 100 : 65536));
		break;
	case 4: /* cut */
		frame->len = below(t, frame->len + 1);
		break;
	default: /* padded */
		for (at = below(t, 40); at > 0 && frame->len < TRAFFIC_FRAME_MAX; at--)
			frame->at[frame->len++] = (uint8_t)at;
	}
	if (chance(t, 700))
		mend(frame->at, frame->len, inner);
}

/* --- pieces ------------------------------------------------------------------------------------------ */

static void add_pending(struct traffic *t, uint32_t side, const uint8_t *frame, uint32_t len)
{
	struct traffic_frame *pending = &t->pending[t->n_pending];

	if (t->n_pending == TRAFFIC_PENDING_MAX)
		return;
	t->n_pending++;
	pending->side = side;
	pending->len = len;
	memcpy(pending->at, frame, len);
}

static void remove_pending(struct traffic *t, uint32_t at)
{
	const struct traffic_frame *last = &t->pending[--t->n_pending];

	t->pending[at].side = last->side;
	t->pending[at].len = last->len;
	if (at != t->n_pending)
		memcpy(t->pending[at].at, last->at, last->len);
}

/* Where the next cut is: small pieces, or such as links make. Multiples of 8, most of the time. */
static uint32_t step(struct traffic *t, uint32_t len)
{
	uint32_t n = len > 2000 ? 1000 + below(t, 400) : 8 + below(t, RTE_MIN(len, 1400U));

	return chance(t, 990) ? n & ~7U : n;
}

/* A payload's place in the fragment that carries it: rarely where it should be, if at all. */
static uint32_t place(struct traffic *t, uint32_t offset)
{
	return chance(t, 10) ? offset + 8 * below(t, 3) : offset;
}

/* The fragments of an IPv6 packet. */
static void cut_v6(struct traffic *t, const uint8_t *frame, uint32_t len)
{
	uint32_t payload = len - INNER, id = below(t, 3), n, n_octets;
	uint8_t piece[TRAFFIC_FRAME_MAX];

	for (uint32_t offset = 0; offset < payload; offset += n) {
		n = RTE_MIN(RTE_MAX(step(t, payload), 8U), payload - offset);
		memcpy(piece, frame, INNER);
		put16(piece + 18, 8 + n);
		piece[20] = 44;
		memset(piece + INNER, 0, 8);
		piece[INNER] = frame[20];
		put16(piece + INNER + 2, place(t, offset) | (n < payload - offset));
		piece[INNER + 7] = (uint8_t)id;
		memcpy(piece + INNER + 8, frame + INNER + offset, n);
		if (chance(t, 20))
			piece[15] ^= (uint8_t)(below(t, 4) << 4);
		n_octets = INNER + 8 + n;
		if (chance(t, 60))
			n_octets = traffic_insert_headers(t, piece, n_octets, sizeof(piece));
		add_pending(t, 0, piece, n_octets);
	}
}

/* The fragments of an IPv4 packet; nested: some of them in a tunnel are cut once more. */
static void cut_v4(
	struct traffic *t, const uint8_t *frame, uint32_t len, uint32_t inner, bool nested)
{
	uint32_t start = inner + (frame[inner] & 15) * 4, n, n_octets;
	uint8_t piece[TRAFFIC_FRAME_MAX];

	for (uint32_t offset = 0; start + offset < len; offset += n) {
		uint32_t left = len - start - offset;
		bool more;

		n = RTE_MIN(RTE_MAX(step(t, len - start), 8U), left);
		more = n < left;
		memcpy(piece, frame, start);
		memcpy(piece + start, frame + start + offset, n);
		put16(piece + inner + 2, start - inner + n);
		put16(piece + inner + 6, place(t, offset) / 8 | (more ? 0x2000 : 0));
		if (chance(t, 20))
			piece[inner + 1] ^= (uint8_t)below(t, 4);
		mend(piece, start, inner);
		if (inner == INNER)
			put16(piece + 18, start - inner + n);
		if (inner == INNER && chance(t, 20))
			piece[15] ^= (uint8_t)(below(t, 4) << 4);
		n_octets = start + n;
		if (inner == INNER && chance(t, 60))
			n_octets = traffic_insert_headers(t, piece, n_octets, sizeof(piece));
		if (nested && chance(t, 100))
			cut_v6(t, piece, n_octets);
		else
			add_pending(t, inner == INNER ? 0 : 1, piece, n_octets);
	}
}

/* Some get lost, some come twice, or as what they are not. */
static void disturb(struct traffic *t, uint32_t first)
{
	struct traffic_frame *some;
	uint32_t at;

	if (first == t->n_pending)
		return;
	at = first + below(t, t->n_pending - first);
	some = &t->pending[at];
	switch (below(t, 12)) {
	case 0:
		remove_pending(t, at);
		break;
	case 1:
		add_pending(t, some->side, some->at, some->len);
		break;
	case 2:
		add_pending(t, some->side, some->at, some->len);
		some->at[some->len - 1] ^= 1;
		break;
	case 3:
		if (t->hostile != 0)
			traffic_damage(t, some,
				chance(t, 500)    ? 0
				: some->side == 0 ? INNER
						  : ETHER);
		break;
	default:
		break;
	}
}

static uint32_t big_payload(struct traffic *t)
{
	uint32_t kind = below(t, 1000);

	if (kind < 900)
		return 8 + below(t, 200);
	if (kind < 990)
		return below(t, 6000);
	return chance(t, 500) ? below(t, 65500) : 65440 + below(t, 60);
}

/* A packet in pieces: all are pending then. */
void traffic_make_pieces(struct traffic *t, uint32_t side)
{
	uint32_t first = t->n_pending, inner, len;

	if (side == 1) {
		len = traffic_from_peer(t, big_payload(t), &inner);
		cut_v4(t, t->whole, len, inner, false);
	} else {
		len = traffic_from_client(t, big_payload(t), &inner);
		if (chance(t, 500))
			cut_v4(t, t->whole, len, inner, true);
		else if (chance(t, 900) || len > 1500)
			cut_v6(t, t->whole, len);
		else
			cut_v6(t, t->whole,
				traffic_insert_headers(t, t->whole, len, TRAFFIC_FRAME_MAX));
	}
	disturb(t, first);
}

void traffic_take_pending(struct traffic *t, struct traffic_frame *frame)
{
	uint32_t at = chance(t, 500) ? 0 : below(t, t->n_pending);

	frame->side = t->pending[at].side;
	frame->len = t->pending[at].len;
	memcpy(frame->at, t->pending[at].at, frame->len);
	remove_pending(t, at);
}
