// SPDX-License-Identifier: BSD-3-Clause
/*
 * IPv4 in IPv6 (next header 4, R19) between the device and the TEP, in user space.
 *
 * Packets are moved in batches between the tun descriptor and a raw IPv6 socket that is bound to
 * our end of the tunnel (R20); the kernel writes the outer header and fragments it when the path is
 * narrower than the device's MTU says. Both ways each packet passes cl_inner_check() and what fails
 * is counted and silently dropped (R4, S18, S20). A turn of the event loop moves a bounded number
 * of batches, so that a flood cannot keep the lease from being renewed.
 */
#pragma once

#include "client/counters.h"
#include "common/lease.h"

struct event_base;
struct cl_tunnel;

/*
 * Starts to carry packets for a lease; tun_fd and counters are borrowed, the lease is copied. NULL
 * + errno.
 */
struct cl_tunnel *cl_tunnel_create(struct event_base *base, int tun_fd, const struct lease *lease,
	struct cl_counters *counters);
void cl_tunnel_destroy(struct cl_tunnel *tunnel);
