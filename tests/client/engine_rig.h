// SPDX-License-Identifier: BSD-3-Clause
/*
 * A lease engine under test: its clock, what a server says to it, and what must hold after every step.
 */
#pragma once

#include "client/engine.h"

#define RIG_LIFETIME_S 100
#define RIG_T0         1000000

struct rig {
	struct cl_engine engine;
	struct cl_actions actions; /* of the last step */
	int64_t now_ms;
	bool configured; /* as the actions would have it */
};

void rig_init(struct rig *rig, enum tsp_generation generation);

struct in6_addr rig_v6(const char *text);
/* The answer of a server that grants 198.51.100.7, ports 2048-3071. */
struct tsp_msg rig_info(void);
struct tsp_msg rig_refusal(enum tsp_status status, enum tsp_generation generation);
struct tsp_msg rig_pushed_delete(void);

/* One step each; the invariants of engine.h are checked behind it. */
void rig_step(struct rig *rig, const struct cl_event *event);
void rig_feed(struct rig *rig, enum cl_event_type type);
void rig_feed_closed(struct rig *rig, enum tsp_close_reason reason);
void rig_feed_msg(struct rig *rig, struct tsp_msg msg);
/* Lets time pass to the next deadline. */
void rig_wait(struct rig *rig);

/* In the actions of the last step: the first of a type, or NULL; the first message sent. */
const struct cl_action *rig_find(const struct rig *rig, enum cl_action_type type);
const struct tsp_msg *rig_sent(const struct rig *rig);
void rig_expect(const struct rig *rig, enum cl_state state);
/* From the start to a lease. */
void rig_reach_bound(struct rig *rig);
