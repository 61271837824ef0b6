// SPDX-License-Identifier: BSD-3-Clause
#include "client/session.h"

#include "client/dhcp6_node.h"
#include "client/dial.h"
#include "client/directory.h"
#include "client/dns_watch.h"
#include "client/netif.h"
#include "client/v6_addrs.h"
#include "common/clock.h"
#include "common/log.h"

#include <event2/event.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define DHCP6_PATIENCE_MS    86400000
#define DHCP6_PATIENCE_MIN_S 60

#define DRAIN_MS 500 /* how long the end waits for closed connections to be gone */

struct cl_session {
	struct event_base *base;
	const struct cl_config *config;
	struct cl_dti *dti;
	struct cl_engine engine;
	struct cl_dhcp6_node *dhcp6; /* NULL: the protocol is another */
	struct cl_dial *dial;
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
static void finish_if_drained(void *arg);

/* Why a new lease is not to be asked for over this connection; NULL: nothing is wrong. */
static const char *find_fault(const struct cl_session *session, const struct in6_addr *v6)
{
	if (session->engine.has_lease || session->config->has_v6 || cl_v6_is_preferred(v6))
		return NULL;
	return "this host's only IPv6 address towards it is deprecated";
}

static void on_ready(void *arg, const struct in6_addr *local)
{
	struct cl_session *session = arg;
	struct cl_event event = {.type = CL_EVENT_READY, .v6 = *local};
	const char *fault = find_fault(session, local);

	if (fault != NULL) {
		cl_dial_close(session->dial);
		event = (struct cl_event){
			.type = CL_EVENT_CLOSED, .reason = TSP_CLOSE_ERROR, .why = fault};
	} else {
		event.has_link_local = cl_netif_link_local(local, &event.link_local) == 0;
	}
	feed(session, &event);
}

static void on_message(void *arg, const struct tsp_msg *msg, const struct in6_addr *local)
{
	feed(arg, &(struct cl_event){.type = CL_EVENT_MESSAGE, .msg = msg, .v6 = *local});
}

static void on_closed(void *arg, enum tsp_close_reason reason, const char *why)
{
	feed(arg, &(struct cl_event){.type = CL_EVENT_CLOSED, .reason = reason, .why = why});
}

static const struct cl_dial_ops dial_ops = {
	.ready = on_ready,
	.message = on_message,
	.closed = on_closed,
	.drained = finish_if_drained,
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
	cl_directory_start(session->directory, cl_dial_peer(session->dial),
		cl_dial_tls_name(session->dial), &session->engine.lease);
}

/* Only where the server has named one: other leases are as good as new until they end. */
static void set_preferred(struct cl_session *session)
{
	if (session->engine.preferred_ms != 0)
		cl_dti_preferred(session->dti, session->engine.preferred_ms);
}

static void configure(struct cl_session *session)
{
	struct cl_event event = {.type = CL_EVENT_CONFIGURED};
	char why[CL_WHY_LEN];

	if (cl_dti_configure(session->dti, &session->engine.lease, why) < 0) {
		cl_directory_stop(session->directory);
		event.type = CL_EVENT_FAILED;
		event.why = why;
	} else {
		cl_dns_watch_stop(session->dns);
		set_preferred(session);
		start_directory(session);
		log_lease(&session->engine);
	}
	feed(session, &event);
}

static void arm(struct cl_session *session)
{
	char why[CL_WHY_LEN];

	cl_dns_watch_start(session->dns);
	if (cl_dti_arm(session->dti, why) < 0)
		log_warn("%s", why);
}

static void connect_server(struct cl_session *session, const struct cl_action *action)
{
	int ret = cl_dial_connect(session->dial, action, local_v6(session));

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

static void finish_if_drained(void *arg)
{
	struct cl_session *session = arg;

	if (session->is_finished && cl_dial_is_drained(session->dial))
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
		cl_dial_close(session->dial);
		break;
	case CL_ACTION_SEND:
		ret = cl_dial_send(session->dial, &action->msg);
		if (ret < 0)
			log_warn("server: cannot send: %s", strerror(-ret));
		break;
	case CL_ACTION_ARM:
		arm(session);
		break;
	case CL_ACTION_CONFIGURE:
		cl_dial_helped(session->dial);
		configure(session);
		break;
	case CL_ACTION_RENEWED:
		cl_dial_helped(session->dial);
		cl_dti_renewed(session->dti, session->engine.lease.end_ms);
		set_preferred(session);
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
 * Some IPv6 address came or went. A lease is given up when its tunnel end is gone and there is another;
 * a host without any is offline, and may be back with the same one before the lease ends. Without a
 * lease, other addresses may be another network, where the server can be reached at last.
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
		moved = session->addresses != before;
	if (moved && session->addresses != 0)
		feed(session, &(struct cl_event){.type = CL_EVENT_MOVED});
}

static uint64_t random_seed(void)
{
	uint64_t seed = 0;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed) || seed == 0)
		seed = (uint64_t)clock_utc_ms() << 16 | (uint16_t)getpid();
	return seed;
}

