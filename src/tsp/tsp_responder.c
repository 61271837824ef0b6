// SPDX-License-Identifier: BSD-3-Clause
/*
 * The responder's half of the handshake:
 *
 *	VERSION=2.0.0  ->  CAPABILITY TUNNEL=V4V6 AUTH=...
 *	AUTHENTICATE m ->  tokens, a line each  ->  200 Success
 *
 * Clients read one thing per receive call, so the last token and the success line leave in two
 * segments: the line waits for the client's empty token, or PAUSE_MS.
 */
#include "tsp/tsp_conn_impl.h"

#include <event2/event.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PAUSE_MS 10

void tsp_responder_put_status(struct tsp_conn *conn, enum tsp_status status)
{
	enum tsp_generation generation = conn->generation != 0 ? conn->generation
							       : TSP_GENERATION_2;

	tsp_conn_put_line(conn, "%u %s", tsp_code(status, generation), tsp_status_text(status));
}

/* "VERSION=1.0" and other 1.x; "VERSION=2.0.0" to "2.0.2". 0: not ours. */
static enum tsp_generation find_generation(const char *version)
{
	static const char *const second[] = {"2.0.0", "2.0.1", "2.0.2"};

	if (strncmp(version, "1.", 2) == 0 && version[2] != '\0' &&
		version[2 + strspn(version + 2, "0123456789.")] == '\0')
		return TSP_GENERATION_1;
	for (size_t i = 0; i < sizeof(second) / sizeof(second[0]); i++) {
		if (strcmp(version, second[i]) == 0)
			return TSP_GENERATION_2;
	}
	return 0;
}

/* A password never travels in the clear, whatever the owner allows. */
static uint32_t offered(const struct tsp_conn *conn)
{
	uint32_t mechanisms = conn->params.auth->mechanisms & ~conn->params.withheld;

	if (conn->params.tls == NULL)
		mechanisms &= ~TSP_MECHANISM_PLAIN;
	if (conn->certified[0] == '\0')
		mechanisms &= ~TSP_MECHANISM_EXTERNAL;
	return mechanisms;
}

static void put_capabilities(struct tsp_conn *conn)
{
	static const enum tsp_mechanism order[] = {TSP_MECHANISM_EXTERNAL,
		TSP_MECHANISM_SCRAM_SHA_256, TSP_MECHANISM_DIGEST_MD5, TSP_MECHANISM_PLAIN,
		TSP_MECHANISM_ANONYMOUS};
	uint32_t mechanisms = offered(conn);
	char auth[128] = "";
	size_t len = 0;

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (mechanisms & order[i])
			len += snprintf(auth + len, sizeof(auth) - len, " AUTH=%s",
				tsp_mechanism_name(order[i]));
	}
	tsp_conn_put_line(conn, "CAPABILITY TUNNEL=V4V6%s", auth);
}

static void on_version(struct tsp_conn *conn, const char *line)
{
	static const char key[] = "VERSION=";

	if (line[0] == '\0')
		return;
	if (strncasecmp(line, key, sizeof(key) - 1) != 0) {
		tsp_responder_put_status(conn, TSP_STATUS_MALFORMED);
		return tsp_conn_end(conn, TSP_CLOSE_PROTOCOL, "first line names no version");
	}
	conn->generation = find_generation(line + sizeof(key) - 1);
	if (conn->generation == 0) {
		tsp_responder_put_status(conn, TSP_STATUS_BAD_VERSION);
		return tsp_conn_end(conn, TSP_CLOSE_VERSION, "unsupported client version");
	}
	put_capabilities(conn);
	conn->step = TSP_STEP_AUTHENTICATE;
}

/* The peer may try again, until it has used up its attempts. */
static void fail(struct tsp_conn *conn)
{
	tsp_sasl_destroy(conn->sasl);
	conn->sasl = NULL;
	conn->step = TSP_STEP_AUTHENTICATE;
	tsp_responder_put_status(conn, TSP_STATUS_AUTH_FAILED);
	if (++conn->failures >= conn->params.limits.auth_attempts)
		tsp_conn_end(conn, TSP_CLOSE_AUTH, "authentication failed too often");
}

