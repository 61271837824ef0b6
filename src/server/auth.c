// SPDX-License-Identifier: BSD-3-Clause
#include "server/auth.h"

#include <stdio.h>

static bool find_password(void *arg, const char *user, char *password, size_t size)
{
	const char *found = srv_config_find_password(arg, user);

	return found != NULL && snprintf(password, size, "%s", found) < (int)size;
}

/* A mechanism that asks for a user is offered only when there are users (R80). */
void srv_auth_init(struct tsp_auth *auth, const struct srv_config *config)
{
	const struct srv_config_auth *by = &config->auth;

	*auth = (struct tsp_auth){
		.find_password = find_password,
		.find_password_arg = (void *)config,
		.realm = by->realm,
	};
	if (by->users.n > 0)
		auth->mechanisms |= TSP_MECHANISM_SCRAM_SHA_256;
	if (by->users.n > 0 && by->digest_md5)
		auth->mechanisms |= TSP_MECHANISM_DIGEST_MD5;
	if (by->anonymous)
		auth->mechanisms |= TSP_MECHANISM_ANONYMOUS;
}
