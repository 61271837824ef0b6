// SPDX-License-Identifier: BSD-3-Clause
/*
 * What dstmctl may ask a client: docs/control-sockets.md.
 */
#pragma once

#include "client/client_config.h"
#include "client/dti.h"
#include "client/session.h"
#include "common/ctl.h"

/* What the commands look at; the argument of ctl_server_create. */
struct cl_ctl_view {
	const struct cl_config *config;
	const struct cl_session *session;
	const struct cl_dti *dti;
};

extern const struct ctl_command cl_ctl_commands[];
