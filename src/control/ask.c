// SPDX-License-Identifier: BSD-3-Clause
#include "control/ask.h"

#include "common/clock.h"

#include <event2/event.h>
#include <rte_ip.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BURST   64 /* packets taken before other events have their turn */
#define TURN_MS 5

struct tep_ask {
	struct tep_ask_params params;
	struct tep_questions *questions;
	struct tep_sessions_asker asker;
	struct event *readable;
	struct event *turn; /* while packets wait */
	struct event *sweep;
};

uint64_t tep_ask_counter(const struct tep_ask *ask, enum tep_question_counter counter)
{
	return tep_questions_counter(ask->questions, counter);
}

/* --- what the questions want done ----------------------------------------------------------------------- */

static bool is_connected(void *arg, uint32_t server)
{
	const struct tep_ask *ask = arg;

	return tep_sessions_is_connected(ask->params.sessions, server);
}

static bool send_query(void *arg, uint32_t server, const struct dp_binding_key *key)
{
	const struct tep_ask *ask = arg;

	return tep_sessions_query(ask->params.sessions, server, key);
}

static bool give_back(void *arg, const struct dp_question *packet)
{
	const struct tep_ask *ask = arg;

	return dp_ask_give_back(ask->params.ring, packet);
}

static void remember(void *arg, const struct dp_binding_key *key)
{
	const struct tep_ask *ask = arg;

	dp_negative_add(dp_ask_negative(ask->params.ring), key, (uint64_t)clock_boot_ms(),
		ask->params.negative_ms);
}

static const struct tep_questions_ops questions_ops = {
	.is_connected = is_connected,
	.send = send_query,
	.give_back = give_back,
	.remember = remember,
};

/* --- packets ------------------------------------------------------------------------------------------ */

static void go_on(struct tep_ask *ask)
{
	static const struct timeval period = {.tv_usec = TURN_MS * 1000};

	if (tep_questions_turn(ask->questions, clock_boot_ms()) &&
		!evtimer_pending(ask->turn, NULL))
		evtimer_add(ask->turn, &period);
}

static bool has_binding(const struct tep_ask *ask, const struct dp_binding_key *key, uint32_t now_s)
{
	const struct dp_binding *found = dp_bindings_find(ask->params.bindings, key->v4, key->port);

	return found != NULL && found->end_s > now_s &&
	       (key->has_port || (found->first == 0 && found->last == UINT16_MAX));
}

/* Out of a tunnel, or it would not be here; its outer header lies in one piece, as the worker read it. */
static enum tep_question_counter learn_from(
	const struct tep_ask *ask, const struct dp_question *packet, uint32_t now_s)
{
	const struct rte_ipv6_hdr *outer = rte_pktmbuf_mtod_offset(
		packet->m, const struct rte_ipv6_hdr *, packet->outer_offset);
	struct in6_addr client, tep;

	memcpy(&client, outer->src_addr, sizeof(client));
	memcpy(&tep, outer->dst_addr, sizeof(tep));
	return tep_learn_from(ask->params.learn, &packet->key, &client, &tep, now_s);
}

/* Nobody knew when the worker looked; an answer may have come since. */
static void take(struct tep_ask *ask, const struct dp_question *packet)
{
	int64_t now_ms = clock_boot_ms();
	bool is_known = has_binding(ask, &packet->key, (uint32_t)(now_ms / 1000)) ||
			dp_negative_has(
				dp_ask_negative(ask->params.ring), &packet->key, (uint64_t)now_ms);

	if (ask->params.learn != NULL && !is_known)
		tep_questions_pass(
			ask->questions, packet, learn_from(ask, packet, (uint32_t)(now_ms / 1000)));
	else if (!is_known || !dp_ask_give_back(ask->params.ring, packet))
		tep_questions_add(ask->questions, packet, now_ms);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct tep_ask *ask = arg;
	struct dp_question packets[BURST];
	uint32_t n = dp_ask_take(ask->params.ring, packets, BURST);

	for (uint32_t i = 0; i < n; i++)
		take(ask, &packets[i]);
	go_on(ask);
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	go_on(arg);
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	const struct tep_ask *ask = arg;

	dp_negative_sweep(dp_ask_negative(ask->params.ring), (uint64_t)clock_boot_ms());
}

