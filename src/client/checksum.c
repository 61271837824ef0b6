// SPDX-License-Identifier: BSD-3-Clause
#include "client/checksum.h"

uint64_t cl_checksum_add(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t word = 0;

	/* Written so that the compiler makes vectors of it; 64 KiB cannot overflow the sum. */
	for (; len >= sizeof(word); p += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		sum += word;
	}
	if (len > 0) {
		word = 0;
		memcpy(&word, p, len);
		sum += word;
	}
	return sum;
}
