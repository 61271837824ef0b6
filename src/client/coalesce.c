// SPDX-License-Identifier: BSD-3-Clause
#include "client/coalesce.h"

#include "client/checksum.h"

#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>

#define IP_LEN       20 /* no options: those are rare, and the kernel's own */
#define IP_ADDRESSES 12
#define TCP_SEQ      4
#define TCP_FLAGS    13
#define TCP_CHECKSUM 16
#define UDP_CHECKSUM 6
#define PACKET_MAX   65535

/* The parts of a segment that the rules speak of. */
struct seen {
	uint8_t *packet;
	size_t header_len, payload_len;
	uint32_t seq;
	uint16_t id;
	bool is_atomic;
	bool pushes;
};

static uint16_t read_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t read_u32(const uint8_t *p)
{
	return (uint32_t)read_u16(p) << 16 | read_u16(p + 2);
}

static void write_u16(uint8_t *p, size_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static bool is_tcp(const uint8_t *packet, size_t len)
{
	return len >= IP_LEN && packet[0] == 0x45 && packet[9] == IPPROTO_TCP &&
	       (read_u16(packet + 6) & (IP_OFFMASK | IP_MF)) == 0;
}

static bool checksums_hold(const uint8_t *packet, size_t len)
{
	size_t l4_len = len - IP_LEN;

	return cl_checksum_fold(cl_checksum_add(0, packet, IP_LEN)) == 0xffff &&
	       cl_checksum_fold(cl_checksum_add(
		       cl_checksum_pseudo(packet + IP_ADDRESSES, IPPROTO_TCP, l4_len),
		       packet + IP_LEN, l4_len)) == 0xffff;
}

/* True when the segment may be joined with others: data, and no flag but ACK and PSH. */
static bool see(uint8_t *packet, size_t len, struct seen *seen)
{
	const uint8_t *tcp = packet + IP_LEN;
	size_t tcp_len;

	if (len < IP_LEN + sizeof(struct tcphdr) || read_u16(packet + 2) != len)
		return false;
	tcp_len = (tcp[12] >> 4) * 4u;
	if (tcp_len < sizeof(struct tcphdr) || len <= IP_LEN + tcp_len)
		return false;
	if ((tcp[12] & 15) != 0 || (tcp[TCP_FLAGS] & ~TH_PUSH) != TH_ACK)
		return false;
	*seen = (struct seen){
		.packet = packet,
		.header_len = IP_LEN + tcp_len,
		.payload_len = len - IP_LEN - tcp_len,
		.seq = read_u32(tcp + TCP_SEQ),
		.id = read_u16(packet + 4),
		.is_atomic = (read_u16(packet + 6) & IP_DF) != 0,
		.pushes = (tcp[TCP_FLAGS] & TH_PUSH) != 0,
	};
	return checksums_hold(packet, len);
}

static bool is_same_flow(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a + IP_ADDRESSES, b + IP_ADDRESSES, 8 + 4) == 0;
}

/* All that must not differ: class, DF, TTL; acknowledgement, window, options. */
static bool headers_agree(const uint8_t *a, const uint8_t *b, size_t header_len)
{
	const uint8_t *tcp_a = a + IP_LEN, *tcp_b = b + IP_LEN;

	return a[1] == b[1] && memcmp(a + 6, b + 6, 3) == 0 &&
	       memcmp(tcp_a + 8, tcp_b + 8, 5) == 0 && memcmp(tcp_a + 14, tcp_b + 14, 2) == 0 &&
	       memcmp(tcp_a + 18, tcp_b + 18, header_len - IP_LEN - 18) == 0;
}

static bool id_follows(const struct cl_coalesce_group *group, const struct seen *seen)
{
	if (group->n == 1)
		return seen->id == (uint16_t)(group->first_id + 1) ||
		       (seen->is_atomic && seen->id == group->first_id);
	return seen->id == (uint16_t)(group->first_id + group->id_step * group->n);
}

static bool fits(const struct cl_coalesce_group *group, const struct seen *seen)
{
	return !group->is_closed && seen->seq == group->next_seq &&
	       seen->header_len == group->header_len && seen->payload_len <= group->size &&
	       group->len + seen->payload_len <= PACKET_MAX && id_follows(group, seen) &&
	       headers_agree(group->packet, seen->packet, seen->header_len);
}

static void begin_group(struct cl_coalesce_group *group, const struct seen *seen)
{
	group->n = 1;
	group->packet = seen->packet;
	group->header_len = seen->header_len;
	group->size = seen->payload_len;
	group->len = seen->header_len + seen->payload_len;
	group->next_seq = seen->seq + seen->payload_len;
	group->first_id = seen->id;
	group->is_closed = seen->pushes;
	group->vectors[1] = (struct iovec){seen->packet, group->len};
}

static void grow_group(struct cl_coalesce_group *group, const struct seen *seen)
{
	if (group->n == 1)
		group->id_step = (uint16_t)(seen->id - group->first_id);
	group->n++;
	group->vectors[group->n] = (struct iovec){
		seen->packet + seen->header_len, seen->payload_len};
	group->len += seen->payload_len;
	group->next_seq += seen->payload_len;
	group->is_closed = seen->pushes || seen->payload_len < group->size ||
			   group->n == CL_COALESCE_SEGMENTS;
	if (seen->pushes)
		group->packet[IP_LEN + TCP_FLAGS] |= TH_PUSH;
}

