// SPDX-License-Identifier: BSD-3-Clause
#include "tsp/tsp_sasl.h"

#include "common/log.h"
#include "tsp/tsp_plain.h"

#include <gsasl.h>
#include <openssl/crypto.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DEFAULT_REALM "dstm"

struct tsp_sasl {
	const struct tsp_auth *auth;
	enum tsp_mechanism mechanism;
	bool is_responder;
	bool is_unknown_user; /* goes through the motions, and fails */
	Gsasl_session *session; /* NULL for what needs no library */
	const char *certified; /* EXTERNAL: whom the peer's certificate names */
	char *hostname; /* initiator */
	char user[TSP_USER_MAX + 1];
};

static const struct {
	enum tsp_mechanism mechanism;
	const char *name;
} mechanisms[] = {
	{TSP_MECHANISM_EXTERNAL, "EXTERNAL"},
	{TSP_MECHANISM_SCRAM_SHA_256, "SCRAM-SHA-256"},
	{TSP_MECHANISM_DIGEST_MD5, "DIGEST-MD5"},
	{TSP_MECHANISM_PLAIN, "PLAIN"},
	{TSP_MECHANISM_ANONYMOUS, "ANONYMOUS"},
};
#define N_MECHANISMS (sizeof(mechanisms) / sizeof(mechanisms[0]))

const char *tsp_mechanism_name(enum tsp_mechanism mechanism)
{
	for (size_t i = 0; i < N_MECHANISMS; i++) {
		if (mechanisms[i].mechanism == mechanism)
			return mechanisms[i].name;
	}
	return "";
}

enum tsp_mechanism tsp_mechanism_find(const char *name)
{
	for (size_t i = 0; i < N_MECHANISMS; i++) {
		if (strcasecmp(mechanisms[i].name, name) == 0)
			return mechanisms[i].mechanism;
	}
	return 0;
}

/* A password that nobody knows, for a user that does not exist. */
static bool make_unknown_password(char *password, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	char octets[16];

	if (gsasl_nonce(octets, sizeof(octets)) != GSASL_OK || size < 2 * sizeof(octets) + 1)
		return false;
	for (size_t i = 0; i < sizeof(octets); i++) {
		password[2 * i] = digits[(octets[i] >> 4) & 0xf];
		password[2 * i + 1] = digits[octets[i] & 0xf];
	}
	password[2 * sizeof(octets)] = '\0';
	return true;
}

/* Asks the owner; false, and noted, when there is no such user. secret holds nothing then. */
static bool find_secret(struct tsp_sasl *sasl, const char *user, struct tsp_secret *secret)
{
	const struct tsp_auth *auth = sasl->auth;

	memset(secret, 0, sizeof(*secret));
	sasl->is_unknown_user = user == NULL || tsp_user_fault(user) != NULL ||
				auth->find_secret == NULL ||
				!auth->find_secret(auth->find_secret_arg, user, secret);
	return !sasl->is_unknown_user;
}

/* DIGEST-MD5, where we hold its secret. */
static int responder_digest(struct tsp_sasl *sasl, Gsasl_session *session)
{
	const char *user = gsasl_property_fast(session, GSASL_AUTHID);
	int rc = GSASL_NO_CALLBACK;
	struct tsp_secret secret;
	size_t hex_len;
	char *hex;

	if (find_secret(sasl, user, &secret) && secret.has_digest) {
		rc = gsasl_hex_to(
			(const char *)secret.digest, sizeof(secret.digest), &hex, &hex_len);
		if (rc == GSASL_OK) {
			rc = gsasl_property_set(session, GSASL_DIGEST_MD5_HASHED_PASSWORD, hex);
			OPENSSL_cleanse(hex, hex_len);
			gsasl_free(hex);
		}
	}
	OPENSSL_cleanse(&secret, sizeof(secret));
	return rc;
}

/* DIGEST-MD5, where we hold the password. A user without either fails as one that does not exist. */
static int responder_password(struct tsp_sasl *sasl, Gsasl_session *session)
{
	const char *user = gsasl_property_fast(session, GSASL_AUTHID);
	int rc = GSASL_NO_PASSWORD;
	struct tsp_secret secret;

	if (!find_secret(sasl, user, &secret) || secret.password[0] == '\0')
		sasl->is_unknown_user = true;
	if (!sasl->is_unknown_user ||
		make_unknown_password(secret.password, sizeof(secret.password)))
		rc = gsasl_property_set(session, GSASL_PASSWORD, secret.password);
	OPENSSL_cleanse(&secret, sizeof(secret));
	return rc;
}

