// SPDX-License-Identifier: BSD-3-Clause
/*
 * What takes more than CAP_NET_ADMIN to open: raw sockets, the port of DHCPv6 clients and another network
 * namespace.
 *
 * It is opened once, at the start, and serves one configuration after the other; then every privilege goes that
 * is not needed to keep the host's network as a lease wants it.
 */
#pragma once

#include "client/client_config.h"
#include "client/netns.h"
#include "client/tunnel.h"

#include <stdbool.h>

#define CL_WHY_LEN 128

struct cl_privileged {
	struct cl_netns *netns; /* where the device is */
	struct cl_tunnel_sockets tunnel;
	int hold_fd; /* client/hold.h; in netns */
	int dns_fd; /* client/dns_watch.h; -1: names are no demand */
	int dhcp6_fd; /* client/dhcp6_socket.h; -1: the protocol is another */
	uint16_t dhcp6_port;
	char *netns_name; /* NULL: our own */
};

/* Returns 0, or -errno with a sentence in why and nothing open. */
int cl_privileged_open(struct cl_privileged *privileged, const struct cl_config *config,
	char why[static CL_WHY_LEN]);
void cl_privileged_close(struct cl_privileged *privileged);

/* Why another configuration needs a new process; NULL: it does not. */
const char *cl_privileged_fault(
	const struct cl_privileged *privileged, const struct cl_config *config);

/* Leaves CAP_NET_ADMIN to this process and its children. Returns 0, or -errno with the reason logged. */
int cl_privileged_drop(struct cl_privileged *privileged);
