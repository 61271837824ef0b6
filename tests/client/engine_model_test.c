// SPDX-License-Identifier: BSD-3-Clause
/*
 * The lease engine, model-checked: every event in every state that any order of events can reach.
 *
 * States are told apart by a key: all of the engine that decides what it does next, with the times
 * in classes (a lease before its half, before its last eighth, in it, over; a pause over or not; in
 * use or not) and without the counters that only make pauses longer. The search goes on until no new key turns
 * up, so it is complete but for what the classes hide; of each key several states with different
 * times are followed. What must be true is checked behind each step (check_step), and for each state
 * it is tried what becomes of it: told to stop, with a server that helps, and with servers that do not.
 *
 * A broken rule prints the events that lead there.
 */
#include "engine_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LIFETIME_S 64
#define IDLE_S     40
#define SAME_KEY   2 /* states that are followed of each key */
#define NODES_MAX  (1 << 19)
#define SLOTS      (1 << 20)

enum host {
	HOST_BARE,
	HOST_ARMED,
	HOST_CONFIGURED,
};

/* An event, and when it comes. */
struct move {
	const char *name;
	struct cl_event event;
	enum {
		AT_ONCE,
		AT_DEADLINE,
		AT_END, /* of the lease: later than it was due */
		AT_REBIND,
		AT_IDLE,
	} when;
	bool uses; /* an application used the tunnel just before */
};

struct node {
	struct cl_engine engine;
	int64_t now_ms;
	enum host host;
	uint8_t owed; /* answers, on that connection */
	bool is_open; /* a connection is, as the actions and events have it */
	struct cl_target target; /* whom to, with is_open */
	uint32_t parent;
	int move; /* that led here from parent; -1: the beginning */
};

struct model {
	struct node *nodes;
	uint32_t n_nodes, n_keys;
	uint64_t n_steps;
	uint64_t *hashes; /* of keys, 0: free */
	uint8_t *counts; /* nodes of that key */
	/* the step that runs, for what is said of a broken rule */
	const struct node *from;
	const char *with;
};

static struct model model;
static struct tsp_msg messages[24];
static struct move moves[48];
static int n_moves;

static const struct tsp_msg *keep(struct tsp_msg msg)
{
	static uint32_t n;

	assert_true(n < sizeof(messages) / sizeof(messages[0]));
	messages[n] = msg;
	return &messages[n++];
}

static struct move *add_move(const char *name, struct cl_event event)
{
	assert_true((size_t)n_moves < sizeof(moves) / sizeof(moves[0]));
	moves[n_moves] = (struct move){.name = name, .event = event};
	return &moves[n_moves++];
}

static void add_message(const char *name, struct tsp_msg msg)
{
	add_move(name, (struct cl_event){.type = CL_EVENT_MESSAGE, .msg = keep(msg)});
}

static struct tsp_msg good_info(void)
{
	struct tsp_msg msg = rig_info();

	msg.lifetime_s = LIFETIME_S;
	return msg;
}

static struct tsp_msg redirection(bool with_v6)
{
	struct tsp_msg msg = {.status = TSP_STATUS_BUSY, .code = 1530, .action = TSP_ACTION_LIST};

	msg.n_brokers = 2;
	msg.brokers[0] = (struct tsp_broker){.is_v4 = true, .v4 = 0xc0000207};
	msg.brokers[1] = (struct tsp_broker){.is_v4 = !with_v6, .v6 = rig_v6("2001:db8:9::1")};
	return msg;
}

static void add_messages(void)
{
	struct tsp_msg msg = good_info();

	add_message("info", msg);
	msg.client.v4++;
	add_message("info of another address", msg);
	msg = good_info();
	msg.client.ranges[msg.client.n_ranges++] = (struct port_range){50000, 50063};
	add_message("info with more ranges", msg);
	msg = good_info();
	msg.client.v6[0] = rig_v6("2001:db8:1::99");
	add_message("info for another host", msg);
	msg = good_info();
	msg.client.has_v4 = false;
	add_message("info without an address", msg);
	add_message(
		"success without an info", (struct tsp_msg){.status = TSP_STATUS_OK, .code = 200});
	add_message("busy", rig_refusal(TSP_STATUS_BUSY, TSP_GENERATION_2));
	add_message("exhausted", rig_refusal(TSP_STATUS_POOL_EXHAUSTED, TSP_GENERATION_2));
	add_message("renewal refused", rig_refusal(TSP_STATUS_RENEWAL_REFUSED, TSP_GENERATION_2));
	add_message("not authenticated", rig_refusal(TSP_STATUS_AUTH_FAILED, TSP_GENERATION_2));
	add_message("redirection", redirection(true));
	add_message("redirection to nowhere", redirection(false));
	msg = good_info();
	msg.status = TSP_STATUS_NONE;
	msg.action = TSP_ACTION_CREATE;
	add_message("pushed create", msg);
	msg.client.v6[0] = rig_v6("2001:db8:1::99");
	add_message("pushed create for another host", msg);
	msg = good_info();
	msg.status = TSP_STATUS_NONE;
	msg.action = TSP_ACTION_DELETE;
	add_message("pushed delete", msg);
	msg.client.v4++;
	add_message("pushed delete of another lease", msg);
}

