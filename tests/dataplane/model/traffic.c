// SPDX-License-Identifier: BSD-3-Clause
#include "traffic.h"

#include "octets.h"
#include "traffic_impl.h"
#include "support/random.h"

#include <rte_common.h>

#define ICMP 1
#define TCP  6
#define UDP  17

/* Between whom a packet goes. */
struct flow {
	uint32_t src, dst;
	uint16_t sport, dport;
	uint8_t protocol;
};

uint32_t traffic_below(struct traffic *t, uint32_t n)
{
	return test_random_below(&t->random, n);
}

bool traffic_chance(struct traffic *t, uint32_t thousandths)
{
	return traffic_below(t, 1000) < thousandths;
}

void traffic_init(struct traffic *t, uint64_t seed, const struct model *model)
{
	t->random = seed;
	t->model = model;
	t->n_pending = 0;
	t->n_v4 = 1 + below(t, TRAFFIC_V4_MAX);
	t->one_sender = chance(t, 100);
	t->n_clients = t->one_sender ? 1 : 2 + below(t, TRAFFIC_CLIENTS_MAX - 1);
	for (uint32_t i = 0; i < t->n_v4; i++)
		t->v4[i] = 0xc6336400U + i * (chance(t, 500) ? 1 : 256);
	for (uint32_t i = 0; i < t->n_clients; i++) {
		memset(t->clients[i], 0, 16);
		put32(t->clients[i], 0x20010db8);
		t->clients[i][5] = 1;
		t->clients[i][below(t, 8) + 8] = (uint8_t)(i + 1);
	}
	for (uint32_t i = 0; i < TRAFFIC_PEERS; i++)
		t->peers[i] = 0xcb007100U + i;
	t->fragments = below(t, 4) * 60;
	t->hostile = t->one_sender ? 0 : chance(t, 300) ? 400 : 100;
}

/* --- bindings -------------------------------------------------------------------------------------- */

static void random_range(struct traffic *t, struct model_binding *b)
{
	uint32_t block = 1U << (4 + below(t, 9)), a = below(t, 65536), c = below(t, 65536);

	switch (below(t, 8)) {
	case 0:
		b->first = 0;
		b->last = 65535;
		break;
	case 1: /* any */
		b->first = (uint16_t)RTE_MIN(a, c);
		b->last = (uint16_t)RTE_MAX(a, c);
		break;
	case 2: /* a few, anywhere */
		b->first = (uint16_t)a;
		b->last = (uint16_t)RTE_MIN(a + below(t, 5), 65535U);
		break;
	default: /* aligned */
		b->first = (uint16_t)(a / block * block);
		b->last = (uint16_t)(b->first + block - 1);
	}
}

static const struct model_binding *any_binding(struct traffic *t)
{
	const struct model *model = t->model;

	return model->n_bindings == 0 ? NULL : &model->bindings[below(t, model->n_bindings)];
}

void traffic_binding(struct traffic *t, struct model_binding *b)
{
	const struct model_binding *other = any_binding(t);
	const struct dp_datapath_params *params = &t->model->params;

	if (other != NULL && chance(t, 250)) {
		*b = *other;
		if (chance(t, 200))
			memcpy(b->client, t->clients[below(t, t->n_clients)], 16);
	} else {
		b->v4 = t->v4[below(t, t->n_v4)];
		random_range(t, b);
		memcpy(b->client, t->clients[below(t, t->n_clients)], 16);
		memcpy(b->tep, &params->tep_v6[below(t, params->n_tep_v6)], 16);
	}
	b->end_s = chance(t, 600) ? DP_BINDING_ENDLESS
				  : (uint32_t)(t->model->now_ms / 1000) + below(t, 60);
}

/* --- sound packets --------------------------------------------------------------------------------- */

static void fill(struct traffic *t, uint8_t *at, uint32_t len)
{
	uint64_t x = t->random | 1;

	for (uint32_t i = 0; i < len; i++, x = x * 0x9e3779b97f4a7c15U + 1)
		at[i] = (uint8_t)(x >> 56);
}

