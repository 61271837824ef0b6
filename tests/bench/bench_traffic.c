// SPDX-License-Identifier: BSD-3-Clause
/*
 * Writes what a benchmark run needs: bindings, and packets that use them at random.
 *
 *	bench_traffic FOLDER BINDINGS PACKETS
 *
 *	FOLDER/bindings.csv    BINDINGS rows of 1,024 ports, 63 an address (one binding: one row)
 *	FOLDER/v6.pcap         PACKETS tunnelled packets from clients (100 octets, 104 with FCS)
 *	FOLDER/v4.pcap         PACKETS packets from the Internet (60 octets, 64 with FCS)
 *	FOLDER/none.pcap       no packets, for the port that has nothing to receive
 *
 * Each packet belongs to a random binding and has a random port of its range; all are UDP over IPv4
 * with 18 octets of payload. Two runs with the same arguments write the same files.
 */
#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_PORTS        1024
#define BLOCKS_PER_ADDRESS 63 /* ports 0-1023 are nobody's */
#define FIRST_V4           0x0a000000u /* 10.0.0.0 */
#define SERVER_V4          0xc6336401u /* 198.51.100.1 */
#define SERVER_PORT        80
#define PAYLOAD            18
#define RANDOM_SEED        UINT64_C(0x9e3779b97f4a7c15)

#define PCAP_MAGIC    0xa1b2c3d4u /* times in microseconds */
#define PCAP_ETHERNET 1

struct pcap_file_header {
	uint32_t magic;
	uint16_t version_major;
	uint16_t version_minor;
	uint32_t zone;
	uint32_t accuracy;
	uint32_t longest;
	uint32_t link_type;
};

struct pcap_packet_header {
	uint32_t seconds;
	uint32_t microseconds;
	uint32_t captured;
	uint32_t length;
};

struct inner {
	struct rte_ipv4_hdr ip;
	struct rte_udp_hdr udp;
	uint8_t payload[PAYLOAD];
} __rte_packed;

struct frame_v4 {
	struct rte_ether_hdr ether;
	struct inner inner;
} __rte_packed __rte_aligned(2);

struct frame_v6 {
	struct rte_ether_hdr ether;
	struct rte_ipv6_hdr outer;
	struct inner inner;
} __rte_packed __rte_aligned(2);

struct binding {
	uint32_t v4;
	uint16_t first;
	uint8_t client_v6[16];
};

static const uint8_t tep_v6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};

/* Binding i of all; clients are 2001:db8:1::/48 and the number. */
static struct binding binding_at(uint32_t i)
{
	struct binding binding = {
		.v4 = FIRST_V4 + i / BLOCKS_PER_ADDRESS,
		.first = (1 + i % BLOCKS_PER_ADDRESS) * BLOCK_PORTS,
		.client_v6 = {0x20, 0x01, 0x0d, 0xb8, 0x00, 0x01},
	};
	uint32_t number_be = rte_cpu_to_be_32(i);

	memcpy(&binding.client_v6[12], &number_be, sizeof(number_be));
	return binding;
}

static uint32_t random_below(uint64_t *state, uint32_t n)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return ((*state * UINT64_C(0x2545f4914f6cdd1d) >> 32) * n) >> 32;
}

/* net_pcap numbers its ports' MAC addresses from 02:70:63:61:70:00. */
static struct rte_ether_hdr ether_to_port(uint8_t port, uint16_t type)
{
	return (struct rte_ether_hdr){
		.dst_addr = {{0x02, 0x70, 0x63, 0x61, 0x70, port}},
		.src_addr = {{0x02, 0, 0, 0, port, 0x02}},
		.ether_type = rte_cpu_to_be_16(type),
	};
}

static struct inner make_inner(
	uint32_t src_v4, uint16_t src_port, uint32_t dst_v4, uint16_t dst_port)
{
	struct inner inner = {
		.ip =
			{
				.version_ihl = RTE_IPV4_VHL_DEF,
				.total_length = rte_cpu_to_be_16(sizeof(inner)),
				.time_to_live = 64,
				.next_proto_id = IPPROTO_UDP,
				.src_addr = rte_cpu_to_be_32(src_v4),
				.dst_addr = rte_cpu_to_be_32(dst_v4),
			},
		.udp =
			{
				.src_port = rte_cpu_to_be_16(src_port),
				.dst_port = rte_cpu_to_be_16(dst_port),
				.dgram_len = rte_cpu_to_be_16(sizeof(inner.udp) + PAYLOAD),
			},
	};

	inner.ip.hdr_checksum = rte_ipv4_cksum(&inner.ip);
	return inner;
}

