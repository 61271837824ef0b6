// SPDX-License-Identifier: BSD-3-Clause
/*
 * IPv4 in IPv6 (next header 4, R19) between the device and the TEP, in user space.
 *
 * Packets are moved in batches between the tun descriptor and a raw IPv6 socket that is bound to
 * our end of the tunnel (R20); the kernel writes the outer header and fragments it when the path is
 * narrower than the device's MTU says. Both ways each packet passes cl_inner_check() and what fails
 * is counted and dropped (R4, S18, S20). Nothing is sent after the end of the lease, which is asked
 * of the boot clock for every batch: a host that slept through it sends nothing when it wakes.
 */
#pragma once

#include "client/counters.h"
#include "client/tun.h"
#include "common/lease.h"

struct event_base;
struct cl_peers;
struct cl_tunnel;

/* What the tunnel learns; called in the event loop's thread, never from within a cl_tunnel_* call. */
struct cl_tunnel_ops {
	void (*unbound)(void *arg); /* the TEP says that it has no such binding (S21) */
	void (*suspect)(void *arg); /* the TEP is silent, or the path says unreachable */
	void (*path_mtu)(
		void *arg, uint32_t mtu); /* of the IPv6 path to the TEP has changed (S16) */
};

/* Raw IPv6 sockets, one for each queue, that no lease uses yet: nothing reaches them. */
struct cl_tunnel_sockets {
	uint32_t n;
	int fds[CL_TUN_QUEUES_MAX];
};

struct cl_tunnel_params {
	struct event_base *base;
	const struct cl_tun *tun; /* borrowed */
	const struct cl_tunnel_sockets *sockets; /* borrowed, at least one for each queue of tun */
	const struct lease *lease; /* copied */
	struct cl_counters *counters; /* borrowed */
	struct cl_peers *peers; /* borrowed; NULL: everything goes by the TEP */
	int dscp; /* 0..63 for the outer header, or CL_DSCP_COPY (client/ecn.h) */
	bool rewrite_ip_id; /* client/ip_id.h */
	const struct cl_tunnel_ops *ops; /* borrowed */
	void *arg;
};

/* Needs CAP_NET_RAW, which nothing else here does. Returns 0 or -errno with nothing open. */
int cl_tunnel_open_sockets(uint32_t n, struct cl_tunnel_sockets *sockets);
void cl_tunnel_close_sockets(struct cl_tunnel_sockets *sockets);

/* Starts to carry packets for a lease. NULL + errno. */
struct cl_tunnel *cl_tunnel_create(const struct cl_tunnel_params *params);

/* A new end or other ranges of the same lease: same addresses, and no packet is lost. */
void cl_tunnel_update(struct cl_tunnel *tunnel, const struct lease *lease);

/* Nothing is sent any more when it returns. NULL is allowed. */
void cl_tunnel_destroy(struct cl_tunnel *tunnel);

/* Boot clock of the last packet that passed, either way; 0: none so far. */
int64_t cl_tunnel_used_ms(const struct cl_tunnel *tunnel);