static uint32_t payload_len(struct traffic *t)
{
	uint32_t kind = below(t, 1000);

	if (kind < 880)
		return below(t, 48);
	if (kind < 940)
		return below(t, 600);
	return 1100 + below(t, 420);
}

/* Options that lie about nothing, most of the time. */
static uint32_t write_options(struct traffic *t, uint8_t *at)
{
	static const uint8_t sound[][8] = {
		{1, 1, 1, 1, 1, 1, 1, 1}, {7, 7, 4, 0, 0, 0, 0, 0}, /* record route */
		{0x94, 4, 0, 0, 1, 0x88, 4, 9}, /* router alert: with every fragment */
		{0x83, 7, 4, 1, 2, 3, 4, 0}, /* source route */
		{1, 0x82, 3, 5, 0, 0, 0, 0}, {0x88, 200, 1, 2, 0x94, 1, 3, 4}, /* lies */
	};
	uint32_t n = 1 + below(t, 5);

	for (uint32_t i = 0; i < n; i++)
		memcpy(at + i * 8, sound[below(t, RTE_DIM(sound))], 8);
	return n * 8 - (chance(t, 300) ? 4 : 0);
}

static uint32_t write_v4(struct traffic *t, uint8_t *at, const struct flow *flow, uint32_t payload,
	const struct flow *quoted);

/* An ICMP message; an error quotes a packet of the flow given. */
static uint32_t write_icmp(struct traffic *t, uint8_t *at, const struct flow *flow,
	uint32_t payload, const struct flow *quoted)
{
	static const uint8_t queries[] = {0, 8, 13, 14, 15, 16, 17, 18};
	static const uint8_t errors[] = {3, 11, 12, 3, 11, 12, 3, 11, 4, 5, 9};
	uint32_t len = 8 + payload, quote;

	memset(at, 0, 8);
	if (quoted == NULL) {
		at[0] = queries[below(t, 100) < 80 ? 1 : below(t, RTE_DIM(queries))];
		put16(at + 4, flow->sport);
		fill(t, at + 8, payload);
	} else {
		at[0] = errors[below(t, chance(t, 900) ? 8 : RTE_DIM(errors))];
		at[1] = (uint8_t)below(t, 5);
		quote = write_v4(t, at + 8, quoted, below(t, 32), NULL);
		len = 8 + RTE_MIN(quote, (at[8] & 15) * 4U + 8 + below(t, 24));
		if (chance(t, 60))
			len = 8 + below(t, quote + 1);
	}
	put16(at + 2, octets_checksum(at, len));
	if (chance(t, 20))
		at[2]++;
	return len;
}

/* A SYN's options, sound or not, at any place; returns their length. */
static uint32_t write_tcp_options(struct traffic *t, uint8_t *at)
{
	static const uint8_t some[][4] = {{2, 4, 5, 0xb4}, {2, 4, 0xff, 0xff}, {2, 4, 2, 0x18},
		{1, 1, 1, 1}, {1, 3, 3, 7}, {4, 2, 1, 2}, {4, 5, 6, 0xa0}, {4, 0x20, 1, 0}, {0},
		{8, 1, 2, 4}, {2, 3, 1, 2}};
	uint32_t n = 1 + below(t, 5);

	for (uint32_t i = 0; i < n; i++)
		memcpy(at + i * 4, some[below(t, chance(t, 500) ? 5 : RTE_DIM(some))], 4);
	return n * 4;
}

static uint32_t write_l4(struct traffic *t, uint8_t *at, const struct flow *flow, uint32_t payload,
	const struct flow *quoted)
{
	uint32_t header = flow->protocol == TCP ? 20 : 8;

	if (flow->protocol == ICMP)
		return write_icmp(t, at, flow, payload, quoted);
	memset(at, 0, header);
	put16(at, flow->sport);
	put16(at + 2, flow->dport);
	if (flow->protocol == TCP) {
		at[13] = chance(t, 200) ? 2 : 16;
		put16(at + 16, chance(t, 500) ? 0 : below(t, 65536));
		if (payload < 60000 && chance(t, 250))
			header += write_tcp_options(t, at + 20);
		at[12] = (uint8_t)(header << 2);
	} else {
		put16(at + 4, header + payload);
	}
	fill(t, at + header, payload);
	return header + payload;
}

