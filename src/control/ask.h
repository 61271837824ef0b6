// SPDX-License-Identifier: BSD-3-Clause
/*
 * Asks servers about packets without a binding (query.enabled): between the rings of the data plane (dataplane/ask.h), the
 * questions (questions.h) and the servers' sessions. A positive answer becomes a binding of that server, a
 * negative one an entry of the negative cache; any binding that is added, by whomever, voids such entries and
 * sends on what waited for it.
 *
 * With learn.mode: open no server is asked, and packets make their bindings of themselves (learn.h).
 *
 * Everything runs on the event loop's thread.
 */
#pragma once

#include "control/learn.h"
#include "control/questions.h"
#include "control/session.h"
#include "dataplane/datapath.h"

#include <stdint.h>

struct event_base;
struct tep_ask;

struct tep_ask_params {
	struct event_base *base;
	struct dp_ask *ring;
	struct dp_bindings *bindings;
	struct tep_sessions *sessions; /* NULL: none, with learn */
	struct tep_learn *learn; /* borrowed; NULL: servers are asked */
	uint32_t negative_ms; /* how long a negative answer holds */
	struct tep_questions_params questions; /* without ops and arg */
};

/* NULL: no memory. */
struct tep_ask *tep_ask_create(const struct tep_ask_params *params);
/* Before the sessions. NULL is allowed. */
void tep_ask_destroy(struct tep_ask *ask);

/* For dstmctl. */
uint64_t tep_ask_counter(const struct tep_ask *ask, enum tep_question_counter counter);
