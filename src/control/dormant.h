// SPDX-License-Identifier: BSD-3-Clause
/*
 * Bindings of a life before (snapshot.h) whose server is not there to confirm them: they go into force, until
 * their own ends. A lease does not end because its server is away.
 */
#pragma once

#include "control/ready.h"
#include "dataplane/binding.h"

/* All zero at the start. */
struct tep_dormant {
	bool has_woken[TEP_SERVERS_MAX]; /* or need not be */
	bool is_waking;
	uint32_t cursor; /* in the table */
	uint32_t n_woken;
};

/* Wakes those of servers that have turned out to be absent, a slice of the table at a time. */
void tep_dormant_look(
	struct tep_dormant *dormant, const struct tep_ready *ready, struct dp_bindings *table);
