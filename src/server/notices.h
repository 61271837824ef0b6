// SPDX-License-Identifier: BSD-3-Clause
/*
 * What the operator is told before clients are refused, and when they are: a pool that runs full (S32), a
 * subscriber at its quota (RFC 8158). Each is a line in the log, a counter and a record.
 *
 * One thread, the event loop's.
 */
#pragma once

#include "server/server.h"

/* Looks at each pool; a change of level is told once. */
void srv_notices_look(struct srv_server *server);
/* A request over the quota. At most ten a minute are told one by one; the counter has all. */
void srv_notices_quota(
	struct srv_server *server, const struct in6_addr *client_v6, const char *user);
