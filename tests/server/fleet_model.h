// SPDX-License-Identifier: BSD-3-Clause
/*
 * Everything around the engine, as a model that fails by lot: what is on its way to a TEP, was carried out and is not
 * answered yet, or is lost with a session; a TEP that forgets all; lists that other requests overtake; a store
 * that is behind; a server that dies and knows only what the store has.
 */
#pragma once

#include "server/engine.h"

#define TEPS         3
#define CLIENTS      8
#define UNITS        8 /* of 8192 ports; the first one is never given out */
#define UNIT_PORTS   8192
#define LIFETIME_S   60
#define QUARANTINE_S 7
#define TIMEOUT_MS   5000 /* of requests to TEPs, and of TEPs that say nothing */
#define QUEUE_MAX    4096
#define ROWS_MAX     4096
#define SILENT       4 /* in how many hundredths of its steps a TEP fails */

enum kind {
	CREATE,
	DELETE,
	LEVEL,
	BEGIN,
	END
};

struct request {
	enum kind kind;
	struct lease lease;
	struct srv_job *job; /* NULL: nobody waits */
	int64_t deadline_ms;
	bool is_refused; /* when it was carried out */
	bool is_copy; /* nobody waits for another session */
	bool is_late; /* not answered by its deadline */
};

struct binding {
	bool stands;
	struct in6_addr client_v6, tep_v6;
	int64_t end_ms;
	uint32_t serial;
};

struct tep {
	enum srv_tep_state state;
	struct request queue[QUEUE_MAX]; /* in the order of their answers */
	uint32_t n, n_done; /* the first ones were carried out */
	int64_t head_ms; /* since when the first one waits */
	bool listing, again;
	uint32_t cursor, serial;
	struct binding table[UNITS];
};

struct row {
	struct srv_store_record record;
	int64_t until_ms;
	bool is_removal;
	bool goes_on; /* the next one is of the same group */
	struct srv_job *job;
};

struct model {
	struct srv_engine *engine;
	struct srv_quota *quota;
	struct srv_counters counters;
	struct srv_engine_pool pool;
	struct srv_pool_tep pool_teps[TEPS];
	struct addr_v6_prefix everybody;
	struct srv_engine_tep engine_teps[TEPS];
	struct tep teps[TEPS];
	struct srv_session sessions[CLIENTS];
	struct row rows[ROWS_MAX]; /* on disk */
	uint32_t n_rows;
	struct row writes[QUEUE_MAX]; /* not yet */
	uint32_t n_writes;
	bool is_held; /* what is written is one group */
	bool is_calm; /* nothing fails any more */
	int64_t now_ms;
	uint64_t answered, refused, queries, restarts;
};

void model_set_seed(uint64_t seed);
/* A number below sides; all that is by lot comes from the seed. */
uint32_t model_roll(uint32_t sides);
/* A TEP takes a binding, whoever had it. */
void model_place(struct model *model, struct tep *tep, const struct lease *lease);
void model_carry_out(struct model *model, struct tep *tep);
void model_begin_list(struct model *model, struct tep *tep);
void model_hear(struct model *model, uint32_t number);
void model_list_again(struct model *model, struct tep *tep);
void model_list(struct model *model, uint32_t number);
void model_lose_session(struct model *model, uint32_t number);
void model_lose_all(struct model *model, uint32_t number);
/* Who waits for too long for a TEP hears that it is lost. */
void model_give_up(struct model *model, uint32_t number);
/* The oldest change is on disk, or fails. */
void model_commit(struct model *model);
void model_begin_life(struct model *model);
void model_end_life(struct model *model);
void model_kill_server(struct model *model);
void model_reload(struct model *model);
