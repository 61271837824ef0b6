// SPDX-License-Identifier: BSD-3-Clause
#include "client/session.h"

#include "client/directory.h"
#include "client/dns_watch.h"
#include "client/link.h"
#include "client/netif.h"
#include "client/v6_addrs.h"
#include "common/clock.h"
#include "common/log.h"
#include "tsp/tsp_tls.h"

#include <event2/event.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define DRAIN_MS 500 /* how long the end waits for closed connections to be gone */

/* A link from its opening to its end; the engine hears only of the session's current one. */
struct attempt {
	LIST_ENTRY(attempt) entry;
	struct cl_session *session; /* NULL: nobody listens any more */
	struct cl_link *link;
};

struct cl_session {
	struct event_base *base;
	const struct cl_config *config;
	struct cl_dti *dti;
	struct cl_engine engine;
	struct tsp_auth auth;
	struct cl_server asked; /* the last one */
	bool is_unhelpful; /* server below let us in, and no lease came of it so far */
	struct in6_addr giver; /* the address of the server that gave the lease */
	struct ssl_ctx_st *tls; /* NULL: plain TCP */
	LIST_HEAD(attempts, attempt) attempts;
	struct attempt *current; /* NULL: none that the engine knows of */
	struct addr_endpoint server; /* of the connection that was ready last ... */
	char server_name[CL_SERVER_NAME_MAX + 1];
	const char *server_tls_name; /* ... and whom its certificate was for; NULL: its address */
	struct cl_directory *directory; /* NULL: other clients are not asked about */
	struct cl_dns_watch *dns; /* NULL: names are no demand */
	struct event *timer;
	struct event *watch;
	int timer_fd, watch_fd;
	uint64_t addresses; /* cl_v6_fingerprint() */
	bool is_finished; /* the engine is; its connections may not be */
	void (*finished)(void *arg);
	void *finished_arg;
};

static void feed(struct cl_session *session, const struct cl_event *event);
static void finish_if_drained(struct cl_session *session);

/* From here on the connection ends by itself, unheard. */
static void close_current(struct cl_session *session)
{
	if (session->current != NULL)
		cl_link_close(session->current->link);
	session->current = NULL;
}

/* The session behind a callback, or NULL if the engine is not to hear of it. */
static struct cl_session *listener(const struct attempt *attempt)
{
	if (attempt->session == NULL || attempt->session->current != attempt)
		return NULL;
	return attempt->session;
}

/* Why a new lease is not to be asked for over this connection; NULL: nothing is wrong. */
static const char *find_fault(const struct cl_session *session, const struct in6_addr *v6)
{
	if (session->engine.has_lease || session->config->has_v6 || cl_v6_is_preferred(v6))
		return NULL;
	return "this host's only IPv6 address towards it is deprecated";
}

static void note_server(struct cl_session *session, const struct cl_link *link)
{
	const char *name = cl_link_tls_name(link);

	session->server = *cl_link_peer(link);
	session->is_unhelpful = true;
	session->server_tls_name = NULL;
	if (name == NULL)
		return;
	snprintf(session->server_name, sizeof(session->server_name), "%s", name);
	session->server_tls_name = session->server_name;
}

static void on_ready(struct cl_link *link, void *arg)
{
	struct cl_session *session = listener(arg);
	struct cl_event event = {.type = CL_EVENT_READY};
	const char *fault = "the connection has no local address";

	if (session == NULL)
		return;
	if (cl_link_local(link, &event.v6) == 0)
		fault = find_fault(session, &event.v6);
	if (fault != NULL) {
		close_current(session);
		feed(session,
			&(struct cl_event){
				.type = CL_EVENT_CLOSED, .reason = TSP_CLOSE_ERROR, .why = fault});
		return;
	}
	note_server(session, link);
	event.has_link_local = cl_netif_link_local(&event.v6, &event.link_local) == 0;
	feed(session, &event);
}

static void on_message(struct cl_link *link, const struct tsp_msg *msg, void *arg)
{
	struct cl_session *session = listener(arg);

	if (session != NULL)
		feed(session, &(struct cl_event){.type = CL_EVENT_MESSAGE, .msg = msg});
}

static void on_closed(
	struct cl_link *link, enum tsp_close_reason reason, const char *why, void *arg)
{
	struct attempt *attempt = arg;
	struct cl_session *session = attempt->session;
	bool heard = listener(attempt) != NULL;

	if (session != NULL)
		LIST_REMOVE(attempt, entry);
	free(attempt);
	if (heard) {
		session->current = NULL;
		feed(session,
			&(struct cl_event){.type = CL_EVENT_CLOSED, .reason = reason, .why = why});
	} else if (session != NULL) {
		finish_if_drained(session);
	}
}

