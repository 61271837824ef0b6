// SPDX-License-Identifier: BSD-3-Clause
/*
 * What follows when a walk over the digests of a TEP that ought to be level has found leaves that differ.
 *
 * A leaf that differs once is looked at again soon, since the two clocks that end a lease are not one. A leaf that
 * does so twice in a row is a divergence: it is told and counted, and listed anew at once; then less and less often, as
 * long as that does not help.
 */
#pragma once

#include "server/tep_level.h"

#define SRV_COMPARE_AGAIN_MS 1000 /* to the next look at leaves that differ, or were just listed */

struct srv_tep_compare {
	bool is_known; /* there was a look */
	uint64_t theirs; /* the root of the TEP's digest, as last told */
	int64_t looked_ms; /* when that was */
	int64_t differs_since_ms; /* 0: not, as far as is known */
	uint64_t mended; /* leaves that were listed anew, ever */

	/* Its own. */
	struct srv_leaves suspects; /* that differed at the last look */
	int64_t suspected_ms;
	int64_t mend_after_ms;
	int64_t patience_ms; /* between two lists of one divergence */
};

enum srv_compare_verdict {
	SRV_COMPARE_EQUAL,
	SRV_COMPARE_UNCERTAIN, /* to be looked at again soon */
	SRV_COMPARE_DIFFERS, /* as before: nothing to be done now */
	SRV_COMPARE_MEND, /* list these leaves */
};

/* A walk of this level is over. mend: set with MEND. */
enum srv_compare_verdict srv_tep_compare_look(struct srv_tep_compare *compare,
	const struct srv_tep_level *level, int64_t now_ms, struct srv_leaves *mend);

/* The TEP has become level: nothing is suspected any more. */
void srv_tep_compare_begin(
	struct srv_tep_compare *compare, const struct srv_tep_level *level, int64_t now_ms);

/* For how long the tables have not been equal, 1 and up; 0: they are. */
uint32_t srv_tep_compare_differs_s(const struct srv_tep_compare *compare, int64_t now_ms);
