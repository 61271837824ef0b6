// SPDX-License-Identifier: BSD-3-Clause
#include "client/dhcp6_link.h"

#include "client/dhcp6_exchange.h"
#include "client/dhcp6_node.h"
#include "client/v6_addrs.h"
#include "common/clock.h"
#include "common/log.h"

#include <event2/event.h>

#include <errno.h>
#include <net/if.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define REBIND_PART 8 /* of the lifetime: the last one, where T2 is not named */

#define MANY 4 /* messages without an answer, which are worth a line */

struct dhcp6_link {
	struct cl_link link; /* first: the one is the other */
	struct cl_dhcp6_listener listener;
	const struct cl_link_ops *ops;
	void *arg;
	const struct cl_config *config;
	struct cl_dhcp6_node *node; /* NULL: gone */
	struct addr_endpoint peer;
	struct in6_addr local;
	struct cl_dhcp6_exchange exchange;
	struct event *timer; /* of the exchange */
	struct event *soon; /* goes on from the event loop */
	struct tsp_msg answer; /* with has_answer: to be given soon */
	bool has_answer, is_ready, is_closing, is_announcing;
	enum tsp_close_reason reason;
	const char *why; /* it is over; NULL: it is not */
};

static struct dhcp6_link *of(struct cl_link *link)
{
	return (struct dhcp6_link *)link;
}

static struct dhcp6_link *of_listener(struct cl_dhcp6_listener *listener)
{
	return (struct dhcp6_link *)((char *)listener - offsetof(struct dhcp6_link, listener));
}

static void go_on_soon(struct dhcp6_link *link)
{
	event_active(link->soon, EV_TIMEOUT, 0);
}

static void end_soon(struct dhcp6_link *link, enum tsp_close_reason reason, const char *why)
{
	link->reason = reason;
	link->why = why;
	go_on_soon(link);
}

static void finish(struct dhcp6_link *link)
{
	link->ops->closed(&link->link, link->reason, link->why, link->arg);
	if (link->node != NULL)
		cl_dhcp6_node_leave(&link->listener);
	event_free(link->timer);
	event_free(link->soon);
	free(link);
}

static void answer_soon(struct dhcp6_link *link, const struct tsp_msg *msg)
{
	link->answer = *msg;
	link->has_answer = true;
	go_on_soon(link);
}

/* What DHCPv6 says as the engine knows it; a lease that is gone is one whose renewal is refused. */
static enum tsp_status status_of(uint16_t code)
{
	switch (code) {
	case DHCP6_STATUS_NO_ADDRS_AVAIL:
		return TSP_STATUS_POOL_EXHAUSTED;
	case DHCP6_STATUS_NO_BINDING:
		return TSP_STATUS_RENEWAL_REFUSED;
	case DHCP6_STATUS_NOT_ON_LINK:
		return TSP_STATUS_BAD_V6;
	default:
		return TSP_STATUS_BUSY;
	}
}

static void answer_refusal(struct dhcp6_link *link, const struct dhcp6_status *status)
{
	struct tsp_msg msg = {.status = status_of(status->code), .code = status->code};

	log_warn("dhcpv6: %s%s%s", dhcp6_status_name(status->code),
		status->text[0] != '\0' ? ": " : "", status->text);
	answer_soon(link, &msg);
}

/* Behind the end of the lease, and not "never": the server has made a mistake. */
static uint32_t time_within(uint32_t t_s, uint32_t valid_s)
{
	return t_s > valid_s && t_s != UINT32_MAX ? 0 : t_s;
}

static uint32_t lifetime_of(uint32_t valid_s)
{
	return valid_s < TSP_LIFETIME_MAX_S ? valid_s : TSP_LIFETIME_MAX_S;
}

