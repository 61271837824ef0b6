// SPDX-License-Identifier: BSD-3-Clause
/*
 * What leaves, read octet by octet from the RFCs; nothing of the program under test takes part.
 */
#include "path.h"
#include "support/packets.h"

#define V4_ERROR_MAX 576
#define V6_ERROR_MAX 1280

/* One end of an IPv4 packet. */
struct end {
	uint32_t v4;
	uint16_t port;
	enum {
		END_PORT,
		END_NO_PORT,
		END_UNKNOWN
	} kind; /* unknown: a later fragment's */
};

static uint32_t be16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t be32(const uint8_t *at)
{
	return be16(at) << 16 | be16(at + 2);
}

static bool is_icmp_query(uint8_t type)
{
	return type == 0 || type == 8 || (type >= 13 && type <= 18);
}

static bool is_icmp_error(uint8_t type)
{
	return type == 3 || type == 11 || type == 12;
}

static struct end quoted_end(const uint8_t *icmp, uint32_t len, uint32_t v4, bool source);

/* The end of a packet, or of one that an ICMP error quotes and that may be cut. */
static struct end end_of(const uint8_t *v4, uint32_t len, bool source, bool is_quoted)
{
	uint32_t header_len = (v4[0] & 0x0f) * 4U;
	struct end end = {.v4 = be32(v4 + (source ? 12 : 16)), .kind = END_NO_PORT};
	const uint8_t *l4 = v4 + header_len;

	path_require(len >= 20 && header_len >= 20 && header_len <= len);
	if ((be16(v4 + 6) & 0x1fff) != 0) {
		end.kind = END_UNKNOWN;
	} else if (v4[9] == IPPROTO_TCP || v4[9] == IPPROTO_UDP) {
		path_require(len >= header_len + 4);
		end.port = be16(l4 + (source ? 0 : 2));
		end.kind = END_PORT;
	} else if (v4[9] == IPPROTO_ICMP) {
		path_require(len >= header_len + 8);
		if (is_icmp_query(l4[0])) {
			end.port = be16(l4 + 4);
			end.kind = END_PORT;
		} else {
			path_require(!is_quoted);
			end = quoted_end(l4, len - header_len, end.v4, !source);
		}
	}
	return end;
}

/* An error to a host quotes what the host sent, an error from it what it got. */
static struct end quoted_end(const uint8_t *icmp, uint32_t len, uint32_t v4, bool source)
{
	struct end end;

	path_require(len >= 28 && is_icmp_error(icmp[0]));
	end = end_of(icmp + 8, len - 8, source, true);
	path_require(end.v4 == v4);
	return end;
}

static bool holds(const struct path_holder *holder, const struct end *end)
{
	if (holder->v4 != end->v4)
		return false;
	if (end->kind == END_PORT)
		return end->port >= holder->first && end->port <= holder->last;
	return end->kind == END_UNKNOWN || (holder->first == 0 && holder->last == UINT16_MAX);
}

void path_check_v4(const uint8_t *v4, uint32_t len)
{
	uint32_t header_len = (v4[0] & 0x0f) * 4U;

	path_require(len >= 20 && v4[0] >> 4 == 4 && header_len >= 20 && header_len <= len);
	path_require(be16(v4 + 2) == len && packet_checksum(v4, header_len) == 0);
	path_require(v4[8] > 0);
}

/* An ICMP error of this router: its checksum, its size, and that it quotes a packet. */
void path_check_own_error(const uint8_t *v4, uint32_t len)
{
	path_require(len >= 48 && len <= V4_ERROR_MAX && v4[0] == 0x45 && v4[9] == IPPROTO_ICMP);
	path_require(packet_checksum(v4 + 20, len - 20) == 0 && is_icmp_error(v4[20]));
	path_require((be16(v4 + 6) & 0x3fff) == 0);
}

static bool is_own_v4(uint32_t v4)
{
	return v4 == PATH_NAT46 || v4 == PATH_NAT46 + 1 || v4 == PATH_ROUTER_V4;
}