static void write_packet(FILE *file, const void *frame, uint32_t len)
{
	struct pcap_packet_header header = {.captured = len, .length = len};

	fwrite(&header, sizeof(header), 1, file);
	fwrite(frame, len, 1, file);
}

static void write_v6(FILE *file, const struct binding *binding, uint16_t port)
{
	struct frame_v6 frame = {
		.ether = ether_to_port(0, RTE_ETHER_TYPE_IPV6),
		.outer =
			{
				.vtc_flow = rte_cpu_to_be_32(6u << 28),
				.payload_len = rte_cpu_to_be_16(sizeof(frame.inner)),
				.proto = IPPROTO_IPIP,
				.hop_limits = 64,
			},
		.inner = make_inner(binding->v4, port, SERVER_V4, SERVER_PORT),
	};

	memcpy(frame.outer.src_addr, binding->client_v6, 16);
	memcpy(frame.outer.dst_addr, tep_v6, 16);
	write_packet(file, &frame, sizeof(frame));
}

static void write_v4(FILE *file, const struct binding *binding, uint16_t port)
{
	struct frame_v4 frame = {
		.ether = ether_to_port(1, RTE_ETHER_TYPE_IPV4),
		.inner = make_inner(SERVER_V4, SERVER_PORT, binding->v4, port),
	};

	write_packet(file, &frame, sizeof(frame));
}

static FILE *open_file(const char *folder, const char *name)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	if (file == NULL)
		fprintf(stderr, "%s: cannot write: %s\n", path, strerror(errno));
	return file;
}

static int close_file(FILE *file)
{
	bool failed = ferror(file) != 0;

	return fclose(file) != 0 || failed ? -1 : 0;
}

static int write_pcap(const char *folder, const char *name, uint32_t n_bindings, uint32_t n_packets,
	void (*write_one)(FILE *file, const struct binding *binding, uint16_t port))
{
	struct pcap_file_header header = {PCAP_MAGIC, 2, 4, 0, 0, 65535, PCAP_ETHERNET};
	FILE *file = open_file(folder, name);
	uint64_t random = RANDOM_SEED;

	if (file == NULL)
		return -1;
	fwrite(&header, sizeof(header), 1, file);
	for (uint32_t i = 0; i < n_packets; i++) {
		struct binding binding = binding_at(random_below(&random, n_bindings));

		write_one(file, &binding, binding.first + random_below(&random, BLOCK_PORTS));
	}
	return close_file(file);
}

static int write_bindings(const char *folder, uint32_t n_bindings)
{
	FILE *file = open_file(folder, "bindings.csv");
	char tep[INET6_ADDRSTRLEN];

	if (file == NULL)
		return -1;
	inet_ntop(AF_INET6, tep_v6, tep, sizeof(tep));
	fprintf(file, "v4,ports,client,tep\n");
	for (uint32_t i = 0; i < n_bindings; i++) {
		struct binding binding = binding_at(i);
		uint32_t v4_be = rte_cpu_to_be_32(binding.v4);
		char v4[INET_ADDRSTRLEN], client[INET6_ADDRSTRLEN];

		fprintf(file, "%s,%u-%u,%s,%s\n", inet_ntop(AF_INET, &v4_be, v4, sizeof(v4)),
			binding.first, binding.first + BLOCK_PORTS - 1,
			inet_ntop(AF_INET6, binding.client_v6, client, sizeof(client)), tep);
	}
	return close_file(file);
}

int main(int argc, char **argv)
{
	uint32_t n_bindings, n_packets;

	if (argc != 4) {
		fprintf(stderr, "usage: bench_traffic FOLDER BINDINGS PACKETS\n");
		return 2;
	}
	n_bindings = strtoul(argv[2], NULL, 10);
	n_packets = strtoul(argv[3], NULL, 10);
	if (n_bindings == 0 || write_bindings(argv[1], n_bindings) < 0 ||
		write_pcap(argv[1], "v6.pcap", n_bindings, n_packets, write_v6) < 0 ||
		write_pcap(argv[1], "v4.pcap", n_bindings, n_packets, write_v4) < 0 ||
		write_pcap(argv[1], "none.pcap", n_bindings, 0, write_v4) < 0)
		return 1;
	return 0;
}