static void note_binding(struct dhcp6_link *link, const struct cl_dhcp6_step *step)
{
	const struct cl_dhcp6_grant *grant = &step->grant;
	struct cl_dhcp6_binding *binding = cl_dhcp6_node_binding(link->node);
	uint32_t lifetime_s = lifetime_of(grant->valid_s);
	uint32_t t2_s = time_within(grant->t2_s, grant->valid_s);
	int64_t now_ms = clock_boot_ms();

	if (t2_s == 0)
		t2_s = lifetime_s - lifetime_s / REBIND_PART;
	*binding = (struct cl_dhcp6_binding){
		.lease = grant->lease,
		.giver = step->giver,
		.rebind_ms = now_ms + (int64_t)t2_s * 1000,
	};
	binding->lease.end_ms = now_ms + (int64_t)lifetime_s * 1000;
}

static void answer_lease(struct dhcp6_link *link, const struct cl_dhcp6_grant *grant)
{
	struct tsp_msg msg = {
		.status = TSP_STATUS_OK,
		.action = TSP_ACTION_INFO,
		.has_lifetime = true,
		.lifetime_s = lifetime_of(grant->valid_s),
		.renew_s = time_within(grant->t1_s, grant->valid_s),
		.rebind_s = time_within(grant->t2_s, grant->valid_s),
		.preferred_s = grant->preferred_s > 0 ? lifetime_of(grant->preferred_s) : 1,
		.server = {.present = true, .n_v6 = 1, .v6 = {grant->lease.tep_v6}},
	};

	tsp_party_from_lease(&msg.client, &grant->lease);
	link->local = grant->lease.client_v6;
	answer_soon(link, &msg);
}

static void set_timer(struct dhcp6_link *link)
{
	int64_t deadline_ms = cl_dhcp6_exchange_deadline(&link->exchange);
	int64_t wait_ms = deadline_ms - clock_boot_ms();
	struct timeval wait;

	if (deadline_ms == CL_DHCP6_NEVER) {
		event_del(link->timer);
		return;
	}
	if (wait_ms < 0)
		wait_ms = 0;
	wait = (struct timeval){.tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000};
	event_add(link->timer, &wait);
}

static bool step(struct dhcp6_link *link, const struct cl_dhcp6_event *event);

/* A lease that this host cannot use goes back, and the link is over. */
static void decline_unusable(struct dhcp6_link *link, const struct cl_dhcp6_step *done)
{
	struct cl_dhcp6_event event = {
		.type = CL_DHCP6_EVENT_DECLINE,
		.lease = &done->grant.lease,
		.giver = &done->giver,
	};

	link->is_closing = true;
	step(link, &event);
	end_soon(link, TSP_CLOSE_ERROR, done->why);
}

static void act_on(struct dhcp6_link *link, const struct cl_dhcp6_step *done)
{
	const struct tsp_msg ok = {.status = TSP_STATUS_OK};

	switch (done->outcome) {
	case CL_DHCP6_PENDING:
		break;
	case CL_DHCP6_GRANTED:
		note_binding(link, done);
		answer_lease(link, &done->grant);
		break;
	case CL_DHCP6_REFUSED:
		answer_refusal(link, &done->status);
		break;
	case CL_DHCP6_UNUSABLE:
		decline_unusable(link, done);
		break;
	case CL_DHCP6_DONE:
		if (link->is_closing)
			end_soon(link, TSP_CLOSE_LOCAL, "closed");
		else if (!link->is_announcing)
			answer_soon(link, &ok);
		break;
	case CL_DHCP6_UNANSWERED:
		end_soon(link, TSP_CLOSE_TIMEOUT,
			done->why != NULL ? done->why : "no server answers");
		break;
	}
}

/* True when the event was a message that was waited for. */
static bool step(struct dhcp6_link *link, const struct cl_dhcp6_event *event)
{
	struct cl_dhcp6_step done;
	int ret;

	cl_dhcp6_exchange_step(&link->exchange, event, clock_boot_ms(), &done);
	if (done.is_accepted)
		cl_dhcp6_node_take_key(link->node, event->msg);
	if (done.is_sent) {
		if (link->exchange.sent == MANY)
			log_warn("dhcpv6: no server has answered so far");
		ret = cl_dhcp6_node_send(link->node, &done.msg, &link->local);
		if (ret < 0)
			log_warn("dhcpv6: %s cannot be sent: %s", dhcp6_type_name(done.msg.type),
				strerror(-ret));
	}
	set_timer(link);
	act_on(link, &done);
	return done.is_accepted;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct dhcp6_link *link = arg;

	if (link->node != NULL)
		step(link, &(struct cl_dhcp6_event){.type = CL_DHCP6_EVENT_TIMER});
}

