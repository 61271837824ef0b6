// SPDX-License-Identifier: BSD-3-Clause
#include "server/rpc_front.h"

#include "common/clock.h"
#include "rpc/rpc_call.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#define WHOLE_ADDRESS 0xffffffff /* the mask of an address that is alone */

struct srv_rpc_front {
	struct srv_rpc_front_params params;
	struct event *soon; /* tells of what has been answered */
	TAILQ_HEAD(, srv_rpc_exchange) answered;
};

static void count(struct srv_rpc_front *front, enum srv_counter counter)
{
	front->params.counters->n[counter]++;
}

/* --- replies ------------------------------------------------------------------------------------- */

static void put_reply(struct srv_rpc_exchange *exchange, const struct rpc_reply *reply)
{
	exchange->reply_len = rpc_reply_write(reply, exchange->reply, sizeof(exchange->reply));
}

static void put_packet(struct srv_rpc_exchange *exchange, const struct rpc_packet *packet)
{
	uint8_t data[RPC_PACKET_SIZE];
	const struct rpc_reply reply = {
		.xid = exchange->xid, .results = data, .results_len = sizeof(data)};

	rpc_packet_write(packet, data);
	put_reply(exchange, &reply);
}

/* What was asked comes back with the answer: the link-local address, and nothing else of it. */
static struct rpc_packet refusal_of(const struct srv_rpc_exchange *exchange)
{
	return (struct rpc_packet){
		.type = exchange->is_release ? RPC_PACKET_RELEASE_REP : RPC_PACKET_REQUEST_REP,
		.local = exchange->packet.local,
	};
}

static struct rpc_packet answer_of(
	const struct srv_rpc_exchange *exchange, const struct tsp_msg *msg)
{
	struct rpc_packet packet = refusal_of(exchange);

	packet.v4 = msg->client.v4;
	packet.mask = msg->client.has_ports ? 0 : WHOLE_ADDRESS;
	packet.starts = (uint32_t)(clock_utc_ms() / 1000);
	packet.ends = packet.starts;
	if (exchange->is_release)
		return packet;
	packet.ends += msg->lifetime_s;
	packet.extend = msg->lifetime_s;
	packet.tep_v4 = msg->server.has_v4 ? msg->server.v4 : 0;
	if (msg->server.n_v6 > 0)
		packet.tep_v6 = msg->server.v6[0];
	return packet;
}

/* Within a call of the engine, which must not be called back. */
static void on_answer(struct srv_session *session, const struct tsp_msg *msg)
{
	struct srv_rpc_exchange *exchange = (struct srv_rpc_exchange *)session;
	struct srv_rpc_front *front = exchange->front;
	bool is_good = msg->status == TSP_STATUS_OK && msg->client.has_v4;
	struct rpc_packet packet = is_good ? answer_of(exchange, msg) : refusal_of(exchange);

	if (exchange->is_answered)
		return;
	if (!is_good)
		count(front, SRV_COUNT_RPC_REFUSED);
	put_packet(exchange, &packet);
	exchange->is_answered = true;
	TAILQ_INSERT_TAIL(&front->answered, exchange, link);
	event_active(front->soon, EV_TIMEOUT, 0);
}

static void on_soon(evutil_socket_t fd, short what, void *arg)
{
	struct srv_rpc_front *front = arg;
	struct srv_rpc_exchange *exchange;

	while ((exchange = TAILQ_FIRST(&front->answered)) != NULL) {
		TAILQ_REMOVE(&front->answered, exchange, link);
		srv_engine_session_closed(
			front->params.engine, &exchange->session, clock_boot_ms());
		exchange->answered(exchange);
	}
}

void srv_rpc_front_forget(struct srv_rpc_exchange *exchange)
{
	struct srv_rpc_front *front = exchange->front;

	if (exchange->is_answered)
		TAILQ_REMOVE(&front->answered, exchange, link);
	srv_engine_session_closed(front->params.engine, &exchange->session, clock_boot_ms());
}

/* --- calls --------------------------------------------------------------------------------------- */

/* Whether the lease that is meant is one in ranges, which is renewed as what it is. */
static bool holds_ranges(const struct srv_rpc_front *front, const struct srv_session *session,
	const struct rpc_packet *packet)
{
	const struct srv_lease *lease = srv_lease_db_of_client(
		srv_engine_leases(front->params.engine), &session->peer);
	bool has_ranges = false;

	for (; lease != NULL; lease = srv_lease_db_next_of_client(lease)) {
		if (!srv_lease_is_held(lease) || strcmp(lease->user, session->user) != 0)
			continue;
		if (packet->v4 != 0 && packet->v4 != lease->lease.v4)
			continue;
		if (lease_is_exclusive(&lease->lease))
			return false;
		has_ranges = true;
	}
	return has_ranges;
}

