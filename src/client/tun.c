// SPDX-License-Identifier: BSD-3-Clause
#include "client/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PACKET_MAX 65536

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
	short flags = IFF_TUN | IFF_NO_PI;

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
	return 0;
}

void cl_tun_close(struct cl_tun *tun)
{
	while (tun->n_queues > 0)
		close(tun->fds[--tun->n_queues]);
}

int cl_tun_read(int fd, void (*each)(void *arg, uint8_t *packet, size_t len), void *arg)
{
	uint8_t packet[PACKET_MAX];
	ssize_t len = read(fd, packet, sizeof(packet));

	if (len < 0)
		return -errno;
	each(arg, packet, len);
	return 1;
}

int cl_tun_write(int fd, const uint8_t *packet, size_t len)
{
	ssize_t written = write(fd, packet, len);

	if (written < 0)
		return -errno;
	return (size_t)written == len ? 0 : -EIO;
}
