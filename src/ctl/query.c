// SPDX-License-Identifier: BSD-3-Clause
#include "ctl/query.h"

#include <errno.h>
#include <stdio.h>

#define TIMEOUT_MS 10000
#define PAGE_ITEMS 1000

static int request_page(const struct ctl_query *query, size_t have, json_t *after, json_t **page,
	char error[static CTL_ERROR_LEN])
{
	uint64_t left = query->limit > 0 ? query->limit - have : PAGE_ITEMS;

	if (query->paged)
		json_object_set_new(query->arguments, "limit",
			json_integer(left < PAGE_ITEMS ? left : PAGE_ITEMS));
	if (after != NULL)
		json_object_set(query->arguments, "after", after);
	return ctl_request(
		query->socket, query->command, query->arguments, TIMEOUT_MS, page, error);
}

/* Moves the items of page to the end of result's, and takes over its cursor. */
static int join_page(json_t *result, json_t *page, char error[static CTL_ERROR_LEN])
{
	json_t *next = json_object_get(page, "next");
	json_t *items = json_object_get(page, "items");

	if (!json_is_array(items) || json_array_size(items) == 0 ||
		json_equal(next, json_object_get(result, "next"))) {
		snprintf(error, CTL_ERROR_LEN, "the daemon's list does not end");
		return -EPROTO;
	}
	if (json_array_extend(json_object_get(result, "items"), items) < 0 ||
		json_object_set_new(
			result, "next", next != NULL ? json_incref(next) : json_null()) < 0)
		return -ENOMEM;
	return 0;
}

int ctl_query_run(const struct ctl_query *query, json_t **result, char error[static CTL_ERROR_LEN])
{
	json_t *joined = NULL, *page;
	int rc = request_page(query, 0, NULL, &joined, error);

	while (rc == 0 && query->paged) {
		size_t have = json_array_size(json_object_get(joined, "items"));
		json_t *next = json_object_get(joined, "next");

		if (next == NULL || json_is_null(next) ||
			(query->limit > 0 && have >= query->limit))
			break;
		rc = request_page(query, have, next, &page, error);
		if (rc == 0) {
			rc = join_page(joined, page, error);
			json_decref(page);
		}
	}
	if (rc < 0)
		json_decref(joined);
	else
		*result = joined;
	return rc;
}