static int set_base64(
	Gsasl_session *session, Gsasl_property property, const uint8_t *octets, size_t len)
{
	char *text;
	int rc = gsasl_base64_to((const char *)octets, len, &text, NULL);

	if (rc != GSASL_OK)
		return rc;
	rc = gsasl_property_set(session, property, text);
	gsasl_free(text);
	return rc;
}

/* Salt and iterations are asked for before the proof comes. */
static bool find_salt(struct tsp_sasl *sasl, const char *user, struct tsp_scram *scram)
{
	struct tsp_secret secret;
	bool ok = true;

	if (find_secret(sasl, user, &secret) && secret.password[0] == '\0') {
		*scram = secret.scram;
	} else {
		scram->iterations = TSP_SCRAM_ITERATIONS;
		ok = tsp_scram_salt(user != NULL ? user : "", scram->salt);
	}
	OPENSSL_cleanse(&secret, sizeof(secret));
	return ok;
}

/* The keys too. Of a user that does not exist they are such that nothing matches them. */
static bool find_scram(struct tsp_sasl *sasl, const char *user, struct tsp_scram *scram)
{
	struct tsp_secret secret;
	char *prepared = NULL;
	bool ok = find_salt(sasl, user, scram);

	if (find_secret(sasl, user, &secret) && secret.password[0] == '\0')
		goto out;
	if (!sasl->is_unknown_user)
		prepared = tsp_password_prepare(secret.password);
	ok = ok && tsp_scram_keys(user != NULL ? user : "", prepared, &scram->keys);
	sasl->is_unknown_user |= prepared == NULL;
	if (prepared != NULL)
		OPENSSL_cleanse(prepared, strlen(prepared));
	gsasl_free(prepared);
out:
	OPENSSL_cleanse(&secret, sizeof(secret));
	return ok;
}

static int responder_salt(struct tsp_sasl *sasl, Gsasl_session *session)
{
	struct tsp_scram scram;
	char iterations[12];
	int rc;

	if (!find_salt(sasl, gsasl_property_fast(session, GSASL_AUTHID), &scram))
		return GSASL_CRYPTO_ERROR;
	snprintf(iterations, sizeof(iterations), "%u", scram.iterations);
	rc = gsasl_property_set(session, GSASL_SCRAM_ITER, iterations);
	if (rc == GSASL_OK)
		rc = set_base64(session, GSASL_SCRAM_SALT, scram.salt, sizeof(scram.salt));
	OPENSSL_cleanse(&scram, sizeof(scram));
	return rc;
}

/* The library asks for one key and then for the other: both are set at the first question. */
static int responder_keys(struct tsp_sasl *sasl, Gsasl_session *session)
{
	struct tsp_scram scram;
	int rc = GSASL_CRYPTO_ERROR;

	if (find_scram(sasl, gsasl_property_fast(session, GSASL_AUTHID), &scram))
		rc = set_base64(session, GSASL_SCRAM_STOREDKEY, scram.keys.stored,
			sizeof(scram.keys.stored));
	if (rc == GSASL_OK)
		rc = set_base64(session, GSASL_SCRAM_SERVERKEY, scram.keys.server,
			sizeof(scram.keys.server));
	OPENSSL_cleanse(&scram, sizeof(scram));
	return rc;
}

static const char *our_realm(const struct tsp_sasl *sasl)
{
	return sasl->auth->realm != NULL ? sasl->auth->realm : DEFAULT_REALM;
}

static int responder_property(
	struct tsp_sasl *sasl, Gsasl_session *session, Gsasl_property property)
{
	switch (property) {
	case GSASL_DIGEST_MD5_HASHED_PASSWORD:
		return responder_digest(sasl, session);
	case GSASL_PASSWORD:
		return responder_password(sasl, session);
	case GSASL_REALM:
		return gsasl_property_set(session, property, our_realm(sasl));
	case GSASL_QOPS:
		return gsasl_property_set(session, property, "qop-auth");
	case GSASL_SCRAM_ITER:
	case GSASL_SCRAM_SALT:
		return responder_salt(sasl, session);
	case GSASL_SCRAM_SERVERKEY:
	case GSASL_SCRAM_STOREDKEY:
		return responder_keys(sasl, session);
	default:
		return GSASL_NO_CALLBACK;
	}
}