/* A DHCPv6 link asks again by itself, as long as somebody wants it to. */
static int64_t patience_ms(const struct cl_config *config)
{
	if (config->protocol != CL_LINK_DHCPV6)
		return 0;
	if (!config->on_demand || config->idle_s == 0)
		return DHCP6_PATIENCE_MS;
	return config->idle_s < DHCP6_PATIENCE_MIN_S ? DHCP6_PATIENCE_MIN_S * 1000LL
						     : config->idle_s * 1000LL;
}

static void init_engine(struct cl_session *session)
{
	const struct cl_config *config = session->config;
	bool is_tsp = config->protocol == CL_LINK_TSP,
	     is_dhcp6 = config->protocol == CL_LINK_DHCPV6;
	struct cl_engine_params params = {
		.generation = cl_config_generation(config),
		.n_servers = cl_servers_count(config),
		.on_demand = config->on_demand,
		.idle_s = config->idle_s,
		.accept_push = config->accept_push,
		.exclusive = config->exclusive,
		.ports = config->ports,
		.ports_max = config->exclusive || !is_tsp ? 0 : config->ports_max,
		.lifetime_s = config->lifetime_s,
		.tep = config->has_tep ? &config->tep : NULL,
		.retry_min_s = config->retry_min_s,
		.retry_max_s = config->retry_max_s,
		.patience_ms = patience_ms(config),
		.declines = is_dhcp6,
		.releases_at_end = is_dhcp6,
		.seed = random_seed(),
	};

	cl_engine_init(&session->engine, &params);
}

/* False only when there should be one and is not. */
static bool init_directory(struct cl_session *session)
{
	const struct cl_directory_params params = {
		.base = session->base,
		.peers = cl_dti_peers(session->dti),
		.auth = cl_dial_auth(session->dial),
		.tls = cl_dial_tls(session->dial),
		.asks_where = session->config->direct_auto,
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

static void on_dhcp6_reconfigured(void *arg)
{
	cl_session_tell(arg, CL_EVENT_RECONFIGURED);
}

static void on_dhcp6_count(void *arg, enum cl_counter counter)
{
	struct cl_session *session = arg;

	cl_dti_count(session->dti, counter);
}

/* False only when there should be one and is not. */
static bool init_dhcp6(struct cl_session *session)
{
	static const struct cl_dhcp6_node_ops ops = {
		.reconfigured = on_dhcp6_reconfigured,
		.count = on_dhcp6_count,
	};
	struct cl_dhcp6_node_params params = {
		.base = session->base, .config = session->config, .ops = &ops, .arg = session};

	if (session->config->protocol != CL_LINK_DHCPV6)
		return true;
	params.fd = fcntl(cl_dti_privileged(session->dti)->dhcp6_fd, F_DUPFD_CLOEXEC, 0);
	if (params.fd < 0)
		return false;
	session->dhcp6 = cl_dhcp6_node_create(&params);
	if (session->dhcp6 == NULL)
		log_err("dhcpv6: cannot begin: %s", strerror(errno));
	return session->dhcp6 != NULL;
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
	if (init_dhcp6(session))
		session->dial = cl_dial_create(base, config, session->dhcp6, &dial_ops, session);
	if (session->timer == NULL || session->watch == NULL || session->dial == NULL ||
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
	if (session == NULL)
		return;
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
	cl_dial_destroy(session->dial);
	cl_dhcp6_node_destroy(session->dhcp6);
	free(session);
}

const struct cl_engine *cl_session_engine(const struct cl_session *session)
{
	return &session->engine;
}

const char *cl_session_server(const struct cl_session *session, char buf[static CL_SERVER_STRLEN])
{
	const struct cl_engine *engine = &session->engine;

	return cl_dial_format(
		session->dial, engine->has_lease ? &engine->lease_target : &engine->target, buf);
}
