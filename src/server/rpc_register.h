// SPDX-License-Identifier: BSD-3-Clause
/*
 * Our program in rpcbind's list, by the socket that rpcbind has on this host. Nobody waits for it: what it does not answer
 * is tried again after a while, and the server goes on without. Registered anew every few minutes, so that a rpcbind that was
 * started again knows us.
 */
#pragma once

#include "rpc/rpc_bind.h"

#include <stdint.h>

struct event_base;
struct srv_rpc_register;

/* Begins to register. The entries are copied. NULL: out of memory. */
struct srv_rpc_register *srv_rpc_register_create(
	struct event_base *base, const struct rpc_bind_entry *entries, uint32_t n);
/* Takes it back first, if rpcbind is quick about it: it runs the event loop for a second at most. NULL is allowed. */
void srv_rpc_register_destroy(struct srv_rpc_register *reg);
