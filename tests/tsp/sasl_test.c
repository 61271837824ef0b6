// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tsp/tsp_sasl.h"

#include <gsasl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *right_password = "secret";

static bool find_secret(void *arg, const char *user, struct tsp_secret *secret)
{
	if (strcmp(user, "alice") != 0 && strcmp(user, "b,c=d e@example.org") != 0)
		return false;
	snprintf(secret->password, sizeof(secret->password), "%s", right_password);
	return true;
}

static const struct tsp_auth server = {
	.mechanisms = TSP_MECHANISM_DIGEST_MD5 | TSP_MECHANISM_SCRAM_SHA_256,
	.find_secret = find_secret,
};

/* Runs both sides against each other; true when both are done. lines counts what was said. */
static bool exchange(enum tsp_mechanism mechanism, const char *user, const char *password,
	char *name, size_t size, unsigned int *lines)
{
	struct tsp_auth client = {.mechanisms = mechanism, .user = user, .password = password};
	struct tsp_sasl *sides[2] = {
		tsp_sasl_create_initiator(mechanism, &client, "[::1]"),
		tsp_sasl_create_responder(mechanism, &server),
	};
	enum tsp_sasl_result results[2] = {TSP_SASL_MORE, TSP_SASL_MORE};
	unsigned int turn = tsp_sasl_begins(sides[0]) ? 0 : 1;
	char *line = strdup("");

	for (*lines = 0; line != NULL && results[turn] == TSP_SASL_MORE; turn = !turn) {
		char *answer;

		results[turn] = tsp_sasl_step(sides[turn], line, &answer);
		*lines += answer != NULL;
		free(line);
		line = answer;
	}
	free(line);
	snprintf(name, size, "%s", tsp_sasl_user(sides[1]));
	tsp_sasl_destroy(sides[0]);
	tsp_sasl_destroy(sides[1]);
	return results[0] == TSP_SASL_DONE && results[1] == TSP_SASL_DONE;
}

static const enum tsp_mechanism mechanisms[] = {
	TSP_MECHANISM_DIGEST_MD5, TSP_MECHANISM_SCRAM_SHA_256};

/* S36 */
static void the_right_password_convinces_both_sides(void **state)
{
	static const char *const users[] = {"alice", "b,c=d e@example.org"};
	unsigned int lines;
	char name[128];

	for (size_t i = 0; i < 2; i++) {
		for (size_t k = 0; k < 2; k++) {
			assert_true(exchange(
				mechanisms[i], users[k], "secret", name, sizeof(name), &lines));
			assert_string_equal(name, users[k]);
		}
	}
}

static void a_wrong_password_fails(void **state)
{
	static const char *const wrong[] = {"", "Secret", "secret ", "secre", "secrets"};
	unsigned int lines;
	char name[128];

	for (size_t i = 0; i < 2; i++) {
		for (size_t k = 0; k < sizeof(wrong) / sizeof(wrong[0]); k++) {
			assert_false(exchange(
				mechanisms[i], "alice", wrong[k], name, sizeof(name), &lines));
			assert_string_equal(name, "");
		}
	}
}

/* Who asks cannot tell a user that does not exist from a wrong password. */
static void an_unknown_user_takes_as_many_steps_as_a_wrong_password(void **state)
{
	unsigned int known, unknown;
	char name[128];

	for (size_t i = 0; i < 2; i++) {
		assert_false(exchange(mechanisms[i], "alice", "wrong", name, sizeof(name), &known));
		assert_false(
			exchange(mechanisms[i], "mallory", "wrong", name, sizeof(name), &unknown));
		assert_int_equal(known, unknown);
	}
}

static void a_user_name_is_bounded(void **state)
{
	char user[TSP_USER_MAX + 2];
	unsigned int lines;
	char name[256];

	memset(user, 'u', sizeof(user));
	user[sizeof(user) - 1] = '\0';
	for (size_t i = 0; i < 2; i++) {
		assert_false(exchange(mechanisms[i], user, "secret", name, sizeof(name), &lines));
		assert_string_equal(name, "");
	}
}

