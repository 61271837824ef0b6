// SPDX-License-Identifier: BSD-3-Clause
/*
 * The DTI's device: a tun interface that lives as long as its descriptors.
 *
 * With more than one queue the kernel spreads flows over them, one descriptor each. Every frame has
 * a virtio header before its packet: TCP and UDP may come uncut, without checksum, and up to 64 KiB long
 * (client/segment.h), and TCP may be given so (client/coalesce.h).
 */
#pragma once

#include <linux/virtio_net.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CL_TUN_QUEUES_MAX 16

struct cl_tun {
	uint32_t n_queues;
	int fds[CL_TUN_QUEUES_MAX]; /* nonblocking */
};

/*
 * Makes the device. Returns 0, or -errno with nothing open: -EBUSY when a device of that name is in
 * use or is not ours to take.
 */
int cl_tun_open(const char *device, uint32_t n_queues, struct cl_tun *tun);
void cl_tun_close(struct cl_tun *tun);

/*
 * Takes a frame as it is, an IPv4 packet behind its virtio header. Returns the length of the packet, or
 * -errno: -EAGAIN when the queue is empty.
 */
ssize_t cl_tun_read_frame(int fd, struct virtio_net_hdr *vnet, uint8_t *packet, size_t size);

/*
 * Takes one frame from a queue and hands out the IPv4 packets in it, in order and with their
 * checksums complete; packet may be written to and is gone afterwards. Returns how many there were,
 * or -errno: -EAGAIN when the queue is empty. For the slow path: one frame a call.
 */
int cl_tun_read(int fd, void (*each)(void *arg, uint8_t *packet, size_t len), void *arg);

/* Gives this host one IPv4 packet as if it had come through the tunnel. Returns 0 or -errno. */
int cl_tun_write(int fd, const uint8_t *packet, size_t len);
