// SPDX-License-Identifier: BSD-3-Clause
#include "tsp/tsp_sasl.h"

#include "common/log.h"
#include "tsp/tsp_scram.h"

#include <gsasl.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DEFAULT_REALM "dstm"
#define STRING(x)     #x
#define TEXT(x)       STRING(x)

struct tsp_sasl {
	const struct tsp_auth *auth;
	enum tsp_mechanism mechanism;
	bool is_responder;
	bool is_unknown_user; /* goes through the motions, and fails */
	Gsasl_session *session; /* NULL for ANONYMOUS, which has no steps */
	char *hostname; /* initiator */
	char user[TSP_USER_MAX + 1];
};

static const struct {
	enum tsp_mechanism mechanism;
	const char *name;
} mechanisms[] = {
	{TSP_MECHANISM_SCRAM_SHA_256, "SCRAM-SHA-256"},
	{TSP_MECHANISM_DIGEST_MD5, "DIGEST-MD5"},
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

static bool user_is_sane(const char *user)
{
	size_t len = strlen(user);

	if (len == 0 || len > TSP_USER_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)user[i] < ' ' || user[i] == 0x7f)
			return false;
	}
	return true;
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

/* Asks the owner; false, and noted, when there is no such user. */
static bool find_password(
	struct tsp_sasl *sasl, Gsasl_session *session, char password[static TSP_PASSWORD_MAX])
{
	const char *user = gsasl_property_fast(session, GSASL_AUTHID);
	const struct tsp_auth *auth = sasl->auth;

	sasl->is_unknown_user = user == NULL || !user_is_sane(user) ||
				auth->find_password == NULL ||
				!auth->find_password(
					auth->find_password_arg, user, password, TSP_PASSWORD_MAX);
	return !sasl->is_unknown_user;
}

/* DIGEST-MD5 */
static int responder_password(struct tsp_sasl *sasl, Gsasl_session *session)
{
	char password[TSP_PASSWORD_MAX] = "";
	int rc = GSASL_NO_PASSWORD;

	if (find_password(sasl, session, password) ||
		make_unknown_password(password, sizeof(password)))
		rc = gsasl_property_set(session, GSASL_PASSWORD, password);
	explicit_bzero(password, sizeof(password));
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

static int responder_salt(Gsasl_session *session)
{
	const char *user = gsasl_property_fast(session, GSASL_AUTHID);
	uint8_t salt[TSP_SCRAM_SALT_LEN];

	if (user == NULL || !tsp_scram_salt(user, salt))
		return GSASL_CRYPTO_ERROR;
	return set_base64(session, GSASL_SCRAM_SALT, salt, sizeof(salt));
}

/* The library asks for one key and then for the other: both are set at the first question. */
static int responder_keys(struct tsp_sasl *sasl, Gsasl_session *session)
{
	const char *user = gsasl_property_fast(session, GSASL_AUTHID);
	char password[TSP_PASSWORD_MAX] = "", *prepared = NULL;
	struct tsp_scram_keys keys;
	int rc = GSASL_CRYPTO_ERROR;

	if (find_password(sasl, session, password) &&
		gsasl_saslprep(password, GSASL_ALLOW_UNASSIGNED, &prepared, NULL) != GSASL_OK)
		goto out;
	if (!tsp_scram_keys(user != NULL ? user : "", prepared, &keys))
		goto out;
	rc = set_base64(session, GSASL_SCRAM_STOREDKEY, keys.stored, sizeof(keys.stored));
	if (rc == GSASL_OK)
		rc = set_base64(session, GSASL_SCRAM_SERVERKEY, keys.server, sizeof(keys.server));
out:
	explicit_bzero(password, sizeof(password));
	explicit_bzero(&keys, sizeof(keys));
	if (prepared != NULL)
		explicit_bzero(prepared, strlen(prepared));
	gsasl_free(prepared);
	return rc;
}

static int responder_property(
	struct tsp_sasl *sasl, Gsasl_session *session, Gsasl_property property)
{
	const char *realm = sasl->auth->realm;

	switch (property) {
	case GSASL_PASSWORD:
		return responder_password(sasl, session);
	case GSASL_REALM:
		return gsasl_property_set(session, property, realm != NULL ? realm : DEFAULT_REALM);
	case GSASL_QOPS:
		return gsasl_property_set(session, property, "qop-auth");
	case GSASL_SCRAM_ITER:
		return gsasl_property_set(session, property, TEXT(TSP_SCRAM_ITERATIONS));
	case GSASL_SCRAM_SALT:
		return responder_salt(session);
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
	if (mechanism == TSP_MECHANISM_ANONYMOUS)
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

/* The responder's last word on an exchange that the library found good. */
static bool accept_user(struct tsp_sasl *sasl)
{
	const char *user = gsasl_property_fast(sasl->session, GSASL_AUTHID);
	const char *role = gsasl_property_fast(sasl->session, GSASL_AUTHZID);

	if (sasl->is_unknown_user || user == NULL || !user_is_sane(user))
		return false;
	/* Nobody acts for somebody else. */
	if (role != NULL && role[0] != '\0' && strcmp(role, user) != 0)
		return false;
	strcpy(sasl->user, user);
	return true;
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
	if (sasl->mechanism == TSP_MECHANISM_ANONYMOUS)
		return TSP_SASL_DONE;
	if (in[0] != '\0' && gsasl_base64_from(in, strlen(in), &token, &token_len) != GSASL_OK)
		return TSP_SASL_FAILED;
	rc = gsasl_step(sasl->session, token, token_len, &answer, &answer_len);
	gsasl_free(token);
	if (rc != GSASL_OK && rc != GSASL_NEEDS_MORE)
		return TSP_SASL_FAILED;
	if (rc == GSASL_OK && sasl->is_responder && !accept_user(sasl))
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
