// SPDX-License-Identifier: BSD-3-Clause
/*
 * Any sequence of fragments through the whole packet path. The input: PATH_CONFIG octets of configuration, then orders
 * of 8 octets, one a frame (struct order). The payload is always that of the same sound packets, so that
 * what fits together becomes whole: to a host outside or to another client, with a TTL that is too small, not to be
 * cut, from a port that nobody holds, or a ping.
 */
#include "path.h"
#include "support/packets.h"

#define ORDER     8
#define ROOM      1400
#define V6_HEADER 40
#define SOUND     28 /* octets of the headers of a whole packet: IPv4, UDP */

enum kind {
	OUTER,
	INNER,
	OUTSIDE,
	NESTED
};

/* One frame, as eight octets of the input say. */
struct order {
	enum kind kind;
	bool more, other_source, ce, time_passes, to_client, ttl_1; /* octet 0 */
	uint8_t number; /* octet 1 */
	bool df, no_holder, is_ping; /* octets 2, 3: and below them its place, in eights */
	uint16_t place;
	uint16_t len; /* octets 4, 5 */
	uint8_t outer_place, outer_number; /* octets 6, 7: of fragments in fragments */
};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	path_start();
	return 0;
}

static struct order read_order(const uint8_t *at)
{
	return (struct order){
		.kind = at[0] & 3,
		.more = (at[0] & 4) != 0,
		.other_source = (at[0] & 8) != 0,
		.ce = (at[0] & 16) != 0,
		.time_passes = (at[0] & 32) != 0,
		.to_client = (at[0] & 64) != 0,
		.ttl_1 = (at[0] & 128) != 0,
		.number = at[1],
		.df = (at[2] & 32) != 0,
		.no_holder = (at[2] & 64) != 0,
		.is_ping = (at[2] & 128) != 0,
		.place = (uint16_t)((at[2] << 8 | at[3]) & 0x1fff),
		.len = (uint16_t)(at[4] << 8 | at[5]),
		.outer_place = at[6],
		.outer_number = at[7],
	};
}

static void put_be16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* The whole packet's headers, in a frame with room for the payload. */
static struct rte_mbuf *make_whole(const struct order *order)
{
	bool tunnel = order->kind != OUTSIDE;
	const struct packet packet = {.tunnel = tunnel,
		.protocol = order->is_ping ? IPPROTO_ICMP : 0,
		.icmp_type = 8,
		.port = order->no_holder ? 5000 : 0,
		.ttl = order->ttl_1 ? 1 : 64,
		.outer_tos = order->ce ? 3 : 2,
		.tos = 2,
		.payload = ROOM};
	struct rte_mbuf *m = packet_make(&packet);
	uint8_t *at = rte_pktmbuf_mtod(m, uint8_t *);
	uint32_t v4 = tunnel ? PACKET_INNER : PACKET_V4_OFFSET;

	memcpy(at, &path.worker.ctx.macs[tunnel ? 0 : 1], RTE_ETHER_ADDR_LEN);
	if (tunnel && order->to_client) {
		memcpy(at + v4 + 16, at + v4 + 12, 4);
		if (!order->is_ping)
			put_be16(at + v4 + 22, 2048);
	}
	if (tunnel && order->other_source)
		at[37] = 0x18;
	if (order->df)
		at[v4 + 6] = 0x40;
	packet_resum(m, (uint16_t)v4);
	return m;
}

/* Makes the outer packet a fragment: 8 octets of header go in behind the IPv6 header. */
static void add_extension(struct rte_mbuf *m, uint16_t place, uint8_t number)
{
	uint8_t *at = (uint8_t *)rte_pktmbuf_prepend(m, 8);

	memmove(at, at + 8, RTE_ETHER_HDR_LEN + V6_HEADER);
	put_be16(at + 18, m->pkt_len - RTE_ETHER_HDR_LEN - V6_HEADER);
	memset(at + 54, 0, 8);
	at[54] = at[20];
	at[20] = IPPROTO_FRAGMENT;
	put_be16(at + 56, place);
	at[61] = number;
}

/* The whole packet's octets from the fragment's place on, and its headers. */
static void make_frame(const struct order *order)
{
	struct rte_mbuf *m = make_whole(order);
	uint8_t *at = rte_pktmbuf_mtod(m, uint8_t *), sound[SOUND];
	uint32_t v4 = order->kind == OUTSIDE ? PACKET_V4_OFFSET : PACKET_INNER;
	uint32_t start = order->kind == OUTER ? v4 : v4 + 20;
	uint32_t first = start - v4 + order->place * 8U;
	uint32_t len = order->len % (m->pkt_len - start + 1);

	memcpy(sound, at + v4, sizeof(sound));
	for (uint32_t i = 0; i < len; i++)
		at[start + i] = first + i < SOUND ? sound[first + i] : (uint8_t)(first + i);
	rte_pktmbuf_trim(m, (uint16_t)(m->pkt_len - start - len));
	if (order->kind == OUTER) {
		add_extension(m, (uint16_t)(order->place << 3 | order->more), order->number);
	} else {
		put_be16(at + v4 + 2, 20 + len);
		at[v4 + 5] = order->number;
		put_be16(at + v4 + 6,
			(order->df ? 0x4000U : 0) | (order->more ? 0x2000U : 0) | order->place);
		packet_resum(m, (uint16_t)v4);
		if (order->kind != OUTSIDE)
			put_be16(at + 18, 20 + len);
	}
	if (order->kind == NESTED)
		add_extension(m,
			(uint16_t)((order->outer_place << 2 & 0xfff8) | (order->outer_place & 1)),
			order->outer_number);
	path_add(order->kind == OUTSIDE ? 1 : 0, rte_pktmbuf_mtod(m, uint8_t *), m->pkt_len);
	rte_pktmbuf_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < PATH_CONFIG || size > PATH_CONFIG + PATH_FRAMES_MAX * ORDER)
		return 0;
	path_begin(data);
	for (size_t at = PATH_CONFIG; at + ORDER <= size; at += ORDER) {
		const struct order order = read_order(data + at);

		if (order.time_passes)
			path_wait(10);
		make_frame(&order);
	}
	path_end();
	return 0;
}
