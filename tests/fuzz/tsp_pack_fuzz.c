// SPDX-License-Identifier: BSD-3-Clause
/* A parser's answer: what is accepted can be packed again, in as many octets. */
#include "tsp/tsp_pack.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t again[TSP_PACK_MAX];
	struct tsp_msg msg;

	if (tsp_msg_unpack(data, size, &msg) == 0 && tsp_msg_pack(&msg, again) != size)
		abort();
	return 0;
}
