// SPDX-License-Identifier: BSD-3-Clause
#include "tsp/tsp_tls.h"

#include "common/addr.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PATH_LEN_MAX 4095

static const struct config_key keys[] = {
	{CONFIG_POS, offsetof(struct tsp_tls_config, pos)},
	{CONFIG_STRING, offsetof(struct tsp_tls_config, certificate), "certificate", .min = 1,
		.max = PATH_LEN_MAX},
	{CONFIG_STRING, offsetof(struct tsp_tls_config, key), "key", .min = 1, .max = PATH_LEN_MAX},
	{CONFIG_STRING, offsetof(struct tsp_tls_config, ca), "ca", .min = 1, .max = PATH_LEN_MAX},
	{CONFIG_END},
};
const struct config_section tsp_tls_section = {keys, sizeof(struct tsp_tls_config)};

/* Nobody is asked for a passphrase: a daemon has nobody to ask. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
	return 0;
}

static bool fail(char error[static TSP_TLS_ERROR_LEN], const char *what, const char *path)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	snprintf(error, TSP_TLS_ERROR_LEN, "tls: %s %s: %s", what, path,
		reason != NULL ? reason : "cannot be used");
	ERR_clear_error();
	return false;
}

static bool load(
	SSL_CTX *tls, const struct tsp_tls_params *params, char error[static TSP_TLS_ERROR_LEN])
{
	const struct tsp_tls_config *files = params->files;
	int mode = SSL_VERIFY_PEER | (params->demands ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
	STACK_OF(X509_NAME) * names;

	if (files->certificate != NULL &&
		SSL_CTX_use_certificate_chain_file(tls, files->certificate) != 1)
		return fail(error, "certificate", files->certificate);
	if (files->key != NULL &&
		SSL_CTX_use_PrivateKey_file(tls, files->key, SSL_FILETYPE_PEM) != 1)
		return fail(error, "key", files->key);
	if (files->ca == NULL)
		return true;
	if (SSL_CTX_load_verify_locations(tls, files->ca, NULL) != 1)
		return fail(error, "ca", files->ca);
	if (params->is_responder) {
		names = SSL_load_client_CA_file(files->ca);
		if (names == NULL)
			return fail(error, "ca", files->ca);
		SSL_CTX_set_client_CA_list(tls, names);
	}
	SSL_CTX_set_verify(tls, mode, NULL);
	return true;
}

struct ssl_ctx_st *tsp_tls_create(
	const struct tsp_tls_params *params, char error[static TSP_TLS_ERROR_LEN])
{
	SSL_CTX *tls = SSL_CTX_new(
		params->is_responder ? TLS_server_method() : TLS_client_method());

	if (tls == NULL) {
		snprintf(error, TSP_TLS_ERROR_LEN, "tls: out of memory");
		return NULL;
	}
	SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
	SSL_CTX_set_options(
		tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
	SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(tls, 0);
	SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_default_passwd_cb(tls, no_passphrase);
	if (load(tls, params, error))
		return tls;
	SSL_CTX_free(tls);
	return NULL;
}

void tsp_tls_destroy(struct ssl_ctx_st *tls)
{
	SSL_CTX_free(tls);
}

bool tsp_tls_expect(struct ssl_st *ssl, const char *name, const struct in6_addr *addr)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

	if (name == NULL)
		return X509_VERIFY_PARAM_set1_ip(param, addr->s6_addr, sizeof(*addr)) == 1;
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set_tlsext_host_name(ssl, name) == 1 &&
	       X509_VERIFY_PARAM_set1_host(param, name, 0) == 1;
}

/* Takes a string of a certificate as a user's name. */
static bool take_name(const ASN1_STRING *string, char name[static TSP_USER_MAX + 1])
{
	unsigned char *text;
	int len = string != NULL ? ASN1_STRING_to_UTF8(&text, string) : -1;
	bool ok = len > 0 && len <= TSP_USER_MAX && memchr(text, '\0', len) == NULL;

	if (ok) {
		memcpy(name, text, len);
		name[len] = '\0';
	}
	if (len >= 0)
		OPENSSL_free(text);
	return ok && tsp_user_fault(name) == NULL;
}

static bool take_common_name(const X509 *certificate, char name[static TSP_USER_MAX + 1])
{
	const X509_NAME *subject = X509_get_subject_name(certificate);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

	/* Of two nobody knows which is meant. */
	return at >= 0 && X509_NAME_get_index_by_NID(subject, NID_commonName, at) < 0 &&
	       take_name(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)), name);
}

static bool take_alternative(const X509 *certificate, char name[static TSP_USER_MAX + 1])
{
	GENERAL_NAMES *all = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	bool ok = false;

	for (int i = 0; !ok && i < sk_GENERAL_NAME_num(all); i++) {
		const GENERAL_NAME *one = sk_GENERAL_NAME_value(all, i);

		if (one->type == GEN_EMAIL || one->type == GEN_DNS)
			ok = take_name(one->d.ia5, name);
	}
	GENERAL_NAMES_free(all);
	return ok;
}

bool tsp_tls_peer_name(struct ssl_st *ssl, char name[static TSP_USER_MAX + 1])
{
	const X509 *certificate = SSL_get0_peer_certificate(ssl);
	bool has_common;

	name[0] = '\0';
	if (certificate == NULL || SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE ||
		SSL_get_verify_result(ssl) != X509_V_OK)
		return false;
	has_common = X509_NAME_get_index_by_NID(
			     X509_get_subject_name(certificate), NID_commonName, -1) >= 0;
	if (has_common ? take_common_name(certificate, name) : take_alternative(certificate, name))
		return true;
	name[0] = '\0';
	return false;
}

bool tsp_tls_has_certificate(struct ssl_ctx_st *tls)
{
	return SSL_CTX_get0_certificate(tls) != NULL;
}