/* Says in *vnet what the kernel must know of a packet whose checksum is open. */
static void describe_open(const uint8_t *packet, size_t len, struct virtio_net_hdr *vnet)
{
	bool tcp = packet[9] == IPPROTO_TCP;
	size_t header_len = IP_LEN + (tcp ? sizeof(struct tcphdr) : sizeof(struct udphdr));
	size_t offset = tcp ? TCP_CHECKSUM : UDP_CHECKSUM;
	uint16_t sum;

	if (packet[0] != 0x45 || (!tcp && packet[9] != IPPROTO_UDP) || len < header_len ||
		(read_u16(packet + 6) & (IP_OFFMASK | IP_MF)) != 0 || read_u16(packet + 2) != len)
		return;
	sum = cl_checksum_fold(cl_checksum_pseudo(packet + IP_ADDRESSES, packet[9], len - IP_LEN));
	if (memcmp(packet + IP_LEN + offset, &sum, sizeof(sum)) != 0)
		return;
	vnet->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	vnet->csum_start = IP_LEN;
	vnet->csum_offset = (uint16_t)offset;
	if (!tcp || packet[IP_LEN + 12] >> 4 < sizeof(struct tcphdr) / 4)
		return;
	header_len = IP_LEN + (packet[IP_LEN + 12] >> 4) * 4u;
	if (len <= header_len + CL_COALESCE_GUESS)
		return;
	vnet->gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	vnet->gso_size = CL_COALESCE_GUESS;
	vnet->hdr_len = (uint16_t)header_len;
}

static void put_alone(struct cl_coalescer *coalescer, uint8_t *packet, size_t len)
{
	struct virtio_net_hdr vnet = {0};
	struct iovec vectors[] = {{&vnet, sizeof(vnet)}, {packet, len}};

	describe_open(packet, len, &vnet);
	coalescer->put(coalescer->arg, vectors, 2, 1);
}

/* The kernel wants the pseudo header's sum where the checksum belongs. */
static void finish_headers(struct cl_coalesce_group *group)
{
	uint8_t *packet = group->packet;
	uint8_t *checksum = packet + IP_LEN + TCP_CHECKSUM;
	uint16_t sum = cl_checksum_fold(
		cl_checksum_pseudo(packet + IP_ADDRESSES, IPPROTO_TCP, group->len - IP_LEN));

	memcpy(checksum, &sum, sizeof(sum));
	write_u16(packet + 2, group->len);
	memset(packet + offsetof(struct iphdr, check), 0, 2);
	cl_checksum_store(packet + offsetof(struct iphdr, check),
		cl_checksum_fold(cl_checksum_add(0, packet, IP_LEN)));
	group->vnet = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.hdr_len = (uint16_t)group->header_len,
		.gso_size = (uint16_t)group->size,
		.csum_start = IP_LEN,
		.csum_offset = TCP_CHECKSUM,
	};
}

static void put_group(struct cl_coalescer *coalescer, struct cl_coalesce_group *group)
{
	uint32_t n = group->n;

	group->n = 0;
	coalescer->n_waiting--;
	if (n == 1) {
		put_alone(coalescer, group->packet, group->len);
		return;
	}
	finish_headers(group);
	group->vectors[0] = (struct iovec){&group->vnet, sizeof(group->vnet)};
	coalescer->put(coalescer->arg, group->vectors, 1 + n, n);
}

static struct cl_coalesce_group *find_group(struct cl_coalescer *coalescer, const uint8_t *packet)
{
	for (uint32_t i = 0; i < CL_COALESCE_FLOWS && coalescer->n_waiting > 0; i++) {
		struct cl_coalesce_group *group = &coalescer->groups[i];

		if (group->n > 0 && is_same_flow(group->packet, packet))
			return group;
	}
	return NULL;
}

/* A free group; if there is none, all that wait go. */
static struct cl_coalesce_group *take_group(struct cl_coalescer *coalescer)
{
	if (coalescer->n_waiting == CL_COALESCE_FLOWS)
		cl_coalesce_flush(coalescer);
	coalescer->n_waiting++;
	for (struct cl_coalesce_group *group = coalescer->groups;; group++) {
		if (group->n == 0)
			return group;
	}
}

void cl_coalesce_add(struct cl_coalescer *coalescer, uint8_t *packet, size_t len)
{
	struct cl_coalesce_group *group;
	struct seen seen;

	if (!is_tcp(packet, len)) {
		/* A fragment or options: perhaps of a flow that waits. */
		if (len >= IP_LEN && packet[9] == IPPROTO_TCP)
			cl_coalesce_flush(coalescer);
		put_alone(coalescer, packet, len);
		return;
	}
	group = len >= IP_LEN + 4 ? find_group(coalescer, packet) : NULL;
	if (!see(packet, len, &seen)) {
		if (group != NULL)
			put_group(coalescer, group);
		put_alone(coalescer, packet, len);
		return;
	}
	if (group != NULL && fits(group, &seen)) {
		grow_group(group, &seen);
		return;
	}
	if (group != NULL)
		put_group(coalescer, group);
	begin_group(take_group(coalescer), &seen);
}

void cl_coalesce_flush(struct cl_coalescer *coalescer)
{
	for (uint32_t i = 0; i < CL_COALESCE_FLOWS; i++) {
		if (coalescer->groups[i].n > 0)
			put_group(coalescer, &coalescer->groups[i]);
	}
}
