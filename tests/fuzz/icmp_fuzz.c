// SPDX-License-Identifier: BSD-3-Clause
/*
 * ICMP in all its places: queries, errors and what they quote, from either side and between clients; ICMPv6 errors about
 * tunnel packets; packets that make the router send errors of its own. The input: PATH_CONFIG octets of configuration,
 * then orders (struct order) that each make one sound message, cut it, change a few octets of it, and then
 * make lengths and checksums right again, or not.
 */
#include "path.h"
#include "support/packets.h"

#define ORDER     8
#define EDIT      3 /* octets: where, big-endian, and what */
#define V6_HEADER 40

enum kind {
	QUERY_TO_CLIENT,
	ERROR_TO_CLIENT,
	QUERY_FROM_CLIENT,
	ERROR_FROM_CLIENT,
	QUERY_TO_OTHER_CLIENT,
	ERROR_ABOUT_TUNNEL,
	DATA_FROM_CLIENT,
	DATA_TO_CLIENT,
	N_KINDS,
};

struct order {
	enum kind kind; /* octet 0: and two bits for the protocol of what is sent or quoted */
	uint8_t protocol;
	bool as_it_is, ttl_1, df, has_options, ends_burst; /* octet 1: and the number of edits */
	uint32_t n_edits;
	uint8_t type, code; /* octets 2, 3: of the message; 0: as usual for its kind */
	uint16_t port; /* octets 4, 5: the client's, or the MTU in an error about the tunnel */
	uint8_t payload; /* octet 6: eights of octets behind all headers */
	uint8_t cut; /* octet 7: octets off the end */
};

static const bool from_tunnel[N_KINDS] = {
	[QUERY_FROM_CLIENT] = true,
	[ERROR_FROM_CLIENT] = true,
	[QUERY_TO_OTHER_CLIENT] = true,
	[DATA_FROM_CLIENT] = true,
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
	static const uint8_t protocols[] = {IPPROTO_UDP, IPPROTO_TCP, IPPROTO_ICMP, IPPROTO_GRE};

	return (struct order){
		.kind = at[0] % N_KINDS,
		.protocol = protocols[at[0] >> 3 & 3],
		.as_it_is = (at[1] & 1) != 0,
		.ttl_1 = (at[1] & 2) != 0,
		.df = (at[1] & 4) != 0,
		.has_options = (at[1] & 8) != 0,
		.ends_burst = (at[1] & 16) != 0,
		.n_edits = at[1] >> 5,
		.type = at[2],
		.code = at[3],
		.port = (uint16_t)(at[4] << 8 | at[5]),
		.payload = at[6],
		.cut = at[7],
	};
}

static void put_be16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* The message that an order means, sound; what it quotes has the client's end where such a packet has it. */
static struct packet describe(const struct order *order, const struct packet *quote)
{
	bool is_data = order->kind == DATA_FROM_CLIENT || order->kind == DATA_TO_CLIENT;
	bool is_error = order->kind == ERROR_TO_CLIENT || order->kind == ERROR_FROM_CLIENT;

	return (struct packet){
		.tunnel = from_tunnel[order->kind],
		.protocol = is_data || order->kind == ERROR_ABOUT_TUNNEL ? order->protocol
									 : IPPROTO_ICMP,
		.ttl = order->ttl_1 ? 1 : 64,
		.options = order->has_options ? 8 : 0,
		.port = order->kind == ERROR_ABOUT_TUNNEL ? 0 : order->port,
		.icmp_type = order->type != 0 ? order->type
			     : is_error       ? 3
					      : 8,
		.quote = is_error ? quote : NULL,
		.quote_l4 = order->payload,
		.payload = order->payload * 5U,
	};
}

