// SPDX-License-Identifier: BSD-3-Clause
/*
 * A filter of packets as dstmctl writes it:
 *
 *	{"side": "v6"|"v4", "address": an address or prefix of either family, "port": number,
 *	 "verdict": one of enum dp_fate, "reason": the name of a drop}
 *
 * All members are optional, all that are there must match.
 */
#pragma once

#include "common/ctl.h"
#include "dataplane/tap.h"

/* filter: an object or NULL. False with a sentence in error. */
bool tep_watch_filter_parse(
	const json_t *json, struct dp_tap_filter *filter, char error[static CTL_ERROR_LEN]);
