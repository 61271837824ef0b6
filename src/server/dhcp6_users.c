// SPDX-License-Identifier: BSD-3-Clause
#include "server/dhcp6_users.h"

#include "server/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct srv_dhcp6_user_entry {
	struct dhcp6_duid duid;
	char user[SRV_USER_SIZE];
};

/* What is behind a DUID's length is zero. */
static int compare(const void *a, const void *b)
{
	const struct srv_dhcp6_user_entry *left = a, *right = b;

	return memcmp(&left->duid, &right->duid, sizeof(left->duid));
}

int srv_dhcp6_users_set(struct srv_dhcp6_users *users, const struct srv_dhcp6_config *config)
{
	const struct srv_dhcp6_user *from = config->users.items;
	struct srv_dhcp6_user_entry *entries = calloc(config->users.n + 1, sizeof(*entries));

	if (entries == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < config->users.n; i++) {
		dhcp6_duid_parse(from[i].duid, &entries[i].duid);
		strncpy(entries[i].user, from[i].user, SRV_USER_SIZE - 1);
	}
	qsort(entries, config->users.n, sizeof(*entries), compare);
	srv_dhcp6_users_free(users);
	*users = (struct srv_dhcp6_users){.n = config->users.n, .entries = entries};
	return 0;
}

void srv_dhcp6_users_free(struct srv_dhcp6_users *users)
{
	free(users->entries);
	*users = (struct srv_dhcp6_users){0};
}

const char *srv_dhcp6_users_find(const struct srv_dhcp6_users *users, const struct dhcp6_duid *duid)
{
	const struct srv_dhcp6_user_entry key = {.duid = *duid}, *entry;

	if (users->n == 0)
		return "";
	entry = bsearch(&key, users->entries, users->n, sizeof(key), compare);
	return entry != NULL ? entry->user : "";
}
