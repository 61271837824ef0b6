// SPDX-License-Identifier: BSD-3-Clause
#include "control/session.h"

#include "common/clock.h"
#include "common/log.h"
#include "tsp/tsp_conn.h"
#include "tsp/tsp_secret.h"

#include <event2/event.h>
#include <event2/listener.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

_Static_assert(TEP_SERVERS_MAX <= DP_OWNERS_MAX, "each server's bindings are digested");

#define STRANGERS_MAX 16 /* connections that have not authenticated */

struct server {
	const struct tep_server_params *params;
	struct tep_sync_server sync;
	struct session *session; /* NULL: not connected */
	int64_t since_ms;
};

struct session {
	struct tep_sessions *owner; /* NULL: it was destroyed */
	struct tsp_conn *conn;
	struct server *server; /* NULL: has not authenticated, or is closing */
	bool is_closing;
	TAILQ_ENTRY(session) link;
};
TAILQ_HEAD(session_list, session);

struct tep_sessions {
	struct tep_sessions_params params;
	struct evconnlistener *listener;
	struct event *resume; /* accepting after a pause */
	struct event *sweep; /* more of a large table after a list */
	struct tsp_auth auth;
	struct session_list all; /* oldest first */
	uint32_t n_strangers;
	const struct tep_sessions_asker *asker; /* NULL: nobody asks servers anything */
	struct server servers[TEP_SERVERS_MAX];
};

static bool find_secret(void *arg, const char *user, struct tsp_secret *secret)
{
	const struct tep_sessions *sessions = arg;

	for (uint32_t i = 0; i < sessions->params.n_servers; i++) {
		const struct tep_server_params *server = &sessions->params.servers[i];

		if (strcmp(server->name, user) == 0 && server->password != NULL)
			return snprintf(secret->password, sizeof(secret->password), "%s",
				       server->password) < (int)sizeof(secret->password);
	}
	return false;
}

static struct server *find_server(struct tep_sessions *sessions, const char *name)
{
	for (uint32_t i = 0; i < sessions->params.n_servers; i++) {
		if (strcmp(sessions->servers[i].params->name, name) == 0)
			return &sessions->servers[i];
	}
	return NULL;
}

static uint32_t number_of(const struct tep_sessions *sessions, const struct server *server)
{
	return (uint32_t)(server - sessions->servers);
}

/* Leaves its server and the count of strangers; what still comes in is not listened to. */
static void detach(struct session *session)
{
	struct server *server = session->server;

	if (session->is_closing)
		return;
	session->is_closing = true;
	session->server = NULL;
	if (server == NULL) {
		session->owner->n_strangers--;
		return;
	}
	server->session = NULL;
	server->since_ms = clock_boot_ms();
	if (session->owner->asker != NULL)
		session->owner->asker->lost(
			session->owner->asker->arg, number_of(session->owner, server));
}

static void dismiss(struct session *session)
{
	detach(session);
	tsp_conn_close(session->conn);
}

static void on_ready(struct tsp_conn *conn, void *arg)
{
	struct session *session = arg;
	struct server *server;
	char peer[ADDR_ENDPOINT_STRLEN];

	if (session->is_closing)
		return;
	server = find_server(session->owner, tsp_conn_user(conn));
	if (server == NULL)
		return dismiss(session);
	if (server->session != NULL) {
		log_info("server %s: a new session takes the place of the old one",
			server->params->name);
		dismiss(server->session);
	}
	session->owner->n_strangers--;
	session->server = server;
	server->session = session;
	server->since_ms = clock_boot_ms();
	tep_sync_session_starts(&server->sync);
	log_info("server %s: connected from %s", server->params->name,
		addr_endpoint_format(tsp_conn_peer(conn), peer));
}

static const struct timeval soon;

/* One slice for each server that has sent a whole list; the event loop turns in between. */
static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct tep_sessions *sessions = arg;
	bool more = false;

	for (uint32_t i = 0; i < sessions->params.n_servers; i++) {
		struct tep_sync_server *server = &sessions->servers[i].sync;

		if (server->sweeping)
			tep_sync_sweep(&sessions->params.sync, server);
		more |= server->sweeping;
	}
	if (more)
		evtimer_add(sessions->sweep, &soon);
}

static void on_answer(struct session *session, const struct tsp_msg *msg)
{
	const struct tep_sessions_asker *asker = session->owner->asker;
	const struct server *server = session->server;

	if (asker != NULL && asker->answered(asker->arg, number_of(session->owner, server), msg))
		return;
	log_warn("server %s: an answer without a question", server->params->name);
	dismiss(session);
}

