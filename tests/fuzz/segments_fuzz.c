// SPDX-License-Identifier: BSD-3-Clause
/*
 * What the client's data threads make of packets: cut by the kernel's word (client/segment.h), and joined
 * (client/coalesce.h). First octet even: ten octets of a virtio header and a packet, to be cut. Odd: a
 * burst of packets, each two octets of length (the first bit: with correct checksums) and its octets;
 * what was joined and is cut again must be as many packets, and as long.
 */
#include "client/coalesce.h"
#include "client/segment.h"

#include "../client/packets.h"

#include <stdlib.h>

#define BURST_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct count {
	uint32_t n;
	size_t payload;
};

/* A copy of its own length: the sanitizer sees each octet that is read behind its end. */
static uint8_t *copy_of(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len);

	if (len > 0)
		memcpy(copy, data, len);
	return copy;
}

/* Cuts, and reads all that comes out. -1: refused. */
static int cut(const struct virtio_net_hdr *vnet, uint8_t *packet, size_t len, struct count *count)
{
	uint8_t out[UINT16_MAX + 1];
	struct cl_segment segment;
	struct cl_cut work;
	size_t payload = 0;

	if (cl_cut_begin(&work, vnet, packet, len) < 0)
		return -1;
	while (cl_cut_next(&work, &segment)) {
		if (segment.header_len > sizeof(segment.header) || segment.payload < packet ||
			segment.payload + segment.payload_len > packet + len)
			abort();
		if (segment.payload_len > sizeof(out))
			abort();
		memcpy(out, segment.payload, segment.payload_len);
		payload += segment.payload_len;
		count->n++;
	}
	if (payload + work.header_len != len)
		abort();
	count->payload += payload;
	return 0;
}

static void fuzz_cut(const uint8_t *data, size_t size)
{
	struct virtio_net_hdr vnet;
	struct count count = {0};
	uint8_t *packet;

	if (size < sizeof(vnet))
		return;
	memcpy(&vnet, data, sizeof(vnet));
	packet = copy_of(data + sizeof(vnet), size - sizeof(vnet));
	cut(&vnet, packet, size - sizeof(vnet), &count);
	free(packet);
}

static void put(void *arg, const struct iovec *vectors, uint32_t n_vectors, uint32_t n_packets)
{
	struct count *left = arg, here = {0};
	struct virtio_net_hdr vnet;
	uint8_t *whole;
	size_t len = 0;

	memcpy(&vnet, vectors[0].iov_base, sizeof(vnet));
	for (uint32_t i = 1; i < n_vectors; i++)
		len += vectors[i].iov_len;
	if (len > UINT16_MAX)
		abort();
	whole = malloc(len);
	len = 0;
	for (uint32_t i = 1; i < n_vectors; i++) {
		memcpy(whole + len, vectors[i].iov_base, vectors[i].iov_len);
		len += vectors[i].iov_len;
	}
	if (cut(&vnet, whole, len, &here) < 0)
		abort();
	/* One with an open checksum may have been many before it came. */
	if (here.n != n_packets && (n_packets != 1 || vnet.flags == 0))
		abort();
	left->n += n_packets;
	free(whole);
}

/* As cl_coalesce_add wants them: the IPv4 header is whole, and no longer than the packet says. */
static bool is_offered(const uint8_t *packet, size_t len)
{
	size_t header_len = len > 0 ? (packet[0] & 15) * 4u : 0;

	return header_len >= 20 && header_len <= len;
}

static void complete(uint8_t *packet, size_t len)
{
	if (len >= (packet[0] & 15) * 4u + 20)
		put_checksums(packet, len);
}

static void fuzz_join(const uint8_t *data, size_t size)
{
	struct count left = {0};
	struct cl_coalescer coalescer = {.put = put, .arg = &left};
	uint8_t *packets[BURST_MAX];
	uint32_t n = 0;

	while (n < BURST_MAX && size >= 2) {
		bool is_completed = data[0] & 0x80;
		size_t len = get_u16(data) & 0x7fff;

		data += 2;
		size -= 2;
		if (len > size)
			len = size;
		if (is_offered(data, len)) {
			packets[n] = copy_of(data, len);
			if (is_completed)
				complete(packets[n], len);
			cl_coalesce_add(&coalescer, packets[n++], len);
		}
		data += len;
		size -= len;
	}
	cl_coalesce_flush(&coalescer);
	if (left.n != n)
		abort();
	for (uint32_t i = 0; i < n; i++)
		free(packets[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] & 1)
		fuzz_join(data + 1, size - 1);
	else
		fuzz_cut(data + 1, size - 1);
	return 0;
}
