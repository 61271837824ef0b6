// SPDX-License-Identifier: BSD-3-Clause
/*
 * Whom the server believes: the users of its configuration, then those of its users file, then whom a
 * certificate of its CA names. Connections borrow tsp for as long as they live, so it stays where it is and
 * changes in place.
 */
#pragma once

#include "server/server_config.h"
#include "tsp/tsp_conn.h"
#include "tsp/tsp_users.h"

struct srv_auth {
	struct tsp_auth tsp;
	const struct srv_config *config; /* borrowed */
	struct tsp_users users; /* of the file */
	struct ssl_ctx_st *listen_tls; /* NULL: no TLS for clients */
	struct ssl_ctx_st *dial_tls; /* NULL: none to TEPs */
};

/* What a configuration names beside itself, read from its files: checked first, then taken over. */
struct srv_auth_files {
	struct tsp_users users;
	struct ssl_ctx_st *listen_tls, *dial_tls;
};

/* Returns 0, or -errno with a sentence in error that names the file; *files is empty then. */
int srv_auth_load(
	const struct srv_config *config, struct srv_auth_files *files, struct config_error *error);
void srv_auth_free_files(struct srv_auth_files *files);

/* Sets auth by config, which is borrowed, and files, which is emptied; again after a reload. */
void srv_auth_set(
	struct srv_auth *auth, const struct srv_config *config, struct srv_auth_files *files);
/* Mechanisms that a connection from there is not offered. */
uint32_t srv_auth_withheld(const struct srv_auth *auth, bool is_tls, const struct in6_addr *peer);
void srv_auth_free(struct srv_auth *auth);
