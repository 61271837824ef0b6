// SPDX-License-Identifier: BSD-3-Clause
/* A frame's way through the model, in the order in which worker.c names the stages. */
#include "model_impl.h"

#include <errno.h>
#include <stdlib.h>

/* --- bindings ------------------------------------------------------------------------------------ */

static bool in_force(const struct model *model, const struct model_binding *binding)
{
	return binding->end_s == DP_BINDING_ENDLESS || model->now_ms / 1000 < binding->end_s;
}

const struct model_binding *model_binding_find(
	const struct model *model, uint32_t v4, bool has_port, uint16_t port)
{
	for (uint32_t i = 0; i < model->n_bindings; i++) {
		const struct model_binding *b = &model->bindings[i];
		bool all = b->first == 0 && b->last == 65535;

		if (b->v4 == v4 && (has_port ? b->first <= port && port <= b->last : all))
			return in_force(model, b) ? b : NULL;
	}
	return NULL;
}

bool in_pool(const struct model *model, uint32_t v4)
{
	for (uint32_t i = 0; i < model->params.n_pools; i++) {
		const struct addr_v4_prefix *pool = &model->params.pools[i];

		if (pool->len == 0 || (v4 ^ pool->addr) >> (32 - pool->len) == 0)
			return true;
	}
	return false;
}

bool has_bindings(const struct model *model, uint32_t v4)
{
	for (uint32_t i = 0; i < model->n_bindings; i++)
		if (model->bindings[i].v4 == v4)
			return true;
	return false;
}

int model_binding_add(struct model *model, const struct model_binding *binding)
{
	for (uint32_t i = 0; i < model->n_bindings; i++) {
		struct model_binding *b = &model->bindings[i];

		if (b->v4 != binding->v4 || b->last < binding->first || binding->last < b->first)
			continue;
		if (b->first != binding->first || b->last != binding->last ||
			!same_v6(b->client, binding->client) || !same_v6(b->tep, binding->tep))
			return -EEXIST;
		b->end_s = binding->end_s;
		return 0;
	}
	if (model->n_bindings == MODEL_BINDINGS_MAX)
		return -ENOSPC;
	model->bindings[model->n_bindings++] = *binding;
	return 0;
}

int model_binding_remove(struct model *model, uint32_t v4, uint16_t first, uint16_t last)
{
	for (uint32_t i = 0; i < model->n_bindings; i++) {
		struct model_binding *b = &model->bindings[i];

		if (b->v4 == v4 && b->first == first && b->last == last) {
			*b = model->bindings[--model->n_bindings];
			return 0;
		}
	}
	return -ENOENT;
}

void model_bindings_sweep(struct model *model)
{
	for (uint32_t i = model->n_bindings; i-- > 0;)
		if (!in_force(model, &model->bindings[i]))
			model->bindings[i] = model->bindings[--model->n_bindings];
}

/* --- ends of the journey ------------------------------------------------------------------------- */

void sent(struct model *model, enum model_way way, uint32_t number, const uint8_t *frame,
	uint32_t len)
{
	static const enum dp_counter counters[MODEL_N_WAYS] = {
		[MODEL_PORT_V6] = DP_COUNT_TX,
		[MODEL_PORT_V4] = DP_COUNT_TX,
		[MODEL_HOST] = DP_COUNT_PUNTED,
		[MODEL_RESOLVE] = DP_COUNT_RESOLVE,
		[MODEL_ASKER] = DP_COUNT_ASKED,
	};

	assert(model->n_sent < MODEL_SENT_MAX);
	model->sent[model->n_sent++] = (struct model_sent){way, number, len, frame};
	count(model, counters[way], len);
}

void drop(struct model *model, const struct arrival *arrival, enum dp_counter reason)
{
	bool hidden = arrival->group && reason != DP_DROP_NO_HOST;

	count(model, hidden ? DP_DROP_GROUP_MAC : reason, arrival->len);
}

void to_host(struct model *model, const struct arrival *arrival)
{
	if (model->host)
		sent(model, MODEL_HOST, arrival->number, arrival->frame, arrival->len);
	else
		drop(model, arrival, DP_DROP_NO_HOST);
}

bool is_local(const struct model *model, uint32_t v4)
{
	for (uint32_t i = 0; i < model->n_local; i++)
		if (model->local_v4[i] == v4)
			return true;
	return false;
}