static void add_moves(void)
{
	struct cl_event ready = {.type = CL_EVENT_READY, .v6 = rig_v6("2001:db8:1::17")};
	struct cl_event elsewhere = {.type = CL_EVENT_READY, .v6 = rig_v6("2001:db8:2::17")};

	add_move("start", (struct cl_event){.type = CL_EVENT_START});
	add_move("stop", (struct cl_event){.type = CL_EVENT_STOP});
	add_move("timer", (struct cl_event){.type = CL_EVENT_TIMER})->when = AT_DEADLINE;
	add_move("early timer", (struct cl_event){.type = CL_EVENT_TIMER});
	add_move("late timer", (struct cl_event){.type = CL_EVENT_TIMER})->when = AT_END;
	add_move("timer in the last eighth", (struct cl_event){.type = CL_EVENT_TIMER})
		->when = AT_REBIND;
	add_move("timer, unused", (struct cl_event){.type = CL_EVENT_TIMER})->when = AT_IDLE;
	add_move("timer, used", (struct cl_event){.type = CL_EVENT_TIMER})->when = AT_DEADLINE;
	moves[n_moves - 1].uses = true;
	add_move("ready", ready);
	add_move("ready when the lease is over", ready)->when = AT_END;
	add_move("ready at another address", elsewhere);
	add_move("closed", (struct cl_event){.type = CL_EVENT_CLOSED, .reason = TSP_CLOSE_PEER});
	add_move("closed for the version",
		(struct cl_event){.type = CL_EVENT_CLOSED, .reason = TSP_CLOSE_VERSION});
	add_move("closed unauthenticated",
		(struct cl_event){.type = CL_EVENT_CLOSED, .reason = TSP_CLOSE_AUTH});
	add_move("configured", (struct cl_event){.type = CL_EVENT_CONFIGURED});
	add_move("failed", (struct cl_event){.type = CL_EVENT_FAILED});
	add_move("moved", (struct cl_event){.type = CL_EVENT_MOVED});
	add_move("unbound", (struct cl_event){.type = CL_EVENT_UNBOUND});
	add_move("demand", (struct cl_event){.type = CL_EVENT_DEMAND});
	add_move("short of ports", (struct cl_event){.type = CL_EVENT_SHORT});
	add_move("suspect", (struct cl_event){.type = CL_EVENT_SUSPECT});
	add_messages();
}

static void print_path(const struct node *node)
{
	if (node->move < 0) {
		print_error("generation %u, servers %u, on demand %d, push %d\n",
			node->engine.params.generation, node->engine.params.n_servers,
			node->engine.params.on_demand, node->engine.params.accept_push);
		return;
	}
	print_path(&model.nodes[node->parent]);
	print_error("  %s -> %s\n", moves[node->move].name, cl_state_name(node->engine.state));
}

static void require(bool holds, const char *rule)
{
	if (holds)
		return;
	print_path(model.from);
	print_error("  %s: broken: %s\n", model.with, rule);
	fail();
}

static bool is_expired(const struct cl_engine *engine, int64_t now_ms)
{
	return now_ms >= engine->lease.end_ms;
}

