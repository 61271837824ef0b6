// SPDX-License-Identifier: BSD-3-Clause
#include "control/dormant.h"

#include "common/log.h"

#define SLICE (UINT32_C(1) << 20) /* bindings looked at in one go: some 50 ms when all wake */

struct waking {
	struct tep_dormant *dormant;
	const struct tep_ready *ready;
	struct dp_bindings *table;
};

static bool is_absent(const struct tep_ready *ready, uint16_t owner)
{
	return owner >= 1 && owner <= ready->n_servers &&
	       ready->settled[owner - 1] == TEP_SETTLED_ABSENT;
}

static void wake(void *arg, const struct dp_binding *binding)
{
	const struct waking *waking = arg;

	if (!binding->is_dormant || !is_absent(waking->ready, binding->owner))
		return;
	dp_bindings_wake(waking->table, binding);
	waking->dormant->n_woken++;
}

void tep_dormant_look(
	struct tep_dormant *dormant, const struct tep_ready *ready, struct dp_bindings *table)
{
	struct waking waking = {.dormant = dormant, .ready = ready, .table = table};

	for (uint32_t i = 0; i < ready->n_servers; i++) {
		if (ready->settled[i] != TEP_SETTLED_ABSENT || dormant->has_woken[i])
			continue;
		dormant->has_woken[i] = true;
		dormant->is_waking = true;
		dormant->cursor = 0;
	}
	if (!dormant->is_waking)
		return;
	dormant->is_waking = dp_bindings_walk(table, &dormant->cursor, SLICE, wake, &waking);
	if (dormant->is_waking || dormant->n_woken == 0)
		return;
	log_info(
		"bindings: %u from before the start are in force until their ends: their server is "
		"not there",
		dormant->n_woken);
	dormant->n_woken = 0;
}
