// SPDX-License-Identifier: BSD-3-Clause
#include "server/tep_compare.h"

#define PATIENCE_MS \
	5000 /* from the first list of a divergence to the second, then twice that ... */
#define PATIENCE_MAX_MS 60000 /* ... up to this */

static void note_look(
	struct srv_tep_compare *compare, const struct srv_tep_level *level, int64_t now_ms)
{
	if (!level->knows_digests)
		return;
	compare->is_known = true;
	compare->theirs = level->theirs;
	compare->looked_ms = now_ms;
}

static bool is_time_to_mend(struct srv_tep_compare *compare, int64_t now_ms)
{
	if (now_ms < compare->mend_after_ms)
		return false;
	compare->patience_ms = compare->patience_ms == 0 ? PATIENCE_MS : 2 * compare->patience_ms;
	if (compare->patience_ms > PATIENCE_MAX_MS)
		compare->patience_ms = PATIENCE_MAX_MS;
	compare->mend_after_ms = now_ms + compare->patience_ms;
	return true;
}

static enum srv_compare_verdict forget(struct srv_tep_compare *compare)
{
	compare->suspects = (struct srv_leaves){0};
	compare->differs_since_ms = 0;
	compare->patience_ms = 0;
	compare->mend_after_ms = 0;
	return SRV_COMPARE_EQUAL;
}

enum srv_compare_verdict srv_tep_compare_look(struct srv_tep_compare *compare,
	const struct srv_tep_level *level, int64_t now_ms, struct srv_leaves *mend)
{
	struct srv_leaves suspects;

	note_look(compare, level, now_ms);
	for (uint32_t i = 0; i < DIGEST_LEAVES / 64; i++) {
		uint64_t before = compare->suspects.bits[i];

		mend->bits[i] = before & level->differing.bits[i];
		suspects.bits[i] = level->differing.bits[i] | (before & level->unclear.bits[i]);
	}
	if (srv_leaves_count(&suspects) == 0)
		return forget(compare);
	if (srv_leaves_count(&compare->suspects) == 0)
		compare->suspected_ms = now_ms;
	compare->suspects = suspects;
	if (srv_leaves_count(mend) == 0)
		return SRV_COMPARE_UNCERTAIN;
	if (compare->differs_since_ms == 0)
		compare->differs_since_ms = compare->suspected_ms;
	if (!is_time_to_mend(compare, now_ms))
		return SRV_COMPARE_DIFFERS;
	compare->mended += srv_leaves_count(mend);
	return SRV_COMPARE_MEND;
}

void srv_tep_compare_begin(
	struct srv_tep_compare *compare, const struct srv_tep_level *level, int64_t now_ms)
{
	note_look(compare, level, now_ms);
	forget(compare);
}

uint32_t srv_tep_compare_differs_s(const struct srv_tep_compare *compare, int64_t now_ms)
{
	if (compare->differs_since_ms == 0)
		return 0;
	return (uint32_t)((now_ms - compare->differs_since_ms) / 1000) + 1;
}
