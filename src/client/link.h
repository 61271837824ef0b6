// SPDX-License-Identifier: BSD-3-Clause
/*
 * One attempt to reach a server, whichever protocol it speaks.
 *
 * The engine asks by messages that are values (tsp_msg.h) and is answered by such; a kind of link
 * turns them into its own protocol and back: a create asks for a lease or renews it, a delete releases
 * it, an info brings it, and a status is a refusal. What a protocol has no word for (accept, say) its link
 * takes silently. A link is over with its "closed", which comes from the event loop.
 */
#pragma once

#include "client/client_config.h"
#include "client/servers.h"
#include "tsp/tsp_conn.h"

struct cl_dhcp6_node;
struct cl_link;

struct cl_link_ops {
	void (*ready)(struct cl_link *link, void *arg); /* it may be asked */
	void (*message)(struct cl_link *link, const struct tsp_msg *msg, void *arg);
	/* The last callback; the link is gone when it returns. */
	void (*closed)(
		struct cl_link *link, enum tsp_close_reason reason, const char *why, void *arg);
};

struct cl_link_params {
	struct event_base *base;
	const struct cl_link_ops *ops;
	void *arg;
	const struct cl_config *config; /* borrowed */
	const struct cl_server *server; /* copied */
	struct cl_dhcp6_node *dhcp6; /* borrowed; NULL: the protocol is another */
	const struct tsp_auth *auth; /* borrowed */
	struct ssl_ctx_st *tls; /* NULL: plain TCP */
	enum tsp_generation generation;
	const struct in6_addr *local; /* NULL: the kernel's choice; copied */
	const struct in6_addr *only; /* no other address of the server; NULL: any; copied */
	const struct in6_addr *last; /* of its addresses the last to be tried; or NULL; copied */
};

/* What a kind of link does; each function is what the one below of the same name says. */
struct cl_link_kind {
	struct cl_link *(*open)(const struct cl_link_params *params);
	int (*send)(struct cl_link *link, const struct tsp_msg *msg);
	void (*close)(struct cl_link *link);
	int (*local)(const struct cl_link *link, struct in6_addr *addr);
	const struct addr_endpoint *(*peer)(const struct cl_link *link);
	const char *(*tls_name)(const struct cl_link *link);
};

/* The head of every kind's own struct. */
struct cl_link {
	const struct cl_link_kind *kind;
};

/* Of the kind that the configuration's protocol asks for. NULL + errno. */
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