/* What the actions do, one after the other, and what must be true of their order. */
static void follow(struct node *node, const struct cl_actions *actions)
{
	bool ended = false;

	for (uint32_t i = 0; i < actions->n; i++) {
		const struct cl_action *action = &actions->items[i];

		require(!ended, "an action that feeds back is the last of its step");
		switch (action->type) {
		case CL_ACTION_CONNECT:
			require(!node->is_open, "at most one connection");
			require(action->target.server < node->engine.params.n_servers,
				"only servers of the list");
			node->is_open = ended = true;
			node->target = action->target;
			node->owed = 0;
			break;
		case CL_ACTION_CLOSE:
			require(node->is_open, "only what is open is closed");
			node->is_open = false;
			break;
		case CL_ACTION_SEND:
			require(node->is_open, "messages go to an open connection");
			if (action->msg.action == TSP_ACTION_CREATE)
				require(node->owed++ == 0, "what is asked gets its own answer");
			else if (action->msg.action == TSP_ACTION_DELETE)
				node->owed++;
			break;
		case CL_ACTION_ARM:
			require(node->host != HOST_CONFIGURED, "armed without a lease");
			node->host = HOST_ARMED;
			break;
		case CL_ACTION_CONFIGURE:
			node->host = HOST_CONFIGURED;
			ended = true;
			break;
		case CL_ACTION_DECONFIGURE:
			node->host = HOST_BARE;
			break;
		case CL_ACTION_RENEWED:
			require(node->host == HOST_CONFIGURED,
				"only what is configured is renewed");
			break;
		case CL_ACTION_FINISHED:
			ended = true;
			break;
		case CL_ACTION_REPORT:
			break;
		}
	}
}

static bool holds_lease(enum cl_state state)
{
	return state == CL_STATE_CONFIGURING || state == CL_STATE_BOUND ||
	       state == CL_STATE_RENEWING || state == CL_STATE_RELEASING;
}

/* The host is what the state says, so no packet leaves without a lease. */
static enum host host_of(const struct cl_engine *engine)
{
	bool stops = engine->state == CL_STATE_STOPPED ||
		     (engine->state == CL_STATE_RELEASING && engine->is_stopping);

	if (engine->has_lease && engine->state != CL_STATE_RELEASING)
		return HOST_CONFIGURED;
	return engine->params.on_demand && !stops ? HOST_ARMED : HOST_BARE;
}

static bool same_target(const struct cl_target *a, const struct cl_target *b)
{
	return a->server == b->server && a->is_redirected == b->is_redirected &&
	       addr_v6_equal(&a->v6, &b->v6);
}

static void check_state(const struct node *node)
{
	const struct cl_engine *engine = &node->engine;
	int64_t deadline_ms = cl_engine_deadline(engine);
	bool may_wait = engine->state == CL_STATE_STOPPED ||
			(engine->state == CL_STATE_IDLE &&
				(!engine->params.accept_push || engine->conn == CL_CONN_READY));

	require(engine->has_lease == holds_lease(engine->state), "a lease is held by its states");
	require((deadline_ms == CL_NEVER) == may_wait, "whoever waits has a deadline");
	require(node->host == host_of(engine), "the host is as the lease is");
	require(node->is_open == (engine->conn != CL_CONN_NONE), "connections are known");
	if (engine->has_lease && engine->state != CL_STATE_RELEASING) {
		require(deadline_ms <= engine->lease.end_ms, "no lease without its end");
		require(!is_expired(engine, node->now_ms), "no lease beyond its end");
	}
	if (engine->state == CL_STATE_RELEASING && node->is_open)
		require(same_target(&node->target, &engine->lease_target),
			"who gave a lease gets it back");
	require(!engine->is_pushed || engine->state == CL_STATE_CONFIGURING,
		"a pushed lease is soon answered");
	require(!engine->asks_more || engine->state == CL_STATE_RENEWING ||
			engine->state == CL_STATE_CONFIGURING,
		"more is asked for once");
	if (engine->state == CL_STATE_STOPPED)
		require(engine->conn == CL_CONN_NONE, "stopped is stopped");
	if (engine->state == CL_STATE_CONNECTING)
		require(engine->conn == CL_CONN_OPENING, "connecting leads to a connection");
	if (engine->state == CL_STATE_REQUESTING)
		require(engine->conn == CL_CONN_READY, "requests need a connection");
}

static bool has_sent(const struct cl_actions *actions, enum tsp_action what, bool a_refusal)
{
	for (uint32_t i = 0; i < actions->n; i++) {
		const struct tsp_msg *msg = &actions->items[i].msg;
		bool refuses = msg->action == TSP_ACTION_NONE && msg->status > TSP_STATUS_OK;

		if (actions->items[i].type == CL_ACTION_SEND &&
			(a_refusal ? refuses : msg->action == what))
			return true;
	}
	return false;
}

