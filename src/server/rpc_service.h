// SPDX-License-Identifier: BSD-3-Clause
/* RPC as a whole: front, sockets and registration, made from the configuration. */
#pragma once

#include "server/engine.h"
#include "server/gate.h"
#include "server/rpc_config.h"

struct event_base;
struct srv_rpc_service;

struct srv_rpc_service_params {
	struct event_base *base;
	const struct srv_rpc_config *config; /* borrowed; may change, but for its fixtures */
	struct srv_engine *engine;
	struct srv_gate *gate;
	struct srv_counters *counters;
};

/* Listens everywhere, or nowhere. NULL + errno: the reason has been logged. */
struct srv_rpc_service *srv_rpc_service_create(const struct srv_rpc_service_params *params);
/* The engine must still be there. NULL is allowed. */
void srv_rpc_service_destroy(struct srv_rpc_service *service);