/* From the IPv4 side, and nobody's: ours, forwarded, or dropped. */
static void unclaimed(struct model *model, const struct arrival *arrival, enum dp_counter reason)
{
	if (is_local(model, get32(arrival->v4 + 16))) {
		to_host(model, arrival);
		return;
	}
	if (is_plain_v4(model, arrival)) {
		forward(model, arrival);
		return;
	}
	drop(model, arrival, reason);
	icmp_answer(model, arrival, reason, 0);
}

void refuse(
	struct model *model, const struct arrival *arrival, enum dp_counter reason, uint32_t mtu)
{
	drop(model, arrival, reason);
	if (!arrival->group)
		icmp_answer(model, arrival, reason, mtu);
}

void egress(struct model *model, uint32_t number, uint8_t *frame, uint32_t len, bool to_v6)
{
	egress_by(model, number, frame, len, to_v6, &model->hops[to_v6 ? 0 : 1],
		to_v6 ? model->params.mtu_v6 : model->params.mtu_v4);
}

bool egress_by(struct model *model, uint32_t number, uint8_t *frame, uint32_t len, bool to_v6,
	const struct model_hop *hop, uint32_t mtu)
{
	enum model_way way = hop->side == 0 ? MODEL_PORT_V6 : MODEL_PORT_V4;

	memset(frame, 0, 12);
	put16(frame + 12, to_v6 ? 0x86dd : 0x0800);
	if (hop->state == DP_ADJ_NO_ROUTE) {
		count(model, DP_DROP_NO_ROUTE, len);
		return false;
	}
	if (hop->state == DP_ADJ_RESOLVED) {
		memcpy(frame, hop->dst, 6);
		memcpy(frame + 6, hop->src, 6);
	} else if (!model->host) {
		count(model, hop->state == DP_ADJ_LOCAL ? DP_DROP_NO_HOST : DP_DROP_NO_NEXTHOP,
			len);
		return false;
	} else if (hop->state == DP_ADJ_LOCAL) {
		memcpy(frame, model->macs[hop->side], 6);
		memcpy(frame + 6, model->macs[hop->side], 6);
		way = MODEL_HOST;
	} else {
		way = MODEL_RESOLVE;
	}
	if (len - ETHER > mtu)
		cut(model, way, number, frame, len, mtu, to_v6);
	else
		sent(model, way, number, frame, len);
	return true;
}

/* --- the packet ---------------------------------------------------------------------------------- */

uint32_t v4_fault(const uint8_t *v4, uint32_t room)
{
	uint32_t header;

	if (room < 20)
		return 0;
	if (v4[0] >> 4 != 4)
		return 1;
	header = (v4[0] & 15) * 4;
	if (header < 20 || header > get16(v4 + 2))
		return 2;
	if (get16(v4 + 2) > room)
		return 3;
	return octets_checksum_holds(v4, header) ? NO_FAULT : 4;
}

void v4_write_checksum(uint8_t *v4)
{
	put16(v4 + 10, 0);
	put16(v4 + 10, octets_checksum(v4, (v4[0] & 15) * 4));
}

uint8_t *new_v6_frame(struct model *model, uint8_t traffic_class, uint32_t payload_len,
	uint8_t next_header, uint8_t hop_limit, const uint8_t *src, const uint8_t *dst)
{
	uint8_t *frame = take_room(model, ETHER + V6_HEADER + payload_len);

	put32(frame + 14, 6U << 28 | (uint32_t)traffic_class << 20);
	put16(frame + 18, payload_len);
	frame[20] = next_header;
	frame[21] = hop_limit;
	memcpy(frame + 22, src, 16);
	memcpy(frame + 38, dst, 16);
	return frame;
}

static bool is_refused(const struct model *model, uint8_t icmp_type)
{
	const bool *refuse = model->params.icmp.refuse_from_v4;

	switch (icmp_kind_of(icmp_type)) {
	case ICMP_IS_QUERY: /* even types answer, but for echo */
		return refuse[icmp_type == 8 || (icmp_type >= 13 && icmp_type % 2 == 1)
				      ? ICMP_REQUEST
				      : ICMP_REPLY];
	case ICMP_IS_ERROR:
		return refuse[ICMP_ERROR];
	default:
		return false;
	}
}

