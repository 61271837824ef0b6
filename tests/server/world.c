// SPDX-License-Identifier: BSD-3-Clause
#include "world.h"

#include "common/addr.h"
#include "common/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* --- the world's side of the engine -------------------------------------------------------------- */

static struct action *record(void *arg, enum action_type type)
{
	struct world *world = arg;

	assert_true(world->n_actions < ACTIONS_MAX);
	world->actions[world->n_actions].type = type;
	return &world->actions[world->n_actions++];
}

static void act_answer(void *arg, struct srv_session *session, const struct tsp_msg *msg)
{
	struct action *action = record(arg, ANSWER);

	action->session = session;
	action->msg = *msg;
	if (session->answer != NULL)
		session->answer(session, msg);
}

static bool act_put(void *arg, const struct srv_lease *lease, int64_t until_ms, struct srv_job *job)
{
	struct world *world = arg;
	struct action *action = record(arg, PUT);

	action->lease = lease->lease;
	action->state = lease->state;
	action->id = lease->id;
	action->until_ms = until_ms;
	action->job = job;
	action->reason = world->next_reason;
	action->event = world->next_event;
	world->next_reason = NULL;
	return true;
}

static void act_remove(void *arg, uint64_t id)
{
	record(arg, REMOVE)->id = id;
}

static void act_together(void *arg, bool on)
{
}

static void act_record(
	void *arg, const struct srv_lease *lease, enum srv_record_event event, const char *reason)
{
	struct world *world = arg;

	assert_null(world->next_reason);
	world->next_event = event;
	world->next_reason = reason;
}

static void act_over_quota(void *arg, const struct in6_addr *client_v6, const char *user)
{
	struct world *world = arg;

	world->over_quota++;
}

static uint32_t act_stamp(void *arg, int64_t end_ms)
{
	return (uint32_t)(end_ms / 1000);
}

static enum srv_tep_state act_tep_state(void *arg, uint32_t tep)
{
	const struct world *world = arg;

	return world->tep_states[tep];
}

static bool act_tep_create(void *arg, uint32_t tep, const struct lease *lease, struct srv_job *job)
{
	struct world *world = arg;
	struct action *action;

	if (world->no_memory)
		return false;
	action = record(arg, TEP_CREATE);
	action->tep = tep;
	action->lease = *lease;
	action->job = job;
	return true;
}

static bool act_tep_delete(void *arg, uint32_t tep, const struct lease *lease, struct srv_job *job)
{
	struct world *world = arg;
	struct action *action = record(arg, TEP_DELETE);

	action->tep = tep;
	action->lease = *lease;
	action->job = job;
	return world->tep_states[tep] != SRV_TEP_DOWN;
}

static const struct srv_engine_ops ops = {
	.answer = act_answer,
	.put = act_put,
	.remove = act_remove,
	.together = act_together,
	.record = act_record,
	.over_quota = act_over_quota,
	.stamp = act_stamp,
	.tep_state = act_tep_state,
	.tep_create = act_tep_create,
	.tep_delete = act_tep_delete,
};

struct srv_engine_params world_params(struct world *world)
{
	return (struct srv_engine_params){
		.policy = {.lifetime_s = LIFETIME_MS / 1000, .lifetime_min_s = 1},
		.quarantine_s = QUARANTINE_MS / 1000,
		.quota = world->quota,
		.confirm_s = 30,
		.pools = world->pools,
		.n_pools = 2,
		.teps = world->teps,
		.n_teps = WORLD_TEPS,
		.ops = &ops,
		.arg = world,
		.counters = &world->counters,
	};
}

int world_setup(void **state)
{
	static const struct addr_v4_prefix shared = {0xc6336407, 32}, whole = {0xcb007101, 32};
	static const struct srv_quota_limits quota = {.client = {.leases = 2}};
	struct world *world = calloc(1, sizeof(*world));
	struct srv_engine_params params;

	log_set_level(LOG_LEVEL_ERR);
	world->now_ms = 1000000;
	world->pools[0] = (struct srv_engine_pool){
		.pool = srv_pool_create(&shared, 16384), .name = "shared"};
	world->pools[1] = (struct srv_engine_pool){
		.pool = srv_pool_create(&whole, 0), .name = "whole"};
	for (int i = 0; i < 2; i++) {
		world->pools[i].clients = &world->clients;
		world->pools[i].n_clients = 1;
		world->pools[i].teps = world->pool_teps;
		world->pools[i].n_teps = 1;
	}
	for (uint32_t i = 0; i < WORLD_TEPS; i++) {
		world->teps[i].name = "tep";
		addr_v6_parse("2001:db8::1", &world->teps[i].v6);
		world->teps[i].v6.s6_addr[15] += i;
		world->pool_teps[i].tep = i;
		world->tep_states[i] = SRV_TEP_CONNECTED;
	}
	world->quota = srv_quota_create(&quota);
	params = world_params(world);
	world->engine = srv_engine_create(&params);
	*state = world;
	return world->engine == NULL || world->quota == NULL;
}

int world_teardown(void **state)
{
	struct world *world = *state;

	srv_engine_destroy(world->engine);
	srv_quota_destroy(world->quota);
	srv_pool_destroy(world->pools[0].pool);
	srv_pool_destroy(world->pools[1].pool);
	free(world);
	return 0;
}

