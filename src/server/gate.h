// SPDX-License-Identifier: BSD-3-Clause
/*
 * Who may connect. Connections are counted by source prefix: how many there are, how many of them have not
 * authenticated, and how fast they come. The gate only says yes or no; the listener holds the connections.
 *
 * Prefixes that are exempt - this host by default - are counted and never refused. Pure, one thread.
 */
#pragma once

#include "common/config.h"
#include "server/source.h"

#include <stdbool.h>
#include <stdint.h>

struct srv_gate;

struct srv_gate_limits {
	const struct config_list *allow; /* struct addr_v6_prefix, borrowed: nobody else (S36) */
	const struct config_list *exempt; /* the same: no limit holds for them */
	uint32_t prefix_length;
	/* of one prefix; 0: no limit */
	uint32_t connections;
	uint32_t connections_per_minute;
	uint32_t unauthenticated;
};

enum srv_gate_verdict {
	SRV_GATE_OPEN,
	SRV_GATE_FORBIDDEN, /* not from there */
	SRV_GATE_FULL, /* too many of this prefix */
	SRV_GATE_FAST, /* too many of this prefix within a minute */
	SRV_GATE_HALF_OPEN, /* too many of this prefix that have not authenticated */
};

/* What a connection keeps of its entry. */
struct srv_gate_pass {
	struct srv_source prefix;
	bool authenticated;
};

/* NULL: out of memory. */
struct srv_gate *srv_gate_create(const struct srv_gate_limits *limits);
void srv_gate_destroy(struct srv_gate *gate); /* NULL is allowed */
/* For connections from now on. */
void srv_gate_set_limits(struct srv_gate *gate, const struct srv_gate_limits *limits);

/* OPEN: it is counted until srv_gate_leave. */
enum srv_gate_verdict srv_gate_enter(struct srv_gate *gate, const struct in6_addr *peer,
	int64_t now_ms, struct srv_gate_pass *pass);
void srv_gate_authenticated(struct srv_gate *gate, struct srv_gate_pass *pass);
void srv_gate_leave(struct srv_gate *gate, const struct srv_gate_pass *pass);

/* Prefixes that have a connection. */
uint32_t srv_gate_prefixes(const struct srv_gate *gate);
