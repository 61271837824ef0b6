// SPDX-License-Identifier: BSD-3-Clause
/*
 * What leaves and is for no tunnel: it came by the other side, and only its hop count is another one; or it is a piece of such
 * a packet, or an error for the sender of one. Clients' addresses are none of its ends.
 */
#include "path.h"
#include "support/packets.h"

#define V4 14 /* where the packet begins in a frame */
#define V6 14

static uint32_t be16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t be32(const uint8_t *at)
{
	return be16(at) << 16 | be16(at + 2);
}

/* Of IPv4 on the IPv6 side, too, the port's. */
static uint32_t mtu_of(uint32_t side)
{
	return side == 0 ? path.worker.ctx.mtu_v6 : path.worker.ctx.mtu_v4;
}

static bool is_clients(uint32_t v4)
{
	for (uint32_t i = 0; i < PATH_HOLDERS; i++)
		if (path_holders[i].v4 == v4)
			return true;
	return false;
}

static bool is_tunnel_address(const uint8_t *v6)
{
	for (uint32_t i = 0; i < PATH_HOLDERS; i++)
		if (memcmp(v6, path_holders[i].tep, 16) == 0)
			return true;
	return false;
}

/* Not only the host's: fe80::/10 and ff00::/8 stay on their link. */
static bool may_cross_v6(const uint8_t *v6)
{
	return v6[0] != 0xff && !(v6[0] == 0xfe && (v6[1] & 0xc0) == 0x80);
}

static bool is_like_v6(const struct path_frame *in, const uint8_t *frame, uint32_t len)
{
	return in->len >= len && memcmp(in->octets + 12, frame + 12, 2 + 7) == 0 &&
	       in->octets[V6 + 7] == frame[V6 + 7] + 1 &&
	       memcmp(in->octets + V6 + 8, frame + V6 + 8, len - V6 - 8) == 0;
}

/* Whole, or a piece: then what follows the header is found somewhere in the packet. */
static bool is_like_v4(const struct path_frame *in, const uint8_t *frame, uint32_t len)
{
	const uint8_t *from = in->octets + V4, *v4 = frame + V4;
	uint32_t header_len = (v4[0] & 0x0f) * 4U, total = len - V4;
	uint32_t in_header_len = (from[0] & 0x0f) * 4U, at;

	if (in->len < V4 + 20 || be16(in->octets + 12) != 0x0800 || from[8] != v4[8] + 1 ||
		from[1] != v4[1] || from[9] != v4[9] || memcmp(from + 4, v4 + 4, 2) != 0 ||
		memcmp(from + 12, v4 + 12, 8) != 0)
		return false;
	at = in_header_len + ((be16(v4 + 6) & 0x1fff) - (be16(from + 6) & 0x1fff)) * 8;
	return at <= in->len - V4 && total - header_len <= in->len - V4 - at &&
	       memcmp(from + at, v4 + header_len, total - header_len) == 0;
}

/* Did it come by the other side? */
static bool has_crossed(uint32_t side, const uint8_t *frame, uint32_t len,
	bool (*is_like)(const struct path_frame *in, const uint8_t *frame, uint32_t len))
{
	for (uint32_t i = 0; i < path.n_frames; i++)
		if (path.frames[i].side != side && is_like(&path.frames[i], frame, len))
			return true;
	return false;
}

/* Did anybody send from this address to this side? */
static bool has_sender(uint32_t side, uint32_t at, const uint8_t *address, uint32_t octets)
{
	for (uint32_t i = 0; i < path.n_frames; i++)
		if (path.frames[i].side == side && path.frames[i].len >= at + octets &&
			memcmp(path.frames[i].octets + at, address, octets) == 0)
			return true;
	return false;
}

static void check_crossed_v6(uint32_t side, const uint8_t *v6, uint32_t len)
{
	path_require(may_cross_v6(v6 + 8) && may_cross_v6(v6 + 24) && !is_tunnel_address(v6 + 24));
	path_require(len <= mtu_of(side));
}

static bool check_v6(uint32_t side, const uint8_t *frame, uint32_t len)
{
	const uint8_t *v6 = frame + V6;

	path_require(len >= V6 + 40 && be16(v6 + 4) + 40 == len - V6 && v6[7] > 0);
	if (has_crossed(side, frame, len, is_like_v6)) {
		check_crossed_v6(side, v6, len - V6);
		return true;
	}
	if (memcmp(v6 + 8, path_router_v6, 16) != 0)
		return false;
	path_require(v6[6] == IPPROTO_ICMPV6 && may_cross_v6(v6 + 24));
	path_require(has_sender(side, V6 + 8, v6 + 24, 16));
	path_check_icmpv6(v6, len - V6);
	return true;
}

static void check_crossed_v4(uint32_t side, const uint8_t *v4, uint32_t len)
{
	path_check_v4(v4, len);
	path_require(!is_clients(be32(v4 + 12)) && !is_clients(be32(v4 + 16)));
	path_require(v4[12] != 127 && v4[12] < 224 && v4[16] != 127 && v4[16] < 224);
	path_require(len <= mtu_of(side));
}

static bool check_v4(uint32_t side, const uint8_t *frame, uint32_t len)
{
	const uint8_t *v4 = frame + V4;

	path_require(len >= V4 + 20);
	if (has_crossed(side, frame, len, is_like_v4)) {
		check_crossed_v4(side, v4, len - V4);
		return true;
	}
	if (!path_is_own_error(v4) || side != 0)
		return false;
	path_require(has_sender(side, V4 + 12, v4 + 16, 4));
	path_check_own_error(v4, len - V4);
	return true;
}

bool path_check_plain(uint32_t side, const uint8_t *frame, uint32_t len)
{
	const struct dp_ctx *ctx = &path.worker.ctx;

	switch (be16(frame + 12)) {
	case 0x86dd:
		return ctx->forward.v6 && check_v6(side, frame, len);
	case 0x0800:
		return ctx->forward.v4 == DP_FORWARD_ROUTE && check_v4(side, frame, len);
	default:
		return false;
	}
}
