// SPDX-License-Identifier: BSD-3-Clause
/*
 * Cuts what the kernel leaves to the device: a TCP or UDP packet of up to 64 KiB becomes packets that fit
 * the path, and a checksum that the kernel left open is completed.
 *
 * The kernel announces both in a virtio header before the packet (IFF_VNET_HDR). Headers are copied and
 * made good for each segment; the payload stays where it is, so a segment is two pieces of memory.
 *
 * The header is the kernel's word, but nothing of it is believed that would lead out of the packet.
 */
#pragma once

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5 /* Linux 6.2 */
#endif

#define CL_SEGMENT_HEADER_MAX 120 /* IPv4 and TCP with all their options */

struct cl_segment {
	size_t header_len; /* 0: the packet was not cut, all of it is payload */
	size_t payload_len;
	const uint8_t *payload;
	uint8_t header[CL_SEGMENT_HEADER_MAX];
};

/* A packet while it is cut. */
struct cl_cut {
	uint8_t *packet;
	size_t ip_len, header_len, len;
	size_t size; /* payload of each segment but the last */
	size_t done; /* octets of payload that are cut */
	uint32_t n; /* segments so far */
	bool is_tcp;
	bool is_ended;
};

/*
 * Begins; completes the checksum of a packet that need not be cut. Returns 0, or -EINVAL when header and
 * packet do not agree.
 */
int cl_cut_begin(
	struct cl_cut *cut, const struct virtio_net_hdr *vnet, uint8_t *packet, size_t len);

/* The next segment, in order; false: there is no more. */
bool cl_cut_next(struct cl_cut *cut, struct cl_segment *segment);
