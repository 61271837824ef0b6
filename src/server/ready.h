// SPDX-License-Identifier: BSD-3-Clause
/*
 * Can a new client be served? The store is written, and a TEP is there to go through. A pool that is full is no
 * reason to send clients elsewhere; redirect is for that.
 */
#pragma once

#include "server/server.h"

#include <stdbool.h>

#define SRV_READY_REASON_LEN 64

/* False: reason says why, in a line; true: it is empty. */
bool srv_is_ready(const struct srv_server *server, char reason[static SRV_READY_REASON_LEN]);
