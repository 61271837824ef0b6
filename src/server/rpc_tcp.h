// SPDX-License-Identifier: BSD-3-Clause
/*
 * RPC by TCP over IPv6: records of a stream are calls, one at a time of each connection. The next one is read when the
 * answer to the last has left, so a connection holds one call and one answer, whatever its peer does. Who has no whole
 * call for rpc.idle_s is closed, however slowly it writes or reads.
 */
#pragma once

#include "common/addr.h"
#include "server/gate.h"
#include "server/rpc_front.h"

struct srv_rpc_tcp;

struct srv_rpc_tcp_params {
	struct event_base *base;
	struct srv_rpc_front *front;
	const struct srv_rpc_config *config; /* borrowed; may change between connections */
	struct srv_gate *gate; /* borrowed */
	struct srv_counters *counters;
};

/* NULL + errno. */
struct srv_rpc_tcp *srv_rpc_tcp_create(const struct srv_rpc_tcp_params *params);
/* Closes every connection at once. NULL is allowed. */
void srv_rpc_tcp_destroy(struct srv_rpc_tcp *tcp);
/* Listens there, too; *at becomes where the kernel has put it. Returns 0 or -errno. */
int srv_rpc_tcp_listen(struct srv_rpc_tcp *tcp, struct addr_endpoint *at);
uint32_t srv_rpc_tcp_connections(const struct srv_rpc_tcp *tcp);
