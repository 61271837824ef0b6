// SPDX-License-Identifier: BSD-3-Clause
/*
 * One attempt to reach a server: its name looked up, its addresses tried one after the other, and
 * the connection that comes of it.
 *
 * A name is looked up anew each time, with /etc/hosts and /etc/resolv.conf as they are then, and
 * without a trace once it is answered: a host that has moved to another network asks the name
 * servers of that one. A link is over with its "closed", which comes from the event loop.
 */
#pragma once

#include "client/servers.h"
#include "tsp/tsp_conn.h"

struct cl_link;

struct cl_link_ops {
	void (*ready)(struct cl_link *link, void *arg); /* authenticated */
	void (*message)(struct cl_link *link, const struct tsp_msg *msg, void *arg);
	/* The last callback; the link is gone when it returns. */
	void (*closed)(
		struct cl_link *link, enum tsp_close_reason reason, const char *why, void *arg);
};

struct cl_link_params {
	struct event_base *base;
	const struct cl_link_ops *ops;
	void *arg;
	const struct cl_server *server; /* copied */
	const struct tsp_auth *auth; /* borrowed */
	struct ssl_ctx_st *tls; /* NULL: plain TCP */
	enum tsp_generation generation;
	const struct in6_addr *local; /* NULL: the kernel's choice; copied */
	const struct in6_addr *only; /* no other address of the server; NULL: any; copied */
	const struct in6_addr *last; /* of its addresses the last to be tried; or NULL; copied */
};

/* NULL + errno. */
struct cl_link *cl_link_open(const struct cl_link_params *params);
/* Returns as tsp_conn_send does. */
int cl_link_send(struct cl_link *link, const struct tsp_msg *msg);
/* What is queued leaves; closed() follows. */
void cl_link_close(struct cl_link *link);
/* Our end of it. Returns 0 or -errno. */
int cl_link_local(const struct cl_link *link, struct in6_addr *addr);
/* Once it is ready: whom it leads to, and whom its certificate was for (NULL: the address). */
const struct addr_endpoint *cl_link_peer(const struct cl_link *link);
const char *cl_link_tls_name(const struct cl_link *link);