/*
 * The end of a packet that a binding is looked up for; NO_FAULT, or 0 truncated, 1 ICMP type, 2 ICMP error,
 * 3 refused by the operator.
 */
static uint32_t find_key(
	const struct model *model, const struct arrival *a, bool of_source, struct model_key *key)
{
	const uint8_t *l4 = a->v4 + a->v4_header;
	uint32_t len = a->v4_len - a->v4_header;
	struct model_key quoted;

	key->v4 = get32(a->v4 + (of_source ? 12 : 16));
	key->has_port = true;
	switch (a->v4[9]) {
	case PROTO_TCP:
	case PROTO_UDP:
		if (len < (a->v4[9] == PROTO_TCP ? 20 : 8))
			return 0;
		key->port = get16(l4 + (of_source ? 0 : 2));
		return NO_FAULT;
	case PROTO_ICMP:
		break;
	default:
		key->has_port = false;
		key->port = 0;
		return NO_FAULT;
	}
	if (len < 8)
		return 0;
	key->port = get16(l4 + 4);
	if (a->v6 == NULL && is_refused(model, l4[0]))
		return 3;
	if (icmp_kind_of(l4[0]) == ICMP_IS_QUERY)
		return NO_FAULT;
	if (icmp_kind_of(l4[0]) == ICMP_IS_OTHER)
		return 1;
	/* The quoted packet went the other way. */
	if (!icmp_read_quote(l4, len, !of_source, &quoted) || quoted.v4 != key->v4)
		return 2;
	*key = quoted;
	return NO_FAULT;
}

static const struct model_binding *find(const struct model *model, const struct model_key *key)
{
	return model_binding_find(model, key->v4, key->has_port, key->port);
}

/* Nobody here has it, another TEP may: true, it waits for an answer as it came. */
static bool is_asked(struct model *model, const struct arrival *a, bool about_sender,
	const struct model_key *key)
{
	if (!model->asks[about_sender] || !in_pool(model, key->v4) || is_local(model, key->v4))
		return false;
	sent(model, MODEL_ASKER, a->number, a->frame, a->len);
	return true;
}

/* RFC 6040 figure 4: the inner field after decapsulation; -1: drop. */
static int ecn_out(int inner, int outer, bool *odd)
{
	*odd = false;
	if (inner == ECN_NOT_ECT) {
		*odd = outer == ECN_ECT_0 || outer == ECN_ECT_1;
		return outer == ECN_CE ? -1 : ECN_NOT_ECT;
	}
	if (inner == ECN_CE) {
		*odd = outer == ECN_ECT_1;
		return ECN_CE;
	}
	if (outer == ECN_CE)
		return ECN_CE;
	if (inner == ECN_ECT_0)
		return outer == ECN_ECT_1 ? ECN_ECT_1 : ECN_ECT_0;
	*odd = outer == ECN_ECT_0;
	return ECN_ECT_1;
}

/* RFC 2983: uniform, or an outer DSCP of its own; ECN is copied (RFC 6040). */
static uint8_t outer_tos(const struct model *model, uint8_t inner)
{
	if (model->dscp_mode == DP_DSCP_UNIFORM)
		return inner;
	return (uint8_t)(model->dscp_outer << 2 | (inner & 3));
}

static uint8_t inner_tos(const struct model *model, uint8_t inner, uint8_t outer, int ecn)
{
	switch (model->dscp_mode) {
	case DP_DSCP_UNIFORM:
		return (uint8_t)((outer & 0xfc) | ecn);
	case DP_DSCP_PIPE:
		return (uint8_t)((inner & 0xfc) | ecn);
	default:
		return (uint8_t)(model->dscp_inner << 2 | ecn);
	}
}

uint8_t *new_tunnel_frame(struct model *model, const uint8_t *v4, uint32_t v4_len,
	const uint8_t *src, const uint8_t *dst)
{
	const struct dp_outer_params *outer = &model->params.outer;
	uint32_t extra = overhead(model) - V6_HEADER;
	uint8_t *frame = new_v6_frame(model, outer_tos(model, v4[1]), extra + v4_len,
		extra != 0 ? 60 : 4, model->params.hop_limit, src, dst);

	if (!outer->hash_flows)
		put32(frame + ETHER, get32(frame + ETHER) | outer->flow_label);
	if (extra != 0) {
		const uint8_t limit[8] = {4, 0, 4, 1, outer->encapsulation_limit, 1, 1, 0};

		memcpy(frame + ETHER + V6_HEADER, limit, sizeof(limit));
	}
	memcpy(frame + ETHER + V6_HEADER + extra, v4, v4_len);
	return frame;
}

