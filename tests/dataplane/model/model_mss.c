// SPDX-License-Identifier: BSD-3-Clause
/* TCP segment sizes in the model (RFC 7597 section 8.3.3): lowered in SYNs, never raised or added. */
#include "model_impl.h"

static uint32_t largest(const struct model *model)
{
	uint32_t inside = model->params.mtu_v6 - overhead(model), outside = model->params.mtu_v4;

	if (model->params.mss_clamp != DP_MSS_AUTO)
		return model->params.mss_clamp;
	return (inside < outside ? inside : outside) - 40;
}

/* The 16 bits at an even offset of the segment change: RFC 1624 equation 3. */
static void replace_word(uint8_t *tcp, uint32_t at, uint16_t value)
{
	uint64_t sum = (uint16_t)~get16(tcp + 16);

	sum += (uint16_t)~get16(tcp + at);
	sum += value;
	put16(tcp + at, value);
	put16(tcp + 16, (uint16_t)~octets_fold(sum));
}

/* A value anywhere: in one word, or in halves of two. */
static void replace(uint8_t *tcp, uint32_t at, uint16_t value)
{
	if (at % 2 == 0) {
		replace_word(tcp, at, value);
		return;
	}
	replace_word(tcp, at - 1, (uint16_t)(tcp[at - 1] << 8 | value >> 8));
	replace_word(tcp, at + 1, (uint16_t)((value & 0xff) << 8 | tcp[at + 2]));
}

void clamp_mss(struct model *model, uint8_t *v4, uint32_t frame_len)
{
	uint8_t *tcp = v4 + (v4[0] & 15) * 4;
	uint32_t room = get16(v4 + 2) - (v4[0] & 15) * 4U, end, at = 20, size;
	bool lowered = false;

	if (model->params.mss_clamp == 0 || v4[9] != PROTO_TCP || (tcp[13] & 2) == 0)
		return;
	end = (tcp[12] >> 4) * 4;
	while (end <= room && at < end && tcp[at] != 0) {
		size = tcp[at] == 1 ? 1 : at + 1 < end ? tcp[at + 1] : 0;
		if (tcp[at] != 1 && (size < 2 || at + size > end))
			break;
		if (tcp[at] == 2 && size == 4 && get16(tcp + at + 2) > largest(model)) {
			replace(tcp, at + 2, (uint16_t)largest(model));
			lowered = true;
		}
		at += size;
	}
	if (lowered)
		count(model, DP_COUNT_MSS_CLAMPED, frame_len);
}
