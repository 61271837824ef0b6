// SPDX-License-Identifier: BSD-3-Clause
/*
 * The raw IPv6 sockets of the tunnel, one for each queue of the device.
 *
 * The kernel gives each of them a copy of every tunnel packet; a filter keeps those that are another's.
 * TCP is spread by addresses and ports, all else by addresses, so that no flow changes its queue.
 */
#pragma once

#include <netinet/in.h>
#include <stdint.h>

/* A socket that nothing reaches. Needs CAP_NET_RAW. Returns it, or -errno. */
int cl_tunnel_socket_open(void);

/*
 * Binds to our end of the tunnel and lets in the part of it: one of n. What came before is thrown away.
 * Returns 0 or -errno.
 */
int cl_tunnel_socket_begin(int fd, const struct in6_addr *local, uint32_t part, uint32_t n);

/* Nothing reaches it any more. */
void cl_tunnel_socket_end(int fd);
