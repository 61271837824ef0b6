// SPDX-License-Identifier: BSD-3-Clause
/*
 * The UDP socket of a DHCPv6 client: which link and address each datagram leaves by and came by.
 *
 * It is bound to its port alone: the link is named with each datagram, so that it may go and come back under the
 * same name while the process has no privilege any more.
 */
#pragma once

#include <netinet/in.h>
#include <stdint.h>
#include <sys/types.h>

/* Port 546 takes CAP_NET_BIND_SERVICE. Nonblocking. Returns it or -errno. */
int cl_dhcp6_socket_open(uint16_t port);

/* Where a datagram goes, or where it came from. */
struct cl_dhcp6_way {
	struct sockaddr_in6 peer;
	unsigned int ifindex; /* 0: the kernel's choice */
	struct in6_addr local; /* ::: the kernel's choice */
};

/* Returns 0 or -errno. */
int cl_dhcp6_socket_send(int fd, const struct cl_dhcp6_way *way, const uint8_t *data, size_t len);
/* Returns the datagram's length, which may be more than size (it is cut then), or -errno; -EAGAIN: there is none. */
ssize_t cl_dhcp6_socket_receive(int fd, uint8_t *buf, size_t size, struct cl_dhcp6_way *way);