/* The keys of a user are remembered: not beyond a change of the password. */
static void a_changed_password_counts_at_once(void **state)
{
	static const char *const passwords[] = {"first", "second", "p\xc3\xa4sswort", "first"};
	unsigned int lines;
	char name[128];

	for (size_t i = 0; i < sizeof(passwords) / sizeof(passwords[0]); i++) {
		for (size_t k = 0; k < 2; k++) {
			right_password = passwords[i];
			assert_true(exchange(
				mechanisms[k], "alice", passwords[i], name, sizeof(name), &lines));
			assert_false(exchange(
				mechanisms[k], "alice", "secret", name, sizeof(name), &lines));
		}
	}
	right_password = "secret";
}

/* The salt of "n,,n=<user>,r=x", base64. */
static void read_salt(const char *user, char *salt, size_t size)
{
	struct tsp_sasl *sasl = tsp_sasl_create_responder(TSP_MECHANISM_SCRAM_SHA_256, &server);
	char first[64], *line, *answer, *token;
	size_t len;
	int n = snprintf(first, sizeof(first), "n,,n=%s,r=x", user);

	assert_int_equal(gsasl_base64_to(first, n, &line, NULL), GSASL_OK);
	assert_int_equal(tsp_sasl_step(sasl, line, &answer), TSP_SASL_MORE);
	assert_int_equal(gsasl_base64_from(answer, strlen(answer), &token, &len), GSASL_OK);
	assert_int_equal(sscanf(memmem(token, len, ",s=", 3), ",s=%63[^,]", salt), 1);
	assert_true(strlen(salt) < size);
	gsasl_free(token);
	gsasl_free(line);
	free(answer);
	tsp_sasl_destroy(sasl);
}

/* A salt that came anew for those who do not exist would tell them from those who do. */
static void the_salt_says_nothing_about_who_exists(void **state)
{
	static const char *const users[] = {"alice", "mallory"};
	char salts[2][64];

	for (size_t i = 0; i < 2; i++) {
		char again[64];

		read_salt(users[i], salts[i], sizeof(salts[i]));
		read_salt(users[i], again, sizeof(again));
		assert_string_equal(salts[i], again);
	}
	assert_string_not_equal(salts[0], salts[1]);
}

/* What old clients read: one line, no blank after a comma, all five directives. */
static void the_digest_challenge_suits_old_clients(void **state)
{
	struct tsp_sasl *sasl = tsp_sasl_create_responder(TSP_MECHANISM_DIGEST_MD5, &server);
	char *line, *challenge;
	size_t len;

	assert_int_equal(tsp_sasl_step(sasl, "", &line), TSP_SASL_MORE);
	assert_int_equal(gsasl_base64_from(line, strlen(line), &challenge, &len), GSASL_OK);
	assert_null(memchr(challenge, ' ', len));
	for (const char *const *part = (const char *const[]){"realm=\"dstm\"", "nonce=\"",
		     "qop=\"auth\"", "charset=utf-8", "algorithm=md5-sess", NULL};
		*part != NULL; part++)
		assert_non_null(memmem(challenge, len, *part, strlen(*part)));
	gsasl_free(challenge);
	free(line);
	tsp_sasl_destroy(sasl);
}

static void hostile_tokens_fail(void **state)
{
	static const char *const tokens[] = {
		"!",
		"=",
		"====",
		"YQ",
		"YQ=",
		"*",
		"not base64",
		"AAAA",
		"bixsLG49YWxpY2U=",
		"biwsbj0sLHI9",
		"cD10bHMtdW5pcXVlLCxuPWFsaWNlLHI9YWJjZGVm", /* p=tls-unique,,n=alice,r=abcdef */
		"dXNlcm5hbWU9ImFsaWNlIg==",
		"dXNlcm5hbWU9",
		"LCwsLCwsLCw=",
		"Iiw9",
		"/////w==",
	};

	for (size_t i = 0; i < 2; i++) {
		for (size_t k = 0; k < sizeof(tokens) / sizeof(tokens[0]); k++) {
			struct tsp_sasl *sasl = tsp_sasl_create_responder(mechanisms[i], &server);
			char *answer = NULL;

			if (tsp_sasl_begins(sasl)) {
				assert_int_equal(tsp_sasl_step(sasl, "", &answer), TSP_SASL_MORE);
				free(answer);
			}
			if (tsp_sasl_step(sasl, tokens[k], &answer) != TSP_SASL_FAILED)
				fail_msg("mechanism %u took %s", mechanisms[i], tokens[k]);
			assert_null(answer);
			tsp_sasl_destroy(sasl);
		}
	}
}

