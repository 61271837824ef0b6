// SPDX-License-Identifier: BSD-3-Clause
/*
 * What the kernel leaves to the device, cut (R19) and completed.
 */
#include "client/segment.h"

#include "client/checksum.h"

#include "packets.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define PACKET_MAX 65535

static uint8_t packet[PACKET_MAX], segment_bytes[PACKET_MAX], kept[PACKET_MAX];

static const struct tcp_packet plain = {
	.src = 0xc6336407,
	.dst = 0xcb007105,
	.sport = 2048,
	.dport = 80,
	.id = 0xfffe,
	.window = 512,
	.df = true,
	.ttl = 64,
	.flags = TEST_FLAG_ACK,
	.seq = 0xfffffff0,
	.ack = 7,
};

static struct virtio_net_hdr tcp_gso(size_t size)
{
	return (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.gso_size = (uint16_t)size,
		.csum_start = 20,
		.csum_offset = 16,
	};
}

static size_t assemble(const struct cl_segment *segment)
{
	memcpy(segment_bytes, segment->header, segment->header_len);
	memcpy(segment_bytes + segment->header_len, segment->payload, segment->payload_len);
	return segment->header_len + segment->payload_len;
}

/* Cuts packet and holds every segment against what it must be; returns how many there were. */
static uint32_t check_tcp_cut(size_t len, size_t size)
{
	struct virtio_net_hdr vnet = tcp_gso(size);
	struct cl_segment segment;
	struct cl_cut cut;
	size_t header_len = 20 + (packet[32] >> 4) * 4u, done = 0;
	uint8_t flags = packet[33];
	uint32_t n = 0;

	memcpy(kept, packet, len);
	assert_int_equal(cl_cut_begin(&cut, &vnet, packet, len), 0);
	for (; cl_cut_next(&cut, &segment); n++) {
		size_t segment_len = assemble(&segment);
		size_t payload_len = segment_len - header_len;
		bool is_last = done + payload_len == len - header_len;
		uint8_t expected = flags;

		assert_int_equal(segment.header_len, header_len);
		assert_true(payload_len == size || (is_last && payload_len <= size));
		assert_true(checksums_hold(segment_bytes, segment_len));
		assert_int_equal(get_u16(segment_bytes + 2), segment_len);
		assert_int_equal(get_u16(segment_bytes + 4), (uint16_t)(get_u16(kept + 4) + n));
		assert_int_equal(
			get_u32(segment_bytes + 24), (uint32_t)(get_u32(kept + 24) + done));
		if (!is_last)
			expected &= ~(TEST_FLAG_FIN | TEST_FLAG_PSH);
		if (n > 0)
			expected &= ~TEST_FLAG_CWR;
		assert_int_equal(segment_bytes[33], expected);
		assert_memory_equal(segment_bytes + 12, kept + 12, 12);
		assert_memory_equal(segment_bytes + 40, kept + 40, header_len - 40);
		assert_memory_equal(
			segment_bytes + header_len, kept + header_len + done, payload_len);
		done += payload_len;
	}
	assert_int_equal(done, len - header_len);
	return n;
}

static void tcp_is_cut_into_packets_that_stand_alone(void **state)
{
	static const uint8_t options[12] = {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2};
	static const struct {
		size_t payload_len, size;
		uint32_t n;
	} cases[] = {{1, 1408, 1}, {1408, 1408, 1}, {1409, 1408, 2}, {65483, 1408, 47},
		{100, 1, 100}, {65483, 65483, 1}, {2816, 1408, 2}, {1001, 77, 13}};
	struct tcp_packet tcp = plain;

	tcp.options = options;
	tcp.options_len = sizeof(options);
	tcp.flags |= TEST_FLAG_CWR | TEST_FLAG_PSH | TEST_FLAG_FIN;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len;

		tcp.payload_len = cases[i].payload_len;
		len = put_tcp(packet, &tcp);
		assert_int_equal(check_tcp_cut(len, cases[i].size), cases[i].n);
	}
}

