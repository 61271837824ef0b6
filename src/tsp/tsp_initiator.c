// SPDX-License-Identifier: BSD-3-Clause
/*
 * The initiator's half of the handshake. It takes the strongest mechanism that both sides have, never
 * a weaker one after a failure, and believes a success line only when the exchange was complete: with
 * SCRAM-SHA-256 and DIGEST-MD5 the responder has then proved that it knows the password too. With PLAIN
 * and EXTERNAL, which it uses under TLS alone, the responder's certificate stands for it.
 */
#include "tsp/tsp_conn_impl.h"
#include "tsp/tsp_tls.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void tsp_initiator_start(struct tsp_conn *conn)
{
	tsp_conn_put_line(
		conn, "VERSION=%s", conn->generation == TSP_GENERATION_1 ? "1.0" : "2.0.0");
}

/* True when the blank-separated line holds "key=value", any case. */
static bool has_capability(const char *line, const char *key, const char *value)
{
	size_t key_len = strlen(key), value_len = strlen(value);

	while (*line != '\0') {
		size_t len = strcspn(line, " \t");

		if (len == key_len + 1 + value_len && strncasecmp(line, key, key_len) == 0 &&
			line[key_len] == '=' &&
			strncasecmp(line + key_len + 1, value, value_len) == 0)
			return true;
		line += len;
		line += strspn(line, " \t");
	}
	return false;
}

/* What of auth can be used here. */
static uint32_t usable(const struct tsp_conn *conn)
{
	uint32_t mechanisms = conn->params.auth->mechanisms;
	struct ssl_ctx_st *tls = conn->params.tls;

	if (tls == NULL)
		mechanisms &= ~TSP_MECHANISM_PLAIN;
	if (tls == NULL || !tsp_tls_has_certificate(tls))
		mechanisms &= ~TSP_MECHANISM_EXTERNAL;
	return mechanisms;
}

/* With a name: a password's, the strongest first. Without one: EXTERNAL, ANONYMOUS. 0: nothing fits. */
static enum tsp_mechanism choose_mechanism(const struct tsp_conn *conn, const char *capabilities)
{
	static const enum tsp_mechanism named[] = {
		TSP_MECHANISM_SCRAM_SHA_256, TSP_MECHANISM_DIGEST_MD5, TSP_MECHANISM_PLAIN, 0};
	static const enum tsp_mechanism nameless[] = {
		TSP_MECHANISM_EXTERNAL, TSP_MECHANISM_ANONYMOUS, 0};
	const enum tsp_mechanism *wanted = conn->params.auth->user != NULL ? named : nameless;
	uint32_t mechanisms = usable(conn);

	for (; *wanted != 0; wanted++) {
		if ((mechanisms & *wanted) &&
			has_capability(capabilities, "AUTH", tsp_mechanism_name(*wanted)))
			return *wanted;
	}
	return 0;
}

static void step(struct tsp_conn *conn, const char *token)
{
	enum tsp_sasl_result result;
	char *answer;

	result = tsp_sasl_step(conn->sasl, token, &answer);
	if (result == TSP_SASL_FAILED)
		return tsp_conn_end(conn, TSP_CLOSE_AUTH, "the peer's proof is wrong");
	if (answer != NULL)
		tsp_conn_put_line(conn, "%s", answer);
	else if (result == TSP_SASL_DONE && conn->step == TSP_STEP_TOKEN)
		tsp_conn_put_line(conn, "%s", "");
	if (result == TSP_SASL_DONE)
		conn->step = TSP_STEP_SUCCESS;
	free(answer);
}

/* Raw, and without waiting to be asked (tsp_plain.h). */
static void put_plain(struct tsp_conn *conn)
{
	const struct tsp_auth *auth = conn->params.auth;
	struct evbuffer *output = bufferevent_get_output(conn->bev);

	evbuffer_add(output, "", 1);
	evbuffer_add(output, auth->user, strlen(auth->user) + 1);
	evbuffer_add(output, auth->password, strlen(auth->password));
	evbuffer_add(output, "\r\n", 2);
}

static void on_capabilities(struct tsp_conn *conn, const char *line)
{
	const struct tsp_auth *auth = conn->params.auth;
	char host[ADDR_V6_STRLEN + 2], addr[ADDR_V6_STRLEN];
	enum tsp_mechanism mechanism;

	if (strncmp(line, "302", 3) == 0)
		return tsp_conn_end(
			conn, TSP_CLOSE_VERSION, "the peer does not support our version");
	if (strncasecmp(line, "CAPABILITY", 10) != 0 || strchr(" \t", line[10]) == NULL)
		return tsp_conn_end(conn, TSP_CLOSE_PROTOCOL, "the peer names no capabilities");
	if (!has_capability(line, "TUNNEL", "V4V6"))
		return tsp_conn_end(conn, TSP_CLOSE_PROTOCOL, "the peer has no v4v6 tunnels");
	mechanism = choose_mechanism(conn, line);
	if (mechanism == 0)
		return tsp_conn_end(conn, TSP_CLOSE_AUTH, "no authentication in common");
	snprintf(host, sizeof(host), "[%s]", addr_v6_format(&conn->peer.addr, addr));
	conn->sasl = tsp_sasl_create_initiator(mechanism, auth, host);
	if (conn->sasl == NULL)
		return tsp_conn_end(conn, TSP_CLOSE_ERROR, "cannot begin authentication");
	tsp_conn_put_line(conn, "AUTHENTICATE %s", tsp_mechanism_name(mechanism));
	if (mechanism == TSP_MECHANISM_PLAIN)
		put_plain(conn);
	if (tsp_sasl_begins(conn->sasl))
		step(conn, "");
	if (conn->step == TSP_STEP_VERSION)
		conn->step = TSP_STEP_TOKEN;
}

/* "200 Success" or "OK ...": 1; another code: -1; a token: 0. */
static int read_verdict(const char *line)
{
	size_t digits = strspn(line, "0123456789");

	if (strncasecmp(line, "OK", 2) == 0 && (line[2] == '\0' || isblank(line[2])))
		return 1;
	if (digits != 3 || (line[3] != '\0' && !isblank(line[3])))
		return 0;
	return strncmp(line, "200", 3) == 0 ? 1 : -1;
}

void tsp_initiator_line(struct tsp_conn *conn, const char *line)
{
	int verdict = read_verdict(line);

	if (line[0] == '\0' && conn->step != TSP_STEP_TOKEN)
		return;
	if (conn->step == TSP_STEP_VERSION)
		return on_capabilities(conn, line);
	if (verdict < 0)
		return tsp_conn_end(conn, TSP_CLOSE_AUTH, "the peer refused our authentication");
	if (conn->step == TSP_STEP_TOKEN && verdict == 0)
		return step(conn, line);
	if (conn->step != TSP_STEP_SUCCESS || verdict != 1)
		return tsp_conn_end(
			conn, TSP_CLOSE_AUTH, "the peer did not complete the authentication");
	tsp_sasl_destroy(conn->sasl);
	conn->sasl = NULL;
	tsp_conn_become_ready(conn, false);
}
