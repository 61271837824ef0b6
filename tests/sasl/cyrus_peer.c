// SPDX-License-Identifier: BSD-3-Clause
/*
 * One authentication by Cyrus SASL, an implementation that shares no line with ours, on standard input and
 * output: tokens in base64, a line each. A test carries them over TSP.
 *
 *	cyrus_peer client MECHANISM HOST USER PASSWORD
 *	cyrus_peer server MECHANISM HOST DATABASE [EXTERNAL-NAME]
 *
 * It prints "token BASE64" for each of its tokens, "none" where it has to hear the peer first, and at the end
 * "done USER" or "failed REASON". It reads a line for each token of the peer. The database is one of
 * saslpasswd2(8), the realm "dstm". USER is what a client of EXTERNAL wants to act as; "" is nobody.
 */
#include <sasl/sasl.h>
#include <sasl/saslutil.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_LEN 8192
#define REALM        "dstm"
#define STRONG_SSF   256 /* what TLS gives */
#define CALLBACK(f)  ((int (*)(void))(void (*)(void))(f)) /* as the library wants them */

static const char *user, *password, *database;

static int get_option(void *context, const char *plugin, const char *option, const char **result,
	unsigned int *len)
{
	const struct {
		const char *option, *value;
	} options[] = {
		{"auxprop_plugin", "sasldb"},
		{"pwcheck_method", "auxprop"},
		{"sasldb_path", database},
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (strcmp(option, options[i].option) != 0 || options[i].value == NULL)
			continue;
		*result = options[i].value;
		if (len != NULL)
			*len = strlen(*result);
		return SASL_OK;
	}
	return SASL_FAIL;
}

static int get_name(void *context, int id, const char **result, unsigned int *len)
{
	/* SASL_CB_USER is the role: nobody's but one's own. */
	*result = id == SASL_CB_AUTHNAME || context != NULL ? user : "";
	if (len != NULL)
		*len = strlen(*result);
	return SASL_OK;
}

static int get_password(sasl_conn_t *conn, void *context, int id, sasl_secret_t **secret)
{
	static union {
		sasl_secret_t secret;
		char room[LINE_MAX_LEN];
	} made;

	made.secret.len = strlen(password);
	if (made.secret.len > sizeof(made) - sizeof(made.secret))
		return SASL_BADPARAM;
	memcpy(made.secret.data, password, made.secret.len + 1);
	*secret = &made.secret;
	return SASL_OK;
}

static void put_token(const char *token, unsigned int len)
{
	char line[LINE_MAX_LEN];

	if (token == NULL) {
		puts("none");
	} else if (sasl_encode64(token, len, line, sizeof(line), NULL) == SASL_OK) {
		printf("token %s\n", line);
	}
	fflush(stdout);
}

/* False at the end of the input, or where it is no base64. */
static bool take_token(char token[static LINE_MAX_LEN], unsigned int *len)
{
	char line[LINE_MAX_LEN];

	if (fgets(line, sizeof(line), stdin) == NULL)
		return false;
	line[strcspn(line, "\r\n")] = '\0';
	return sasl_decode64(line, strlen(line), token, LINE_MAX_LEN - 1, len) == SASL_OK;
}