static uint8_t random_ttl(struct traffic *t)
{
	return chance(t, 40) ? (uint8_t)below(t, 3) : (uint8_t)(2 + below(t, 254));
}

/* Returns the packet's length. */
static uint32_t write_v4(struct traffic *t, uint8_t *at, const struct flow *flow, uint32_t payload,
	const struct flow *quoted)
{
	uint32_t header = 20, len;

	memset(at, 0, 20);
	if (chance(t, 60))
		header += write_options(t, at + 20);
	at[0] = (uint8_t)(0x40 | header / 4);
	at[1] = chance(t, 500) ? 0 : (uint8_t)below(t, 256);
	put16(at + 4, chance(t, 500) ? below(t, 4) : below(t, 65536));
	at[6] = chance(t, 400) ? 0x40 : 0;
	at[8] = random_ttl(t);
	at[9] = flow->protocol;
	put32(at + 12, flow->src);
	put32(at + 16, flow->dst);
	payload = RTE_MIN(payload, 65535 - header - 20);
	len = header + write_l4(t, at + header, flow, payload, quoted);
	put16(at + 2, len);
	put16(at + 10, octets_checksum(at, header));
	return len;
}

static uint8_t random_protocol(struct traffic *t)
{
	static const uint8_t others[] = {47, 50, 51, 132, 136, 0, 255};
	uint32_t kind = below(t, 100);

	if (kind < 50)
		return UDP;
	if (kind < 85)
		return TCP;
	return kind < 94 ? ICMP : others[below(t, RTE_DIM(others))];
}

static uint16_t port_of(struct traffic *t, const struct model_binding *b)
{
	if (chance(t, 60)) /* an edge, or one beside it */
		return (uint16_t)(chance(t, 500) ? b->first - below(t, 2) : b->last + below(t, 2));
	return (uint16_t)(b->first + below(t, b->last - b->first + 1U));
}

static uint32_t any_v4(struct traffic *t)
{
	static const uint32_t odd[] = {0, 0x7f000001, 0xe0000001, 0xffffffff, 0xf0000001,
		0x0a000001, 0x01020304, 0xc0000001};

	switch (below(t, 4)) {
	case 0:
		return odd[below(t, RTE_DIM(odd))];
	case 1:
		return t->v4[below(t, t->n_v4)];
	case 2:
		return t->model->n_local != 0 ? t->model->local_v4[below(t, t->model->n_local)]
					      : 0xc0000201;
	default:
		return t->peers[below(t, TRAFFIC_PEERS)];
	}
}

/* From a binding's holder to a peer, to another holder, or elsewhere. */
static struct flow flow_from(struct traffic *t, const struct model_binding *b)
{
	const struct model_binding *other = any_binding(t);
	struct flow flow = {.src = b->v4,
		.sport = port_of(t, b),
		.dst = t->peers[t->one_sender ? 0 : below(t, TRAFFIC_PEERS)],
		.dport = (uint16_t)below(t, 65536),
		.protocol = random_protocol(t)};
	uint32_t kind = t->one_sender ? 100 : below(t, 100);

	if (kind < 15) {
		flow.dst = other->v4;
		flow.dport = port_of(t, other);
		if (flow.protocol == ICMP) /* one identifier for both ends */
			flow.sport = chance(t, 500) ? flow.dport : flow.sport;
	} else if (kind < 20) {
		flow.dst = any_v4(t);
	}
	return flow;
}

static struct flow reversed(const struct flow *flow)
{
	return (struct flow){.src = flow->dst,
		.dst = flow->src,
		.sport = flow->protocol == ICMP ? flow->sport : flow->dport,
		.dport = flow->sport,
		.protocol = flow->protocol};
}

/* The IPv4 packet of a flow; now and then an ICMP error about a packet that came the other way. */
static uint32_t write_packet(
	struct traffic *t, uint8_t *at, const struct flow *flow, uint32_t payload)
{
	struct flow error = *flow, quoted = reversed(flow);

	if (!chance(t, 40))
		return write_v4(t, at, flow, payload, NULL);
	error.protocol = ICMP;
	if (chance(t, 100))
		quoted.dst = any_v4(t);
	return write_v4(t, at, &error, 0, &quoted);
}