static void on_message(struct tsp_conn *conn, const struct tsp_msg *msg, void *arg)
{
	struct session *session = arg;
	struct tep_sessions *sessions = session->owner;
	struct tsp_msg answer;
	int error;

	if (session->server == NULL)
		return;
	if (msg->status != TSP_STATUS_NONE)
		return on_answer(session, msg);
	tep_sync_apply(&sessions->params.sync, &session->server->sync, msg,
		sessions->params.now_ms(sessions->params.now_arg), &answer);
	if (session->server->sync.sweeping && !evtimer_pending(sessions->sweep, NULL))
		evtimer_add(sessions->sweep, &soon);
	error = tsp_conn_send(conn, &answer);
	if (error == 0)
		return;
	log_warn("server %s: cannot answer: %s", session->server->params->name, strerror(-error));
	dismiss(session);
}

static void on_closed(
	struct tsp_conn *conn, enum tsp_close_reason reason, const char *why, void *arg)
{
	struct session *session = arg;
	char peer[ADDR_ENDPOINT_STRLEN];

	if (session->owner != NULL) {
		if (session->server != NULL)
			log_info("server %s: disconnected: %s", session->server->params->name, why);
		else if (!session->is_closing)
			log_info("control connection from %s: closed: %s",
				addr_endpoint_format(tsp_conn_peer(conn), peer), why);
		detach(session);
		TAILQ_REMOVE(&session->owner->all, session, link);
	}
	free(session);
}

static const struct tsp_conn_ops ops = {
	.ready = on_ready,
	.message = on_message,
	.closed = on_closed,
};

/* The oldest connection without a name gives way to a new one. */
static void make_room(struct tep_sessions *sessions)
{
	struct session *session;

	if (sessions->n_strangers < STRANGERS_MAX)
		return;
	TAILQ_FOREACH(session, &sessions->all, link) {
		if (session->server == NULL && !session->is_closing)
			return dismiss(session);
	}
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *sa,
	int sa_len, void *arg)
{
	struct tep_sessions *sessions = arg;
	const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)sa;
	const struct addr_endpoint peer = {.addr = sin6->sin6_addr, .port = ntohs(sin6->sin6_port)};
	struct session *session = calloc(1, sizeof(*session));
	const struct tsp_conn_params params = {
		.base = sessions->params.base,
		.ops = &ops,
		.arg = session,
		.auth = &sessions->auth,
		.limits = tsp_conn_default_limits,
		.tls = sessions->params.tls,
	};

	if (session != NULL)
		session->conn = tsp_conn_accept(&params, fd, &peer);
	if (session == NULL || session->conn == NULL) {
		log_warn("control connection: cannot accept: %s", strerror(errno));
		free(session);
		close(fd);
		return;
	}
	make_room(sessions);
	session->owner = sessions;
	sessions->n_strangers++;
	TAILQ_INSERT_TAIL(&sessions->all, session, link);
}

/* Out of descriptors or memory: the next connections wait in the kernel for a second. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	static const struct timeval pause = {.tv_sec = 1};
	struct tep_sessions *sessions = arg;

	log_warn("control connection: cannot accept: %s", strerror(errno));
	evconnlistener_disable(listener);
	evtimer_add(sessions->resume, &pause);
}

static void on_resume(evutil_socket_t fd, short events, void *arg)
{
	struct tep_sessions *sessions = arg;

	evconnlistener_enable(sessions->listener);
}

static int listen_on(struct tep_sessions *sessions)
{
	char text[ADDR_ENDPOINT_STRLEN];
	struct sockaddr_in6 sa;

	sessions->resume = evtimer_new(sessions->params.base, on_resume, sessions);
	sessions->sweep = evtimer_new(sessions->params.base, on_sweep, sessions);
	if (sessions->resume == NULL || sessions->sweep == NULL)
		return -ENOMEM;
	addr_endpoint_to_sockaddr(&sessions->params.listen, &sa);
	sessions->listener = evconnlistener_new_bind(sessions->params.base, on_accept, sessions,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE |
			LEV_OPT_BIND_IPV6ONLY,
		-1, (const struct sockaddr *)&sa, sizeof(sa));
	if (sessions->listener == NULL) {
		int error = errno;

		log_err("control %s: cannot listen: %s",
			addr_endpoint_format(&sessions->params.listen, text), strerror(error));
		return -error;
	}
	evconnlistener_set_error_cb(sessions->listener, on_accept_error);
	return 0;
}

struct tep_sessions *tep_sessions_create(const struct tep_sessions_params *params)
{
	struct tep_sessions *sessions;
	int error;

	if (params->n_servers > TEP_SERVERS_MAX || params->sync.n_tep_v6 == 0) {
		errno = EINVAL;
		return NULL;
	}
	sessions = calloc(1, sizeof(*sessions));
	if (sessions == NULL)
		return NULL;
	sessions->params = *params;
	sessions->auth = (struct tsp_auth){
		.mechanisms = TSP_MECHANISM_SCRAM_SHA_256 | TSP_MECHANISM_DIGEST_MD5 |
			      TSP_MECHANISM_EXTERNAL,
		.find_secret = find_secret,
		.find_secret_arg = sessions,
	};
	TAILQ_INIT(&sessions->all);
	for (uint32_t i = 0; i < params->n_servers; i++) {
		sessions->servers[i] = (struct server){
			.params = &params->servers[i],
			.sync = {.owner = (uint16_t)(i + 1)},
			.since_ms = clock_boot_ms(),
		};
	}
	error = listen_on(sessions);
	if (error == 0)
		return sessions;
	if (sessions->resume != NULL)
		event_free(sessions->resume);
	if (sessions->sweep != NULL)
		event_free(sessions->sweep);
	free(sessions);
	errno = -error;
	return NULL;
}

/*
 * Connections free themselves, from the event loop, once the peer has seen our end: it gets the time that
 * a living peer needs. One that takes longer never looks at us again.
 */
