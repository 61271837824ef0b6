// SPDX-License-Identifier: BSD-3-Clause
/*
 * What ICMPv6 says about packets that this host sent into the tunnel.
 *
 * The kernel has found the tunnel's own socket by the header that an error quotes (S7), which is all that
 * makes an error more likely to be true; so nothing here ends a lease, it makes the client ask. That the TEP
 * has no such binding is believed of the TEP alone (S21).
 */
#pragma once

#include <time.h> /* which the next one forgets */

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

enum cl_tunnel_error_type {
	CL_TUNNEL_ERROR_NONE, /* nothing to be learnt from it */
	CL_TUNNEL_ERROR_UNBOUND, /* the TEP has no such binding */
	CL_TUNNEL_ERROR_UNREACHABLE, /* the packet did not arrive, and others will not */
	CL_TUNNEL_ERROR_TOO_BIG, /* the path is narrower */
};

struct cl_tunnel_error {
	enum cl_tunnel_error_type type;
	struct in6_addr destination; /* of the packet: the TEP or another client */
	uint32_t mtu; /* TOO_BIG: of the path */
	size_t quote_len; /* of the inner packet, as much as came back of it */
	uint8_t quote[128];
};

/* Pure: offender is who sent the error. */
enum cl_tunnel_error_type cl_tunnel_error_judge(const struct sock_extended_err *error,
	const struct in6_addr *offender, const struct in6_addr *destination,
	const struct in6_addr *tep);

/* Errors are kept for cl_tunnel_error_read from now on. */
void cl_tunnel_error_listen(int fd);

/* Takes an error from the socket. Returns 0, or -EAGAIN when there is none. */
int cl_tunnel_error_read(int fd, const struct in6_addr *tep, struct cl_tunnel_error *error);
