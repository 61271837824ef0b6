// SPDX-License-Identifier: BSD-3-Clause
/*
 * Everything of a client that hangs on one configuration: DTI, session, control socket. The daemon has one after
 * the other, `run` has one.
 */
#pragma once

#include "client/ctl_socket.h"
#include "client/privileged.h"

struct cl_instance {
	struct event_base *base; /* borrowed, as are the next two */
	struct cl_privileged *privileged;
	const struct cl_config *config; /* socket: NULL: no control socket */
	struct cl_dti *dti;
	struct cl_session *session;
	struct ctl_server *ctl;
	struct cl_ctl_view view;
};

/*
 * Fills *instance and starts it; finished(arg) is called when a stop of its session is complete. The first one
 * of a process gives up the privileges. Returns 0, or -1 with the reason logged; to be ended in both cases.
 */
int cl_instance_begin(struct cl_instance *instance, void (*finished)(void *arg), void *arg);
void cl_instance_end(struct cl_instance *instance);
