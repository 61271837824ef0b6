// SPDX-License-Identifier: BSD-3-Clause
#include "server/auth.h"

#include <errno.h>
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

/* The listener asks for certificates where one may stand for a user. */
static bool load_tls(
	const struct srv_config *config, struct srv_auth_files *files, struct config_error *error)
{
	struct tsp_tls_config without_ca = config->tls;
	const struct tsp_tls_params listen = {
		.files = config->auth.external ? &config->tls : &without_ca, .is_responder = true};
	const struct tsp_tls_params dial = {.files = &config->tls};
	char why[TSP_TLS_ERROR_LEN] = "";

	without_ca.ca = NULL;
	if (config->listen_tls.n > 0)
		files->listen_tls = tsp_tls_create(&listen, why);
	if (config->tls.ca != NULL && why[0] == '\0')
		files->dial_tls = tsp_tls_create(&dial, why);
	if (why[0] != '\0')
		snprintf(error->text, sizeof(error->text), "%s", why);
	return why[0] == '\0';
}

int srv_auth_load(
	const struct srv_config *config, struct srv_auth_files *files, struct config_error *error)
{
	int ret = 0;

	*files = (struct srv_auth_files){0};
	if (config->auth.users_file != NULL)
		ret = tsp_users_load(config->auth.users_file, &files->users, error);
	if (ret == 0 && !load_tls(config, files, error))
		ret = -EINVAL;
	if (ret < 0)
		srv_auth_free_files(files);
	return ret;
}

void srv_auth_free_files(struct srv_auth_files *files)
{
	tsp_users_free(&files->users);
	tsp_tls_destroy(files->listen_tls);
	tsp_tls_destroy(files->dial_tls);
	*files = (struct srv_auth_files){0};
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
	if (has_users && by->plain)
		mechanisms |= TSP_MECHANISM_PLAIN;
	if (by->external)
		mechanisms |= TSP_MECHANISM_EXTERNAL;
	if (by->anonymous)
		mechanisms |= TSP_MECHANISM_ANONYMOUS;
	return mechanisms;
}

void srv_auth_set(
	struct srv_auth *auth, const struct srv_config *config, struct srv_auth_files *files)
{
	srv_auth_free(auth);
	*auth = (struct srv_auth){
		.config = config,
		.tsp = {.mechanisms = choose_mechanisms(&config->auth),
			.find_secret = find_secret,
			.find_secret_arg = auth,
			.realm = config->auth.realm},
		.users = files->users,
		.listen_tls = files->listen_tls,
		.dial_tls = files->dial_tls,
	};
	*files = (struct srv_auth_files){0};
}

uint32_t srv_auth_withheld(const struct srv_auth *auth, bool is_tls, const struct in6_addr *peer)
{
	/* In the order of the configuration's choices. */
	static const enum tsp_mechanism of_choice[] = {TSP_MECHANISM_EXTERNAL,
		TSP_MECHANISM_SCRAM_SHA_256, TSP_MECHANISM_DIGEST_MD5, TSP_MECHANISM_PLAIN,
		TSP_MECHANISM_ANONYMOUS};
	const struct srv_config_auth *by = &auth->config->auth;
	const struct config_list *listed = is_tls ? &by->mechanisms_tls : &by->mechanisms;
	const int *choices = listed->items;
	uint32_t withheld = 0;

	if (listed->n > 0)
		withheld = TSP_MECHANISMS_ALL;
	for (uint32_t i = 0; i < listed->n; i++)
		withheld &= ~of_choice[choices[i]];
	if (!addr_v6_prefixes_contain(by->anonymous_from.items, by->anonymous_from.n, peer))
		withheld |= TSP_MECHANISM_ANONYMOUS;
	return withheld;
}

void srv_auth_free(struct srv_auth *auth)
{
	tsp_users_free(&auth->users);
	tsp_tls_destroy(auth->listen_tls);
	tsp_tls_destroy(auth->dial_tls);
}
