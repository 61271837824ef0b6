// SPDX-License-Identifier: BSD-3-Clause
/*
 * The session drives the lease engine: it carries the engine's actions to the TSP connection and to
 * the DTI, and brings what comes of them, the timer and the loss of our IPv6 address back as
 * events.
 */
#pragma once

#include "client/client_config.h"
#include "client/dti.h"
#include "client/engine.h"
#include "client/servers.h"

struct event_base;
struct cl_session;

/*
 * finished(arg) is called once, when a stop is complete. config and dti are borrowed. NULL + errno.
 */
struct cl_session *cl_session_create(struct event_base *base, const struct cl_config *config,
	struct cl_dti *dti, void (*finished)(void *arg), void *arg);
void cl_session_start(struct cl_session *session);
/* Releases the lease, bounded by CL_RELEASE_TIMEOUT_MS; a second call does not wait. */
void cl_session_stop(struct cl_session *session);
/* News of the DTI for the engine: an event that has nothing beside its type. */
void cl_session_tell(struct cl_session *session, enum cl_event_type type);
/* NULL is allowed. */
void cl_session_destroy(struct cl_session *session);

/* For the control socket; valid until the next event. */
const struct cl_engine *cl_session_engine(const struct cl_session *session);
/* Who gave the lease; without one, who is asked. */
const char *cl_session_server(const struct cl_session *session, char buf[static CL_SERVER_STRLEN]);
