// SPDX-License-Identifier: BSD-3-Clause
#include "client/rpc_link.h"

#include "client/lookup.h"
#include "client/rpc_caller.h"
#include "rpc/rpc_bind.h"
#include "rpc/rpc_packet.h"

#include <event2/event.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define WHOLE_ADDRESS 0xffffffff /* the mask of an address that is the caller's alone */

enum step {
	STEP_LOOKUP,
	STEP_PORT, /* rpcbind is asked */
	STEP_PING, /* procedure 0 */
	STEP_READY,
};

struct rpc_link {
	struct cl_link link; /* first: the one is the other */
	struct cl_link_params params;
	struct in6_addr local, last; /* with params.local, params.last */
	uint32_t program;
	bool is_tcp;
	uint16_t port; /* as configured; 0: rpcbind knows */
	enum step step;
	struct in6_addr addresses[CL_LOOKUP_MAX]; /* to be tried */
	uint32_t n_addresses, next_address;
	struct addr_endpoint peer;
	struct cl_lookup *lookup; /* NULL: nothing is looked up */
	struct cl_rpc_caller *caller; /* NULL: none */
	struct event *soon; /* goes on from the event loop */
	bool is_closing;
	const char *why; /* what failed last */
	uint32_t xid;
	struct tsp_msg asked; /* the create or delete under way */
	bool is_asking; /* and not answered yet */
	bool asks_any; /* its second REQUEST, after a refused renewal */
};

static void end_soon(struct rpc_link *link, const char *why)
{
	link->why = why;
	event_active(link->soon, EV_TIMEOUT, 0);
}

static void finish(struct rpc_link *link, enum tsp_close_reason reason, const char *why)
{
	cl_rpc_caller_destroy(link->caller);
	link->params.ops->closed(&link->link, reason, why, link->params.arg);
	event_free(link->soon);
	free(link);
}

/* --- calls --------------------------------------------------------------------------------------- */

static int call(
	struct rpc_link *link, enum rpc_procedure procedure, const struct rpc_packet *packet)
{
	uint8_t args[RPC_PACKET_SIZE], data[RPC_MESSAGE_MAX];
	const struct rpc_call message = {
		.xid = ++link->xid,
		.program = link->program,
		.version = RPC_PROGRAM_VERSION,
		.procedure = procedure,
		.args = args,
		.args_len = packet != NULL ? sizeof(args) : 0,
	};

	if (packet != NULL)
		rpc_packet_write(packet, args);
	return cl_rpc_caller_call(link->caller, data, rpc_call_write(&message, data, sizeof(data)));
}

static int ask_for_port(struct rpc_link *link)
{
	const struct rpc_bind_entry entry = {
		.program = link->program, .version = RPC_PROGRAM_VERSION, .is_tcp = link->is_tcp};
	uint8_t data[RPC_MESSAGE_MAX];
	size_t len = rpc_bind_write(RPC_BIND_GETADDR, ++link->xid, &entry, data, sizeof(data));

	return cl_rpc_caller_call(link->caller, data, len);
}

static struct rpc_packet question_of(const struct rpc_link *link)
{
	const struct tsp_msg *msg = &link->asked;
	bool is_release = msg->action == TSP_ACTION_DELETE;
	struct rpc_packet packet = {
		.type = is_release ? RPC_PACKET_RELEASE_REQ : RPC_PACKET_REQUEST_REQ,
		.v4 = msg->client.has_v4 && !link->asks_any ? msg->client.v4 : 0,
		.extend = !is_release && msg->has_lifetime ? msg->lifetime_s : 0,
	};

	for (uint32_t i = 0; i < msg->client.n_v6; i++) {
		if (IN6_IS_ADDR_LINKLOCAL(&msg->client.v6[i]))
			packet.local = msg->client.v6[i];
	}
	return packet;
}

static int ask(struct rpc_link *link)
{
	const struct rpc_packet packet = question_of(link);
	bool is_release = link->asked.action == TSP_ACTION_DELETE;

	return call(link, is_release ? RPC_PROCEDURE_RELEASE : RPC_PROCEDURE_REQUEST, &packet);
}

/* --- answers ------------------------------------------------------------------------------------- */

static void tell(struct rpc_link *link, struct tsp_msg *msg)
{
	msg->code = tsp_code(msg->status, TSP_GENERATION_1);
	link->params.ops->message(&link->link, msg, link->params.arg);
}

static void tell_refusal(struct rpc_link *link)
{
	struct tsp_msg msg = {.status = TSP_STATUS_POOL_EXHAUSTED};

	if (link->asked.action == TSP_ACTION_DELETE)
		msg.status = TSP_STATUS_RENEWAL_REFUSED;
	else if (link->asked.client.has_v4)
		msg.status = TSP_STATUS_BUSY; /* kept until its end */
	tell(link, &msg);
}

