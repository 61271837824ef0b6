// SPDX-License-Identifier: BSD-3-Clause
/* What there is to see of a running TEP, for those who show it (metrics.h, telemetry.h). Control thread only. */
#pragma once

#include "control/announce.h"
#include "control/ask.h"
#include "control/host.h"
#include "control/session.h"
#include "control/tep.h"

/* All borrowed. */
struct tep_view {
	struct tep *tep;
	const struct tep_host *host; /* NULL: neighbor: static */
	const struct tep_sessions *sessions; /* NULL: none */
	const struct tep_ask *ask; /* NULL: servers are not asked */
	const struct tep_announce *announce; /* NULL: nothing is announced */
};
