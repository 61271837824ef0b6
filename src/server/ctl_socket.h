// SPDX-License-Identifier: BSD-3-Clause
/* What dstmctl can ask the server: docs/control-sockets.md. */
#pragma once

#include "common/ctl.h"
#include "server/server.h"

/* NULL + errno. Freed with ctl_server_destroy. */
struct ctl_server *srv_ctl_socket_create(struct srv_server *server, const char *path);
