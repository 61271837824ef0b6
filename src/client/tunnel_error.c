// SPDX-License-Identifier: BSD-3-Clause
#include "client/tunnel_error.h"

#include "common/addr.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <string.h>
#include <sys/socket.h>

#define FAILED_POLICY 5 /* source address failed ingress/egress policy: RFC 4443 section 3.1 */

enum cl_tunnel_error_type cl_tunnel_error_judge(const struct sock_extended_err *error,
	const struct in6_addr *offender, const struct in6_addr *destination,
	const struct in6_addr *tep)
{
	if (error->ee_origin != SO_EE_ORIGIN_ICMP6)
		return CL_TUNNEL_ERROR_NONE;
	switch (error->ee_type) {
	case ICMP6_PACKET_TOO_BIG:
		return CL_TUNNEL_ERROR_TOO_BIG;
	case ICMP6_DST_UNREACH:
		if (error->ee_code != FAILED_POLICY)
			return CL_TUNNEL_ERROR_UNREACHABLE;
		return addr_v6_equal(destination, tep) && addr_v6_equal(offender, tep)
			       ? CL_TUNNEL_ERROR_UNBOUND
			       : CL_TUNNEL_ERROR_UNREACHABLE;
	case ICMP6_TIME_EXCEEDED:
		return error->ee_code == ICMP6_TIME_EXCEED_TRANSIT ? CL_TUNNEL_ERROR_UNREACHABLE
								   : CL_TUNNEL_ERROR_NONE;
	case ICMP6_PARAM_PROB:
		/* "Unrecognized next header": who is there does not decapsulate. */
		return CL_TUNNEL_ERROR_UNREACHABLE;
	default:
		return CL_TUNNEL_ERROR_NONE;
	}
}

void cl_tunnel_error_listen(int fd)
{
	static const int on = 1;

	setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
}

int cl_tunnel_error_read(int fd, const struct in6_addr *tep, struct cl_tunnel_error *error)
{
	union {
		struct cmsghdr header;
		uint8_t space[512];
	} control;
	struct sockaddr_in6 destination = {0};
	struct iovec quote = {error->quote, sizeof(error->quote)};
	struct msghdr message = {
		.msg_name = &destination,
		.msg_namelen = sizeof(destination),
		.msg_iov = &quote,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t len = recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT);

	if (len < 0)
		return -EAGAIN;
	error->type = CL_TUNNEL_ERROR_NONE;
	error->destination = destination.sin6_addr;
	error->quote_len = (size_t)len;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c)) {
		struct {
			struct sock_extended_err error;
			struct sockaddr_in6 offender;
		} told;

		if (c->cmsg_level != IPPROTO_IPV6 || c->cmsg_type != IPV6_RECVERR ||
			c->cmsg_len < CMSG_LEN(sizeof(told)))
			continue;
		memcpy(&told, CMSG_DATA(c), sizeof(told));
		error->type = cl_tunnel_error_judge(
			&told.error, &told.offender.sin6_addr, &error->destination, tep);
		error->mtu = told.error.ee_info;
	}
	return 0;
}