static int finish(sasl_conn_t *conn, int rc)
{
	const void *name = "";

	if (rc == SASL_OK) {
		sasl_getprop(conn, SASL_USERNAME, &name);
		printf("done %s\n", name != NULL ? (const char *)name : "");
	} else {
		printf("failed %s\n", sasl_errdetail(conn));
	}
	fflush(stdout);
	sasl_dispose(&conn);
	sasl_done();
	return rc == SASL_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* No security layer: TSP has none but TLS. */
static int configure(sasl_conn_t *conn, const char *external)
{
	const sasl_security_properties_t properties = {.maxbufsize = 0};
	const sasl_ssf_t strong = STRONG_SSF;
	int rc = sasl_setprop(conn, SASL_SEC_PROPS, &properties);

	if (rc == SASL_OK && external != NULL) {
		rc = sasl_setprop(conn, SASL_SSF_EXTERNAL, &strong);
		if (rc == SASL_OK)
			rc = sasl_setprop(conn, SASL_AUTH_EXTERNAL, external);
	}
	return rc;
}

static int run_client(const char *mechanism, const char *host)
{
	static char is_external;
	const sasl_callback_t callbacks[] = {
		{SASL_CB_AUTHNAME, CALLBACK(get_name), NULL},
		{SASL_CB_USER, CALLBACK(get_name),
			strcmp(mechanism, "EXTERNAL") == 0 ? &is_external : NULL},
		{SASL_CB_PASS, CALLBACK(get_password), NULL},
		{SASL_CB_LIST_END, NULL, NULL},
	};
	char in[LINE_MAX_LEN];
	const char *out = NULL;
	unsigned int in_len, out_len = 0;
	sasl_conn_t *conn;
	int rc;

	if (sasl_client_init(callbacks) != SASL_OK ||
		sasl_client_new("tsp", host, NULL, NULL, NULL, SASL_SUCCESS_DATA, &conn) != SASL_OK)
		return EXIT_FAILURE;
	/* Which name the certificate has is the server's to know. */
	if (configure(conn, "certificate") != SASL_OK)
		return EXIT_FAILURE;
	rc = sasl_client_start(conn, mechanism, NULL, &out, &out_len, NULL);
	if (rc == SASL_OK || rc == SASL_CONTINUE)
		put_token(out, out_len);
	while (rc == SASL_CONTINUE && take_token(in, &in_len)) {
		rc = sasl_client_step(conn, in, in_len, NULL, &out, &out_len);
		if (rc == SASL_CONTINUE || (rc == SASL_OK && out_len > 0))
			put_token(out, out_len);
	}
	return finish(conn, rc);
}

static int run_server(const char *mechanism, const char *host, const char *external)
{
	const sasl_callback_t callbacks[] = {
		{SASL_CB_GETOPT, CALLBACK(get_option), NULL},
		{SASL_CB_LIST_END, NULL, NULL},
	};
	bool is_first = strcmp(mechanism, "DIGEST-MD5") == 0; /* the server speaks first */
	char in[LINE_MAX_LEN];
	const char *out = NULL;
	unsigned int in_len = 0, out_len = 0;
	sasl_conn_t *conn;
	int rc;

	if (sasl_server_init(callbacks, "cyrus_peer") != SASL_OK ||
		sasl_server_new("tsp", host, REALM, NULL, NULL, NULL, SASL_SUCCESS_DATA, &conn) !=
			SASL_OK ||
		configure(conn, external) != SASL_OK)
		return EXIT_FAILURE;
	if (is_first) {
		rc = sasl_server_start(conn, mechanism, NULL, 0, &out, &out_len);
	} else {
		put_token(NULL, 0);
		if (!take_token(in, &in_len))
			return EXIT_FAILURE;
		rc = sasl_server_start(conn, mechanism, in, in_len, &out, &out_len);
	}
	for (;;) {
		if (rc == SASL_CONTINUE || (rc == SASL_OK && out != NULL && out_len > 0))
			put_token(out, out_len);
		if (rc != SASL_CONTINUE || !take_token(in, &in_len))
			return finish(conn, rc);
		out = NULL;
		out_len = 0;
		rc = sasl_server_step(conn, in, in_len, &out, &out_len);
	}
}

int main(int argc, char **argv)
{
	if (argc == 6 && strcmp(argv[1], "client") == 0) {
		user = argv[4];
		password = argv[5];
		return run_client(argv[2], argv[3]);
	}
	if (argc >= 5 && strcmp(argv[1], "server") == 0) {
		database = argv[4];
		return run_server(argv[2], argv[3], argc > 5 ? argv[5] : NULL);
	}
	fputs("usage: cyrus_peer client MECHANISM HOST USER PASSWORD\n"
	      "       cyrus_peer server MECHANISM HOST DATABASE [EXTERNAL-NAME]\n",
		stderr);
	return 2;
}