/* --- steps --------------------------------------------------------------------------------------- */

struct action *expect(struct world *world, enum action_type type)
{
	struct action *action = &world->actions[world->n_seen];

	assert_true(world->n_seen < world->n_actions);
	world->n_seen++;
	assert_int_equal(action->type, type);
	return action;
}

void expect_nothing(const struct world *world)
{
	assert_int_equal(world->n_seen, world->n_actions);
}

const struct tsp_msg *expect_answer(
	struct world *world, struct srv_session *session, enum tsp_status status)
{
	struct action *action = expect(world, ANSWER);

	assert_ptr_equal(action->session, session);
	assert_int_equal(action->msg.status, status);
	return &action->msg;
}

void expect_refusal(struct world *world, struct srv_session *session, enum tsp_status status)
{
	assert_int_equal(expect_answer(world, session, status)->action, TSP_ACTION_NONE);
	expect_nothing(world);
}

void expect_stored(struct world *world, enum srv_lease_state state, int error)
{
	struct action *put = expect(world, PUT);

	assert_int_equal(put->state, state);
	assert_non_null(put->job);
	expect_nothing(world);
	srv_engine_stored(world->engine, put->job, error, world->now_ms);
}

struct lease expect_tep_create(struct world *world, enum srv_tep_result result)
{
	struct action *create = expect(world, TEP_CREATE);
	struct tsp_msg info = {
		.status = TSP_STATUS_OK,
		.action = TSP_ACTION_INFO,
		.server = {.present = true,
			.has_v4 = true,
			.v4 = 0xc0000001,
			.n_v6 = 1,
			.v6 = {create->lease.tep_v6}},
	};
	struct lease lease = create->lease;

	expect_nothing(world);
	srv_engine_tep_answered(world->engine, create->job, create->tep, result,
		result == SRV_TEP_DONE ? &info : NULL, world->now_ms);
	return lease;
}

void expect_end_at_tep(struct world *world, int64_t end_ms)
{
	const struct action *create = expect(world, TEP_CREATE);

	assert_null(create->job);
	assert_int_equal(create->lease.end_ms, end_ms);
}

void expect_end(struct world *world)
{
	struct action *put;

	assert_null(expect(world, TEP_DELETE)->job);
	put = expect(world, PUT);
	assert_int_equal(put->state, SRV_LEASE_RESTING);
	assert_int_equal(put->until_ms, world->now_ms + QUARANTINE_MS);
	assert_null(put->job);
}

void begin_session(struct srv_session *session, enum tsp_generation generation, const char *user)
{
	srv_session_init(session);
	session->generation = generation;
	strcpy(session->user, user);
	addr_v6_parse("2001:db8:1::a", &session->peer);
}

struct tsp_msg make_request(enum tsp_action action, const char *client, bool ports)
{
	struct tsp_msg msg = {
		.action = action, .client = {.present = true, .n_v6 = 1, .has_ports = ports}};

	assert_int_equal(addr_v6_parse(client, &msg.client.v6[0]), 0);
	return msg;
}

void ask(struct world *world, struct srv_session *session, const struct tsp_msg *msg)
{
	srv_engine_message(world->engine, session, msg, world->now_ms);
}

void ask_create(struct world *world, struct srv_session *session, const char *client)
{
	struct tsp_msg msg = make_request(TSP_ACTION_CREATE, client, true);

	ask(world, session, &msg);
}

void ask_renewal(struct world *world, struct srv_session *session, const char *client,
	const struct lease *lease)
{
	struct tsp_msg msg = make_request(TSP_ACTION_CREATE, client, true);

	msg.client.has_v4 = true;
	msg.client.v4 = lease->v4;
	msg.client.n_ranges = lease->n_ranges;
	memcpy(msg.client.ranges, lease->ranges, sizeof(lease->ranges));
	ask(world, session, &msg);
}

void say(struct world *world, struct srv_session *session, enum tsp_action action)
{
	struct tsp_msg msg = {.action = action};

	ask(world, session, &msg);
}

struct lease make_lease(struct world *world, struct srv_session *session, const char *client)
{
	struct lease lease;

	ask_create(world, session, client);
	expect_stored(world, SRV_LEASE_PENDING, 0);
	lease = expect_tep_create(world, SRV_TEP_DONE);
	expect_stored(world, SRV_LEASE_ACTIVE, 0);
	assert_int_equal(expect_answer(world, session, TSP_STATUS_OK)->action, TSP_ACTION_INFO);
	expect_nothing(world);
	return lease;
}

void close_session(struct world *world, struct srv_session *session)
{
	srv_engine_session_closed(world->engine, session, world->now_ms);
}

void pass_ms(struct world *world, int64_t ms)
{
	world->now_ms += ms;
	srv_engine_tick(world->engine, world->now_ms);
}

uint32_t leases_in(const struct world *world, enum srv_lease_state state)
{
	return srv_lease_db_count(srv_engine_leases(world->engine), state);
}

uint64_t counted(const struct world *world, enum srv_counter counter)
{
	return world->counters.n[counter];
}