/* An error of ours is known by its form, once there has been one. */
bool path_is_own_error(const uint8_t *v4)
{
	const uint64_t *packets = path.worker.ctx.counters.packets;

	return packets[DP_COUNT_OUT_ICMPV4_ERRORS] + packets[DP_COUNT_ICMPV6_RELAYED] != 0 &&
	       is_own_v4(be32(v4 + 12)) && v4[9] == IPPROTO_ICMP && v4[1] == 0xc0 && v4[8] == 64 &&
	       be16(v4 + 4) == 0;
}

/* Did this client send a tunnel packet to this tunnel address? */
static bool has_sent(const struct path_holder *holder)
{
	for (uint32_t i = 0; i < path.n_frames; i++) {
		const struct path_frame *frame = &path.frames[i];

		if (frame->len >= 54 && memcmp(frame->octets + 22, holder->client, 16) == 0 &&
			memcmp(frame->octets + 38, holder->tep, 16) == 0)
			return true;
	}
	return false;
}

static void check_to_v4(const uint8_t *v4, uint32_t len)
{
	bool found = false;
	struct end end;

	path_check_v4(v4, len);
	path_require(len <= path.worker.ctx.mtu_v4);
	if (path_is_own_error(v4)) {
		path_check_own_error(v4, len);
		return;
	}
	end = end_of(v4, len, true, false);
	for (uint32_t i = 0; i < PATH_HOLDERS; i++) {
		found |= holds(&path_holders[i], &end) && has_sent(&path_holders[i]);
		path_require(!path.worker.ctx.hairpin || be32(v4 + 16) != path_holders[i].v4);
	}
	path_require(found);
}

/* The inner packet, as far as it is here, goes to its holder: client and tunnel address are right. */
static void check_holder(const uint8_t *v6, const uint8_t *v4, uint32_t len)
{
	const struct end end = end_of(v4, len, false, false);

	for (uint32_t i = 0; i < PATH_HOLDERS; i++)
		if (holds(&path_holders[i], &end) && memcmp(v6 + 8, path_holders[i].tep, 16) == 0 &&
			memcmp(v6 + 24, path_holders[i].client, 16) == 0)
			return;
	path_require(false);
}

void path_check_icmpv6(const uint8_t *v6, uint32_t len)
{
	uint8_t pseudo[40 + V6_ERROR_MAX] = {0};

	path_require(len >= 48 && len <= V6_ERROR_MAX && v6[40] >= 1 && v6[40] <= 4);
	memcpy(pseudo, v6 + 8, 32);
	pseudo[34] = (len - 40) >> 8;
	pseudo[35] = (len - 40) & 0xff;
	pseudo[39] = IPPROTO_ICMPV6;
	memcpy(pseudo + 40, v6 + 40, len - 40);
	path_require(packet_checksum(pseudo, len) == 0);
}

/* Past the header with the encapsulation limit, if it stands at this place. */
static uint32_t skip_limit(const uint8_t *v6, uint32_t len, uint32_t at, uint8_t *next)
{
	if (*next != IPPROTO_DSTOPTS)
		return at;
	path_require(path.worker.ctx.tunnel_overhead == 48 && len > at + 8);
	path_require(v6[at + 1] == 0 && v6[at + 2] == 4 && v6[at + 3] == 1);
	*next = v6[at];
	return at + 8;
}

/* Of a fragment of a tunnel packet: the first one has the inner header, later ones go to one of our clients. */
static void check_v6_fragment(const uint8_t *v6, uint32_t len, uint32_t at)
{
	uint8_t next = v6[at];
	uint32_t place = be16(v6 + at + 2);
	bool found = false;

	path_require(len > at + 8 && place != 0);
	path_require((place & 1) == 0 || (len - at) % 8 == 0);
	if ((place & 0xfff8) == 0) {
		at = skip_limit(v6, len, at + 8, &next);
		path_require(next == IPPROTO_IPIP);
		check_holder(v6, v6 + at, len - at);
		path_require(packet_checksum(v6 + at, (v6[at] & 0x0f) * 4U) == 0 && v6[at + 8] > 0);
		return;
	}
	for (uint32_t i = 0; i < PATH_HOLDERS; i++)
		found |= memcmp(v6 + 8, path_holders[i].tep, 16) == 0 &&
			 memcmp(v6 + 24, path_holders[i].client, 16) == 0;
	path_require(found);
}

