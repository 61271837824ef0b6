// SPDX-License-Identifier: BSD-3-Clause
#include "client/path_mtu.h"

#include "client/sysctl.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUTER_LEN   40
#define DEVICE_MAX  65495
#define AGE_SETTING "net/ipv6/route/mtu_expires"
#define AGE_S       600

uint32_t cl_path_mtu_get(const struct in6_addr *local, const struct in6_addr *remote)
{
	struct sockaddr_in6 from = {.sin6_family = AF_INET6, .sin6_addr = *local};
	struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_addr = *remote, .sin6_port = 1};
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(int);
	int mtu = CL_PATH_MTU_DEFAULT;

	if (fd < 0)
		return CL_PATH_MTU_DEFAULT;
	/* Connected, a datagram socket knows its route; nothing is sent. */
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0 ||
		connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
		getsockopt(fd, IPPROTO_IPV6, IPV6_MTU, &mtu, &size) < 0)
		mtu = CL_PATH_MTU_DEFAULT;
	close(fd);
	return mtu < CL_PATH_MTU_MIN ? CL_PATH_MTU_MIN : (uint32_t)mtu;
}

uint32_t cl_path_mtu_device(uint32_t path_mtu)
{
	uint32_t mtu = path_mtu < CL_PATH_MTU_MIN ? CL_PATH_MTU_MIN : path_mtu;

	return mtu - OUTER_LEN > DEVICE_MAX ? DEVICE_MAX : mtu - OUTER_LEN;
}

uint32_t cl_path_mtu_age_s(void)
{
	char text[32];
	long seconds = AGE_S;

	if (cl_sysctl_read(AGE_SETTING, text, sizeof(text)) == 0)
		seconds = strtol(text, NULL, 10);
	return seconds > 0 && seconds < 86400 ? (uint32_t)seconds : AGE_S;
}