/* --- answers and bindings ------------------------------------------------------------------------------- */

static enum tep_answer read_answer(const struct tep_ask *ask, uint32_t server,
	const struct dp_binding_key *key, const struct tsp_msg *answer)
{
	switch (answer->status) {
	case TSP_STATUS_OK:
		return tep_sessions_take_answer(ask->params.sessions, server, key, answer)
			       ? TEP_ANSWER_HOLDER
			       : TEP_ANSWER_UNUSABLE;
	case TSP_STATUS_UNAVAILABLE:
	case TSP_STATUS_POOL_EXHAUSTED: /* the same number */
		return TEP_ANSWER_NOBODY;
	case TSP_STATUS_BUSY:
		return TEP_ANSWER_BUSY;
	default:
		return TEP_ANSWER_UNUSABLE;
	}
}

static bool on_answered(void *arg, uint32_t server, const struct tsp_msg *answer)
{
	struct tep_ask *ask = arg;
	const struct dp_binding_key *key = tep_questions_next(ask->questions, server);

	if (key == NULL)
		return false;
	tep_questions_answered(
		ask->questions, server, read_answer(ask, server, key, answer), clock_boot_ms());
	return true;
}

static void on_lost(void *arg, uint32_t server)
{
	struct tep_ask *ask = arg;

	tep_questions_lost(ask->questions, server, clock_boot_ms());
}

static void on_stands(void *arg, uint32_t number, const struct dp_binding *binding)
{
	struct tep_ask *ask = arg;
	uint32_t v4 = rte_be_to_cpu_32(binding->v4_be);
	struct port_range ports = {.first = binding->first, .last = binding->last};

	if (binding->is_dormant)
		return;
	dp_negative_void(dp_ask_negative(ask->params.ring), v4, ports);
	tep_questions_release(ask->questions, v4, ports);
}

/* --- set-up ------------------------------------------------------------------------------------------- */

static int open_events(struct tep_ask *ask)
{
	static const struct timeval period = {.tv_usec = DP_NEGATIVE_SWEEP_MS * 1000};
	struct event_base *base = ask->params.base;

	ask->readable = event_new(
		base, dp_ask_eventfd(ask->params.ring), EV_READ | EV_PERSIST, on_readable, ask);
	ask->turn = evtimer_new(base, on_turn, ask);
	ask->sweep = event_new(base, -1, EV_PERSIST, on_sweep, ask);
	if (ask->readable == NULL || ask->turn == NULL || ask->sweep == NULL ||
		event_add(ask->readable, NULL) < 0 || event_add(ask->sweep, &period) < 0)
		return -ENOMEM;
	return 0;
}

struct tep_ask *tep_ask_create(const struct tep_ask_params *params)
{
	struct tep_ask *ask = calloc(1, sizeof(*ask));
	const struct dp_bindings_observer observer = {.stands = on_stands, .arg = ask};

	if (ask == NULL)
		return NULL;
	ask->params = *params;
	ask->params.questions.ops = &questions_ops;
	ask->params.questions.arg = ask;
	ask->questions = tep_questions_create(&ask->params.questions);
	if (ask->questions == NULL || open_events(ask) != 0) {
		tep_ask_destroy(ask);
		return NULL;
	}
	ask->asker = (struct tep_sessions_asker){
		.answered = on_answered, .lost = on_lost, .arg = ask};
	if (params->sessions != NULL)
		tep_sessions_set_asker(params->sessions, &ask->asker);
	dp_bindings_observe(params->bindings, &observer);
	return ask;
}

void tep_ask_destroy(struct tep_ask *ask)
{
	if (ask == NULL)
		return;
	if (ask->params.sessions != NULL)
		tep_sessions_set_asker(ask->params.sessions, NULL);
	dp_bindings_forget(ask->params.bindings, ask);
	if (ask->readable != NULL)
		event_free(ask->readable);
	if (ask->turn != NULL)
		event_free(ask->turn);
	if (ask->sweep != NULL)
		event_free(ask->sweep);
	tep_questions_destroy(ask->questions);
	free(ask);
}