static void check_to_v6(const uint8_t *v6, uint32_t len)
{
	uint8_t next = v6[6];
	uint32_t at = 40;

	path_require(len >= 40 && v6[0] >> 4 == 6 && be16(v6 + 4) + 40 == len && v6[7] > 0);
	path_require(len <= path.worker.ctx.mtu_v6);
	if (next == IPPROTO_ICMPV6) {
		path_check_icmpv6(v6, len);
		return;
	}
	at = skip_limit(v6, len, at, &next);
	if (next == IPPROTO_FRAGMENT) {
		check_v6_fragment(v6, len, at);
		return;
	}
	path_require(next == IPPROTO_IPIP);
	path_check_v4(v6 + at, len - at);
	check_holder(v6, v6 + at, len - at);
	if (path_is_own_error(v6 + at))
		path_check_own_error(v6 + at, len - at);
}

void path_check_sent(uint32_t side, const uint8_t *frame, uint32_t len, bool resolved)
{
	static const uint8_t next_hop[] = {0x02, 0, 0, 0, 0, 0x99};
	bool is_v6 = side == 0;

	path_require(len > 14);
	path_require(resolved == (memcmp(frame, next_hop, 6) == 0));
	path_require(!resolved || memcmp(frame + 6, &path.worker.ctx.macs[side], 6) == 0);
	if (path_check_plain(side, frame, len))
		return;
	path_require(be16(frame + 12) == (is_v6 ? 0x86dd : 0x0800));
	if (is_v6)
		check_to_v6(frame + 14, len - 14);
	else
		check_to_v4(frame + 14, len - 14);
}

void path_check_punted(const uint8_t *frame, uint32_t len)
{
	const uint64_t *packets = path.worker.ctx.counters.packets;

	path_require(path.worker.ctx.punt != NULL && len >= 14);
	if (packets[DP_COUNT_FRAGMENTS_JOINED] != 0)
		return; /* what was joined is no frame that came */
	for (uint32_t i = 0; i < path.n_frames; i++)
		if (path.frames[i].len == len && memcmp(path.frames[i].octets, frame, len) == 0)
			return;
	/* An atomic fragment, of which the fragment header was taken out (RFC 6946). */
	for (uint32_t i = 0; i < path.n_frames; i++)
		if (path.frames[i].len == len + 8 && memcmp(path.frames[i].octets, frame, 14) == 0)
			return;
	path_require(false);
}

/* counters.h says which counters are arrivals and which are ends. */
void path_check_counters(const struct dp_counters *counters)
{
	static const enum dp_counter arrivals[] = {DP_COUNT_RX, DP_COUNT_V6_REASSEMBLED,
		DP_COUNT_INNER_REASSEMBLED, DP_COUNT_V4_REASSEMBLED, DP_COUNT_FRAGMENTS_MADE,
		DP_COUNT_OUT_ICMPV4_ERRORS, DP_COUNT_OUT_ICMPV6_ERRORS};
	static const enum dp_counter ends[] = {DP_COUNT_TX, DP_COUNT_PUNTED, DP_COUNT_RESOLVE,
		DP_COUNT_FRAGMENTS_JOINED, DP_COUNT_FRAGMENTED};
	uint64_t came = 0, went = 0;

	for (uint32_t i = 0; i < RTE_DIM(arrivals); i++)
		came += counters->packets[arrivals[i]];
	for (uint32_t i = 0; i < RTE_DIM(ends); i++)
		went += counters->packets[ends[i]];
	for (uint32_t drop = 0; drop < DP_N_DROPS; drop++)
		went += counters->packets[drop];
	path_require(counters->packets[DP_COUNT_RX] == path.n_frames && came == went);
}
