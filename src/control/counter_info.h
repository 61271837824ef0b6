// SPDX-License-Identifier: BSD-3-Clause
/* What the counters of the control thread are called, and what they count: a row for each. */
#pragma once

#include <stdbool.h>

struct tep_counter_info {
	bool is_drop; /* of packets */
	const char *name;
	const char *text;
};