static bool on_message(struct cl_dhcp6_listener *listener, const struct dhcp6_msg *msg)
{
	return step(of_listener(listener),
		&(struct cl_dhcp6_event){.type = CL_DHCP6_EVENT_MESSAGE, .msg = msg});
}

static void on_hush(struct cl_dhcp6_listener *listener)
{
	struct dhcp6_link *link = of_listener(listener);

	if (link->is_closing && link->why == NULL)
		end_soon(link, TSP_CLOSE_LOCAL, "closed");
}

static void on_gone(struct cl_dhcp6_listener *listener)
{
	struct dhcp6_link *link = of_listener(listener);

	link->node = NULL;
	link->reason = TSP_CLOSE_LOCAL;
	link->why = "closed";
	finish(link);
}

static void init_exchange(struct dhcp6_link *link);

/* Who waits for a demand can be told of one only when a server knows it (R36). */
static void announce(struct dhcp6_link *link)
{
	if (!link->config->accept_push || !link->config->on_demand || link->is_closing ||
		link->why != NULL || link->exchange.phase != CL_DHCP6_IDLE)
		return;
	init_exchange(link);
	link->is_announcing = true;
	step(link, &(struct cl_dhcp6_event){.type = CL_DHCP6_EVENT_ANNOUNCE});
}

/* The link lives until the end, which comes from here too. */
static void on_soon(evutil_socket_t fd, short what, void *arg)
{
	struct dhcp6_link *link = arg;

	if (link->why == NULL && !link->is_ready && !link->is_closing) {
		link->is_ready = true;
		link->ops->ready(&link->link, link->arg);
		announce(link);
	} else if (link->has_answer && !link->is_closing) {
		link->has_answer = false;
		link->ops->message(&link->link, &link->answer, link->arg);
	}
	if (link->why != NULL)
		finish(link);
}

static uint64_t random_seed(void)
{
	uint64_t seed = 0;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed) || seed == 0)
		seed = (uint64_t)clock_utc_ms() << 16 | (uint16_t)getpid();
	return seed;
}

static void init_exchange(struct dhcp6_link *link)
{
	const struct cl_config *config = link->config;
	const struct cl_dhcp6_identity *identity = cl_dhcp6_node_identity(link->node);
	struct cl_dhcp6_exchange_params params = {
		.want =
			{
				.options = (enum cl_dhcp6_options)config->dhcp6.options,
				.is_stateless = config->dhcp6.stateless,
				.takes_ports = !config->exclusive,
				.codes = cl_dhcp6_config_codes(&config->dhcp6),
				.iaid = identity->iaid,
				.lifetime_s = config->lifetime_s,
				.v6 = link->local,
				.has_tep = config->has_tep,
				.tep = config->tep,
			},
		.duid = identity->duid,
		/* A Solicit has no address to wish a lifetime for. */
		.is_rapid = config->dhcp6.rapid_commit && config->lifetime_s == 0,
		.is_reconfigured = config->accept_push,
		.is_alone = config->dhcp6.has_server,
		.is_delayed = cl_dhcp6_node_is_first(link->node) && !config->on_demand,
		.seed = random_seed(),
	};

	params.want.n_ours = cl_v6_list(params.want.ours, CL_DHCP6_OURS_MAX);
	cl_dhcp6_exchange_init(&link->exchange, &params);
}