static int initiator_property(
	struct tsp_sasl *sasl, Gsasl_session *session, Gsasl_property property)
{
	switch (property) {
	case GSASL_AUTHID:
		return gsasl_property_set(session, property, sasl->auth->user);
	case GSASL_PASSWORD:
		return gsasl_property_set(session, property, sasl->auth->password);
	case GSASL_SERVICE:
		return gsasl_property_set(session, property, "tsp");
	case GSASL_HOSTNAME:
		return gsasl_property_set(session, property, sasl->hostname);
	default:
		return GSASL_NO_CALLBACK;
	}
}

static int on_property(Gsasl *library, Gsasl_session *session, Gsasl_property property)
{
	struct tsp_sasl *sasl = gsasl_session_hook_get(session);

	return sasl->is_responder ? responder_property(sasl, session, property)
				  : initiator_property(sasl, session, property);
}

/* One for the process, made on first use. It keeps no state between exchanges. */
static Gsasl *get_library(void)
{
	static Gsasl *library;

	if (library == NULL && gsasl_init(&library) == GSASL_OK)
		gsasl_callback_set(library, on_property);
	return library;
}

static struct tsp_sasl *create(
	enum tsp_mechanism mechanism, const struct tsp_auth *auth, const char *hostname)
{
	bool is_responder = hostname == NULL;
	const char *name = tsp_mechanism_name(mechanism);
	Gsasl *library = get_library();
	struct tsp_sasl *sasl = calloc(1, sizeof(*sasl));
	int rc = GSASL_OK;

	if (sasl == NULL || library == NULL)
		goto fail;
	sasl->auth = auth;
	sasl->mechanism = mechanism;
	sasl->is_responder = is_responder;
	if ((mechanism & (TSP_MECHANISM_DIGEST_MD5 | TSP_MECHANISM_SCRAM_SHA_256)) == 0)
		return sasl;
	if (!is_responder && (sasl->hostname = strdup(hostname)) == NULL)
		goto fail;
	rc = is_responder ? gsasl_server_start(library, name, &sasl->session)
			  : gsasl_client_start(library, name, &sasl->session);
	if (rc != GSASL_OK)
		goto fail;
	gsasl_session_hook_set(sasl->session, sasl);
	return sasl;
fail:
	if (rc != GSASL_OK)
		log_err("sasl: cannot start %s: %s", name, gsasl_strerror(rc));
	tsp_sasl_destroy(sasl);
	errno = rc == GSASL_OK ? ENOMEM : ENOTSUP;
	return NULL;
}

struct tsp_sasl *tsp_sasl_create_initiator(
	enum tsp_mechanism mechanism, const struct tsp_auth *auth, const char *hostname)
{
	return create(mechanism, auth, hostname);
}

struct tsp_sasl *tsp_sasl_create_responder(
	enum tsp_mechanism mechanism, const struct tsp_auth *auth)
{
	return create(mechanism, auth, NULL);
}

void tsp_sasl_destroy(struct tsp_sasl *sasl)
{
	if (sasl == NULL)
		return;
	if (sasl->session != NULL)
		gsasl_finish(sasl->session);
	free(sasl->hostname);
	free(sasl);
}

void tsp_sasl_certify(struct tsp_sasl *sasl, const char *name)
{
	sasl->certified = name;
}

bool tsp_sasl_begins(const struct tsp_sasl *sasl)
{
	return sasl->is_responder == (sasl->mechanism == TSP_MECHANISM_DIGEST_MD5);
}

/* Some clients crash on ", ": no blank after a comma outside quotes (in place). */
static size_t drop_blanks(char *challenge, size_t len)
{
	bool quoted = false;
	size_t out = 0;

	for (size_t i = 0; i < len; i++) {
		char c = challenge[i];

		if (c == '"')
			quoted = !quoted;
		if (c == ' ' && !quoted && out > 0 && challenge[out - 1] == ',')
			continue;
		challenge[out++] = c;
	}
	return out;
}

/* The responder's last word on an exchange that was good. Nobody acts for somebody else. */
static bool accept_user(struct tsp_sasl *sasl, const char *user, const char *role)
{
	if (sasl->is_unknown_user || user == NULL || tsp_user_fault(user) != NULL)
		return false;
	if (role != NULL && role[0] != '\0' && strcmp(role, user) != 0)
		return false;
	strcpy(sasl->user, user);
	return true;
}