/* A lease in ranges, which only who has it from elsewhere can use: the packet does not name them. */
static bool put_ranges(
	const struct rpc_link *link, const struct rpc_packet *packet, struct tsp_party *client)
{
	const struct tsp_party *held = &link->asked.client;

	if (packet->mask == WHOLE_ADDRESS)
		return true;
	if (!held->has_v4 || held->v4 != packet->v4 || held->n_ranges == 0)
		return false;
	client->has_ports = true;
	client->n_ranges = held->n_ranges;
	memcpy(client->ranges, held->ranges, sizeof(client->ranges));
	return true;
}

static void tell_lease(struct rpc_link *link, const struct rpc_packet *packet)
{
	struct tsp_msg msg = {
		.status = TSP_STATUS_OK,
		.action = TSP_ACTION_INFO,
		.has_lifetime = packet->ends > packet->starts,
		.lifetime_s = packet->ends - packet->starts,
		.client = {.present = true,
			.has_v4 = true,
			.v4 = packet->v4,
			.n_v6 = 1,
			.v6 = {*cl_rpc_caller_local(link->caller)}},
		.server = {.present = true,
			.has_v4 = packet->tep_v4 != 0,
			.v4 = packet->tep_v4,
			.n_v6 = 1,
			.v6 = {packet->tep_v6}},
	};

	if (msg.lifetime_s > TSP_LIFETIME_MAX_S)
		msg.lifetime_s = TSP_LIFETIME_MAX_S;
	if (!put_ranges(link, packet, &msg.client))
		msg = (struct tsp_msg){.status = TSP_STATUS_BAD_TUNNEL_TYPE};
	tell(link, &msg);
}

static void take_packet(struct rpc_link *link, const struct rpc_reply *reply)
{
	bool is_release = link->asked.action == TSP_ACTION_DELETE;
	int type = is_release ? RPC_PACKET_RELEASE_REP : RPC_PACKET_REQUEST_REP;
	struct tsp_msg done = {.status = TSP_STATUS_OK, .action = TSP_ACTION_INFO};
	struct rpc_packet packet;

	if (rpc_packet_read(reply->results, reply->results_len, &packet) < 0 || packet.type != type)
		return finish(link, TSP_CLOSE_PROTOCOL, "its answer holds no packet");
	if (packet.v4 != 0 && is_release)
		return tell(link, &done);
	if (packet.v4 != 0)
		return tell_lease(link, &packet);
	if (is_release || !link->asked.client.has_v4 || link->asks_any)
		return tell_refusal(link);
	link->asks_any = true;
	if (ask(link) < 0)
		tell_refusal(link);
}

/* --- on the way to be ready ---------------------------------------------------------------------- */

static void try_next(struct rpc_link *link);

static int create_caller(struct rpc_link *link, uint16_t port, bool is_tcp);

static void fail_step(struct rpc_link *link, const char *why)
{
	link->why = why;
	if (link->next_address < link->n_addresses)
		try_next(link);
	else
		finish(link, TSP_CLOSE_CONNECT, why);
}

static void ping(struct rpc_link *link, uint16_t port)
{
	int ret;

	cl_rpc_caller_destroy(link->caller);
	link->caller = NULL;
	link->step = STEP_PING;
	link->peer.port = port;
	ret = create_caller(link, port, link->is_tcp);
	if (ret == 0)
		ret = call(link, RPC_PROCEDURE_NULL, NULL);
	if (ret < 0)
		fail_step(link, strerrordesc_np(-ret));
}

static void take_port(struct rpc_link *link, const struct rpc_reply *reply)
{
	uint16_t port = rpc_bind_read_port(reply);

	if (port == 0)
		fail_step(link, "its rpcbind does not know the program");
	else
		ping(link, port);
}

static void on_answered(void *arg, const struct rpc_reply *reply)
{
	struct rpc_link *link = arg;

	link->is_asking = false;
	if (link->is_closing)
		return finish(link, TSP_CLOSE_LOCAL, "closed");
	if (link->step == STEP_PORT)
		return take_port(link, reply);
	if (reply->outcome != RPC_OUTCOME_SUCCESS && link->step == STEP_PING)
		return fail_step(link, rpc_outcome_text(reply->outcome));
	if (reply->outcome != RPC_OUTCOME_SUCCESS)
		return finish(link, TSP_CLOSE_PROTOCOL, rpc_outcome_text(reply->outcome));
	if (link->step == STEP_READY)
		return take_packet(link, reply);
	link->step = STEP_READY;
	link->params.ops->ready(&link->link, link->params.arg);
}

static void on_failed(void *arg, const char *why)
{
	struct rpc_link *link = arg;

	if (link->step == STEP_READY)
		finish(link, TSP_CLOSE_ERROR, why);
	else
		fail_step(link, why);
}

static int create_caller(struct rpc_link *link, uint16_t port, bool is_tcp)
{
	const struct cl_rpc_caller_params params = {
		.base = link->params.base,
		.peer = {link->peer.addr, port},
		.is_tcp = is_tcp,
		.local = link->params.local,
		.answered = on_answered,
		.failed = on_failed,
		.arg = link,
	};

	link->caller = cl_rpc_caller_create(&params);
	return link->caller != NULL ? 0 : -errno;
}

