// SPDX-License-Identifier: BSD-3-Clause
/*
 * Joined segments: what cut() makes of them again is what came, flow by flow and in order.
 */
#include "client/coalesce.h"
#include "client/segment.h"

#include "packets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define BATCH   64
#define FLOWS   12
#define PER_RUN 4000
#define MOST    1500

static uint8_t arrived[BATCH][MOST];

/* What a run has seen, flow by flow: digests of the packets in their order. */
struct trace {
	uint32_t n[FLOWS];
	uint64_t digests[FLOWS][PER_RUN];
};

static struct trace came, left;
static uint32_t n_writes, n_packets_told;

static uint64_t digest(const uint8_t *p, size_t len)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * 0x100000001b3u;
	return hash;
}

/* Flow i has source port 1000 + i. Ids of atomic packets are not compared (RFC 6864). */
static void note(struct trace *trace, const uint8_t *packet, size_t len)
{
	uint32_t flow = get_u16(packet + 20) - 1000u;
	uint8_t copy[MOST];

	assert_true(flow < FLOWS && len <= MOST);
	memcpy(copy, packet, len);
	if (copy[6] & 0x40) {
		put_u16(copy + 4, 0);
		put_u16(copy + 10, 0);
	}
	assert_true(trace->n[flow] < PER_RUN);
	trace->digests[flow][trace->n[flow]++] = digest(copy, len);
}

/* The device's side: puts the packet together and cuts it again. */
static void put(void *arg, const struct iovec *vectors, uint32_t n_vectors, uint32_t n_packets)
{
	static uint8_t whole[70000], piece[70000];
	struct virtio_net_hdr vnet;
	struct cl_segment segment;
	struct cl_cut cut;
	size_t len = 0;
	uint32_t n = 0;

	assert_int_equal(vectors[0].iov_len, sizeof(vnet));
	memcpy(&vnet, vectors[0].iov_base, sizeof(vnet));
	for (uint32_t i = 1; i < n_vectors; i++) {
		memcpy(whole + len, vectors[i].iov_base, vectors[i].iov_len);
		len += vectors[i].iov_len;
	}
	assert_true(len <= 65535);
	if (n_packets > 1) {
		assert_int_equal(naive_sum(0, whole, 20), 0xffff);
		assert_int_equal(get_u16(whole + 2), len);
		assert_int_equal(get_u16(whole + 36), naive_pseudo(whole, len - 20));
	}
	assert_int_equal(cl_cut_begin(&cut, &vnet, whole, len), 0);
	for (; cl_cut_next(&cut, &segment); n++) {
		memcpy(piece, segment.header, segment.header_len);
		memcpy(piece + segment.header_len, segment.payload, segment.payload_len);
		note(&left, piece, segment.header_len + segment.payload_len);
	}
	assert_int_equal(n, n_packets);
	n_writes++;
	n_packets_told += n_packets;
}

static struct cl_coalescer coalescer = {.put = put};

static void begin(void)
{
	memset(&came, 0, sizeof(came));
	memset(&left, 0, sizeof(left));
	n_writes = n_packets_told = 0;
}

static void add(uint8_t *packet, size_t len)
{
	note(&came, packet, len);
	cl_coalesce_add(&coalescer, packet, len);
}

static void assert_same(void)
{
	uint32_t n = 0;

	assert_int_equal(coalescer.n_waiting, 0);
	for (uint32_t i = 0; i < FLOWS; i++) {
		assert_int_equal(came.n[i], left.n[i]);
		assert_memory_equal(came.digests[i], left.digests[i], came.n[i] * sizeof(uint64_t));
		n += came.n[i];
	}
	assert_int_equal(n_packets_told, n);
}

static const struct tcp_packet plain = {
	.src = 0xcb007105,
	.dst = 0xc6336407,
	.sport = 1000,
	.dport = 2048,
	.id = 100,
	.window = 512,
	.df = true,
	.ttl = 60,
	.flags = TEST_FLAG_ACK,
	.seq = 0xffffff00,
	.ack = 7,
	.payload_len = 1000,
};

static void follow(struct tcp_packet *tcp)
{
	tcp->seq += tcp->payload_len;
	tcp->id++;
}

static void segments_in_sequence_become_one(void **state)
{
	struct tcp_packet tcp = plain;

	begin();
	for (int i = 0; i < 40; i++, follow(&tcp)) {
		tcp.payload_len = i == 39 ? 123 : 1000;
		tcp.flags = TEST_FLAG_ACK | (i == 39 ? TEST_FLAG_PSH : 0);
		add(arrived[i], put_tcp(arrived[i], &tcp));
	}
	cl_coalesce_flush(&coalescer);
	assert_int_equal(n_writes, 1);
	assert_same();
}