static void wait_for_connections(struct tep_sessions *sessions)
{
	static const struct timeval patience = {.tv_sec = 2};
	struct session *session;

	event_base_loopexit(sessions->params.base, &patience);
	while (!TAILQ_EMPTY(&sessions->all) && !event_base_got_exit(sessions->params.base))
		event_base_loop(sessions->params.base, EVLOOP_ONCE);
	TAILQ_FOREACH(session, &sessions->all, link)
		session->owner = NULL;
}

void tep_sessions_destroy(struct tep_sessions *sessions)
{
	struct session *session;

	if (sessions == NULL)
		return;
	evconnlistener_free(sessions->listener);
	event_free(sessions->resume);
	event_free(sessions->sweep);
	TAILQ_FOREACH(session, &sessions->all, link)
		dismiss(session);
	wait_for_connections(sessions);
	free(sessions);
}

int tep_sessions_endpoint(const struct tep_sessions *sessions, struct addr_endpoint *endpoint)
{
	struct sockaddr_in6 sa = {};
	socklen_t len = sizeof(sa);

	if (getsockname(evconnlistener_get_fd(sessions->listener), (struct sockaddr *)&sa, &len) <
		0)
		return -errno;
	*endpoint = (struct addr_endpoint){.addr = sa.sin6_addr, .port = ntohs(sa.sin6_port)};
	return 0;
}

void tep_sessions_set_asker(struct tep_sessions *sessions, const struct tep_sessions_asker *asker)
{
	sessions->asker = asker;
}

bool tep_sessions_is_connected(const struct tep_sessions *sessions, uint32_t server)
{
	return sessions->servers[server].session != NULL;
}

bool tep_sessions_query(
	struct tep_sessions *sessions, uint32_t server, const struct dp_binding_key *key)
{
	const struct tep_sync *sync = &sessions->params.sync;
	const struct session *session = sessions->servers[server].session;
	const struct tsp_msg query = {
		.action = TSP_ACTION_QUERY,
		.server = {.present = true,
			.has_v4 = true,
			.v4 = key->v4,
			.has_ports = key->has_port,
			.n_ranges = key->has_port ? 1 : 0,
			.ranges = {{.first = key->port, .last = key->port}}},
		.client = {.present = true,
			.has_v4 = true,
			.v4 = sync->tep_v4,
			.n_v6 = 1,
			.v6 = {sync->tep_v6[0]}},
	};

	return session != NULL && tsp_conn_send(session->conn, &query) == 0;
}

bool tep_sessions_take_answer(struct tep_sessions *sessions, uint32_t server,
	const struct dp_binding_key *key, const struct tsp_msg *answer)
{
	return tep_sync_take_answer(&sessions->params.sync, &sessions->servers[server].sync, key,
		answer, sessions->params.now_ms(sessions->params.now_arg));
}

uint32_t tep_sessions_status(
	const struct tep_sessions *sessions, struct tep_server_status *rows, uint32_t max)
{
	uint32_t n = sessions->params.n_servers < max ? sessions->params.n_servers : max;

	for (uint32_t i = 0; i < n; i++) {
		const struct server *server = &sessions->servers[i];

		rows[i] = (struct tep_server_status){
			.name = server->params->name,
			.connected = server->session != NULL,
			.levelling = server->sync.levelling || server->sync.is_comparing,
			.is_level = server->sync.is_level,
			.since_ms = server->since_ms,
			.counts = server->sync.counts,
			.digest = digest_root(dp_bindings_digest(
				sessions->params.sync.table, server->sync.owner)),
			.word = server->sync.word,
		};
		rows[i].word.said_ms = sessions->params.now_ms(sessions->params.now_arg) -
				       rows[i].word.said_ms;
		if (server->session != NULL)
			rows[i].peer = *tsp_conn_peer(server->session->conn);
	}
	return n;
}
