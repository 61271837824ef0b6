// SPDX-License-Identifier: BSD-3-Clause
/*
 * The UDP sockets of the server's DHCPv6: what comes is read by the batch, what goes leaves by the batch.
 *
 * They are opened while the process may still bind port 547, and set to work once there is an event loop. On interfaces
 * the groups are joined (ff02::1:2 of clients on the link, ff05::1:3 of relays); who uses a unicast address
 * comes by the endpoints in listen.
 *
 * One turn of the event loop reads at most SRV_DHCP6_BATCH datagrams of each socket, so that nobody else waits long.
 * Answers are queued and go out together when the turn ends. What does not fit into the queue or the kernel's
 * buffer is lost and counted: a client asks again. One thread.
 */
#pragma once

#include "common/addr.h"
#include "server/counters.h"

#include <stddef.h>
#include <stdint.h>

#define SRV_DHCP6_PORT  547
#define SRV_DHCP6_BATCH 64 /* datagrams that are read in one go */

struct event_base;
struct srv_dhcp6_sockets;

/* Between whom a datagram goes; one that came tells the way of its answer. */
struct srv_dhcp6_path {
	struct sockaddr_in6 peer; /* with a scope where the address is link-local */
	struct in6_addr
		local; /* where it came to, or shall come from; a group or ::: the kernel chooses */
	uint32_t ifindex; /* where it came in, or shall go out to a link-local peer */
};

struct srv_dhcp6_datagram {
	const uint8_t *data; /* good until the callback returns */
	size_t len;
	struct srv_dhcp6_path path;
};

typedef void (*srv_dhcp6_came_fn)(void *arg, const struct srv_dhcp6_datagram *datagram);

struct srv_dhcp6_sockets_params {
	const char *const *interfaces; /* names */
	uint32_t n_interfaces;
	const struct addr_endpoint *listen;
	uint32_t n_listen;
	uint16_t port; /* of the groups; SRV_DHCP6_PORT but for tests */
};

/* Binds, and reads nothing yet. NULL + errno, with the reason logged. */
struct srv_dhcp6_sockets *srv_dhcp6_sockets_open(const struct srv_dhcp6_sockets_params *params);
/* Gives what comes to came from now on. Returns 0 or -ENOMEM. */
int srv_dhcp6_sockets_start(struct srv_dhcp6_sockets *sockets, struct event_base *base,
	struct srv_counters *counters, srv_dhcp6_came_fn came, void *arg);
/* Sends what is queued, and closes. Before the event loop goes; NULL is allowed. */
void srv_dhcp6_sockets_close(struct srv_dhcp6_sockets *sockets);

/* Queues a copy. Good from the start until the close, also outside of came. */
void srv_dhcp6_sockets_send(struct srv_dhcp6_sockets *sockets, const struct srv_dhcp6_path *path,
	const void *data, size_t len);

/* The endpoints that are bound, those in listen first; port 0 has become the kernel's choice. */
uint32_t srv_dhcp6_sockets_count(const struct srv_dhcp6_sockets *sockets);
struct addr_endpoint srv_dhcp6_sockets_endpoint(
	const struct srv_dhcp6_sockets *sockets, uint32_t i);
