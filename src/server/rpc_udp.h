// SPDX-License-Identifier: BSD-3-Clause
/*
 * RPC by UDP over IPv6: a datagram is a call, its answer a datagram. What the socket has no room for is dropped; callers
 * send again, and rpc_cache knows them.
 */
#pragma once

#include "common/addr.h"
#include "server/rpc_front.h"

struct srv_rpc_udp;

/* NULL + errno. front and counters are borrowed. */
struct srv_rpc_udp *srv_rpc_udp_create(
	struct event_base *base, struct srv_rpc_front *front, struct srv_counters *counters);
/* NULL is allowed. */
void srv_rpc_udp_destroy(struct srv_rpc_udp *udp);
/* Listens there, too; *at becomes where the kernel has put it. Returns 0 or -errno. */
int srv_rpc_udp_listen(struct srv_rpc_udp *udp, struct addr_endpoint *at);
