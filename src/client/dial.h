// SPDX-License-Identifier: BSD-3-Clause
/*
 * The session's connections to its servers: how a server of the list is reached, and as whom.
 *
 * At most one connection is current. One that was closed ends by itself, unheard. A name may stand for
 * several servers: the one that gave a lease is asked again by its address, and one that let us in
 * without a lease is tried last the next time.
 */
#pragma once

#include "client/engine.h"
#include "client/servers.h"

struct cl_dhcp6_node;
struct cl_dial;
struct event_base;
struct ssl_ctx_st;
struct tsp_auth;

struct cl_dial_ops {
	/* Of the current connection; local is our end of it, which a message may be the first to name. */
	void (*ready)(void *arg, const struct in6_addr *local);
	void (*message)(void *arg, const struct tsp_msg *msg, const struct in6_addr *local);
	void (*closed)(void *arg, enum tsp_close_reason reason, const char *why);
	/* One that was closed has ended. */
	void (*drained)(void *arg);
};

/* config, ops and dhcp6 (NULL: the protocol is another) are borrowed. NULL + errno; what is wrong with certificates is logged. */
struct cl_dial *cl_dial_create(struct event_base *base, const struct cl_config *config,
	struct cl_dhcp6_node *dhcp6, const struct cl_dial_ops *ops, void *arg);
/* NULL is allowed. */
void cl_dial_destroy(struct cl_dial *dial);

/* Carries out CL_ACTION_CONNECT, from this address (NULL: the kernel's choice). Returns 0 or -errno. */
int cl_dial_connect(
	struct cl_dial *dial, const struct cl_action *action, const struct in6_addr *local);
int cl_dial_send(struct cl_dial *dial, const struct tsp_msg *msg); /* as tsp_conn_send */
void cl_dial_close(struct cl_dial *dial);
/* True when no connection is left, closed ones included. */
bool cl_dial_is_drained(const struct cl_dial *dial);

/* A lease came over the connection that was ready last. */
void cl_dial_helped(struct cl_dial *dial);
/* That connection's peer, and whom its certificate was for (NULL: its address). */
const struct addr_endpoint *cl_dial_peer(const struct cl_dial *dial);
const char *cl_dial_tls_name(const struct cl_dial *dial);

/* How we show who we are; tls is NULL for plain TCP. */
const struct tsp_auth *cl_dial_auth(const struct cl_dial *dial);
struct ssl_ctx_st *cl_dial_tls(const struct cl_dial *dial);
const char *cl_dial_format(const struct cl_dial *dial, const struct cl_target *target,
	char buf[static CL_SERVER_STRLEN]);
