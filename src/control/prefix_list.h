// SPDX-License-Identifier: BSD-3-Clause
/*
 * A short list of prefixes, sorted by address. What is more than it has room for is only counted.
 */
#pragma once

#include "control/route_table.h"

#define TEP_PREFIX_LIST_MAX 256

struct tep_prefix_list {
	uint32_t n;
	uint32_t n_outside; /* that there was no room for */
	struct tep_prefix items[TEP_PREFIX_LIST_MAX];
};

void tep_prefix_list_add(struct tep_prefix_list *list, const struct tep_prefix *prefix);
/* One that was added. */
void tep_prefix_list_remove(struct tep_prefix_list *list, const struct tep_prefix *prefix);
/* Is it within one of the list, or may it be within one that is only counted? */
bool tep_prefix_list_may_contain(
	const struct tep_prefix_list *list, const struct tep_prefix *prefix);
