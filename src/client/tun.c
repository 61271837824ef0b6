// SPDX-License-Identifier: BSD-3-Clause
#include "client/tun.h"

#include "client/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#define PACKET_MAX 65536

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20 /* Linux 6.2, and only both together */
#define TUN_F_USO6 0x40
#endif

/* What the kernel may leave to us: as much as it knows of. */
static void set_offloads(int fd)
{
	static const unsigned int wishes[] = {
		TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO_ECN | TUN_F_USO4 | TUN_F_USO6,
		TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO_ECN,
		TUN_F_CSUM,
	};

	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
		if (ioctl(fd, TUNSETOFFLOAD, wishes[i]) == 0)
			return;
	}
}

static int open_queue(const char *device, short flags)
{
	struct ifreq request = {.ifr_flags = flags};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
	if (ioctl(fd, TUNSETIFF, &request) < 0) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}

int cl_tun_open(const char *device, uint32_t n_queues, struct cl_tun *tun)
{
	short flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;

	if (n_queues > 1)
		flags |= IFF_MULTI_QUEUE;
	*tun = (struct cl_tun){0};
	for (uint32_t i = 0; i < n_queues; i++) {
		/* Only the first may make the device; the others join it. */
		int fd = open_queue(device, i == 0 ? flags | IFF_TUN_EXCL : flags);

		if (fd < 0) {
			cl_tun_close(tun);
			return fd;
		}
		tun->fds[tun->n_queues++] = fd;
	}
	set_offloads(tun->fds[0]);
	return 0;
}

void cl_tun_close(struct cl_tun *tun)
{
	while (tun->n_queues > 0)
		close(tun->fds[--tun->n_queues]);
}

ssize_t cl_tun_read_frame(int fd, struct virtio_net_hdr *vnet, uint8_t *packet, size_t size)
{
	struct iovec vectors[] = {{vnet, sizeof(*vnet)}, {packet, size}};
	ssize_t len = readv(fd, vectors, 2);

	if (len < 0)
		return -errno;
	return len < (ssize_t)sizeof(*vnet) ? -EIO : len - (ssize_t)sizeof(*vnet);
}

int cl_tun_read(int fd, void (*each)(void *arg, uint8_t *packet, size_t len), void *arg)
{
	uint8_t frame[PACKET_MAX], packet[PACKET_MAX];
	struct virtio_net_hdr vnet;
	struct cl_segment segment;
	struct cl_cut cut;
	ssize_t len = cl_tun_read_frame(fd, &vnet, frame, sizeof(frame));
	int n = 0;

	if (len < 0)
		return (int)len;
	if (cl_cut_begin(&cut, &vnet, frame, len) < 0)
		return 0;
	while (cl_cut_next(&cut, &segment)) {
		memcpy(packet, segment.header, segment.header_len);
		memcpy(packet + segment.header_len, segment.payload, segment.payload_len);
		each(arg, packet, segment.header_len + segment.payload_len);
		n++;
	}
	return n;
}

int cl_tun_write(int fd, const uint8_t *packet, size_t len)
{
	struct virtio_net_hdr vnet = {0};
	struct iovec vectors[] = {{&vnet, sizeof(vnet)}, {(void *)packet, len}};
	ssize_t written = writev(fd, vectors, 2);

	if (written < 0)
		return -errno;
	return (size_t)written == sizeof(vnet) + len ? 0 : -EIO;
}
