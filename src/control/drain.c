// SPDX-License-Identifier: BSD-3-Clause
#include "control/drain.h"

#define QUIET_MS 1000

void tep_drain_begin(struct tep_drain *drain, uint32_t wait_s, int64_t now_ms)
{
	drain->is_draining = true;
	drain->deadline_ms = now_ms + (int64_t)wait_s * 1000;
}

bool tep_drain_look(struct tep_drain *drain, uint64_t forwarded, int64_t now_ms)
{
	if (!drain->is_draining)
		return false;
	if (!drain->has_looked || forwarded != drain->forwarded) {
		drain->has_looked = true;
		drain->forwarded = forwarded;
		drain->moved_ms = now_ms;
	}
	return now_ms >= drain->deadline_ms || now_ms - drain->moved_ms >= QUIET_MS;
}