/* Into the tunnel of a binding's holder; packet: the inner one as it is to go. */
static void encapsulate(struct model *model, const struct arrival *a, const uint8_t *packet,
	const struct model_binding *to)
{
	uint32_t len = overhead(model) + a->v4_len;
	uint8_t *frame = new_tunnel_frame(model, packet, a->v4_len, to->tep, to->client);

	clamp_mss(model, frame + ETHER + overhead(model), ETHER + len);
	count(model, DP_COUNT_ENCAPSULATED, len);
	egress(model, a->number, frame, ETHER + len, true);
}

static bool may_be_cut(const uint8_t *v4)
{
	return (v4[6] & 0x40) == 0;
}

/* Too long for a tunnel, and not to be cut: DF, or no IPv6 packet can be that long. */
static bool is_too_big(const struct model *model, const struct arrival *a)
{
	uint32_t len = overhead(model) + a->v4_len;

	bool stays_whole = !may_be_cut(a->v4) && !model->params.ignore_df;

	return len > model->params.mtu_v6 && (stays_whole || len - V6_HEADER > 65535);
}

/* The packet in new room behind an Ethernet header, one hop further, with this TOS octet. */
static uint8_t *one_hop_further(struct model *model, const struct arrival *a, uint8_t tos)
{
	uint8_t *frame = take_room(model, ETHER + a->v4_len);
	uint8_t *v4 = frame + ETHER;

	memcpy(v4, a->v4, a->v4_len);
	v4[1] = tos;
	v4[8]--;
	v4_write_checksum(v4);
	return frame;
}

/* From a client to a client: is the destination's address one of ours, and who holds the port? */
static bool turns_round(
	const struct model *model, const struct arrival *a, const struct model_binding **to)
{
	uint32_t v4 = get32(a->v4 + 16);
	struct model_key key;

	if (!model->params.hairpin || (!has_bindings(model, v4) && !in_pool(model, v4)))
		return false;
	*to = find_key(model, a, false, &key) == NO_FAULT ? find(model, &key) : NULL;
	return *to != NULL || !is_local(model, v4);
}

/* One that turns round, out of its tunnel already: frame is an Ethernet header and the packet as it is to go. */
static void hairpin(struct model *model, const struct arrival *arrival, const uint8_t *frame,
	const struct model_binding *to)
{
	struct arrival a = *arrival;

	a.v4 = frame + ETHER; /* what is refused from here on is that */
	a.len = ETHER + a.v4_len;
	if (to == NULL) {
		refuse(model, &a,
			has_bindings(model, get32(a.v4 + 16)) ? DP_DROP_HAIRPIN_NO_BINDING
							      : DP_DROP_POOL_NO_BINDING,
			0);
	} else if (is_too_big(model, &a)) {
		refuse(model, &a, DP_DROP_TOO_BIG_V6, model->params.mtu_v6 - overhead(model));
	} else {
		count(model, DP_COUNT_HAIRPINNED, overhead(model) + a.v4_len);
		encapsulate(model, &a, a.v4, to);
	}
}

/* Why a tunnel packet is not forwarded for its sender; DP_N_DROPS: it is. */
static enum dp_counter check_sender(struct model *model, const struct arrival *a)
{
	static const enum dp_counter faults[] = {
		DP_DROP_INNER_L4_TRUNCATED, DP_DROP_INNER_ICMP_TYPE, DP_DROP_INNER_ICMP_ERROR};
	const struct model_binding *holder;
	struct model_key key;
	uint32_t fault = find_key(model, a, true, &key);

	if (fault != NO_FAULT)
		return faults[fault];
	holder = find(model, &key);
	if (holder == NULL)
		return key.has_port ? DP_DROP_NO_BINDING_V6 : DP_DROP_NO_PORT_V6;
	if (!same_v6(holder->client, a->v6 + 8))
		return DP_DROP_SPOOFED_CLIENT;
	if (!same_v6(holder->tep, a->v6 + 24))
		return DP_DROP_WRONG_TEP;
	if (is_martian(get32(a->v4 + 16)))
		return DP_DROP_INNER_MARTIAN;
	if (a->v4[8] <= 1)
		return DP_DROP_INNER_TTL_EXPIRED;
	return DP_N_DROPS;
}