/* A lease that the server has granted is held, or given back in words. */
static void check_grant(const struct node *before, const struct cl_event *event,
	const struct node *after, const struct cl_actions *actions)
{
	const struct tsp_msg *msg = event->msg;
	bool asked = before->engine.state == CL_STATE_REQUESTING ||
		     before->engine.state == CL_STATE_RENEWING;
	bool holds;

	if (event->type != CL_EVENT_MESSAGE || before->engine.conn != CL_CONN_READY ||
		!msg->client.has_v4 ||
		(before->engine.has_lease && is_expired(&before->engine, after->now_ms)))
		return;
	if (!(asked && msg->action == TSP_ACTION_INFO) && msg->action != TSP_ACTION_CREATE)
		return;
	holds = after->engine.has_lease && after->engine.lease.v4 == msg->client.v4;
	require(holds || has_sent(actions, TSP_ACTION_REJECT, false) ||
			has_sent(actions, TSP_ACTION_DELETE, false) ||
			has_sent(actions, TSP_ACTION_NONE, true),
		"what is granted is held or given back");
	if (before->engine.asks_more)
		require(after->engine.lease.v4 == before->engine.lease.v4,
			"more ports cost no address");
}

/* A lease goes for a reason alone, and its host first. */
static void check_loss(const struct node *before, const struct cl_event *event,
	const struct node *after, const struct cl_actions *actions)
{
	const struct cl_engine *engine = &before->engine;
	bool by_host = event->type == CL_EVENT_MOVED || event->type == CL_EVENT_FAILED ||
		       event->type == CL_EVENT_READY || event->type == CL_EVENT_UNBOUND;
	bool by_server = event->type == CL_EVENT_MESSAGE && engine->conn == CL_CONN_READY;
	bool unaccepted = engine->state == CL_STATE_CONFIGURING;

	if (!engine->has_lease || after->engine.has_lease)
		return;
	require(engine->state == CL_STATE_RELEASING || is_expired(engine, after->now_ms) ||
			by_host || by_server || unaccepted,
		"a lease is not lost for nothing");
	if (event->type == CL_EVENT_UNBOUND && !is_expired(engine, after->now_ms))
		require(after->engine.state == CL_STATE_BACKOFF, "whom the TEP forgets pauses");
	for (uint32_t i = 0; i < actions->n; i++) {
		if (actions->items[i].type == CL_ACTION_DECONFIGURE)
			return;
		require(actions->items[i].type == CL_ACTION_REPORT ||
				engine->state == CL_STATE_RELEASING,
			"the host goes bare before anything else happens");
	}
}

static int64_t time_of(const struct node *node, const struct move *move)
{
	const struct cl_engine *engine = &node->engine;
	int64_t when_ms = node->now_ms;

	if (move->when == AT_DEADLINE)
		when_ms = cl_engine_deadline(engine);
	else if (move->when == AT_END && engine->has_lease)
		when_ms = engine->lease.end_ms;
	else if (move->when == AT_REBIND && engine->has_lease)
		when_ms = engine->lease.end_ms - LIFETIME_S * 1000 / 8;
	else if (move->when == AT_IDLE)
		when_ms = engine->used_ms + IDLE_S * 1000;
	return when_ms > node->now_ms && when_ms != CL_NEVER ? when_ms : node->now_ms;
}

/* One event; all rules are checked. */
static void take(struct node *node, const struct move *move)
{
	const struct node before = *node;
	struct cl_event event = move->event;
	struct cl_actions actions;

	model.with = move->name;
	model.n_steps++;
	node->now_ms = time_of(node, move);
	if (move->uses)
		event.used_ms = node->now_ms;
	node->engine.random = 42;
	if (event.type == CL_EVENT_CLOSED)
		node->is_open = false;
	if (event.type == CL_EVENT_MESSAGE && event.msg->status != TSP_STATUS_NONE &&
		node->owed > 0)
		node->owed--;
	if (event.type == CL_EVENT_FAILED && node->engine.state == CL_STATE_CONFIGURING)
		node->host = HOST_BARE;
	cl_engine_step(&node->engine, &event, node->now_ms, &actions);
	follow(node, &actions);
	check_state(node);
	check_grant(&before, &event, node, &actions);
	check_loss(&before, &event, node, &actions);
}

static const struct move *named(const char *name)
{
	for (int i = 0; i < n_moves; i++) {
		if (strcmp(moves[i].name, name) == 0)
			return &moves[i];
	}
	fail_msg("no move is called %s", name);
	return NULL;
}