/* Puts an IPv4 frame from outside, as if we had encapsulated it, behind the headers of an ICMPv6 error. */
static uint32_t wrap(uint8_t *frame, uint32_t len, const struct order *order)
{
	const struct path_holder *holder = &path_holders[0];
	uint8_t *v6 = frame + RTE_ETHER_HDR_LEN, *icmp = v6 + V6_HEADER, *quoted = icmp + 8;
	uint32_t v4_len = len - RTE_ETHER_HDR_LEN;

	memmove(quoted + V6_HEADER, frame + RTE_ETHER_HDR_LEN, v4_len);
	memset(v6, 0, 2 * V6_HEADER + 8);
	put_be16(frame + 12, RTE_ETHER_TYPE_IPV6);
	v6[0] = 0x60;
	v6[6] = IPPROTO_ICMPV6;
	v6[7] = 64;
	memcpy(v6 + 8, holder->client, 16);
	v6[8 + 15] = 0xfe;
	memcpy(v6 + 24, holder->tep, 16);
	icmp[0] = order->type != 0 ? order->type : 2;
	icmp[1] = order->code;
	put_be16(icmp + 6, order->port);
	quoted[0] = 0x60;
	put_be16(quoted + 4, v4_len);
	quoted[6] = IPPROTO_IPIP;
	quoted[7] = 63;
	memcpy(quoted + 8, holder->tep, 16);
	memcpy(quoted + 24, holder->client, 16);
	return len + 2 * V6_HEADER + 8;
}

/* The lengths of the outermost headers, and of an IPv4 packet in a tunnel packet. */
static void set_lengths(uint8_t *frame, uint32_t len)
{
	if (frame[12] == 0x08) {
		put_be16(frame + 16, len - RTE_ETHER_HDR_LEN);
		return;
	}
	put_be16(frame + 18, len - RTE_ETHER_HDR_LEN - V6_HEADER);
	if (frame[20] == IPPROTO_IPIP)
		put_be16(frame + PACKET_INNER + 2, len - PACKET_INNER);
}

static uint32_t make_frame(const struct order *order, uint8_t *frame)
{
	const struct packet quote = {.tunnel = order->kind == ERROR_TO_CLIENT,
		.protocol = order->protocol,
		.options = order->has_options ? 4 : 0,
		.icmp_type = 8};
	const struct packet packet = describe(order, &quote);
	struct rte_mbuf *m = packet_make(&packet);
	uint32_t len = m->pkt_len, side = packet.tunnel ? 0 : 1;
	uint32_t v4 = packet.tunnel ? PACKET_INNER : PACKET_V4_OFFSET;

	memcpy(frame, rte_pktmbuf_mtod(m, const uint8_t *), len);
	rte_pktmbuf_free(m);
	if (order->df)
		frame[v4 + 6] = 0x40;
	if (order->kind == QUERY_TO_OTHER_CLIENT)
		memcpy(frame + v4 + 16, frame + v4 + 12, 4);
	if (order->kind == ERROR_ABOUT_TUNNEL) {
		len = wrap(frame, len, order);
		side = 0;
	}
	memcpy(frame, &path.worker.ctx.macs[side], RTE_ETHER_ADDR_LEN);
	return len;
}

/* Returns how many octets the order took. */
static uint32_t obey(const uint8_t *data, size_t size)
{
	const struct order order = read_order(data);
	uint8_t frame[PATH_FRAME_MAX];
	uint32_t len = make_frame(&order, frame), taken = ORDER;

	if (order.cut < len - PACKET_INNER && len > PACKET_INNER)
		len -= order.cut;
	set_lengths(frame, len);
	for (uint32_t i = 0; i < order.n_edits && taken + EDIT <= size; i++, taken += EDIT)
		frame[(data[taken] << 8 | data[taken + 1]) % len] = data[taken + 2];
	if (!order.as_it_is)
		path_mend(frame, len);
	path_add(frame[12] == 0x86 ? 0 : from_tunnel[order.kind] ? 0 : 1, frame, len);
	if (order.ends_burst)
		path_run();
	return taken;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t at = PATH_CONFIG;

	if (size < PATH_CONFIG || size > 4096)
		return 0;
	path_begin(data);
	while (at + ORDER <= size)
		at += obey(data + at, size - at);
	path_end();
	return 0;
}
