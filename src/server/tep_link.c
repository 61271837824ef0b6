// SPDX-License-Identifier: BSD-3-Clause
#include "server/tep_link.h"

#include "common/clock.h"
#include "common/log.h"
#include "server/tep_link_impl.h"
#include "server/tep_redial.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define WINDOW      256 /* requests on their way at once */
#define DEAD_TEP_S  10 /* a TEP whose host is gone is noticed, also while nothing is asked of it */
#define CHECK_MS    100 /* how late silence is noticed */
#define OUTPUT_HIGH 65536 /* octets in the output at which we wait */

void srv_tep_link_set_state(struct srv_tep_link *link, enum srv_tep_state state)
{
	link->state = state;
	link->since_ms = clock_boot_ms();
}

void srv_tep_link_set_timer(struct event *timer, int64_t delay_ms)
{
	struct timeval delay;

	if (delay_ms < 0)
		delay_ms = 0;
	delay.tv_sec = delay_ms / 1000;
	delay.tv_usec = delay_ms % 1000 * 1000;
	evtimer_add(timer, &delay);
}

static void watch(struct srv_tep_link *link)
{
	bool idle = TAILQ_EMPTY(&link->sent) && TAILQ_EMPTY(&link->unsent);

	if (!idle && !evtimer_pending(link->check, NULL))
		srv_tep_link_set_timer(link->check, CHECK_MS);
}

/* Tells who waits, if anybody, once. */
static void tell(struct srv_tep_link *link, struct srv_tep_request *request,
	enum srv_tep_result result, const struct tsp_msg *answer)
{
	void *token = request->token;

	request->token = NULL;
	if (token != NULL)
		link->params.ops->answered(
			link->params.arg, link->params.tep, token, result, answer);
}

static void finish(struct srv_tep_link *link, struct srv_tep_request *request,
	enum srv_tep_result result, const struct tsp_msg *answer)
{
	tell(link, request, result, answer);
	free(request);
}

struct srv_tep_request *srv_tep_link_new_request(struct srv_tep_link *link,
	enum srv_tep_request_kind kind, const struct lease *lease, void *token)
{
	struct srv_tep_request *request = calloc(1, sizeof(*request));

	if (request == NULL)
		return NULL;
	request->kind = kind;
	request->token = token;
	request->deadline_ms = clock_boot_ms() + (int64_t)link->params.timeout_s * 1000;
	if (lease != NULL)
		request->lease = *lease;
	return request;
}

/* --- sending ------------------------------------------------------------------------------------- */

/* A session that takes no more is about to be closed; then the request goes on to the next one. */
static void transmit(struct srv_tep_link *link, struct srv_tep_request *request)
{
	struct tsp_msg msg;

	srv_tep_request_fill(request, &msg);
	if (link->n_sent == 0)
		link->progress_ms = clock_boot_ms();
	TAILQ_INSERT_TAIL(&link->sent, request, link);
	link->n_sent++;
	if (request->kind == SRV_TEP_CREATE || request->kind == SRV_TEP_DELETE)
		srv_tep_link_count(link, SRV_COUNT_TEP_REQUESTS);
	else if (request->kind == SRV_TEP_LEVEL)
		srv_tep_link_count(link, SRV_COUNT_TEP_LEVELLED);
	tsp_conn_send(link->conn, &msg);
}

static void add_unsent(struct srv_tep_link *link, struct srv_tep_request *request)
{
	TAILQ_INSERT_TAIL(&link->unsent, request, link);
	link->n_unsent++;
}

static void take_unsent(struct srv_tep_link *link, struct srv_tep_request *request)
{
	TAILQ_REMOVE(&link->unsent, request, link);
	link->n_unsent--;
}

void srv_tep_link_pump(struct srv_tep_link *link)
{
	struct srv_tep_request *request;

	while (link->state != SRV_TEP_DOWN && !link->telling && link->n_sent < WINDOW &&
		tsp_conn_queued(link->conn) < OUTPUT_HIGH) {
		request = TAILQ_FIRST(&link->unsent);
		if (request != NULL)
			take_unsent(link, request);
		else if (!evtimer_pending(link->more, NULL))
			request = srv_tep_link_next_of_level(link);
		if (request == NULL)
			break;
		transmit(link, request);
	}
	watch(link);
}

/* --- losing a session ---------------------------------------------------------------------------- */

/* A copy is not worth the wait: the next list brings it. */
static bool outlives_session(const struct srv_tep_request *request)
{
	return request->kind == SRV_TEP_CREATE && request->token != NULL && !request->is_copy;
}