/* Clients send an empty line where they have nothing to say; servers may, too. */
static void an_empty_token_harms_nobody(void **state)
{
	static const struct tsp_auth client = {.user = "alice", .password = "secret"};

	for (size_t i = 0; i < 4; i++) {
		enum tsp_mechanism mechanism = mechanisms[i % 2];
		struct tsp_sasl *sasl = i < 2 ? tsp_sasl_create_responder(mechanism, &server)
					      : tsp_sasl_create_initiator(
							mechanism, &client, "[::1]");

		for (size_t k = 0; k < 3; k++) {
			char *answer;

			if (tsp_sasl_step(sasl, "", &answer) != TSP_SASL_MORE)
				break;
			free(answer);
		}
		assert_string_equal(tsp_sasl_user(sasl), "");
		tsp_sasl_destroy(sasl);
	}
}

/* "n,a=bob,n=alice,..." asks to act as bob: the proof may be right, the role is refused. */
static void nobody_acts_for_somebody_else(void **state)
{
	struct tsp_sasl *sasl = tsp_sasl_create_responder(TSP_MECHANISM_SCRAM_SHA_256, &server);
	char *in = NULL, *answer = NULL, *line, *token = NULL;
	Gsasl_session *client;
	size_t len;
	Gsasl *library;

	assert_int_equal(gsasl_init(&library), GSASL_OK);
	assert_int_equal(gsasl_client_start(library, "SCRAM-SHA-256", &client), GSASL_OK);
	gsasl_property_set(client, GSASL_AUTHID, "alice");
	gsasl_property_set(client, GSASL_AUTHZID, "bob");
	gsasl_property_set(client, GSASL_PASSWORD, "secret");
	assert_int_equal(gsasl_step(client, NULL, 0, &token, &len), GSASL_NEEDS_MORE);
	gsasl_base64_to(token, len, &line, NULL);
	assert_int_equal(tsp_sasl_step(sasl, line, &answer), TSP_SASL_MORE);
	gsasl_free(token);
	gsasl_free(line);
	gsasl_base64_from(answer, strlen(answer), &in, &len);
	assert_int_equal(gsasl_step(client, in, len, &token, &len), GSASL_NEEDS_MORE);
	gsasl_free(in);
	free(answer);
	gsasl_base64_to(token, len, &line, NULL);
	assert_int_equal(tsp_sasl_step(sasl, line, &answer), TSP_SASL_FAILED);
	assert_null(answer);
	gsasl_free(token);
	gsasl_free(line);
	gsasl_finish(client);
	gsasl_done(library);
	tsp_sasl_destroy(sasl);
}

static void mechanisms_have_names(void **state)
{
	assert_int_equal(tsp_mechanism_find("digest-md5"), TSP_MECHANISM_DIGEST_MD5);
	assert_int_equal(tsp_mechanism_find("SCRAM-SHA-256"), TSP_MECHANISM_SCRAM_SHA_256);
	assert_int_equal(tsp_mechanism_find("ANONYMOUS"), TSP_MECHANISM_ANONYMOUS);
	assert_int_equal(tsp_mechanism_find("CRAM-MD5"), 0);
	assert_int_equal(tsp_mechanism_find(""), 0);
	assert_string_equal(tsp_mechanism_name(TSP_MECHANISM_SCRAM_SHA_256), "SCRAM-SHA-256");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_right_password_convinces_both_sides),
		cmocka_unit_test(a_wrong_password_fails),
		cmocka_unit_test(an_unknown_user_takes_as_many_steps_as_a_wrong_password),
		cmocka_unit_test(a_user_name_is_bounded),
		cmocka_unit_test(a_changed_password_counts_at_once),
		cmocka_unit_test(the_salt_says_nothing_about_who_exists),
		cmocka_unit_test(the_digest_challenge_suits_old_clients),
		cmocka_unit_test(hostile_tokens_fail),
		cmocka_unit_test(an_empty_token_harms_nobody),
		cmocka_unit_test(nobody_acts_for_somebody_else),
		cmocka_unit_test(mechanisms_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