static const struct cl_link_ops link_ops = {
	.ready = on_ready,
	.message = on_message,
	.closed = on_closed,
};

/*
 * A lease is released from its own tunnel end, whatever the kernel would choose today, and renewed
 * from there unless it is deprecated: then it is time to move.
 */
static const struct in6_addr *local_v6(const struct cl_session *session)
{
	const struct cl_engine *engine = &session->engine;

	if (engine->state == CL_STATE_RELEASING ||
		(engine->has_lease && cl_v6_is_preferred(&engine->lease.client_v6)))
		return &engine->lease.client_v6;
	return session->config->has_v6 ? &session->config->v6 : NULL;
}

static void get_server(
	const struct cl_session *session, const struct cl_target *target, struct cl_server *server)
{
	cl_servers_get(session->config, target->server, server);
	if (!target->is_redirected)
		return;
	server->is_name = false;
	server->addr.addr = target->v6;
	server->tls_name = NULL;
}

/* Returns 0 or -errno. */
static int open_link(struct cl_session *session, const struct cl_action *action)
{
	struct attempt *attempt = calloc(1, sizeof(*attempt));
	struct cl_server server;
	struct cl_link_params params = {
		.base = session->base,
		.ops = &link_ops,
		.arg = attempt,
		.server = &server,
		.only = action->only_giver ? &session->giver : NULL,
		.last = session->is_unhelpful ? &session->server.addr : NULL,
		.auth = &session->auth,
		.tls = session->tls,
		.generation = action->generation,
		.local = local_v6(session),
	};
	char text[CL_SERVER_STRLEN];
	int error;

	if (attempt == NULL)
		return -ENOMEM;
	get_server(session, &action->target, &server);
	if (!addr_v6_equal(&server.addr.addr, &session->asked.addr.addr) ||
		server.addr.port != session->asked.addr.port ||
		strcmp(server.name, session->asked.name) != 0)
		log_info("server: %s is asked", cl_server_format(&server, text));
	session->asked = server;
	attempt->session = session;
	attempt->link = cl_link_open(&params);
	if (attempt->link == NULL) {
		error = errno;
		free(attempt);
		return -error;
	}
	LIST_INSERT_HEAD(&session->attempts, attempt, entry);
	session->current = attempt;
	return 0;
}

/*
 * The boot clock runs on while the host sleeps, so a lease that ended meanwhile ends on waking; the
 * event loop's own timers would sleep with the host.
 */