static void write_ether(struct traffic *t, uint8_t *at, uint32_t side, uint16_t type)
{
	memcpy(at, t->model->macs[side], 6);
	memset(at + 6, 0x22, 6);
	put16(at + 12, type);
	if (chance(t, 3))
		at[0] ^= 1 << below(t, 3);
}

static void write_v6(struct traffic *t, uint8_t *at, uint32_t len, uint8_t next_header,
	const uint8_t *src, const uint8_t *dst)
{
	put32(at, 6U << 28);
	if (chance(t, 400))
		put32(at, 6U << 28 | below(t, 1U << 28));
	put16(at + 4, len);
	at[6] = next_header;
	at[7] = (uint8_t)(1 + below(t, 255));
	memcpy(at + 8, src, 16);
	memcpy(at + 24, dst, 16);
}

/*
 * Extension headers directly behind the IPv6 header of a frame, for what followed it until now. Returns the new
 * length, or the old one where the room does not suffice.
 */
uint32_t traffic_insert_headers(struct traffic *t, uint8_t *frame, uint32_t len, uint32_t room)
{
	static const uint8_t types[] = {60, 43, 60, 0};
	static const uint8_t contents[][6] = {{4, 1, 4, 1, 1, 0}, {1, 4}, {0}, {1, 4},
		{0x3e, 4}, /* only these are always skipped */
		{0x44, 1, 0, 1, 1, 0}, {0x84, 4}, {0, 0xc4, 0, 1, 2}, {1, 5}, {5, 2, 0, 1, 1, 0}};
	uint32_t n = chance(t, 970) ? 1 + below(t, 3) : 8 + below(t, 2), total = 0;
	uint32_t n_contents = chance(t, 950) ? 5 : RTE_DIM(contents);
	uint8_t headers[10 * 16], *next = &frame[20], inner = *next;

	memset(headers, 0, sizeof(headers));
	for (uint32_t i = 0; i < n; i++) {
		uint8_t *header = headers + total;

		*next = i == 0 ? types[below(t, 4)] : types[below(t, chance(t, 980) ? 3 : 4)];
		header[1] = chance(t, 200);
		memcpy(header + 2, contents[below(t, n_contents)], 6);
		if (*next == 43)
			header[3] = chance(t, 30);
		total += 8 + header[1] * 8U;
		next = header;
	}
	if (len + total > room) {
		frame[20] = inner;
		return len;
	}
	*next = chance(t, 980) ? inner : (uint8_t)below(t, 256);
	memmove(frame + INNER + total, frame + INNER, len - INNER);
	memcpy(frame + INNER, headers, total);
	put16(frame + 18, get16(frame + 18) + total);
	return len + total;
}

static const uint8_t *any_tep(struct traffic *t)
{
	return t->model->params.tep_v6[below(t, t->model->params.n_tep_v6)].s6_addr;
}

static const uint8_t *any_sender(struct traffic *t)
{
	static const uint8_t odd[][16] = {{0}, {[15] = 1}, {0xfe, 0x80, [15] = 1},
		{0xff, 2, [15] = 1}, {[10] = 0xff, 0xff, 1, 2, 3, 4}, {0xfd, [15] = 7}};

	return t->one_sender || chance(t, 700) ? t->clients[below(t, t->n_clients)]
					       : odd[below(t, RTE_DIM(odd))];
}

/* --- frames ------------------------------------------------------------------------------------------ */

/* Each writes a frame to t->whole and returns its length; *inner: where its IPv4 header is, 0: it has none. */

uint32_t traffic_from_client(struct traffic *t, uint32_t payload, uint32_t *inner)
{
	const struct model_binding *b = any_binding(t);
	const uint8_t *src = b->client, *dst = b->tep;
	struct flow flow = flow_from(t, b);
	uint32_t len;

	if (chance(t, t->hostile / 4))
		src = any_sender(t);
	if (chance(t, t->hostile / 8))
		dst = any_tep(t);
	if (chance(t, t->hostile / 8))
		flow.src = any_v4(t);
	len = write_packet(t, t->whole + INNER, &flow, payload);
	write_ether(t, t->whole, 0, 0x86dd);
	write_v6(t, t->whole + ETHER, len, 4, src, dst);
	*inner = INNER;
	return INNER + len;
}

