// SPDX-License-Identifier: BSD-3-Clause
/*
 * Where clients connect: TCP over IPv6 (R31), one session of the engine for each connection that has
 * authenticated. Nothing is decided here but who may stay connected.
 */
#pragma once

#include "common/addr.h"
#include "server/auth.h"
#include "server/counters.h"
#include "server/doors.h"
#include "server/engine.h"
#include "server/gate.h"
#include "tsp/tsp_conn.h"

#include <stdint.h>

struct event_base;
struct srv_listener;

struct srv_listener_params {
	struct event_base *base;
	const struct srv_auth *auth; /* borrowed; may change between connections */
	struct tsp_parser *parser; /* who reads clients' messages */
	struct srv_engine *engine;
	struct srv_counters *counters;
	struct tsp_conn_limits limits;
	uint32_t connections_max;
	uint32_t unauthenticated_max; /* one more, and the oldest is closed; 0: no limit */
	struct srv_gate *gate; /* borrowed */
};

/* With no doors yet. NULL + errno. */
struct srv_listener *srv_listener_create(const struct srv_listener_params *params);
/* Closes every connection. The engine must still be there. NULL is allowed. */
void srv_listener_destroy(struct srv_listener *listener);

/* For connections from now on. */
void srv_listener_set_limits(struct srv_listener *listener, const struct tsp_conn_limits *limits,
	uint32_t connections_max, uint32_t unauthenticated_max);

/* A generation 1 session for what is to be told unasked: of the client that it last spoke of, or NULL. */
struct srv_session *srv_listener_find(
	struct srv_listener *listener, const struct in6_addr *client_v6);

uint32_t srv_listener_connections(const struct srv_listener *listener);
/* Those of them that have not authenticated. */
uint32_t srv_listener_unauthenticated(const struct srv_listener *listener);
/* Where its clients come in; for who opens and closes them. */
struct srv_doors *srv_listener_doors(const struct srv_listener *listener);