static void on_pause_over(evutil_socket_t fd, short events, void *arg)
{
	tsp_responder_succeed(arg);
}

/* The last token is in the output. */
static void begin_pause(struct tsp_conn *conn)
{
	struct timeval delay = {.tv_usec = PAUSE_MS * 1000};

	conn->step = TSP_STEP_SUCCESS;
	conn->pause = evtimer_new(conn->params.base, on_pause_over, conn);
	if (conn->pause == NULL)
		return tsp_conn_end(conn, TSP_CLOSE_ERROR, "out of memory");
	evtimer_add(conn->pause, &delay);
}

void tsp_responder_succeed(struct tsp_conn *conn)
{
	if (conn->pause != NULL)
		event_free(conn->pause);
	conn->pause = NULL;
	strcpy(conn->user, tsp_sasl_user(conn->sasl));
	tsp_sasl_destroy(conn->sasl);
	conn->sasl = NULL;
	if (conn->params.send_ok_to_v1 && conn->generation == TSP_GENERATION_1)
		tsp_conn_put_line(conn, "OK Authentication successful");
	else
		tsp_responder_put_status(conn, TSP_STATUS_OK);
	tsp_conn_become_ready(conn, true);
}

static void step(struct tsp_conn *conn, const char *token)
{
	enum tsp_sasl_result result;
	char *answer = NULL;

	if (conn->frame.is_raw) {
		result = tsp_sasl_step_plain(conn->sasl, conn->frame.buf, conn->frame.len);
		explicit_bzero(conn->frame.buf, conn->frame.len);
		conn->frame.is_raw = false;
	} else {
		result = tsp_sasl_step(conn->sasl, token, &answer);
	}
	conn->step = TSP_STEP_TOKEN;
	if (result == TSP_SASL_FAILED)
		return fail(conn);
	if (answer != NULL)
		tsp_conn_put_line(conn, "%s", answer);
	if (result == TSP_SASL_DONE && answer != NULL)
		begin_pause(conn);
	else if (result == TSP_SASL_DONE)
		tsp_responder_succeed(conn);
	free(answer);
}

/* "AUTHENTICATE m" in any case; spec 004 prints AUTENTICATE (D5). */
static const char *find_mechanism(const char *line)
{
	static const char *const words[] = {"AUTHENTICATE", "AUTENTICATE"};

	for (size_t i = 0; i < 2; i++) {
		size_t len = strlen(words[i]);

		if (strncasecmp(line, words[i], len) == 0 && strchr(" \t", line[len]) != NULL)
			return line + len + strspn(line + len, " \t");
	}
	return NULL;
}

static void on_authenticate(struct tsp_conn *conn, const char *line)
{
	const char *begin = find_mechanism(line);
	enum tsp_mechanism mechanism;
	char name[32] = "";

	if (line[0] == '\0')
		return;
	if (begin == NULL) {
		tsp_responder_put_status(conn, TSP_STATUS_MALFORMED);
		return tsp_conn_end(conn, TSP_CLOSE_PROTOCOL, "AUTHENTICATE was due");
	}
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(begin, " \t"), begin);
	mechanism = tsp_mechanism_find(name);
	if ((offered(conn) & mechanism) == 0)
		return fail(conn);
	conn->sasl = tsp_sasl_create_responder(mechanism, conn->params.auth);
	if (conn->sasl == NULL)
		return tsp_conn_end(conn, TSP_CLOSE_ERROR, "cannot begin authentication");
	tsp_sasl_certify(conn->sasl, conn->certified);
	conn->frame.is_raw = mechanism == TSP_MECHANISM_PLAIN;
	conn->step = TSP_STEP_TOKEN;
	if (tsp_sasl_begins(conn->sasl) || mechanism == TSP_MECHANISM_ANONYMOUS)
		step(conn, "");
}

void tsp_responder_line(struct tsp_conn *conn, const char *line)
{
	switch (conn->step) {
	case TSP_STEP_VERSION:
		return on_version(conn, line);
	case TSP_STEP_AUTHENTICATE:
		return on_authenticate(conn, line);
	case TSP_STEP_TOKEN:
		return step(conn, line);
	case TSP_STEP_SUCCESS:
		/* Octets in the pause are the client's empty token, or its first message. */
		break;
	}
}
