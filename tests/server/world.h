// SPDX-License-Identifier: BSD-3-Clause
/*
 * A world around the engine: store, TEP and clock are scripted, what the engine does is recorded and
 * has to be expected step by step. The shared pool has 198.51.100.7 in three blocks, the exclusive one
 * one address.
 */
#pragma once

#include "server/engine.h"

#define QUARANTINE_MS 120000
#define LIFETIME_MS   3600000
#define ACTIONS_MAX   256
#define WORLD_TEPS    3

enum action_type {
	ANSWER,
	PUT,
	REMOVE,
	TEP_CREATE,
	TEP_DELETE,
};

struct action {
	enum action_type type;
	struct srv_session *session;
	struct tsp_msg msg;
	uint32_t tep;
	struct lease lease;
	enum srv_lease_state state;
	uint64_t id;
	int64_t until_ms;
	struct srv_job *job;
	const char *reason; /* of the record that goes with a PUT; NULL: none */
	enum srv_record_event event;
};

struct world {
	struct srv_engine *engine;
	struct srv_quota *quota; /* two leases an address */
	struct srv_counters counters;
	struct srv_engine_pool pools[2];
	struct srv_engine_tep teps[WORLD_TEPS];
	struct srv_pool_tep pool_teps[WORLD_TEPS]; /* of both pools: at first only the first one */
	enum srv_tep_state tep_states[WORLD_TEPS];
	bool no_memory; /* for creates at the TEP */
	struct addr_v6_prefix clients; /* of both pools */
	int64_t now_ms;
	uint32_t over_quota; /* how often that was told */
	const char *next_reason; /* of the record for the next PUT */
	enum srv_record_event next_event;
	struct action actions[ACTIONS_MAX];
	uint32_t n_actions; /* recorded */
	uint32_t n_seen; /* taken by expect() */
};

int world_setup(void **state);
int world_teardown(void **state);
/* What the engine began with, to be changed. */
struct srv_engine_params world_params(struct world *world);

/* The next action that was not expected yet has to be this one. */
struct action *expect(struct world *world, enum action_type type);
void expect_nothing(const struct world *world);
const struct tsp_msg *expect_answer(
	struct world *world, struct srv_session *session, enum tsp_status status);
/* An error, and nothing else. */
void expect_refusal(struct world *world, struct srv_session *session, enum tsp_status status);
/* A job waits for the store, which then answers with error. */
void expect_stored(struct world *world, enum srv_lease_state state, int error);
/* A job waits for the TEP, which then answers. */
struct lease expect_tep_create(struct world *world, enum srv_tep_result result);
/* A create that nobody waits for: the TEP hears of an end again. */
void expect_end_at_tep(struct world *world, int64_t end_ms);
/* The lease ended: gone from the TEP, resting in the store, nobody waiting. */
void expect_end(struct world *world);

/* What sessions say. */
void begin_session(struct srv_session *session, enum tsp_generation generation, const char *user);
struct tsp_msg make_request(enum tsp_action action, const char *client, bool ports);
void ask(struct world *world, struct srv_session *session, const struct tsp_msg *msg);
void ask_create(struct world *world, struct srv_session *session, const char *client);
/* A renewal of generation 1: it names what it holds. */
void ask_renewal(struct world *world, struct srv_session *session, const char *client,
	const struct lease *lease);
void say(struct world *world, struct srv_session *session, enum tsp_action action);
/* From create to info. */
struct lease make_lease(struct world *world, struct srv_session *session, const char *client);
void close_session(struct world *world, struct srv_session *session);
/* Time passes, and the engine is told. */
void pass_ms(struct world *world, int64_t ms);

uint32_t leases_in(const struct world *world, enum srv_lease_state state);
uint64_t counted(const struct world *world, enum srv_counter counter);
