// SPDX-License-Identifier: BSD-3-Clause
/* What starting the server (server.c) and changing it (reload.c) share. Nobody else includes this. */
#pragma once

#include "server/server.h"

/* What the engine and connections are told of the configuration as it is now. */
struct srv_engine_params srv_server_engine_params(struct srv_server *server);
struct tsp_conn_limits srv_server_conn_limits(const struct srv_config *config);

/* Gate and quota. Returns 0 or -errno. */
int srv_server_create_limits(struct srv_server *server);
/* After a reload. */
void srv_server_set_limits(struct srv_server *server);
