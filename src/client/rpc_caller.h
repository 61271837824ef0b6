// SPDX-License-Identifier: BSD-3-Clause
/*
 * ONC RPC calls to one place, over UDP or TCP, one at a time. By UDP a call is sent again until it is answered; a TCP connection
 * is made for the first call and, where the other side has closed it meanwhile, again. The link above says what is called.
 */
#pragma once

#include "common/addr.h"
#include "rpc/rpc_call.h"

#include <stdbool.h>

struct event_base;
struct cl_rpc_caller;

struct cl_rpc_caller_params {
	struct event_base *base;
	struct addr_endpoint peer;
	bool is_tcp;
	const struct in6_addr *local; /* our own address, copied; NULL: the kernel's choice */
	/* Both from the event loop, and it may be destroyed in them. A reply to the call under way: */
	void (*answered)(void *arg, const struct rpc_reply *reply);
	/* It came to no answer; another call may be tried. */
	void (*failed)(void *arg, const char *why);
	void *arg;
};

/* NULL + errno. */
struct cl_rpc_caller *cl_rpc_caller_create(const struct cl_rpc_caller_params *params);
void cl_rpc_caller_destroy(struct cl_rpc_caller *caller); /* NULL is allowed */

/* Calls; what is under way is forgotten. The first four octets are its xid. Returns 0 or -errno. */
int cl_rpc_caller_call(struct cl_rpc_caller *caller, const uint8_t *data, size_t len);
/* Our end, once something was answered. */
const struct in6_addr *cl_rpc_caller_local(const struct cl_rpc_caller *caller);
