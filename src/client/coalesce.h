// SPDX-License-Identifier: BSD-3-Clause
/*
 * Joins TCP segments that came one after the other into packets of up to 64 KiB, so that the kernel's
 * stack is walked once for many of them: the reverse of client/segment.h.
 *
 * Rules, those of the kernel's own receive offload: the same flow, plain IPv4 and TCP headers that differ in
 * nothing but length, IP id and sequence number; in sequence and without a gap; all of one length but the
 * last, which alone may push. The kernel takes the checksum of a joined packet on trust, so each segment's
 * has been verified here. What fails a rule goes alone and as it came, behind what its flow had waiting:
 * order within a flow never changes. What cut() would make of the result is what came, except for the IP
 * ids of atomic packets (DF) that all had the same (RFC 6864).
 *
 * A packet may come with an open checksum: the kernel's own receive offload has joined segments already,
 * or the TEP is a neighbour on the same machine. The pseudo header's sum stands in the field then, and goes
 * to the device as such. How long the segments were is not told; CL_COALESCE_GUESS stands for it.
 *
 * Packets stay where they are until cl_coalesce_flush(); headers are rewritten in place.
 */
#pragma once

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define CL_COALESCE_FLOWS    8 /* that wait at the same time */
#define CL_COALESCE_SEGMENTS 64 /* in a packet */
#define CL_COALESCE_GUESS    1380 /* octets of TCP payload */

/* A packet that may still grow. */
struct cl_coalesce_group {
	struct virtio_net_hdr vnet;
	struct iovec
		vectors[1 +
			CL_COALESCE_SEGMENTS]; /* the virtio header, the first packet, payloads */
	uint32_t n; /* segments; 0: the group is free */
	uint8_t *packet; /* the first one */
	size_t header_len, len, size; /* of the headers, in all, of each payload */
	uint32_t next_seq;
	uint16_t first_id, id_step;
	bool is_closed; /* nothing may follow */
};

struct cl_coalescer {
	/* Takes a packet: vectors[0] is its virtio header. */
	void (*put)(void *arg, const struct iovec *vectors, uint32_t n_vectors, uint32_t n_packets);
	void *arg;
	uint32_t n_waiting;
	struct cl_coalesce_group groups[CL_COALESCE_FLOWS];
};

/* Takes a packet whose IPv4 header is whole and whose length is that of its header or more. */
void cl_coalesce_add(struct cl_coalescer *coalescer, uint8_t *packet, size_t len);

/* Hands out all that waits. */
void cl_coalesce_flush(struct cl_coalescer *coalescer);