/* What an environment says next that means well, and one that does not. */
static const struct move *help(const struct node *node)
{
	switch (node->engine.state) {
	case CL_STATE_STOPPED:
		return named("start");
	case CL_STATE_IDLE:
		return named("demand");
	case CL_STATE_CONFIGURING:
		return named("configured");
	case CL_STATE_BACKOFF:
	case CL_STATE_BOUND:
		return named("timer, used");
	default:
		return named(node->engine.conn == CL_CONN_OPENING ? "ready" : "info");
	}
}

static const struct move *hinder(const struct node *node, unsigned int how)
{
	static const char *const answers[] = {"busy", "redirection", "renewal refused", "closed"};

	if (node->engine.state == CL_STATE_CONFIGURING)
		return named("failed");
	if (node->engine.conn == CL_CONN_OPENING)
		return named(how == 3 ? "closed" : "ready");
	return named(answers[how]);
}

static bool waits(const struct node *node)
{
	const struct cl_engine *engine = &node->engine;

	return engine->state == CL_STATE_STOPPED || engine->state == CL_STATE_IDLE ||
	       engine->state == CL_STATE_BACKOFF || engine->state == CL_STATE_BOUND;
}

/* From everywhere there is a way to the end, to a lease, and to a pause. */
static void check_futures(const struct node *from)
{
	struct node node = *from;

	take(&node, named("stop"));
	if (node.engine.state != CL_STATE_STOPPED)
		take(&node, named("timer"));
	require(node.engine.state == CL_STATE_STOPPED, "a stop takes one deadline at most");

	node = *from;
	take(&node, named("stop"));
	take(&node, named("stop"));
	require(node.engine.state == CL_STATE_STOPPED, "the second stop does not wait");

	node = *from;
	for (int i = 0; i < 12 && node.engine.state != CL_STATE_BOUND; i++) {
		bool stops = node.engine.state == CL_STATE_RELEASING && node.engine.is_stopping;

		take(&node, stops ? named("timer") : help(&node));
	}
	require(node.engine.state == CL_STATE_BOUND, "who is helped gets a lease");

	for (unsigned int how = 0; how < 4; how++) {
		node = *from;
		for (int i = 0; i < 40 && !waits(&node); i++)
			take(&node, hinder(&node, how));
		require(waits(&node), "who is refused pauses");
	}
}

/* Times in classes; equal octets are one key, so there is no padding and no struct of the engine. */
struct key {
	struct in6_addr target_v6, lease_target_v6, broker;
	uint8_t target, is_redirected, lease_target, lease_is_redirected;
	uint8_t next_server, skip_server, redirects, next_broker, n_brokers, longest;
	uint8_t state, conn, generation, lease_generation, host;
	uint8_t has_lease, n_ranges, other_v4, here;
	uint8_t is_offer, is_pushed, is_stopping, is_wanted, asks_more;
	uint8_t owed, age, has_deadline, is_used, more, suspect;
};

static uint8_t age_class(const struct node *node)
{
	int64_t left_ms = node->engine.lease.end_ms - node->now_ms;

	if (!node->engine.has_lease)
		return 0;
	if (left_ms <= 0)
		return 1;
	return left_ms <= LIFETIME_S * 1000 / 8 ? 2 : left_ms <= LIFETIME_S * 1000 / 2 ? 3 : 4;
}

static void key_of_round(const struct cl_round *round, struct key *key)
{
	key->next_server = round->next_server;
	key->skip_server = round->skip_server;
	key->redirects = round->redirects;
	key->next_broker = round->next_broker;
	key->n_brokers = round->n_brokers;
	key->longest = round->longest;
	key->broker = round->brokers[0];
}