static void set_timer(struct cl_session *session, int64_t when_ms)
{
	struct itimerspec spec = {0}; /* disarmed */

	if (when_ms != CL_NEVER) {
		spec.it_value.tv_sec = when_ms / 1000;
		spec.it_value.tv_nsec = when_ms % 1000 * 1000000;
	}
	timerfd_settime(session->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

static void log_lease(const struct cl_engine *engine)
{
	char lease[LEASE_STRLEN], tep[ADDR_V6_STRLEN];

	log_info("lease: %s through %s, %u s", lease_format(&engine->lease, lease),
		addr_v6_format(&engine->lease.tep_v6, tep), engine->lifetime_s);
}

static void start_directory(struct cl_session *session)
{
	cl_directory_start(session->directory, &session->server, session->server_tls_name,
		&session->engine.lease);
}

/* A lease came over the connection that was ready last. */
static void note_giver(struct cl_session *session)
{
	session->giver = session->server.addr;
	session->is_unhelpful = false;
}

static void configure(struct cl_session *session)
{
	struct cl_event event = {.type = CL_EVENT_CONFIGURED};
	char why[CL_DTI_WHY_LEN];

	if (cl_dti_configure(session->dti, &session->engine.lease, why) < 0) {
		cl_directory_stop(session->directory);
		event.type = CL_EVENT_FAILED;
		event.why = why;
	} else {
		cl_dns_watch_stop(session->dns);
		start_directory(session);
		log_lease(&session->engine);
	}
	feed(session, &event);
}

static void arm(struct cl_session *session)
{
	char why[CL_DTI_WHY_LEN];

	cl_dns_watch_start(session->dns);
	if (cl_dti_arm(session->dti, why) < 0)
		log_warn("%s", why);
}

static void connect_server(struct cl_session *session, const struct cl_action *action)
{
	int ret = open_link(session, action);

	if (ret < 0)
		feed(session, &(struct cl_event){.type = CL_EVENT_CLOSED,
				      .reason = TSP_CLOSE_CONNECT,
				      .why = strerror(-ret)});
}

static void finish(struct cl_session *session)
{
	session->is_finished = false;
	set_timer(session, CL_NEVER);
	session->finished(session->finished_arg);
}

static void finish_if_drained(struct cl_session *session)
{
	if (session->is_finished && LIST_EMPTY(&session->attempts))
		finish(session);
}

/* CONNECT, CONFIGURE and FINISHED end a step, so what they feed back does not overtake anything. */
static void carry_out(struct cl_session *session, const struct cl_action *action)
{
	int ret;

	switch (action->type) {
	case CL_ACTION_CONNECT:
		connect_server(session, action);
		break;
	case CL_ACTION_CLOSE:
		close_current(session);
		break;
	case CL_ACTION_SEND:
		ret = session->current != NULL ? cl_link_send(session->current->link, &action->msg)
					       : -ENOTCONN;
		if (ret < 0)
			log_warn("server: cannot send: %s", strerror(-ret));
		break;
	case CL_ACTION_ARM:
		arm(session);
		break;
	case CL_ACTION_CONFIGURE:
		note_giver(session);
		configure(session);
		break;
	case CL_ACTION_RENEWED:
		note_giver(session);
		cl_dti_renewed(session->dti, session->engine.lease.end_ms);
		start_directory(session);
		break;
	case CL_ACTION_DECONFIGURE:
		cl_directory_stop(session->directory);
		cl_dti_deconfigure(session->dti);
		break;
	case CL_ACTION_REPORT:
		log_warn("%s", session->engine.report);
		break;
	case CL_ACTION_FINISHED:
		session->is_finished = true;
		set_timer(session, clock_boot_ms() + DRAIN_MS);
		finish_if_drained(session);
		break;
	}
}

static void feed(struct cl_session *session, const struct cl_event *event)
{
	enum cl_state before = session->engine.state;
	struct cl_event stamped = *event;
	struct cl_actions actions;

	stamped.used_ms = cl_dti_used_ms(session->dti);
	cl_engine_step(&session->engine, &stamped, clock_boot_ms(), &actions);
	if (session->engine.state == CL_STATE_BOUND)
		cl_dti_renewed(session->dti, session->engine.lease.end_ms);
	if (session->engine.state != before)
		log_debug("engine: %s -> %s", cl_state_name(before),
			cl_state_name(session->engine.state));
	set_timer(session, cl_engine_deadline(&session->engine));
	for (uint32_t i = 0; i < actions.n; i++)
		carry_out(session, &actions.items[i]);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct cl_session *session = arg;
	uint64_t expirations;

	if (read(fd, &expirations, sizeof(expirations)) < 0)
		return;
	if (session->is_finished)
		finish(session);
	else
		feed(session, &(struct cl_event){.type = CL_EVENT_TIMER});
}

/*
 * Some IPv6 address came or went. A lease goes on while its tunnel end is there; without a lease
 * other addresses may be another network, where the server can be reached at last.
 */
static void on_watch(evutil_socket_t fd, short what, void *arg)
{
	struct cl_session *session = arg;
	uint64_t before = session->addresses;
	char buf[8192];
	bool moved;

	while (recv(fd, buf, sizeof(buf), 0) > 0)
		;
	session->addresses = cl_v6_fingerprint();
	if (session->engine.has_lease)
		moved = !cl_v6_is_here(&session->engine.lease.client_v6);
	else
		moved = session->addresses != before && session->addresses != 0;
	if (moved)
		feed(session, &(struct cl_event){.type = CL_EVENT_MOVED});
}

static uint64_t random_seed(void)
{
	uint64_t seed = 0;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed) || seed == 0)
		seed = (uint64_t)clock_utc_ms() << 16 | (uint16_t)getpid();
	return seed;
}

static void init_engine(struct cl_session *session)
{
	const struct cl_config *config = session->config;
	struct cl_engine_params params = {
		.generation = config->generation,
		.n_servers = cl_servers_count(config),
		.on_demand = config->on_demand,
		.idle_s = config->idle_s,
		.accept_push = config->accept_push,
		.exclusive = config->exclusive,
		.ports = config->ports,
		.ports_max = config->exclusive ? 0 : config->ports_max,
		.lifetime_s = config->lifetime_s,
		.retry_min_s = config->retry_min_s,
		.retry_max_s = config->retry_max_s,
		.seed = random_seed(),
	};

	cl_engine_init(&session->engine, &params);
	session->auth = (struct tsp_auth){
		.mechanisms = TSP_MECHANISM_ANONYMOUS | TSP_MECHANISM_EXTERNAL,
		.user = config->user,
		.password = config->password,
	};
	if (config->user != NULL)
		session->auth.mechanisms = TSP_MECHANISM_SCRAM_SHA_256 | TSP_MECHANISM_DIGEST_MD5 |
					   TSP_MECHANISM_PLAIN;
}