static void udp_is_cut_into_datagrams(void **state)
{
	struct virtio_net_hdr vnet = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4,
		.gso_size = 1200,
		.csum_start = 20,
		.csum_offset = 6,
	};
	size_t len = put_udp(packet, 2048, 3000);
	size_t lens[] = {1200, 1200, 600}, done = 0;
	struct cl_segment segment;
	struct cl_cut cut;

	memcpy(kept, packet, len);
	assert_int_equal(cl_cut_begin(&cut, &vnet, packet, len), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_true(cl_cut_next(&cut, &segment));
		assert_int_equal(assemble(&segment), 28 + lens[i]);
		assert_int_equal(get_u16(segment_bytes + 24), 8 + lens[i]);
		assert_true(checksums_hold(segment_bytes, 28 + lens[i]));
		assert_memory_equal(segment_bytes + 28, kept + 28 + done, lens[i]);
		done += lens[i];
	}
	assert_false(cl_cut_next(&cut, &segment));
}

/* The kernel puts the pseudo header's sum into the field and leaves the rest to the device. */
static void open_checksum_is_completed(void **state)
{
	static const struct {
		bool is_tcp;
		size_t payload_len;
	} cases[] = {{true, 0}, {true, 1}, {true, 1300}, {false, 0}, {false, 7}, {false, 1200}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tcp_packet tcp = plain;
		size_t len, field = cases[i].is_tcp ? 36 : 26;
		struct virtio_net_hdr vnet = {
			.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
			.csum_start = 20,
			.csum_offset = (uint16_t)(field - 20),
		};
		struct cl_segment segment;
		struct cl_cut cut;

		tcp.payload_len = cases[i].payload_len;
		len = cases[i].is_tcp ? put_tcp(packet, &tcp)
				      : put_udp(packet, 2048, cases[i].payload_len);
		memcpy(kept, packet, len);
		put_u16(packet + field, naive_pseudo(packet, len - 20));
		assert_int_equal(cl_cut_begin(&cut, &vnet, packet, len), 0);
		assert_true(cl_cut_next(&cut, &segment));
		assert_int_equal(assemble(&segment), len);
		assert_memory_equal(segment_bytes, kept, len);
		assert_false(cl_cut_next(&cut, &segment));
	}
}

/* In UDP a checksum of 0 says that there is none. */
static void udp_checksum_is_never_none(void **state)
{
	struct virtio_net_hdr vnet = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 20, .csum_offset = 6};
	size_t len = put_udp(packet, 2048, 2);
	struct cl_cut cut;

	/* The two octets of payload bring the sum to 0xffff. */
	put_u16(packet + 26, 0);
	put_u16(packet + 28, 0);
	put_u16(packet + 28,
		0xffff - naive_sum(naive_pseudo(packet, len - 20), packet + 20, len - 20));
	put_u16(packet + 26, naive_pseudo(packet, len - 20));
	assert_int_equal(cl_cut_begin(&cut, &vnet, packet, len), 0);
	assert_int_equal(get_u16(packet + 26), 0xffff);
}

static void packet_without_wishes_passes_untouched(void **state)
{
	struct virtio_net_hdr vnet = {0};
	struct tcp_packet tcp = plain;
	struct cl_segment segment;
	struct cl_cut cut;
	size_t len;

	tcp.payload_len = 100;
	len = put_tcp(packet, &tcp);
	packet[len - 1] ^= 1;
	memcpy(kept, packet, len);
	assert_int_equal(cl_cut_begin(&cut, &vnet, packet, len), 0);
	assert_true(cl_cut_next(&cut, &segment));
	assert_int_equal(assemble(&segment), len);
	assert_memory_equal(segment_bytes, kept, len);
}