/* What no event can tell apart any more is left out: of a round that is over, of a lease that is gone. */
static void make_key(const struct node *node, struct key *key)
{
	const struct cl_engine *engine = &node->engine;
	bool asks = engine->state == CL_STATE_CONNECTING || engine->state == CL_STATE_REQUESTING ||
		    engine->state == CL_STATE_RENEWING ||
		    (engine->state == CL_STATE_IDLE && engine->conn == CL_CONN_OPENING);

	memset(key, 0, sizeof(*key));
	key->state = engine->state;
	key->conn = engine->conn;
	key->host = node->host;
	key->is_pushed = engine->is_pushed;
	key->asks_more = engine->asks_more;
	key->has_deadline = cl_engine_deadline(engine) != CL_NEVER;
	key->is_used = engine->params.on_demand && node->now_ms - engine->used_ms < IDLE_S * 1000;
	if (asks)
		key_of_round(&engine->round, key);
	if (asks || engine->conn != CL_CONN_NONE) {
		key->target = engine->target.server;
		key->is_redirected = engine->target.is_redirected;
		key->target_v6 = engine->target.v6;
		key->generation = engine->generation;
		key->owed = node->owed;
		key->here = engine->v6.s6_addr[5] == 1;
	}
	if (engine->state == CL_STATE_RELEASING) {
		key->is_stopping = engine->is_stopping;
		key->is_wanted = engine->is_wanted;
	}
	if (!engine->has_lease)
		return;
	key->has_lease = true;
	key->lease_target = engine->lease_target.server;
	key->lease_is_redirected = engine->lease_target.is_redirected;
	key->lease_target_v6 = engine->lease_target.v6;
	key->lease_generation = engine->lease_generation;
	key->n_ranges = engine->lease.n_ranges;
	key->other_v4 = engine->lease.v4 != messages[0].client.v4;
	key->is_offer = engine->state == CL_STATE_CONFIGURING && engine->is_offer;
	key->age = age_class(node);
	key->more = engine->more_ms > node->now_ms;
	key->suspect = engine->suspect_ms > node->now_ms;
}

static uint64_t hash_of(const struct node *node)
{
	const struct cl_engine_params *params = &node->engine.params;
	uint64_t hash = 0xcbf29ce484222325;
	struct key key;

	make_key(node, &key);
	key.generation |= params->generation << 4; /* of several searches, one table */
	key.conn |= params->n_servers << 4;
	key.host |= params->on_demand << 4 | params->accept_push << 5;
	for (size_t i = 0; i < sizeof(key); i++)
		hash = (hash ^ ((const uint8_t *)&key)[i]) * 0x100000001b3;
	return hash | 1;
}

/* Takes a state in, unless enough of its key are there. */
static void add(const struct node *node)
{
	uint64_t hash = hash_of(node);
	uint64_t slot = hash % SLOTS;

	while (model.hashes[slot] != 0 && model.hashes[slot] != hash)
		slot = (slot + 1) % SLOTS;
	if (model.counts[slot] == SAME_KEY)
		return;
	assert_true(model.n_nodes < NODES_MAX);
	model.n_keys += model.hashes[slot] == 0;
	model.hashes[slot] = hash;
	model.counts[slot]++;
	model.nodes[model.n_nodes++] = *node;
}

static void search(enum tsp_generation generation, uint32_t n_servers, bool on_demand, bool push)
{
	const struct cl_engine_params params = {
		.generation = generation,
		.n_servers = n_servers,
		.on_demand = on_demand,
		.idle_s = IDLE_S,
		.accept_push = push,
		.ports_max = 8192,
		.retry_min_s = 1,
		.retry_max_s = 1,
		.seed = 42,
	};
	struct node node = {.now_ms = RIG_T0, .move = -1};
	uint32_t next = model.n_nodes;

	cl_engine_init(&node.engine, &params);
	add(&node);
	for (; next < model.n_nodes; next++) {
		model.from = &model.nodes[next];
		check_futures(model.from);
		for (int i = 0; i < n_moves; i++) {
			node = *model.from;
			take(&node, &moves[i]);
			node.parent = next;
			node.move = i;
			add(&node);
		}
	}
}

static void every_event_in_every_state_keeps_the_rules(void **state)
{
	add_moves();
	for (enum tsp_generation generation = 1; generation <= 2; generation++) {
		search(generation, 1, false, false);
		search(generation, 2, false, false);
		search(generation, 2, true, false);
	}
	search(TSP_GENERATION_1, 2, true, true);
	print_message("%u states of %u keys, %lu steps: nothing new is left\n", model.n_nodes,
		model.n_keys, (unsigned long)model.n_steps);
}

static int set_up(void **state)
{
	model.nodes = calloc(NODES_MAX, sizeof(*model.nodes));
	model.hashes = calloc(SLOTS, sizeof(*model.hashes));
	model.counts = calloc(SLOTS, sizeof(*model.counts));
	return model.nodes == NULL || model.hashes == NULL || model.counts == NULL;
}

static int tear_down(void **state)
{
	free(model.nodes);
	free(model.hashes);
	free(model.counts);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_event_in_every_state_keeps_the_rules),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
