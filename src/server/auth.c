// SPDX-License-Identifier: BSD-3-Clause
#include "server/auth.h"

#include <stdio.h>

static bool find_secret(void *arg, const char *user, struct tsp_secret *secret)
{
	const struct srv_auth *auth = arg;
	const char *password = srv_config_find_password(auth->config, user);
	const struct tsp_user *found;

	if (password != NULL)
		return snprintf(secret->password, sizeof(secret->password), "%s", password) <
		       (int)sizeof(secret->password);
	found = tsp_users_find(&auth->users, user);
	if (found != NULL)
		tsp_user_secret(found, auth->config->auth.realm, secret);
	return found != NULL;
}

int srv_auth_load(
	const struct srv_config *config, struct srv_auth_files *files, struct config_error *error)
{
	*files = (struct srv_auth_files){0};
	if (config->auth.users_file == NULL)
		return 0;
	return tsp_users_load(config->auth.users_file, &files->users, error);
}

void srv_auth_free_files(struct srv_auth_files *files)
{
	tsp_users_free(&files->users);
}

/* A mechanism that asks for a user is offered only when there may be users (R80). */
static uint32_t choose_mechanisms(const struct srv_config_auth *by)
{
	bool has_users = by->users.n > 0 || by->users_file != NULL;
	uint32_t mechanisms = 0;

	if (has_users)
		mechanisms |= TSP_MECHANISM_SCRAM_SHA_256;
	if (has_users && by->digest_md5)
		mechanisms |= TSP_MECHANISM_DIGEST_MD5;
	if (by->anonymous)
		mechanisms |= TSP_MECHANISM_ANONYMOUS;
	return mechanisms;
}

void srv_auth_set(
	struct srv_auth *auth, const struct srv_config *config, struct srv_auth_files *files)
{
	struct tsp_users users = auth->users;

	auth->config = config;
	auth->tsp = (struct tsp_auth){
		.mechanisms = choose_mechanisms(&config->auth),
		.find_secret = find_secret,
		.find_secret_arg = auth,
		.realm = config->auth.realm,
	};
	auth->users = files->users;
	files->users = (struct tsp_users){0};
	tsp_users_free(&users);
}

void srv_auth_free(struct srv_auth *auth)
{
	tsp_users_free(&auth->users);
}