/* The library takes whatever realm the peer of DIGEST-MD5 computed with. */
static bool accept_session(struct tsp_sasl *sasl)
{
	const char *realm = gsasl_property_fast(sasl->session, GSASL_REALM);

	if (realm != NULL && strcmp(realm, our_realm(sasl)) != 0)
		return false;
	return accept_user(sasl, gsasl_property_fast(sasl->session, GSASL_AUTHID),
		gsasl_property_fast(sasl->session, GSASL_AUTHZID));
}

/* The initiator's one line is the role that it wants, mostly an empty one. */
static enum tsp_sasl_result step_external(struct tsp_sasl *sasl, const char *in, char **out)
{
	char *token = NULL, role[TSP_USER_MAX + 1] = "";
	size_t len = 0;
	bool ok;

	if (!sasl->is_responder) {
		*out = strdup("");
		return *out != NULL ? TSP_SASL_DONE : TSP_SASL_FAILED;
	}
	if (in[0] != '\0' && gsasl_base64_from(in, strlen(in), &token, &len) != GSASL_OK)
		return TSP_SASL_FAILED;
	ok = len < sizeof(role) && (len == 0 || memchr(token, '\0', len) == NULL);
	if (ok && len > 0)
		memcpy(role, token, len);
	gsasl_free(token);
	ok = ok && accept_user(sasl, sasl->certified, role);
	return ok ? TSP_SASL_DONE : TSP_SASL_FAILED;
}

enum tsp_sasl_result tsp_sasl_step_plain(struct tsp_sasl *sasl, const char *data, size_t len)
{
	struct tsp_plain plain;
	struct tsp_scram scram;
	bool ok = tsp_plain_read(&plain, data, len) && find_scram(sasl, plain.user, &scram) &&
		  tsp_plain_check(plain.password, &scram) &&
		  accept_user(sasl, plain.user, plain.role);

	OPENSSL_cleanse(&plain, sizeof(plain));
	OPENSSL_cleanse(&scram, sizeof(scram));
	return ok ? TSP_SASL_DONE : TSP_SASL_FAILED;
}

/* "p=..." in a first message of SCRAM (RFC 5802 section 6): there is none, and the library does not mind. */
static bool asks_for_binding(const struct tsp_sasl *sasl, const char *token, size_t len)
{
	return sasl->is_responder && sasl->mechanism == TSP_MECHANISM_SCRAM_SHA_256 && len > 0 &&
	       token[0] == 'p';
}

static enum tsp_sasl_result encode(char *token, size_t len, char **out)
{
	size_t out_len;

	if (gsasl_base64_to(token, len, out, &out_len) != GSASL_OK)
		*out = NULL;
	return *out != NULL ? TSP_SASL_MORE : TSP_SASL_FAILED;
}

enum tsp_sasl_result tsp_sasl_step(struct tsp_sasl *sasl, const char *in, char **out)
{
	enum tsp_sasl_result result = TSP_SASL_MORE;
	char *token = NULL, *answer = NULL;
	size_t token_len = 0, answer_len = 0;
	int rc;

	*out = NULL;
	if (sasl->mechanism == TSP_MECHANISM_EXTERNAL)
		return step_external(sasl, in, out);
	if (sasl->session == NULL)
		return TSP_SASL_DONE;
	if (in[0] != '\0' && gsasl_base64_from(in, strlen(in), &token, &token_len) != GSASL_OK)
		return TSP_SASL_FAILED;
	if (asks_for_binding(sasl, token, token_len)) {
		gsasl_free(token);
		return TSP_SASL_FAILED;
	}
	/* The library copies what it gets as a string, also when there is nothing. */
	rc = gsasl_step(sasl->session, token != NULL ? token : "", token_len, &answer, &answer_len);
	gsasl_free(token);
	if (rc != GSASL_OK && rc != GSASL_NEEDS_MORE)
		return TSP_SASL_FAILED;
	if (rc == GSASL_OK && sasl->is_responder && !accept_session(sasl))
		result = TSP_SASL_FAILED;
	if (sasl->is_responder && sasl->mechanism == TSP_MECHANISM_DIGEST_MD5)
		answer_len = drop_blanks(answer, answer_len);
	if (result != TSP_SASL_FAILED && answer_len > 0)
		result = encode(answer, answer_len, out);
	gsasl_free(answer);
	if (rc == GSASL_OK && result == TSP_SASL_MORE)
		result = TSP_SASL_DONE;
	return result;
}

const char *tsp_sasl_user(const struct tsp_sasl *sasl)
{
	return sasl->user;
}