/*
 * Creates that somebody waits for go on to the next session, in front of those that were never sent. Of the others the
 * next list tells what is true by then, and it will not name the leases of deletes.
 */
static void requeue(struct srv_tep_link *link, struct srv_tep_requests *gone)
{
	struct srv_tep_request *request, *next;

	for (request = TAILQ_FIRST(&link->unsent); request != NULL; request = next) {
		next = TAILQ_NEXT(request, link);
		if (outlives_session(request))
			continue;
		take_unsent(link, request);
		TAILQ_INSERT_TAIL(gone, request, link);
	}
	while ((request = TAILQ_LAST(&link->sent, srv_tep_requests)) != NULL) {
		TAILQ_REMOVE(&link->sent, request, link);
		if (outlives_session(request)) {
			TAILQ_INSERT_HEAD(&link->unsent, request, link);
			link->n_unsent++;
		} else {
			TAILQ_INSERT_HEAD(gone, request, link);
		}
	}
	link->n_sent = 0;
}

/* Whoever waits for it hears of it; else whoever has to know that the binding may still be there. */
static void lose_request(struct srv_tep_link *link, struct srv_tep_request *request)
{
	if (request->token == NULL && request->kind == SRV_TEP_DELETE)
		link->params.ops->delete_lost(link->params.arg, link->params.tep, &request->lease);
	tell(link, request, SRV_TEP_LOST, NULL);
}

static void lost(struct srv_tep_link *link, const char *why)
{
	struct srv_tep_requests gone = TAILQ_HEAD_INITIALIZER(gone);
	char endpoint[ADDR_ENDPOINT_STRLEN];
	struct srv_tep_request *request;

	if (link->state != SRV_TEP_DOWN || link->attempts <= 1)
		log_warn("TEP %s at %s: no session: %s", link->params.name,
			addr_endpoint_format(&link->params.control, endpoint), why);
	snprintf(link->last_error, sizeof(link->last_error), "%s", why);
	link->conn = NULL;
	link->level = (struct srv_tep_level){0};
	link->again = false;
	evtimer_del(link->look);
	if (link->state != SRV_TEP_DOWN) {
		srv_tep_link_set_state(link, SRV_TEP_DOWN);
		link->params.ops->changed(link->params.arg, link->params.tep, SRV_TEP_DOWN);
	}
	requeue(link, &gone);
	srv_tep_link_set_timer(link->dial, srv_tep_redial_ms(link->attempts++));
	watch(link);
	while ((request = TAILQ_FIRST(&gone)) != NULL) {
		TAILQ_REMOVE(&gone, request, link);
		lose_request(link, request);
		free(request);
	}
}

void srv_tep_link_hang_up(struct srv_tep_link *link, const char *why)
{
	tsp_conn_set_arg(link->conn, NULL);
	tsp_conn_close(link->conn);
	lost(link, why);
}

/* It keeps its place, but nobody waits for it any more; a delete counts as not heard. */
static void stop_waiting(struct srv_tep_link *link, struct srv_tep_request *request, int64_t now_ms)
{
	if (request->is_late || request->deadline_ms > now_ms ||
		(request->token == NULL && request->kind != SRV_TEP_DELETE))
		return;
	request->is_late = true;
	srv_tep_link_count(link, SRV_COUNT_TEP_TIMEOUTS);
	lose_request(link, request);
}

static void give_up_sent(struct srv_tep_link *link, int64_t now_ms)
{
	struct srv_tep_request *request;

	TAILQ_FOREACH(request, &link->sent, link)
		stop_waiting(link, request, now_ms);
}

/* A delete is sent all the same: nobody else would take the binding away. */
static void give_up_unsent(struct srv_tep_link *link, int64_t now_ms)
{
	struct srv_tep_request *request, *next;

	for (request = TAILQ_FIRST(&link->unsent); request != NULL; request = next) {
		next = TAILQ_NEXT(request, link);
		if (request->deadline_ms > now_ms)
			break;
		stop_waiting(link, request, now_ms);
		if (request->kind == SRV_TEP_DELETE)
			continue;
		take_unsent(link, request);
		free(request);
	}
}

/* A TEP that is busy answers late; one that answers nothing for so long has lost its session. */
static void on_check(evutil_socket_t fd, short what, void *arg)
{
	struct srv_tep_link *link = arg;
	int64_t now_ms = clock_boot_ms();

	if (link->n_sent > 0 &&
		now_ms - link->progress_ms >= (int64_t)link->params.timeout_s * 1000)
		srv_tep_link_hang_up(link, "it does not answer");
	link->telling = true;
	give_up_sent(link, now_ms);
	give_up_unsent(link, now_ms);
	link->telling = false;
	srv_tep_link_pump(link);
}