/* A tunnel packet, now and then with extension headers. */
static uint32_t with_headers(struct traffic *t, uint32_t len, uint32_t *inner)
{
	uint32_t longer = len;

	if (chance(t, 50))
		longer = traffic_insert_headers(t, t->whole, len, TRAFFIC_FRAME_MAX);
	*inner += longer - len;
	return longer;
}

uint32_t traffic_from_peer(struct traffic *t, uint32_t payload, uint32_t *inner)
{
	struct flow flow = flow_from(t, any_binding(t)), to_client;

	to_client = reversed(&flow);
	if (chance(t, t->hostile / 8))
		to_client.src = any_v4(t);
	if (chance(t, t->hostile / 8))
		to_client.dst = any_v4(t);
	if (chance(t, t->hostile / 8))
		to_client.dport = (uint16_t)below(t, 65536);
	write_ether(t, t->whole, 1, 0x0800);
	*inner = ETHER;
	return ETHER + write_packet(t, t->whole + ETHER, &to_client, payload);
}

/* What a router or host inside says about a packet that went into a tunnel. */
static uint32_t make_tunnel_error(struct traffic *t)
{
	static const uint32_t mtus[] = {
		0, 576, 1279, 1280, 1281, 1400, 1480, 1500, 9000, UINT32_MAX};
	const struct model_binding *b = any_binding(t);
	struct flow flow = flow_from(t, b), to_client = reversed(&flow);
	uint8_t *v6 = t->whole + ETHER, *icmp = v6 + V6_HEADER, *quoted = icmp + 8,
		*v4 = quoted + V6_HEADER;
	bool fragment = chance(t, 200);
	uint32_t len, cut;

	if (fragment) {
		memset(v4, 0, 8);
		v4[0] = chance(t, 900) ? 4 : 60;
		put16(v4 + 2, chance(t, 800) ? 1 : below(t, 65536));
		v4 += 8;
	}
	len = write_packet(t, v4, &to_client, payload_len(t));
	write_v6(t, quoted, len + (fragment ? 8 : 0), fragment ? 44 : 4,
		chance(t, 950) ? b->tep : any_tep(t), chance(t, 950) ? b->client : any_sender(t));
	len = 8 + (uint32_t)(v4 - quoted) + len;
	cut = chance(t, 800) ? 1240 : below(t, 200);
	len = RTE_MIN(len, cut);
	memset(icmp, 0, 8);
	icmp[0] = (uint8_t)(1 + below(t, chance(t, 950) ? 4 : 200));
	icmp[1] = (uint8_t)(below(t, 3) * below(t, 2));
	if (icmp[0] == 2)
		put32(icmp + 4, mtus[below(t, RTE_DIM(mtus))]);
	write_ether(t, t->whole, 0, 0x86dd);
	write_v6(t, v6, len, 58, any_sender(t), chance(t, 950) ? b->tep : any_tep(t));
	put16(icmp + 2, (uint16_t)~octets_fold(octets_icmp6_sum(v6, icmp, len)));
	return INNER + len;
}

/* Neither a tunnel packet nor one to be put into one, or not even that. */
static uint32_t make_other(struct traffic *t, uint32_t side)
{
	static const uint16_t types[] = {
		0x0806, 0x86dd, 0x0800, 0x8100, 0x88a8, 0x1234, 0x86dd, 0x0800};
	static const uint8_t next_headers[] = {6, 17, 58, 59, 44, 0, 43, 60, 4, 41};
	uint32_t len = below(t, 120);

	fill(t, t->whole, ETHER + V6_HEADER + len);
	write_ether(t, t->whole, side, types[below(t, RTE_DIM(types))]);
	if (get16(t->whole + 12) == 0x86dd && chance(t, 800))
		write_v6(t, t->whole + ETHER, len, next_headers[below(t, RTE_DIM(next_headers))],
			any_sender(t), chance(t, 700) ? any_tep(t) : t->clients[0]);
	return chance(t, 900) ? ETHER + V6_HEADER + len : below(t, ETHER + V6_HEADER);
}

