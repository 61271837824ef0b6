// SPDX-License-Identifier: BSD-3-Clause
/* What a frame is, and which way it goes: the checks of every header, in the order in which a router makes them. */
#include "model_impl.h"

static bool is_fragment(const uint8_t *v4)
{
	return (get16(v4 + 6) & 0x3fff) != 0;
}

/* A loose or strict source route (131, 137), up to where the options end or make no sense. */
static bool is_source_routed(const struct model *model, const struct arrival *a)
{
	const uint8_t *options = a->v4 + 20;
	uint32_t len = a->v4_header - 20, at = 0;

	while (!model->params.pass_source_routes && at < len && options[at] != 0) {
		if (options[at] == 131 || options[at] == 137)
			return true;
		if (options[at] == 1) {
			at++;
			continue;
		}
		if (at + 1 == len || options[at + 1] < 2)
			return false;
		at += options[at + 1];
	}
	return false;
}

/* v4_fault, and what is needed of a sound header. */
static uint32_t take_v4(struct arrival *a, const uint8_t *v4, uint32_t room)
{
	uint32_t fault = v4_fault(v4, room);

	if (fault != NO_FAULT)
		return fault;
	a->v4 = v4;
	a->v4_len = get16(v4 + 2);
	a->v4_header = (v4[0] & 15) * 4;
	return NO_FAULT;
}

static void classify_tunnel(struct model *model, struct arrival *a, uint32_t offset)
{
	static const enum dp_counter faults[] = {DP_DROP_INNER_TRUNCATED, DP_DROP_INNER_BAD_VERSION,
		DP_DROP_INNER_BAD_HEADER_LENGTH, DP_DROP_INNER_BAD_LENGTH,
		DP_DROP_INNER_BAD_CHECKSUM};
	const uint8_t *v4 = a->v6 + offset;
	uint32_t fault = take_v4(a, v4, V6_HEADER + get16(a->v6 + 4) - offset);

	if (fault != NO_FAULT)
		drop(model, a, faults[fault]);
	else if (is_source_routed(model, a))
		drop(model, a, DP_DROP_INNER_SOURCE_ROUTE);
	else if (a->group)
		drop(model, a, DP_DROP_GROUP_MAC);
	else if (is_fragment(a->v4))
		join_v4(model, a);
	else
		from_tunnel(model, a);
}

static void classify_for_tunnel_address(struct model *model, struct arrival *a)
{
	struct chain chain;
	uint32_t fault;

	if (a->v6[6] == 58 && model->params.icmp.relay && icmp_relay(model, a))
		return;
	fault = walk_headers(a->v6, &chain);
	if (fault != DP_N_DROPS)
		refuse(model, a, fault, 0);
	else if (chain.next == 4)
		classify_tunnel(model, a, chain.end);
	else if (chain.next == 44)
		join_v6(model, a, chain.end);
	else
		to_host(model, a);
}

static void classify_v6(struct model *model, struct arrival *a)
{
	const uint8_t *v6 = a->frame + ETHER;
	uint32_t room = a->len - ETHER;
	bool ours = false;

	if (room < V6_HEADER) {
		drop(model, a, DP_DROP_V6_TRUNCATED);
		return;
	}
	if (v6[0] >> 4 != 6) {
		drop(model, a, DP_DROP_V6_BAD_VERSION);
		return;
	}
	if (get16(v6 + 4) > room - V6_HEADER) {
		drop(model, a, DP_DROP_V6_BAD_LENGTH);
		return;
	}
	for (uint32_t i = 0; i < model->params.n_tep_v6; i++)
		ours = ours || same_v6(model->params.tep_v6[i].s6_addr, v6 + 24);
	a->v6 = v6;
	if (ours)
		classify_for_tunnel_address(model, a);
	else if (is_plain_v6(model, a) && a->group)
		drop(model, a, DP_DROP_GROUP_MAC);
	else if (is_plain_v6(model, a))
		forward(model, a);
	else
		to_host(model, a);
}

static void classify_v4(struct model *model, struct arrival *a)
{
	static const enum dp_counter faults[] = {DP_DROP_V4_TRUNCATED, DP_DROP_V4_BAD_VERSION,
		DP_DROP_V4_BAD_HEADER_LENGTH, DP_DROP_V4_BAD_LENGTH, DP_DROP_V4_BAD_CHECKSUM};
	const uint8_t *v4 = a->frame + ETHER;
	uint32_t fault = take_v4(a, v4, a->len - ETHER);

	a->v6 = NULL;
	if (fault != NO_FAULT)
		drop(model, a, faults[fault]);
	else if (is_source_routed(model, a))
		drop(model, a, DP_DROP_V4_SOURCE_ROUTE);
	else if (v4[16] < 224 && is_martian(get32(v4 + 12)))
		drop(model, a, DP_DROP_V4_MARTIAN);
	else if (v4[16] >= 224 || (is_fragment(v4) && is_local(model, get32(v4 + 16))))
		to_host(model, a);
	else if (a->group)
		drop(model, a, DP_DROP_GROUP_MAC);
	else if (!is_fragment(v4))
		from_v4(model, a);
	else if (is_plain_v4(model, a))
		forward(model, a);
	else
		join_v4(model, a);
}

void classify(struct model *model, const struct arrival *arrival)
{
	struct arrival a = *arrival;

	switch (get16(a.frame + 12)) {
	case 0x86dd:
		classify_v6(model, &a);
		break;
	case 0x0800:
		classify_v4(model, &a);
		break;
	case 0x8100:
	case 0x88a8:
		drop(model, &a, DP_DROP_VLAN);
		break;
	default:
		to_host(model, &a);
	}
}