/* --- a session ----------------------------------------------------------------------------------- */

static void on_ready(struct tsp_conn *conn, void *arg)
{
	struct srv_tep_link *link = arg;

	if (link == NULL)
		return;
	srv_tep_link_count(link, SRV_COUNT_TEP_CONNECTS);
	srv_tep_link_begin_levelling(link);
}

/* --- answers ------------------------------------------------------------------------------------- */

/* A binding ends by itself, often before our delete comes: there is nothing any more, as we wanted. */
static bool is_gone_already(const struct srv_tep_request *request, const struct tsp_msg *msg)
{
	return request->kind == SRV_TEP_DELETE &&
	       msg->code == tsp_code(TSP_STATUS_UNAVAILABLE, TSP_GENERATION_2);
}

/* An older TEP knows no digests, which is no refusal of anything. */
static bool is_refusal(const struct srv_tep_request *request, const struct tsp_msg *msg)
{
	return msg->status != TSP_STATUS_OK && msg->status != TSP_STATUS_NONE &&
	       !is_gone_already(request, msg) && request->kind != SRV_TEP_DIGEST;
}

static void refused(
	struct srv_tep_link *link, const struct srv_tep_request *request, const struct tsp_msg *msg)
{
	char text[LEASE_STRLEN];

	srv_tep_link_count(link, SRV_COUNT_TEP_REFUSALS);
	log_warn("TEP %s: %s refused: %u %s", link->params.name,
		request->kind > SRV_TEP_LEVEL ? "list" : lease_format(&request->lease, text),
		msg->code, tsp_status_text(msg->status));
	if (request->kind == SRV_TEP_LEVEL ||
		(request->kind == SRV_TEP_CREATE && request->token == NULL))
		link->params.ops->create_refused(
			link->params.arg, link->params.tep, &request->lease);
}

static void on_answer(struct srv_tep_link *link, const struct tsp_msg *msg)
{
	bool is_good = msg->status == TSP_STATUS_OK || msg->status == TSP_STATUS_NONE;
	struct srv_tep_request *request = TAILQ_FIRST(&link->sent);
	struct srv_tep_request done;
	bool is_refused;

	if (request == NULL)
		return srv_tep_link_hang_up(link, "an answer without a request");
	if (is_good && !srv_tep_request_is_answer(request, msg))
		return srv_tep_link_hang_up(link, "an answer to something else");
	TAILQ_REMOVE(&link->sent, request, link);
	link->n_sent--;
	link->progress_ms = clock_boot_ms();
	done = *request;
	is_refused = is_refusal(request, msg);
	if (is_refused)
		refused(link, request, msg);
	finish(link, request, is_refused ? SRV_TEP_REFUSED : SRV_TEP_DONE, is_good ? msg : NULL);
	if (done.kind > SRV_TEP_LEVEL && is_refused)
		return srv_tep_link_hang_up(link, "it refuses to get level");
	if (done.kind > SRV_TEP_LEVEL)
		srv_tep_link_level_answered(link, &done, is_good ? msg : NULL);
	if (link->conn != NULL)
		srv_tep_link_pump(link);
}

static void on_message(struct tsp_conn *conn, const struct tsp_msg *msg, void *arg)
{
	struct srv_tep_link *link = arg;
	struct tsp_msg answer;

	if (link == NULL)
		return;
	if (msg->action != TSP_ACTION_QUERY || msg->status != TSP_STATUS_NONE)
		return on_answer(link, msg);
	link->params.ops->query(link->params.arg, link->params.tep, msg, &answer);
	tsp_conn_send(conn, &answer);
}

static void on_more(evutil_socket_t fd, short what, void *arg)
{
	srv_tep_link_pump(arg);
}

static void on_drained(struct tsp_conn *conn, void *arg)
{
	if (arg != NULL)
		srv_tep_link_pump(arg);
}

static void on_closed(
	struct tsp_conn *conn, enum tsp_close_reason reason, const char *why, void *arg)
{
	struct srv_tep_link *link = arg;

	if (link != NULL)
		lost(link, why);
}

static const struct tsp_conn_ops conn_ops = {
	.ready = on_ready,
	.message = on_message,
	.drained = on_drained,
	.closed = on_closed,
};