/* Whoever sent it, or, once that is proven, whom it is for may be known elsewhere. */
static bool is_tunnel_packet_asked(
	struct model *model, const struct arrival *a, bool turns, const struct model_binding *to)
{
	const struct model_binding *holder;
	struct model_key key;

	if (find_key(model, a, true, &key) != NO_FAULT)
		return false;
	holder = find(model, &key);
	if (holder == NULL)
		return is_asked(model, a, true, &key);
	return turns && to == NULL && same_v6(holder->client, a->v6 + 8) &&
	       same_v6(holder->tep, a->v6 + 24) && find_key(model, a, false, &key) == NO_FAULT &&
	       is_asked(model, a, false, &key);
}

void from_tunnel(struct model *model, const struct arrival *a)
{
	uint8_t outer = (uint8_t)(get16(a->v6) >> 4);
	const struct model_binding *to = NULL;
	bool turns = turns_round(model, a, &to), odd;
	enum dp_counter reason;
	uint8_t *frame;
	int ecn;

	if (is_tunnel_packet_asked(model, a, turns, to))
		return;
	reason = check_sender(model, a);
	if (reason != DP_N_DROPS) {
		refuse(model, a, reason, 0);
		return;
	}
	if (!turns && a->v4_len > model->params.mtu_v4 && !may_be_cut(a->v4)) {
		refuse(model, a, DP_DROP_TOO_BIG_V4, model->params.mtu_v4);
		return;
	}
	ecn = ecn_out(a->v4[1] & 3, outer & 3, &odd);
	if (ecn < 0) {
		refuse(model, a, DP_DROP_OUTER_CE, 0);
		return;
	}
	if (odd)
		count(model, DP_COUNT_ECN_ODD, a->len);
	frame = one_hop_further(model, a, inner_tos(model, a->v4[1], outer, ecn));
	count(model, DP_COUNT_DECAPSULATED, a->v4_len);
	if (turns) {
		hairpin(model, a, frame, to);
		return;
	}
	clamp_mss(model, frame + ETHER, ETHER + a->v4_len);
	egress(model, a->number, frame, ETHER + a->v4_len, false);
}

void from_v4(struct model *model, const struct arrival *a)
{
	static const enum dp_counter faults[] = {DP_DROP_V4_L4_TRUNCATED, DP_DROP_V4_ICMP_TYPE,
		DP_DROP_V4_ICMP_ERROR, DP_DROP_V4_ICMP_REFUSED};
	const struct model_binding *to;
	struct model_key key;
	uint32_t fault = find_key(model, a, false, &key);

	if (fault != NO_FAULT) {
		unclaimed(model, a, faults[fault]);
		return;
	}
	to = find(model, &key);
	if (to == NULL && is_asked(model, a, false, &key))
		return;
	if (to == NULL)
		unclaimed(model, a, key.has_port ? DP_DROP_NO_BINDING_V4 : DP_DROP_NO_PORT_V4);
	else if (a->v4[8] <= 1)
		refuse(model, a, DP_DROP_V4_TTL_EXPIRED, 0);
	else if (is_too_big(model, a))
		refuse(model, a, DP_DROP_TOO_BIG_V6, model->params.mtu_v6 - overhead(model));
	else
		encapsulate(model, a, one_hop_further(model, a, a->v4[1]) + ETHER, to);
}

/* --- frames ------------------------------------------------------------------------------------- */

void model_begin(struct model *model)
{
	model->n_sent = 0;
	model->room_used = 0;
}

void model_process(
	struct model *model, uint32_t number, uint32_t side, const uint8_t *frame, uint32_t len)
{
	const struct arrival arrival = {.number = number,
		.side = side,
		.frame = frame,
		.len = len,
		.group = len >= ETHER && (frame[0] & 1) != 0};

	count(model, DP_COUNT_RX, len);
	if (len < ETHER)
		drop(model, &arrival, DP_DROP_FRAME_SHORT);
	else if (!arrival.group && memcmp(frame, model->macs[side], 6) != 0)
		drop(model, &arrival, DP_DROP_NOT_OUR_MAC);
	else
		classify(model, &arrival);
}
