// SPDX-License-Identifier: BSD-3-Clause
/*
 * The client's holder check, and the packet's other end. First octet: direction and lease; the rest: a
 * packet. No packet passes that is not the lease's at its own end.
 */
#include "client/far_end.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct lease leases[] = {
		{.v4 = 0xc6336407, .n_ranges = 2, .ranges = {{2048, 3071}, {9000, 9000}}},
		{.v4 = 0xc6336407, .n_ranges = 1, .ranges = {{0, 65535}}},
	};
	enum cl_direction direction;
	struct cl_far_end far_end;
	uint8_t *packet;
	size_t len;

	if (size == 0)
		return 0;
	direction = data[0] & 1 ? CL_OUT : CL_IN;
	/* A copy of its own length: the sanitizer sees each octet that is read behind its end. */
	len = size - 1;
	packet = malloc(len);
	if (len > 0)
		memcpy(packet, data + 1, len);
	if (cl_inner_check(packet, len, direction, &leases[data[0] >> 1 & 1]) == CL_PASS) {
		static const uint8_t ours[] = {198, 51, 100, 7};

		if (len < 20 || memcmp(packet + (direction == CL_OUT ? 12 : 16), ours, 4) != 0)
			abort();
	}
	if (cl_far_end_of(packet, len, direction, &far_end) && len < 28)
		abort();
	free(packet);
	return 0;
}
