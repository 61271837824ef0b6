// SPDX-License-Identifier: BSD-3-Clause
/*
 * What the files of the engine share. engine.c takes the events and owns the transitions, engine_server.c
 * chooses whom to ask and when to ask again, engine_request.c writes messages, engine_answer.c
 * judges those of the server, engine_lease.c keeps a lease from its grant to its end.
 */
#pragma once

#include "client/engine.h"

/* Every transition passes here. delay_ms: CL_NEVER where the state may wait for ever. */
void cl_engine_enter(struct cl_engine *engine, enum cl_state state, int64_t delay_ms);
struct cl_action *cl_engine_act(struct cl_engine *engine, enum cl_action_type type);
void cl_engine_report(struct cl_engine *engine, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* 0 to below_ms, so that clients do not march in step. */
int64_t cl_engine_jitter(struct cl_engine *engine, int64_t below_ms);
/* first_ms doubled so many times, at most max_ms. */
int64_t cl_engine_doubled(int64_t first_ms, uint32_t times, int64_t max_ms);

/* Whom to ask: engine_server.c. */
void cl_engine_connect(struct cl_engine *engine, enum cl_state state);
void cl_engine_disconnect(struct cl_engine *engine);
/* An attempt, from the first server that may help, in this state. */
void cl_engine_begin_round(struct cl_engine *engine, enum cl_state state);
/* The same server again, in generation 1. */
void cl_engine_fall_back(struct cl_engine *engine);
/* This server did not help: the next one, or a pause. */
void cl_engine_attempt_failed(struct cl_engine *engine, bool longest);
/* Takes the list of a redirection; false: it leads nowhere. */
bool cl_engine_redirect(struct cl_engine *engine, const struct tsp_msg *msg);
bool cl_engine_at_lease_target(const struct cl_engine *engine);
/* A lease is wanted, and there is none. */
void cl_engine_ask(struct cl_engine *engine);
/* There is none, and it is not to be asked for at once: later, or on demand. */
void cl_engine_ask_later(struct cl_engine *engine, bool longest);

/* Messages: engine_request.c. */
void cl_engine_send_create(struct cl_engine *engine);
struct tsp_msg *cl_engine_send_lease(
	struct cl_engine *engine, enum tsp_action action, const struct lease *lease);
void cl_engine_send_status(struct cl_engine *engine, enum tsp_status status);
/* The create is sent, and its answer waited for. */
void cl_engine_request(struct cl_engine *engine);
/* Undoes a grant that we cannot use, on the connection that brought it. */
void cl_engine_decline(struct cl_engine *engine, const struct lease *lease);

/* What the server says: engine_answer.c. */
void cl_engine_take(struct cl_engine *engine, const struct tsp_msg *msg);

/* The lease: engine_lease.c. */
/* msg: the answer that gave it, for the times that it names. */
void cl_engine_hold(struct cl_engine *engine, const struct lease *lease, const struct tsp_msg *msg);
/* The host goes bare before anything else happens: nothing is sent under an address given up. */
void cl_engine_lose(struct cl_engine *engine);
/* It stands on both sides: rest until half of what is left. */
void cl_engine_bound(struct cl_engine *engine);
void cl_engine_renew(struct cl_engine *engine);
/* In the last part of its life: any server may renew it. */
bool cl_engine_is_rebinding(const struct cl_engine *engine);
/* A renewal came to nothing: until the next. */
void cl_engine_renew_later(struct cl_engine *engine, bool longest);
void cl_engine_want_more(struct cl_engine *engine);
void cl_engine_suspect(struct cl_engine *engine);
void cl_engine_release(struct cl_engine *engine, bool is_stopping);
/* The release is over, one way or the other. */
void cl_engine_released(struct cl_engine *engine);
/* On demand: somebody has used or wanted IPv4 not long ago. Always, without on demand. */
bool cl_engine_is_in_use(const struct cl_engine *engine);
/* On demand: waits for a demand; with accept_push with an open session. */
void cl_engine_rest(struct cl_engine *engine);
void cl_engine_finish(struct cl_engine *engine);
/* Doubles from retry_min_s to retry_max_s, less up to a half. */
int64_t cl_engine_backoff_ms(struct cl_engine *engine, bool longest);
