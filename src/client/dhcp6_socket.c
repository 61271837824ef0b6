// SPDX-License-Identifier: BSD-3-Clause
#include "client/dhcp6_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int cl_dhcp6_socket_open(uint16_t port)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1, error;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) == 0 &&
		bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0)
		return fd;
	error = errno;
	close(fd);
	return -error;
}

int cl_dhcp6_socket_send(int fd, const struct cl_dhcp6_way *way, const uint8_t *data, size_t len)
{
	const struct in6_pktinfo info = {.ipi6_ifindex = way->ifindex, .ipi6_addr = way->local};
	union {
		struct cmsghdr align;
		char octets[CMSG_SPACE(sizeof(info))];
	} control = {0};
	struct sockaddr_in6 peer = way->peer;
	struct iovec iov = {.iov_base = (void *)data, .iov_len = len};
	struct msghdr msg = {
		.msg_name = &peer,
		.msg_namelen = sizeof(peer),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = IPPROTO_IPV6;
	cmsg->cmsg_type = IPV6_PKTINFO;
	cmsg->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(cmsg), &info, sizeof(info));
	return sendmsg(fd, &msg, 0) < 0 ? -errno : 0;
}

ssize_t cl_dhcp6_socket_receive(int fd, uint8_t *buf, size_t size, struct cl_dhcp6_way *way)
{
	union {
		struct cmsghdr align;
		char octets[256];
	} control;
	struct iovec iov = {.iov_base = buf, .iov_len = size};
	struct msghdr msg = {
		.msg_name = &way->peer,
		.msg_namelen = sizeof(way->peer),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t len = recvmsg(fd, &msg, MSG_TRUNC);

	if (len < 0)
		return -errno;
	way->ifindex = 0;
	way->local = in6addr_any;
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg); cmsg != NULL;
		cmsg = CMSG_NXTHDR(&msg, cmsg)) {
		struct in6_pktinfo info;

		if (cmsg->cmsg_level != IPPROTO_IPV6 || cmsg->cmsg_type != IPV6_PKTINFO)
			continue;
		memcpy(&info, CMSG_DATA(cmsg), sizeof(info));
		way->ifindex = info.ipi6_ifindex;
		way->local = info.ipi6_addr;
	}
	return len;
}
