// SPDX-License-Identifier: BSD-3-Clause
/*
 * TLS for connections: contexts made from files, and what a certificate says. TLS 1.2 and up. Sessions are
 * not resumed, so that each connection shows its certificate.
 */
#pragma once

#include "common/config.h"
#include "tsp/tsp_secret.h"

#include <netinet/in.h>
#include <stdbool.h>

struct ssl_ctx_st;
struct ssl_st;

#define TSP_TLS_ERROR_LEN 256

/* "tls:" of a configuration: paths of PEM files, absent: NULL. */
struct tsp_tls_config {
	struct config_pos pos;
	char *certificate;
	char *key;
	char *ca;
};
extern const struct config_section tsp_tls_section;

struct tsp_tls_params {
	/* The certificate with what lies between it and its CA; who signs the peer's. Without ca a
	 * responder asks for none. */
	const struct tsp_tls_config *files;
	bool is_responder;
	bool demands; /* responder: without a certificate nobody connects */
};

/* NULL, with a sentence that names the file, when something cannot be read or does not fit. */
struct ssl_ctx_st *tsp_tls_create(
	const struct tsp_tls_params *params, char error[static TSP_TLS_ERROR_LEN]);
void tsp_tls_destroy(struct ssl_ctx_st *tls); /* NULL is allowed */

/* Initiator: the peer's certificate has to be for this name; NULL: for this address. */
bool tsp_tls_expect(struct ssl_st *ssl, const char *name, const struct in6_addr *addr);

/*
 * The user that the peer's certificate names: the subject's common name; without one the first mail
 * address or DNS name that it is for. False: no certificate that was checked, or no name that can be a user's.
 */
bool tsp_tls_peer_name(struct ssl_st *ssl, char name[static TSP_USER_MAX + 1]);
/* True when there is a certificate of our own to show. */
bool tsp_tls_has_certificate(struct ssl_ctx_st *tls);