static bool init_tls(struct cl_session *session)
{
	const struct tsp_tls_params params = {.files = &session->config->tls};
	char error[TSP_TLS_ERROR_LEN];

	if (params.files->ca == NULL)
		return true;
	session->tls = tsp_tls_create(&params, error);
	if (session->tls == NULL)
		log_err("%s", error);
	return session->tls != NULL;
}

/* False only when there should be one and is not. */
static bool init_directory(struct cl_session *session)
{
	const struct cl_directory_params params = {
		.base = session->base,
		.peers = cl_dti_peers(session->dti),
		.auth = &session->auth,
		.tls = session->tls,
	};

	if (params.peers == NULL)
		return true;
	session->directory = cl_directory_create(&params);
	return session->directory != NULL;
}

static void on_name(void *arg)
{
	cl_session_tell(arg, CL_EVENT_DEMAND);
}

/* False only when replies should be heard and cannot be. */
static bool init_dns(struct cl_session *session)
{
	int fd;

	if (!session->config->dns_trigger)
		return true;
	fd = fcntl(cl_dti_privileged(session->dti)->dns_fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0) {
		log_err("dns_trigger: no packet socket: %s", strerror(errno));
		return false;
	}
	session->dns = cl_dns_watch_create(session->base, fd, on_name, session);
	return session->dns != NULL;
}

/* NULL when there is no descriptor, too. */
static struct event *listen_on(struct cl_session *session, int fd, event_callback_fn callback)
{
	struct event *event = NULL;

	if (fd >= 0)
		event = event_new(session->base, fd, EV_READ | EV_PERSIST, callback, session);
	if (event != NULL && event_add(event, NULL) < 0) {
		event_free(event);
		event = NULL;
	}
	return event;
}

struct cl_session *cl_session_create(struct event_base *base, const struct cl_config *config,
	struct cl_dti *dti, void (*finished)(void *arg), void *arg)
{
	struct cl_session *session = calloc(1, sizeof(*session));
	int error;

	if (session == NULL)
		return NULL;
	LIST_INIT(&session->attempts);
	session->base = base;
	session->config = config;
	session->dti = dti;
	session->finished = finished;
	session->finished_arg = arg;
	init_engine(session);
	session->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	session->watch_fd = cl_netif_watch();
	session->addresses = cl_v6_fingerprint();
	session->timer = listen_on(session, session->timer_fd, on_timer);
	session->watch = listen_on(session, session->watch_fd, on_watch);
	if (session->timer == NULL || session->watch == NULL || !init_tls(session) ||
		!init_directory(session) || !init_dns(session)) {
		error = session->timer == NULL || session->watch == NULL ? ENOMEM : EINVAL;
		cl_session_destroy(session);
		errno = error;
		return NULL;
	}
	return session;
}

void cl_session_start(struct cl_session *session)
{
	feed(session, &(struct cl_event){.type = CL_EVENT_START});
}

void cl_session_stop(struct cl_session *session)
{
	feed(session, &(struct cl_event){.type = CL_EVENT_STOP});
}

void cl_session_tell(struct cl_session *session, enum cl_event_type type)
{
	feed(session, &(struct cl_event){.type = type});
}

void cl_session_destroy(struct cl_session *session)
{
	struct attempt *attempt;

	if (session == NULL)
		return;
	close_current(session);
	LIST_FOREACH(attempt, &session->attempts, entry)
		attempt->session = NULL;
	if (session->timer != NULL)
		event_free(session->timer);
	if (session->watch != NULL)
		event_free(session->watch);
	if (session->timer_fd >= 0)
		close(session->timer_fd);
	if (session->watch_fd >= 0)
		close(session->watch_fd);
	cl_directory_destroy(session->directory);
	cl_dns_watch_destroy(session->dns);
	tsp_tls_destroy(session->tls);
	free(session);
}

const struct cl_engine *cl_session_engine(const struct cl_session *session)
{
	return &session->engine;
}

const char *cl_session_server(const struct cl_session *session, char buf[static CL_SERVER_STRLEN])
{
	const struct cl_engine *engine = &session->engine;
	struct cl_server server;

	get_server(session, engine->has_lease ? &engine->lease_target : &engine->target, &server);
	return cl_server_format(&server, buf);
}