static void on_dial(evutil_socket_t fd, short what, void *arg)
{
	struct srv_tep_link *link = arg;
	struct tsp_conn_params params = {
		.base = link->params.base,
		.ops = &conn_ops,
		.arg = link,
		.auth = &link->auth,
		.limits = tsp_conn_default_limits,
		.generation = TSP_GENERATION_2,
		.parser = link->params.parser,
		.tls = link->params.tls_name != NULL ? *link->params.tls : NULL,
		.tls_name = link->params.tls_name,
	};

	/* A reload may have taken away what an old TEP was reached with. */
	if (link->params.tls_name != NULL && params.tls == NULL)
		return lost(link, "there are no certificates");
	params.limits.auth_timeout_s = link->params.timeout_s;
	params.limits.dead_peer_s = DEAD_TEP_S;
	link->conn = tsp_conn_connect(&params, &link->params.control);
	if (link->conn == NULL)
		lost(link, strerror(errno));
}

/* --- for the server ------------------------------------------------------------------------------ */

struct srv_tep_link *srv_tep_link_create(const struct srv_tep_link_params *params)
{
	struct srv_tep_link *link = calloc(1, sizeof(*link));

	if (link == NULL)
		return NULL;
	link->params = *params;
	link->auth = (struct tsp_auth){
		.mechanisms = TSP_MECHANISM_SCRAM_SHA_256 | TSP_MECHANISM_DIGEST_MD5 |
			      TSP_MECHANISM_EXTERNAL,
		.user = params->password != NULL ? params->user : NULL,
		.password = params->password,
	};
	TAILQ_INIT(&link->unsent);
	TAILQ_INIT(&link->sent);
	srv_tep_link_set_state(link, SRV_TEP_DOWN);
	link->dial = evtimer_new(params->base, on_dial, link);
	link->check = evtimer_new(params->base, on_check, link);
	link->more = evtimer_new(params->base, on_more, link);
	link->look = evtimer_new(params->base, srv_tep_link_look, link);
	if (link->dial == NULL || link->check == NULL || link->more == NULL || link->look == NULL) {
		srv_tep_link_destroy(link);
		errno = ENOMEM;
		return NULL;
	}
	srv_tep_link_set_timer(link->dial, 0);
	return link;
}

void srv_tep_link_destroy(struct srv_tep_link *link)
{
	if (link == NULL)
		return;
	if (link->conn != NULL) {
		tsp_conn_set_arg(link->conn, NULL);
		tsp_conn_close(link->conn);
	}
	if (link->dial != NULL)
		event_free(link->dial);
	if (link->check != NULL)
		event_free(link->check);
	if (link->more != NULL)
		event_free(link->more);
	if (link->look != NULL)
		event_free(link->look);
	srv_tep_requests_free(&link->unsent);
	srv_tep_requests_free(&link->sent);
	free(link);
}

static void lose(struct srv_tep_link *link, struct srv_tep_requests *requests)
{
	struct srv_tep_request *request;

	TAILQ_FOREACH(request, requests, link)
		lose_request(link, request);
}

void srv_tep_link_lose(struct srv_tep_link *link)
{
	link->telling = true;
	if (link->state != SRV_TEP_DOWN)
		link->params.ops->changed(link->params.arg, link->params.tep, SRV_TEP_DOWN);
	lose(link, &link->sent);
	lose(link, &link->unsent);
	link->telling = false;
}

uint32_t srv_tep_link_timeout_s(const struct srv_tep_link *link)
{
	return link->params.timeout_s;
}

bool srv_tep_link_create_binding(
	struct srv_tep_link *link, const struct lease *lease, bool is_copy, void *token)
{
	struct srv_tep_request *request;

	if (token == NULL && link->state == SRV_TEP_DOWN)
		return false;
	request = srv_tep_link_new_request(link, SRV_TEP_CREATE, lease, token);
	if (request == NULL) {
		log_err("TEP %s: out of memory", link->params.name);
		return false;
	}
	request->is_copy = is_copy;
	add_unsent(link, request);
	srv_tep_link_pump(link);
	return true;
}

bool srv_tep_link_delete_binding(struct srv_tep_link *link, const struct lease *lease, void *token)
{
	struct srv_tep_request *request;

	if (link->state == SRV_TEP_DOWN)
		return false;
	request = srv_tep_link_new_request(link, SRV_TEP_DELETE, lease, token);
	if (request == NULL)
		return false;
	add_unsent(link, request);
	srv_tep_link_pump(link);
	return true;
}

uint32_t srv_tep_link_backlog(const struct srv_tep_link *link)
{
	return link->n_unsent + (link->level.step == SRV_LEVEL_IDLE ? link->n_sent : 0);
}

struct srv_tep_status srv_tep_link_status(const struct srv_tep_link *link)
{
	return (struct srv_tep_status){
		.state = link->state,
		.since_ms = link->since_ms,
		.last_error = link->last_error,
		.compare = &link->compare,
	};
}