/* The next address of the server; what fails at once leaves it to the one after. */
static void try_next(struct rpc_link *link)
{
	int ret;

	cl_rpc_caller_destroy(link->caller);
	link->caller = NULL;
	link->peer.addr = link->addresses[link->next_address++];
	if (link->port != 0)
		return ping(link, link->port);
	link->step = STEP_PORT;
	ret = create_caller(link, RPC_BIND_PORT, link->is_tcp);
	if (ret == 0)
		ret = ask_for_port(link);
	if (ret < 0)
		fail_step(link, strerrordesc_np(-ret));
}

static void on_found(void *arg, const struct in6_addr *addresses, uint32_t n, const char *why)
{
	struct rpc_link *link = arg;

	link->lookup = NULL;
	memcpy(link->addresses, addresses, n * sizeof(*addresses));
	link->n_addresses = n;
	if (link->params.last != NULL)
		cl_lookup_put_last(link->addresses, n, link->params.last);
	if (link->is_closing)
		finish(link, TSP_CLOSE_LOCAL, "closed");
	else
		end_soon(link, why);
}

static void on_soon(evutil_socket_t fd, short what, void *arg)
{
	struct rpc_link *link = arg;

	if (link->is_closing)
		finish(link, TSP_CLOSE_LOCAL, "closed");
	else if (link->next_address < link->n_addresses)
		try_next(link);
	else
		finish(link, TSP_CLOSE_CONNECT, link->why);
}

/* --- the link's functions ------------------------------------------------------------------------ */

static int begin(struct rpc_link *link, const struct cl_server *server)
{
	const struct in6_addr *only = link->params.only;

	link->soon = evtimer_new(link->params.base, on_soon, link);
	if (link->soon == NULL)
		return -ENOMEM;
	if (only == NULL && server->is_name) {
		link->lookup = cl_lookup_start(link->params.base, server->name, on_found, link);
		return link->lookup != NULL ? 0 : -ENOMEM;
	}
	link->addresses[link->n_addresses++] = only != NULL ? *only : server->addr.addr;
	end_soon(link, NULL);
	return 0;
}

static struct cl_link *open_link(const struct cl_link_params *params)
{
	struct rpc_link *link = calloc(1, sizeof(*link));
	int ret;

	if (link == NULL)
		return NULL;
	link->link.kind = &cl_rpc_link;
	link->params = *params;
	link->program = params->config->rpc.program;
	link->is_tcp = params->config->rpc.transport == CL_RPC_TCP;
	link->port = params->server->addr.port;
	if (params->local != NULL) {
		link->local = *params->local;
		link->params.local = &link->local;
	}
	if (params->last != NULL) {
		link->last = *params->last;
		link->params.last = &link->last;
	}
	/* Nobody else's answer has the number of our call, if it cannot be guessed. */
	if (getrandom(&link->xid, sizeof(link->xid), GRND_NONBLOCK) < 0)
		link->xid = (uint32_t)(uintptr_t)link;
	ret = begin(link, params->server);
	if (ret == 0)
		return &link->link;
	if (link->soon != NULL)
		event_free(link->soon);
	free(link);
	errno = -ret;
	return NULL;
}

/* What else there is (accept, an answer) the protocol has no word for. */
static int send_message(struct cl_link *base, const struct tsp_msg *msg)
{
	struct rpc_link *link = (struct rpc_link *)base;

	if (link->step != STEP_READY || link->is_closing)
		return -ENOTCONN;
	if (msg->action != TSP_ACTION_CREATE && msg->action != TSP_ACTION_DELETE)
		return 0;
	link->asked = *msg;
	link->asks_any = false;
	link->is_asking = true;
	return ask(link);
}

/* A RELEASE that is under way still gets to the server: its answer, or none in time, is the end then. */
static void close_link(struct cl_link *base)
{
	struct rpc_link *link = (struct rpc_link *)base;

	if (link->is_closing)
		return;
	link->is_closing = true;
	if (link->lookup != NULL)
		cl_lookup_cancel(link->lookup);
	else if (!link->is_asking || link->asked.action != TSP_ACTION_DELETE)
		end_soon(link, "closed");
}

static int get_local(const struct cl_link *base, struct in6_addr *addr)
{
	const struct rpc_link *link = (const struct rpc_link *)base;

	if (link->step != STEP_READY)
		return -ENOTCONN;
	*addr = *cl_rpc_caller_local(link->caller);
	return 0;
}

static const struct addr_endpoint *get_peer(const struct cl_link *base)
{
	return &((const struct rpc_link *)base)->peer;
}

static const char *get_tls_name(const struct cl_link *base)
{
	return NULL;
}

const struct cl_link_kind cl_rpc_link = {
	.open = open_link,
	.send = send_message,
	.close = close_link,
	.local = get_local,
	.peer = get_peer,
	.tls_name = get_tls_name,
};