static void packet_never_grows_beyond_its_bounds(void **state)
{
	struct tcp_packet tcp = plain;

	begin();
	tcp.payload_len = 1400;
	for (int i = 0; i < BATCH; i++, follow(&tcp))
		add(arrived[i], put_tcp(arrived[i], &tcp));
	cl_coalesce_flush(&coalescer);
	assert_int_equal(n_writes, 2);
	assert_same();
}

static void flows_wait_side_by_side(void **state)
{
	struct tcp_packet flows[FLOWS];

	begin();
	for (uint32_t i = 0; i < FLOWS; i++) {
		flows[i] = plain;
		flows[i].sport += i;
	}
	for (uint32_t i = 0; i < 32; i++) {
		struct tcp_packet *tcp = &flows[i % CL_COALESCE_FLOWS];

		add(arrived[i], put_tcp(arrived[i], tcp));
		follow(tcp);
	}
	cl_coalesce_flush(&coalescer);
	assert_int_equal(n_writes, CL_COALESCE_FLOWS);
	assert_same();
}

/* What makes the second of three packets one that cannot be joined with the first. */
static void change(struct tcp_packet *tcp, int what, uint8_t *packet, size_t *len)
{
	static const uint8_t options[4] = {1, 1, 1, 0};

	switch (what) {
	case 0:
		tcp->seq += 1;
		break;
	case 1:
		tcp->seq -= 1;
		break;
	case 2:
		tcp->ack++;
		break;
	case 3:
		tcp->window++;
		break;
	case 4:
		tcp->tos = 3;
		break;
	case 5:
		tcp->ttl--;
		break;
	case 6:
		tcp->df = false;
		break;
	case 7:
		tcp->id += 2;
		break;
	case 8:
		tcp->options = options;
		tcp->options_len = sizeof(options);
		break;
	case 9:
		tcp->flags |= TEST_FLAG_FIN;
		break;
	case 10:
		tcp->payload_len = 1001;
		break;
	case 11:
		tcp->payload_len = 0;
		break;
	case 12:
		tcp->flags |= 0x20; /* URG */
		break;
	}
	*len = put_tcp(packet, tcp);
	if (what == 13)
		packet[*len - 1] ^= 1; /* a broken checksum: the kernel must see it */
	if (what == 14)
		packet[10] ^= 1; /* of the IPv4 header */
	if (what == 15)
		packet[32] |= 1; /* a reserved bit */
}

static void what_differs_goes_alone_and_in_order(void **state)
{
	for (int what = 0; what < 16; what++) {
		struct tcp_packet tcp = plain;
		size_t len;

		begin();
		add(arrived[0], put_tcp(arrived[0], &tcp));
		follow(&tcp);
		change(&tcp, what, arrived[1], &len);
		add(arrived[1], len);
		cl_coalesce_flush(&coalescer);
		if (n_writes != 2)
			fail_msg("case %d: %u writes", what, n_writes);
		assert_same();
	}
}

static void damaged_segment_is_not_trusted_by_the_kernel(void **state)
{
	struct tcp_packet tcp = plain;
	size_t len;

	begin();
	for (int i = 0; i < 5; i++, follow(&tcp)) {
		len = put_tcp(arrived[i], &tcp);
		if (i == 2)
			arrived[i][len - 7] ^= 0x10;
		add(arrived[i], len);
	}
	cl_coalesce_flush(&coalescer);
	assert_int_equal(n_writes, 3);
	assert_same();
}

static uint32_t dice(uint32_t sides)
{
	return (uint32_t)rand() % sides;
}

/* A stream as a sender would make it, with what goes wrong on the way. */
static size_t next_packet(struct tcp_packet *tcp, uint8_t *packet)
{
	static const uint8_t options[12] = {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2};
	size_t len;

	if (dice(20) == 0)
		tcp->seq += dice(3) * 500; /* lost or sent again */
	if (dice(20) == 0)
		tcp->ack += 1000;
	if (dice(40) == 0)
		tcp->tos ^= 3;
	if (dice(40) == 0)
		tcp->options_len = tcp->options_len == 0 ? sizeof(options) : 0;
	tcp->options = options;
	tcp->payload_len = dice(10) == 0 ? dice(1001) : 1000;
	tcp->flags = TEST_FLAG_ACK;
	if (dice(12) == 0)
		tcp->flags |= TEST_FLAG_PSH;
	if (dice(60) == 0)
		tcp->flags |= (uint8_t)(1u << dice(8));
	len = put_tcp(packet, tcp);
	if (dice(50) == 0)
		packet[20 + 4 + dice(len - 24)] ^= 0x40;
	tcp->seq += tcp->payload_len;
	if (dice(40) != 0 && (tcp->sport & 1) != 0)
		tcp->id++; /* the others are atomic, all with the same id */
	return len;
}