static void ask(struct dhcp6_link *link, const struct tsp_msg *msg)
{
	struct cl_dhcp6_binding *binding = cl_dhcp6_node_binding(link->node);
	struct cl_dhcp6_event event = {.type = CL_DHCP6_EVENT_ASK};
	bool is_held = msg->client.has_v4 && msg->client.v4 == binding->lease.v4 &&
		       binding->lease.end_ms > clock_boot_ms();

	if (is_held) {
		event.type = binding->must_rebind ? CL_DHCP6_EVENT_REBIND : CL_DHCP6_EVENT_RENEW;
		event.lease = &binding->lease;
		event.giver = &binding->giver;
		event.rebind_ms = binding->rebind_ms;
	}
	cl_dhcp6_node_hush_others(link->node, &link->listener);
	init_exchange(link);
	step(link, &event);
}

static void give_back(struct dhcp6_link *link, enum cl_dhcp6_event_type type)
{
	struct cl_dhcp6_binding *binding = cl_dhcp6_node_binding(link->node);
	struct cl_dhcp6_binding given = *binding;
	struct cl_dhcp6_event event = {.type = type, .lease = &given.lease, .giver = &given.giver};

	*binding = (struct cl_dhcp6_binding){0};
	init_exchange(link);
	step(link, &event);
}

static int send_message(struct cl_link *base, const struct tsp_msg *msg)
{
	struct dhcp6_link *link = of(base);

	if (link->node == NULL || link->why != NULL || link->is_closing)
		return -ENOTCONN;
	link->has_answer = link->is_announcing = false;
	if (msg->action == TSP_ACTION_CREATE)
		ask(link, msg);
	else if (msg->action == TSP_ACTION_DELETE)
		give_back(link, CL_DHCP6_EVENT_RELEASE);
	else if (msg->action == TSP_ACTION_REJECT)
		give_back(link, CL_DHCP6_EVENT_DECLINE);
	return 0;
}

static void close_link(struct cl_link *base)
{
	struct dhcp6_link *link = of(base);
	enum cl_dhcp6_phase phase = link->exchange.phase;

	if (link->is_closing)
		return;
	link->is_closing = true;
	if (phase != CL_DHCP6_RELEASE && phase != CL_DHCP6_DECLINE && link->why == NULL)
		end_soon(link, TSP_CLOSE_LOCAL, "closed");
}

static int get_local(const struct cl_link *base, struct in6_addr *addr)
{
	*addr = ((const struct dhcp6_link *)base)->local;
	return 0;
}

static const struct addr_endpoint *get_peer(const struct cl_link *base)
{
	return &((const struct dhcp6_link *)base)->peer;
}

static const char *get_tls_name(const struct cl_link *base)
{
	return NULL;
}

/* The tunnel end that servers are told; by unicast it is what the messages come from, too. */
static int choose_local(const struct cl_dhcp6_config *config, struct in6_addr *local)
{
	if (config->has_server)
		return cl_v6_source_for(&config->server, local);
	return cl_v6_choose(if_nametoindex(config->interface), local);
}

static struct cl_link *open_link(const struct cl_link_params *params)
{
	struct dhcp6_link *link = calloc(1, sizeof(*link));

	if (link == NULL)
		return NULL;
	*link = (struct dhcp6_link){
		.link.kind = &cl_dhcp6_link,
		.listener = {.message = on_message, .hush = on_hush, .gone = on_gone},
		.ops = params->ops,
		.arg = params->arg,
		.config = params->config,
		.node = params->dhcp6,
		.peer = params->server->addr,
	};
	link->timer = evtimer_new(params->base, on_timer, link);
	link->soon = evtimer_new(params->base, on_soon, link);
	if (link->timer == NULL || link->soon == NULL) {
		if (link->timer != NULL)
			event_free(link->timer);
		free(link);
		errno = ENOMEM;
		return NULL;
	}
	cl_dhcp6_node_listen(link->node, &link->listener);
	if (params->local != NULL)
		link->local = *params->local;
	else if (choose_local(&params->config->dhcp6, &link->local) < 0)
		end_soon(link, TSP_CLOSE_CONNECT,
			"this host has no global IPv6 address for the tunnel");
	go_on_soon(link);
	return &link->link;
}

const struct cl_link_kind cl_dhcp6_link = {
	.open = open_link,
	.send = send_message,
	.close = close_link,
	.local = get_local,
	.peer = get_peer,
	.tls_name = get_tls_name,
};
