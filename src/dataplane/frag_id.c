// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/frag_id.h"

static uint16_t rotate_right(uint16_t word, unsigned int bits)
{
	return (uint16_t)(word >> bits | word << (16 - bits));
}

/* One round over the halves x and y; the key schedule is the same round. */
static void mix(uint16_t *x, uint16_t *y, uint16_t key)
{
	*x = (uint16_t)(rotate_right(*x, 7) + *y) ^ key;
	*y = rotate_right(*y, 14) ^ *x;
}

void dp_frag_ids_init(struct dp_frag_ids *ids, const uint16_t key[DP_FRAG_ID_KEY_WORDS])
{
	uint16_t rest[DP_FRAG_ID_KEY_WORDS - 1] = {key[1], key[2], key[3]};
	uint16_t round_key = key[0];

	ids->counter = 0;
	for (uint16_t i = 0; i < DP_FRAG_ID_ROUNDS; i++) {
		ids->round_keys[i] = round_key;
		mix(&rest[i % 3], &round_key, i);
	}
}

uint32_t dp_frag_ids_next(struct dp_frag_ids *ids)
{
	uint32_t plain = ids->counter++;
	uint16_t x = (uint16_t)(plain >> 16), y = (uint16_t)plain;

	for (unsigned int i = 0; i < DP_FRAG_ID_ROUNDS; i++)
		mix(&x, &y, ids->round_keys[i]);
	return (uint32_t)x << 16 | y;
}
