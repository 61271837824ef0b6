// SPDX-License-Identifier: BSD-3-Clause
#include "safety.h"

#include "octets.h"

static bool is_error(uint8_t type)
{
	return type == 3 || type == 11 || type == 12;
}

/* An ICMP error is for, or from, the other end of the packet that it quotes. */
bool safety_read_end(const uint8_t *v4, uint32_t len, bool destination, struct safety_end *end)
{
	uint32_t header = (v4[0] & 15) * 4;
	const uint8_t *l4 = v4 + header;

	end->v4 = get32(v4 + (destination ? 16 : 12));
	end->has_port = v4[9] == 6 || v4[9] == 17 || v4[9] == 1;
	end->port = 0;
	if ((get16(v4 + 6) & 0x1fff) != 0)
		return false;
	if (!end->has_port || len < header + 8)
		return true;
	if (v4[9] != 1) {
		end->port = get16(l4 + (destination ? 2 : 0));
	} else if (is_error(l4[0]) && len >= header + 8 + 28) {
		return safety_read_end(l4 + 8, len - header - 8, !destination, end);
	} else {
		end->port = get16(l4 + 4);
	}
	return true;
}
