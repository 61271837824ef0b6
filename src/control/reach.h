// SPDX-License-Identifier: BSD-3-Clause
/*
 * Does the data plane have a way to where its packets go? A TEP whose routes have not come yet, or whose uplink is
 * lost, is not ready: it would only drop what others could carry. Control thread only.
 */
#pragma once

#include "common/addr.h"
#include "control/tep_config.h"
#include "dataplane/nexthop.h"

/* The first address of ready.routes_v4 and ready.routes_v6 that no route leads to, in text; NULL: all have one. */
const char *tep_reach_lacking(const struct tep_config_ready *wanted,
	const struct dp_nexthops *nexthops, char text[static ADDR_V6_STRLEN]);
