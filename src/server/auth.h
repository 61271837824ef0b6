// SPDX-License-Identifier: BSD-3-Clause
/* Whom the server believes, from its configuration: what tsp_conn asks for. */
#pragma once

#include "server/server_config.h"
#include "tsp/tsp_conn.h"

/* Sets auth by config, which is borrowed; call it again after config has changed. */
void srv_auth_init(struct tsp_auth *auth, const struct srv_config *config);
