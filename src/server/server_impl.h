// SPDX-License-Identifier: BSD-3-Clause
/*
 * What starting the server (server.c), wiring its parts (server_ops.c) and changing it (reload.c) share. Nobody else
 * includes this.
 */
#pragma once

#include "server/server.h"

/* What the engine and connections are told of the configuration as it is now. */
struct srv_engine_params srv_server_engine_params(struct srv_server *server);
struct tsp_conn_limits srv_server_conn_limits(const struct srv_config *config);

/* Gate and quota. Returns 0 or -errno. */
int srv_server_create_limits(struct srv_server *server);
/* After a reload. */
void srv_server_set_limits(struct srv_server *server);

/* What the engine does to the world, and what TEPs ask of the server; their arg is the server. */
extern const struct srv_engine_ops srv_server_engine_ops;
extern const struct srv_tep_link_ops srv_server_link_ops;
/* The writer's answers; token is the job. */
void srv_server_stored(void *arg, void *token, int error);
