// SPDX-License-Identifier: BSD-3-Clause
/*
 * One command of a daemon, with the pages of a list joined.
 */
#pragma once

#include "common/ctl.h"

#include <stdbool.h>
#include <stdint.h>

struct ctl_query {
	const char *socket;
	const char *command;
	json_t *arguments; /* object, borrowed; "limit" and "after" are set in it */
	bool paged; /* the command takes "limit" and "after" */
	uint64_t limit; /* items at most, over all pages; 0: all */
};

/*
 * Returns 0 and a new reference in *result, or -errno with a sentence in error. A list that was cut
 * by limit keeps the cursor of its last page in "next".
 */
int ctl_query_run(const struct ctl_query *query, json_t **result, char error[static CTL_ERROR_LEN]);