static uint32_t plain_v4(struct traffic *t)
{
	return chance(t, 900) ? 0x0a000000 + below(t, 8) : chance(t, 500) ? 0xa9fe0001 : any_v4(t);
}

/* A fragment, maybe of what no packet can be. */
static void write_fragment_field(struct traffic *t, uint8_t *v4)
{
	put16(v4 + 6, below(t, chance(t, 700) ? 64 : 65536));
	put16(v4 + 10, 0);
	put16(v4 + 10, octets_checksum(v4, (v4[0] & 15) * 4));
}

static uint32_t make_plain_v4(struct traffic *t, uint32_t side, uint32_t *inner)
{
	struct flow flow = {.src = plain_v4(t),
		.dst = plain_v4(t),
		.sport = (uint16_t)below(t, 65536),
		.dport = (uint16_t)below(t, 65536),
		.protocol = random_protocol(t)};
	uint32_t len;

	write_ether(t, t->whole, side, 0x0800);
	len = write_packet(t, t->whole + ETHER, &flow, payload_len(t));
	if (chance(t, 150))
		write_fragment_field(t, t->whole + ETHER);
	*inner = ETHER;
	return ETHER + len;
}

static uint32_t make_plain_v6(struct traffic *t, uint32_t side)
{
	static const uint8_t next_headers[] = {6, 17, 17, 58, 58, 44, 4, 59};
	static const uint8_t fragment[] = {58, 0, 0, 8, 0, 0, 0, 1};
	uint32_t len = payload_len(t);
	uint8_t far[16] = {0x20, 0x01, 0x0d, 0xb8, 0xff, [15] = (uint8_t)below(t, 4)};

	fill(t, t->whole + INNER, len);
	write_ether(t, t->whole, side, 0x86dd);
	write_v6(t, t->whole + ETHER, len, next_headers[below(t, RTE_DIM(next_headers))],
		any_sender(t), chance(t, 900) ? far : any_sender(t));
	if (t->whole[20] == 44 && len >= sizeof(fragment))
		memcpy(t->whole + INNER, fragment, chance(t, 500) ? 4 : sizeof(fragment));
	if (chance(t, 300))
		t->whole[21] = (uint8_t)below(t, 3);
	len += INNER;
	return chance(t, 200) ? traffic_insert_headers(t, t->whole, len, TRAFFIC_FRAME_MAX) : len;
}

/* For no tunnel, where such packets are forwarded. */
static uint32_t make_plain(struct traffic *t, uint32_t side, uint32_t *inner)
{
	if (t->model->params.forward.v4 != DP_FORWARD_DROP && chance(t, 500))
		return make_plain_v4(t, side, inner);
	return make_plain_v6(t, side);
}

/* --- the next one --------------------------------------------------------------------------------- */

void traffic_next(struct traffic *t, struct traffic_frame *frame)
{
	uint32_t kind = below(t, 1000), inner = 0;
	bool nobody = any_binding(t) == NULL;

	frame->side = below(t, 2);
	if (!nobody && t->n_pending < 8 && chance(t, t->fragments))
		traffic_make_pieces(t, frame->side);
	if (t->n_pending != 0 && chance(t, 500)) {
		traffic_take_pending(t, frame);
		return;
	}
	if (kind >= 900 && !t->one_sender &&
		(t->model->params.forward.v4 != DP_FORWARD_DROP || t->model->params.forward.v6))
		frame->len = make_plain(t, frame->side, &inner);
	else if (nobody || kind < 30)
		frame->len = make_other(t, frame->side);
	else if (kind < 50 && frame->side == 0)
		frame->len = make_tunnel_error(t);
	else if (frame->side == 0)
		frame->len = with_headers(
			t, traffic_from_client(t, payload_len(t), &inner), &inner);
	else
		frame->len = traffic_from_peer(t, payload_len(t), &inner);
	frame->len = RTE_MIN(frame->len, (uint32_t)TRAFFIC_FRAME_MAX);
	memcpy(frame->at, t->whole, frame->len);
	if (chance(t, t->hostile) && frame->len > 0)
		traffic_damage(t, frame, inner);
}
