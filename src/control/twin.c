// SPDX-License-Identifier: BSD-3-Clause
#include "control/twin.h"

#include "common/log.h"

#include <netlink/route/link.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* The kernel's interface of this name, non-blocking and gone with the descriptor. -errno on failure. */
static int open_tap(const char *name)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int fd;

	if (strlen(name) >= sizeof(request.ifr_name))
		return -ENAMETOOLONG;
	memcpy(request.ifr_name, name, strlen(name));
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, TUNSETIFF, &request) < 0) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}

/* MAC address, MTU and up, in one message. Returns 0 or a libnl error. */
static int configure(uint32_t ifindex, const struct tep_twin_params *params)
{
	struct nl_sock *socket = nl_socket_alloc();
	struct rtnl_link *link = rtnl_link_alloc();
	struct rtnl_link *change = rtnl_link_alloc();
	struct nl_addr *mac = nl_addr_build(AF_LLC, &params->mac, sizeof(params->mac));
	int error = -NLE_NOMEM;

	if (socket == NULL || link == NULL || change == NULL || mac == NULL)
		goto out;
	rtnl_link_set_ifindex(link, (int)ifindex);
	rtnl_link_set_addr(change, mac);
	rtnl_link_set_mtu(change, params->mtu);
	rtnl_link_set_flags(change, IFF_UP);
	error = nl_connect(socket, NETLINK_ROUTE);
	if (error == 0)
		error = rtnl_link_change(socket, link, change, 0);
out:
	nl_addr_put(mac);
	rtnl_link_put(change);
	rtnl_link_put(link);
	nl_socket_free(socket);
	return error;
}

int tep_twin_open(struct tep_twin *twin, const struct tep_twin_params *params)
{
	int fd = open_tap(params->name);
	uint32_t ifindex;
	int error;

	*twin = (struct tep_twin){.fd = -1};
	if (fd < 0) {
		log_err("twin %s: cannot create: %s", params->name, strerror(-fd));
		return fd;
	}
	ifindex = if_nametoindex(params->name);
	error = configure(ifindex, params);
	if (error != 0) {
		log_err("twin %s: cannot configure: %s", params->name, nl_geterror(error));
		close(fd);
		return -EIO;
	}
	*twin = (struct tep_twin){
		.fd = fd,
		.ifindex = ifindex,
		.port = params->port,
		.mac = params->mac,
	};
	return 0;
}

void tep_twin_close(struct tep_twin *twin)
{
	if (twin->fd >= 0)
		close(twin->fd);
	twin->fd = -1;
}

bool tep_twin_write(const struct tep_twin *twin, const struct rte_mbuf *m)
{
	/* Frames that workers punt are one piece; another is not worth a copy. */
	if (m->nb_segs != 1)
		return false;
	return write(twin->fd, rte_pktmbuf_mtod(m, void *), m->data_len) == m->data_len;
}

int tep_twin_read(const struct tep_twin *twin, struct rte_mbuf *m)
{
	uint16_t room = rte_pktmbuf_tailroom(m);
	ssize_t len = read(twin->fd, rte_pktmbuf_mtod(m, void *), room);

	if (len < 0)
		return -errno;
	/* A frame that fills the room was cut, or may have been. */
	if (len == room)
		return -EMSGSIZE;
	m->data_len = (uint16_t)len;
	m->pkt_len = (uint32_t)len;
	m->port = twin->port;
	return 0;
}
