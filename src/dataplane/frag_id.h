// SPDX-License-Identifier: BSD-3-Clause
/*
 * Identifications of the IPv6 fragments that we make (RFC 8200 section 4.5, RFC 7739): none comes twice within
 * 2^32 packets of a worker, and nobody outside can tell the next one. A counter is enciphered by Speck32/64
 * (Beaulieu and others, 2013), a permutation of 32 bits, under a random key of the worker's own.
 */
#pragma once

#include <stdint.h>

#define DP_FRAG_ID_ROUNDS    22
#define DP_FRAG_ID_KEY_WORDS 4

struct dp_frag_ids {
	uint32_t counter;
	uint16_t round_keys[DP_FRAG_ID_ROUNDS];
};

/* key[0] is the word that the first round uses. */
void dp_frag_ids_init(struct dp_frag_ids *ids, const uint16_t key[DP_FRAG_ID_KEY_WORDS]);

/* In no byte order: all values are as good. */
uint32_t dp_frag_ids_next(struct dp_frag_ids *ids);
