// SPDX-License-Identifier: BSD-3-Clause
/* What is for no tunnel in the model (RFC 1812 section 5, RFC 8200, RFC 4291, RFC 3927): across, from side to side. */
#include "model_impl.h"

bool is_plain_v4(const struct model *model, const struct arrival *a)
{
	uint32_t dst = get32(a->v4 + 16);

	return model->params.forward.v4 != DP_FORWARD_DROP && a->len <= ONE_BUFFER &&
	       !has_bindings(model, dst) && !in_pool(model, dst);
}

static bool is_link_local_v6(const uint8_t *v6)
{
	return v6[0] == 0xfe && v6[1] >= 0x80 && v6[1] <= 0xbf;
}

/* What stays on the link is never forwarded. */
bool is_plain_v6(const struct model *model, const struct arrival *a)
{
	const uint8_t *dst = a->v6 + 24;

	return model->params.forward.v6 && dst[0] != 0xff && !is_link_local_v6(dst);
}

static bool stays_v4(uint32_t v4)
{
	return is_martian(v4) || (v4 & 0xffff0000) == 0xa9fe0000;
}

static bool stays_v6(const uint8_t *v6)
{
	static const uint8_t zeros[16], mapped[12] = {[10] = 0xff, 0xff};

	return v6[0] == 0xff || is_link_local_v6(v6) || memcmp(v6, mapped, 12) == 0 ||
	       (memcmp(v6, zeros, 15) == 0 && v6[15] <= 1);
}

/* DP_N_DROPS, or why no router carries it. */
static enum dp_counter judge(const struct model *model, const struct arrival *a)
{
	if (a->v4 == NULL)
		return stays_v6(a->v6 + 8) || stays_v6(a->v6 + 24) ? DP_DROP_FORWARD_V6_ADDRESS
								   : DP_N_DROPS;
	if (stays_v4(get32(a->v4 + 12)) || stays_v4(get32(a->v4 + 16)))
		return DP_DROP_FORWARD_V4_ADDRESS;
	if (has_bindings(model, get32(a->v4 + 12)) || in_pool(model, get32(a->v4 + 12)))
		return DP_DROP_FORWARD_SPOOFED;
	return DP_N_DROPS;
}

static void refuse_plain(
	struct model *model, const struct arrival *a, enum dp_counter reason, uint32_t mtu)
{
	drop(model, a, reason);
	icmp_answer_plain(model, a, reason, mtu);
}

static void onwards_v4(
	struct model *model, const struct arrival *a, const struct model_hop *hop, uint32_t mtu)
{
	uint32_t end = (get16(a->v4 + 6) & 0x1fff) * 8 + a->v4_len - a->v4_header;
	uint8_t *frame;

	if (a->v4[8] <= 1) {
		refuse_plain(model, a, DP_DROP_V4_TTL_EXPIRED, 0);
	} else if (a->v4_len > mtu && (a->v4[6] & 0x40) != 0) {
		refuse_plain(model, a, DP_DROP_FORWARD_V4_TOO_BIG, mtu);
	} else if (a->v4_len > mtu && end > 65535) {
		drop(model, a, DP_DROP_V4_FRAG_MALFORMED);
	} else {
		frame = take_room(model, ETHER + a->v4_len);
		memcpy(frame + ETHER, a->v4, a->v4_len);
		frame[ETHER + 8]--;
		v4_write_checksum(frame + ETHER);
		if (egress_by(model, a->number, frame, ETHER + a->v4_len, false, hop, mtu))
			count(model, DP_COUNT_FORWARDED_V4, a->v4_len);
	}
}

static void onwards_v6(
	struct model *model, const struct arrival *a, const struct model_hop *hop, uint32_t mtu)
{
	uint32_t len = V6_HEADER + get16(a->v6 + 4);
	uint8_t *frame;

	if (a->v6[7] <= 1) {
		refuse_plain(model, a, DP_DROP_FORWARD_HOP_LIMIT, 0);
	} else if (len > mtu) {
		refuse_plain(model, a, DP_DROP_FORWARD_V6_TOO_BIG, mtu);
	} else {
		frame = take_room(model, ETHER + len);
		memcpy(frame + ETHER, a->v6, len);
		frame[ETHER + 7]--;
		if (egress_by(model, a->number, frame, ETHER + len, true, hop, UINT32_MAX))
			count(model, DP_COUNT_FORWARDED_V6, len);
	}
}

/* One port: by the family. */
static uint32_t mtu_of(const struct model *model, const struct model_hop *hop, bool is_v6)
{
	bool one_armed = model->params.port_v6 == model->params.port_v4;
	bool by_v6 = one_armed ? is_v6 : hop->side == 0;

	return by_v6 ? model->params.mtu_v6 : model->params.mtu_v4;
}

/* Without routes: to the neighbour of the other side. */
void forward(struct model *model, const struct arrival *a)
{
	const struct model_hop *hop = &model->hops[!a->side];
	uint32_t mtu = mtu_of(model, hop, a->v4 == NULL);
	bool host = a->v4 != NULL && model->params.forward.v4 == DP_FORWARD_HOST;
	bool is_ours = !host && hop->state == DP_ADJ_LOCAL;
	enum dp_counter reason = judge(model, a);

	if (reason != DP_N_DROPS && !is_ours)
		drop(model, a, reason);
	else if (host || is_ours)
		to_host(model, a);
	else if (hop->state == DP_ADJ_NO_ROUTE)
		refuse_plain(model, a, DP_DROP_NO_ROUTE, 0);
	else if (a->v4 != NULL)
		onwards_v4(model, a, hop, mtu);
	else
		onwards_v6(model, a, hop, mtu);
}