static void ask_engine(struct srv_rpc_front *front, struct srv_rpc_exchange *exchange)
{
	const struct rpc_packet *packet = &exchange->packet;
	struct srv_session *session = &exchange->session;
	struct tsp_msg msg = {
		.action = exchange->is_release ? TSP_ACTION_DELETE : TSP_ACTION_CREATE,
		.has_lifetime = !exchange->is_release && packet->extend > 0,
		.lifetime_s = packet->extend,
		.client = {.present = true,
			.has_v4 = packet->v4 != 0,
			.v4 = packet->v4,
			.n_v6 = 1,
			.v6 = {session->peer}},
	};

	if (msg.lifetime_s > TSP_LIFETIME_MAX_S)
		msg.lifetime_s = TSP_LIFETIME_MAX_S;
	msg.client.has_ports = !exchange->is_release && holds_ranges(front, session, packet);
	srv_engine_message(front->params.engine, session, &msg, clock_boot_ms());
}

static void begin_session(
	struct srv_rpc_front *front, struct srv_rpc_exchange *exchange, const struct in6_addr *peer)
{
	struct srv_session *session = &exchange->session;

	srv_session_init(session);
	session->answer = on_answer;
	session->is_single = true;
	session->generation = TSP_GENERATION_1;
	session->peer = *peer;
	session->client_v6 = *peer;
	strncpy(session->user, srv_rpc_config_user(front->params.config, peer),
		sizeof(session->user) - 1);
}

/* SUCCESS: there is nothing wrong with the call. */
static enum rpc_outcome judge(const struct srv_rpc_front *front, const struct rpc_call *call,
	struct srv_rpc_exchange *exchange)
{
	int32_t type = RPC_PACKET_REQUEST_REQ;

	if (call->program != front->params.config->program)
		return RPC_OUTCOME_PROG_UNAVAIL;
	if (call->version != RPC_PROGRAM_VERSION)
		return RPC_OUTCOME_PROG_MISMATCH;
	if (call->procedure == RPC_PROCEDURE_NULL)
		return RPC_OUTCOME_SUCCESS;
	if (call->procedure > RPC_PROCEDURE_RELEASE)
		return RPC_OUTCOME_PROC_UNAVAIL;
	exchange->is_release = call->procedure == RPC_PROCEDURE_RELEASE;
	if (exchange->is_release)
		type = RPC_PACKET_RELEASE_REQ;
	if (rpc_packet_read(call->args, call->args_len, &exchange->packet) < 0 ||
		exchange->packet.type != type)
		return RPC_OUTCOME_GARBAGE_ARGS;
	return RPC_OUTCOME_SUCCESS;
}

static enum srv_rpc_step answer_at_once(struct srv_rpc_front *front,
	struct srv_rpc_exchange *exchange, const struct rpc_reply *reply)
{
	if (reply->outcome >= RPC_OUTCOME_RPC_MISMATCH)
		count(front, SRV_COUNT_RPC_DENIED);
	else if (reply->outcome == RPC_OUTCOME_GARBAGE_ARGS)
		count(front, SRV_COUNT_RPC_GARBAGE);
	else if (reply->outcome != RPC_OUTCOME_SUCCESS)
		count(front, SRV_COUNT_RPC_UNKNOWN);
	put_reply(exchange, reply);
	return SRV_RPC_ANSWERED;
}

bool srv_rpc_front_allows(struct srv_rpc_front *front, const struct in6_addr *peer)
{
	const struct config_list *allow = &front->params.config->allow;

	if (addr_v6_prefixes_contain(allow->items, allow->n, peer))
		return true;
	count(front, SRV_COUNT_RPC_FORBIDDEN);
	return false;
}

enum srv_rpc_step srv_rpc_front_begin(struct srv_rpc_front *front,
	struct srv_rpc_exchange *exchange, const struct in6_addr *peer, const uint8_t *data,
	size_t len)
{
	struct rpc_reply reply;
	struct rpc_call call;
	int ret = rpc_call_read(data, len, &call, &reply);

	if (ret == -EBADMSG) {
		count(front, SRV_COUNT_RPC_MALFORMED);
		return SRV_RPC_DROPPED;
	}
	count(front, SRV_COUNT_RPC_CALLS);
	exchange->front = front;
	exchange->is_answered = false;
	if (ret < 0)
		return answer_at_once(front, exchange, &reply);
	reply = (struct rpc_reply){
		.xid = call.xid, .low = RPC_PROGRAM_VERSION, .high = RPC_PROGRAM_VERSION};
	exchange->xid = call.xid;
	reply.outcome = judge(front, &call, exchange);
	if (reply.outcome != RPC_OUTCOME_SUCCESS || call.procedure == RPC_PROCEDURE_NULL)
		return answer_at_once(front, exchange, &reply);
	begin_session(front, exchange, peer);
	ask_engine(front, exchange);
	return SRV_RPC_BEGUN;
}

struct srv_rpc_front *srv_rpc_front_create(const struct srv_rpc_front_params *params)
{
	struct srv_rpc_front *front = calloc(1, sizeof(*front));

	if (front == NULL)
		return NULL;
	front->params = *params;
	TAILQ_INIT(&front->answered);
	front->soon = evtimer_new(params->base, on_soon, front);
	if (front->soon != NULL)
		return front;
	free(front);
	return NULL;
}

void srv_rpc_front_destroy(struct srv_rpc_front *front)
{
	if (front == NULL)
		return;
	event_free(front->soon);
	free(front);
}
