// SPDX-License-Identifier: BSD-3-Clause
/*
 * Is this TEP fit to carry its share? Its routes are announced, and a load balancer may choose it, only while it
 * is ready: the workers run; each configured server has told it all its bindings once, or has not been
 * there for confirm_ms (waiting longer would help nobody, since what the TEP knows from before is in force by
 * then); and there are routes to the addresses that ready.routes_* name. A server that is lost later changes
 * nothing, a route does. Once drained, never ready again.
 *
 * Control thread only.
 */
#pragma once

#include "control/session.h"

#include <stdbool.h>
#include <stdint.h>

#define TEP_READY_REASON_LEN 128

enum tep_ready_state {
	TEP_READY_WAITING,
	TEP_READY,
	TEP_READY_DRAINING,
};

/* What is known of one server since the start. */
enum tep_settled {
	TEP_SETTLED_NOT,
	TEP_SETTLED_LEVEL, /* it has told us all */
	TEP_SETTLED_ABSENT, /* it was not there for confirm_ms */
};

/* All zero but confirm_ms at the start. */
struct tep_ready {
	uint32_t confirm_ms;
	bool is_running; /* the workers are */
	bool is_draining;
	bool has_looked; /* at the servers */
	uint32_t n_servers; /* in settled */
	enum tep_settled settled[TEP_SERVERS_MAX];
	const char *awaited; /* a server that has not settled yet; NULL: none */
	const char *unreached; /* an address that no route leads to; NULL: none (reach.h) */
	char unreached_text[ADDR_V6_STRLEN];
};

/* Looks at all servers' sessions; now_ms is of the boot clock. */
void tep_ready_look(struct tep_ready *ready, const struct tep_server_status *servers, uint32_t n,
	int64_t now_ms);

enum tep_ready_state tep_ready_state(const struct tep_ready *ready);

/* "ready", "waiting" or "draining". */
const char *tep_ready_name(enum tep_ready_state state);

/* Why it is not ready, in one line; empty when it is. Returns reason. */
const char *tep_ready_reason(
	const struct tep_ready *ready, char reason[static TEP_READY_REASON_LEN]);