static void header_that_does_not_fit_the_packet_is_refused(void **state)
{
	static const struct {
		const char *what;
		size_t at; /* of one octet of the packet; 0: none */
		uint8_t value;
		struct virtio_net_hdr vnet;
		size_t len; /* 0: all of it */
	} cases[] = {
		{"IPv6", 0, 0, {.gso_type = VIRTIO_NET_HDR_GSO_TCPV6, .gso_size = 100}, 0},
		{"UDP fragments", 0, 0, {.gso_type = VIRTIO_NET_HDR_GSO_UDP, .gso_size = 100}, 0},
		{"a kind that nobody knows", 0, 0, {.gso_type = 77, .gso_size = 100}, 0},
		{"no size", 0, 0, {.gso_type = VIRTIO_NET_HDR_GSO_TCPV4}, 0},
		{"UDP said, TCP there", 0, 0,
			{.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4, .gso_size = 100}, 0},
		{"checksum behind the end", 0, 0,
			{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 239, .csum_offset = 0},
			0},
		{"checksum far behind the end", 0, 0,
			{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
				.csum_start = 0xffff,
				.csum_offset = 0xffff},
			0},
		{"header only", 0, 0, {.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 9}, 40},
		{"cut in the header", 0, 0, {.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 9},
			30},
		{"nothing", 0, 0, {.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 9}, 0xffff},
		{"TCP header too short", 32, 0x40,
			{.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 9}, 0},
		{"a fragment", 7, 0x01, {.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 9}, 0},
		{"more fragments", 6, 0x20, {.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 9},
			0},
		{"length in the header is another", 3, 0x01,
			{.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 9}, 0},
	};
	struct tcp_packet tcp = plain;

	tcp.payload_len = 200;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = put_tcp(packet, &tcp);
		struct cl_cut cut;

		if (cases[i].at != 0)
			packet[cases[i].at] = cases[i].value;
		if (cases[i].len != 0)
			len = cases[i].len == 0xffff ? 0 : cases[i].len;
		if (len < 240 && len >= 20)
			put_u16(packet + 2, len);
		if (cl_cut_begin(&cut, &cases[i].vnet, packet, len) != -EINVAL)
			fail_msg("%s: was taken", cases[i].what);
	}
}

/* Whatever the octets are: no access out of the packet, and what is cut is no more than came. */
static void random_headers_do_no_harm(void **state)
{
	unsigned int seed = (unsigned int)time(NULL);
	struct cl_segment segment;

	print_message("seed %u\n", seed);
	srand(seed);
	for (int round = 0; round < 20000; round++) {
		size_t len = (size_t)rand() % 200;
		uint8_t *copy = malloc(len == 0 ? 1 : len);
		struct virtio_net_hdr vnet;
		struct tcp_packet tcp = plain;
		struct cl_cut cut;
		size_t total = 0;

		tcp.payload_len = 160;
		put_tcp(packet, &tcp);
		put_u16(packet + 2, len);
		for (int i = rand() % 4; i > 0; i--)
			packet[rand() % 60] = (uint8_t)rand();
		memcpy(copy, packet, len);
		for (size_t i = 0; i < sizeof(vnet); i++)
			((uint8_t *)&vnet)[i] = (uint8_t)(rand() % 3 == 0 ? rand() : rand() % 8);
		vnet.gso_type = (uint8_t)(rand() % 7);
		if (cl_cut_begin(&cut, &vnet, copy, len) == 0) {
			while (cl_cut_next(&cut, &segment))
				total += segment.payload_len;
			assert_true(total <= len);
		}
		free(copy);
	}
}

static void checksum_is_that_of_the_naive_one(void **state)
{
	for (size_t len = 0; len < 300; len++) {
		size_t at = len % 3 * 2;
		uint16_t folded;
		uint8_t memory[2];

		for (size_t i = 0; i < len; i++)
			packet[at + i] = (uint8_t)(len % 2 == 0 ? 0xff : rand());
		folded = cl_checksum_fold(cl_checksum_add(0, packet + at, len));
		memcpy(memory, &folded, 2);
		assert_int_equal(get_u16(memory), naive_sum(0, packet + at, len));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp_is_cut_into_packets_that_stand_alone),
		cmocka_unit_test(udp_is_cut_into_datagrams),
		cmocka_unit_test(open_checksum_is_completed),
		cmocka_unit_test(udp_checksum_is_never_none),
		cmocka_unit_test(packet_without_wishes_passes_untouched),
		cmocka_unit_test(header_that_does_not_fit_the_packet_is_refused),
		cmocka_unit_test(random_headers_do_no_harm),
		cmocka_unit_test(checksum_is_that_of_the_naive_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
