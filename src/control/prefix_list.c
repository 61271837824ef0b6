// SPDX-License-Identifier: BSD-3-Clause
#include "control/prefix_list.h"

void tep_prefix_list_add(struct tep_prefix_list *list, const struct tep_prefix *prefix)
{
	uint32_t at = list->n;

	if (list->n == TEP_PREFIX_LIST_MAX) {
		list->n_outside++;
		return;
	}
	while (at > 0 && memcmp(&list->items[at - 1], prefix, sizeof(*prefix)) > 0)
		at--;
	memmove(&list->items[at + 1], &list->items[at], (list->n - at) * sizeof(*prefix));
	list->items[at] = *prefix;
	list->n++;
}

void tep_prefix_list_remove(struct tep_prefix_list *list, const struct tep_prefix *prefix)
{
	for (uint32_t i = 0; i < list->n; i++) {
		if (!tep_prefix_equal(&list->items[i], prefix))
			continue;
		list->n--;
		memmove(&list->items[i], &list->items[i + 1], (list->n - i) * sizeof(*prefix));
		return;
	}
	list->n_outside--;
}

bool tep_prefix_list_may_contain(
	const struct tep_prefix_list *list, const struct tep_prefix *prefix)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (tep_prefix_contains(&list->items[i], prefix))
			return true;
	return list->n_outside > 0;
}
