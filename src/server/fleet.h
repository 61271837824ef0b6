// SPDX-License-Identifier: BSD-3-Clause
/*
 * The TEPs of the configuration, each with its session, by a number that it keeps for as long as it is known.
 *
 * A reload may add TEPs, change how they are reached, and take them away. A TEP is known again by its name, or
 * by its control endpoint when only the name is another. One that was taken away is kept until the last
 * lease that goes through it has rested, so that it hears of their ends; no new one goes to it.
 *
 * A change is prepared, which may fail and changes nothing, and then made, which cannot fail.
 */
#pragma once

#include "server/server_config.h"
#include "server/tep_link.h"

#include <stdbool.h>
#include <stdint.h>

struct srv_fleet_tep {
	struct srv_config_tep config; /* a copy of its own */
	struct srv_tep_link *link; /* NULL: the number is free */
	bool is_leaving;
};

struct srv_fleet {
	struct srv_tep_link_params link; /* what all links have in common */
	struct srv_engine_tep *engine_teps; /* [n], for the engine */
	struct srv_fleet_tep *teps; /* [n] */
	uint32_t n;
};

/* A change on its way. */
struct srv_fleet_change {
	uint32_t *numbers; /* [n] of the TEPs of the new configuration, in its order */
	struct srv_fleet_tep *fresh; /* [n] what is new of each; link NULL: the session stays */
	uint32_t n;
	struct srv_engine_tep *engine_teps; /* room for all */
	struct srv_fleet_tep *teps;
	uint32_t n_teps;
};

/* Returns 0 or -errno; -ERANGE: a TEP of a pool with copies would get a number that is too high for them. */
int srv_fleet_prepare(const struct srv_fleet *fleet, const struct srv_config *config,
	struct srv_fleet_change *change);
void srv_fleet_abandon(struct srv_fleet_change *change);
/*
 * Makes the change; change->numbers stays good until srv_fleet_finish. The engine has to be told of
 * engine_teps before that, since finish tells it of requests that were lost with a session.
 */
void srv_fleet_commit(
	struct srv_fleet *fleet, const struct srv_config *config, struct srv_fleet_change *change);
void srv_fleet_finish(struct srv_fleet_change *change);

/* Brings those level again whose bits are set. */
void srv_fleet_level(struct srv_fleet *fleet, uint64_t teps);
/* Lets those go that were taken away and that no lease goes through any more. */
void srv_fleet_sweep(struct srv_fleet *fleet, const struct srv_engine *engine);
void srv_fleet_free(struct srv_fleet *fleet);