static void cut_undoes_coalesce(void **state)
{
	unsigned int seed = (unsigned int)time(NULL);
	uint32_t n = 0;

	print_message("seed %u\n", seed);
	srand(seed);
	for (int round = 0; round < 30; round++) {
		struct tcp_packet flows[FLOWS];
		uint32_t n_flows = 1 + dice(FLOWS);

		begin();
		for (uint32_t i = 0; i < FLOWS; i++) {
			flows[i] = plain;
			flows[i].sport += i;
			flows[i].id = (uint16_t)rand();
			flows[i].seq = (uint32_t)rand() << 1;
			flows[i].df = i % 3 != 1;
		}
		for (int batch = 0; batch < 20; batch++) {
			uint32_t flow = 0;

			for (uint32_t i = 0; i < BATCH; i++) {
				if (dice(6) == 0)
					flow = dice(n_flows);
				add(arrived[i], next_packet(&flows[flow], arrived[i]));
			}
			cl_coalesce_flush(&coalescer);
		}
		assert_same();
		n += n_writes;
	}
	print_message("%d segments, %u packets\n", 30 * 20 * BATCH, n);
	assert_true(n < 30 * 20 * BATCH / 2);
}

static void keep_header(
	void *arg, const struct iovec *vectors, uint32_t n_vectors, uint32_t n_packets)
{
	memcpy(arg, vectors[0].iov_base, sizeof(struct virtio_net_hdr));
}

/* What the kernel of a TEP beside us, or receive offload, leaves undone: only the pseudo header is summed. */
static void open_checksum_is_passed_on_as_such(void **state)
{
	static const struct {
		size_t payload_len;
		bool is_open;
		uint8_t gso_type;
	} cases[] = {{100, true, VIRTIO_NET_HDR_GSO_NONE}, {1380, true, VIRTIO_NET_HDR_GSO_NONE},
		{1381, true, VIRTIO_NET_HDR_GSO_TCPV4}, {30000, true, VIRTIO_NET_HDR_GSO_TCPV4},
		{1381, false, VIRTIO_NET_HDR_GSO_NONE}};
	static uint8_t packet[40000];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tcp_packet tcp = plain;
		struct virtio_net_hdr vnet;
		struct cl_coalescer taker = {.put = keep_header, .arg = &vnet};
		size_t len;

		tcp.payload_len = cases[i].payload_len;
		len = put_tcp(packet, &tcp);
		put_u16(packet + 36, naive_pseudo(packet, len - 20) ^ (cases[i].is_open ? 0 : 1));
		cl_coalesce_add(&taker, packet, len);
		cl_coalesce_flush(&taker);
		assert_int_equal(vnet.flags, cases[i].is_open ? VIRTIO_NET_HDR_F_NEEDS_CSUM : 0);
		assert_int_equal(vnet.gso_type, cases[i].gso_type);
		if (!cases[i].is_open)
			continue;
		assert_int_equal(vnet.csum_start, 20);
		assert_int_equal(vnet.csum_offset, 16);
		/* A TCP header that is none is not to be cut by. */
		packet[32] = 0x40;
		cl_coalesce_add(&taker, packet, len);
		assert_int_equal(vnet.gso_type, VIRTIO_NET_HDR_GSO_NONE);
	}
}

static void take(void *arg, const struct iovec *vectors, uint32_t n_vectors, uint32_t n_packets)
{
	size_t *len = arg;

	assert_int_equal(n_vectors, 2);
	*len = vectors[1].iov_len;
}

/* No octet is looked at before it is known to be there. */
static void garbage_passes_as_it_came(void **state)
{
	unsigned int seed = (unsigned int)time(NULL);
	struct tcp_packet tcp = plain;
	size_t taken = 0;
	struct cl_coalescer taker = {.put = take, .arg = &taken};

	print_message("seed %u\n", seed);
	srand(seed);
	for (int round = 0; round < 20000; round++) {
		size_t len = 20 + dice(100);
		uint8_t *packet = malloc(len);

		tcp.payload_len = 80;
		put_tcp(arrived[0], &tcp);
		memcpy(packet, arrived[0], len);
		put_u16(packet + 2, len);
		for (uint32_t i = dice(4); i > 0; i--)
			packet[dice(len)] = (uint8_t)rand();
		packet[0] = dice(10) == 0 ? 0x46 : 0x45;
		put_u16(packet + 6, dice(10) == 0 ? 0x2000 : 0);
		cl_coalesce_add(&taker, packet, len);
		cl_coalesce_flush(&taker);
		free(packet);
		assert_int_equal(taken, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segments_in_sequence_become_one),
		cmocka_unit_test(packet_never_grows_beyond_its_bounds),
		cmocka_unit_test(flows_wait_side_by_side),
		cmocka_unit_test(what_differs_goes_alone_and_in_order),
		cmocka_unit_test(damaged_segment_is_not_trusted_by_the_kernel),
		cmocka_unit_test(cut_undoes_coalesce),
		cmocka_unit_test(open_checksum_is_passed_on_as_such),
		cmocka_unit_test(garbage_passes_as_it_came),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
