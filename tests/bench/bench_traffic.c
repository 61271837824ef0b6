// SPDX-License-Identifier: BSD-3-Clause
/*
 * Writes what a benchmark run needs: bindings, and packets that use them at random.
 *
 *	bench_traffic FOLDER BINDINGS PACKETS [SIZE [KIND]]
 *
 *	FOLDER/bindings.csv    BINDINGS rows of 1,024 ports, 63 an address (one binding: one row)
 *	FOLDER/v6.pcap         PACKETS tunnelled packets from clients
 *	FOLDER/v4.pcap         PACKETS packets from the Internet
 *	FOLDER/none.pcap       no packets, for the port that has nothing to receive
 *
 *	SIZE	octets of the frame on the IPv4 side, FCS included: 64, or up to 1518; "imix": 64, 570 and
 *		1500 as 7 : 4 : 1. With the IPv6 header it is 40 more on the other side
 *	KIND	"whole"; "fragments": each packet in two, IPv6 fragments from clients and IPv4 fragments from
 *		the Internet; "incomplete": one in ten is a first fragment without a second one
 *
 * Each packet belongs to a random binding and has a random port of its range; all are UDP over IPv4. Two
 * runs with the same arguments write the same files.
 */
#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_PORTS        1024
#define BLOCKS_PER_ADDRESS 63 /* ports 0-1023 are nobody's */
#define FIRST_V4           0x0a000000u /* 10.0.0.0 */
#define SERVER_V4          0xc6336401u /* 198.51.100.1 */
#define SERVER_PORT        80
#define RANDOM_SEED        UINT64_C(0x9e3779b97f4a7c15)
#define FCS_LEN            4
#define FRAME_MIN          64
#define FRAME_MAX          1518

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
	uint8_t payload[FRAME_MAX];
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

struct frame_v6_fragment {
	struct rte_ether_hdr ether;
	struct rte_ipv6_hdr outer;
	struct rte_ipv6_fragment_ext extension;
	uint8_t payload[sizeof(struct inner)];
} __rte_packed __rte_aligned(2);

/* What arrives of a packet. */
enum parts {
	WHOLE,
	TWO_FRAGMENTS,
	FIRST_FRAGMENT,
};

enum kind {
	KIND_WHOLE,
	KIND_FRAGMENTS,
	KIND_INCOMPLETE,
	N_KINDS,
};

static const char *const kinds[N_KINDS] = {"whole", "fragments", "incomplete"};

struct options {
	uint32_t n_bindings;
	uint32_t n_packets;
	uint32_t size; /* 0: IMIX */
	enum kind kind;
};

/* One packet as the files have it. */
struct traffic {
	const struct binding *binding;
	uint16_t port;
	uint16_t inner_len;
	uint32_t id;
	enum parts parts;
};

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

static struct inner make_inner(const struct traffic *t, bool from_client)
{
	rte_be32_t binding_v4 = rte_cpu_to_be_32(t->binding->v4);
	rte_be32_t server_v4 = rte_cpu_to_be_32(SERVER_V4);
	struct inner inner = {
		.ip =
			{
				.version_ihl = RTE_IPV4_VHL_DEF,
				.total_length = rte_cpu_to_be_16(t->inner_len),
				.time_to_live = 64,
				.next_proto_id = IPPROTO_UDP,
				.src_addr = from_client ? binding_v4 : server_v4,
				.dst_addr = from_client ? server_v4 : binding_v4,
			},
		.udp =
			{
				.src_port = rte_cpu_to_be_16(from_client ? t->port : SERVER_PORT),
				.dst_port = rte_cpu_to_be_16(from_client ? SERVER_PORT : t->port),
				.dgram_len = rte_cpu_to_be_16(t->inner_len - sizeof(inner.ip)),
			},
	};

	inner.ip.hdr_checksum = rte_ipv4_cksum(&inner.ip);
	return inner;
}

/* Octets of payload in the first of two fragments. */
static uint16_t first_part(uint16_t payload_len)
{
	return RTE_ALIGN_CEIL(payload_len / 2, 8);
}

static void write_packet(FILE *file, const void *frame, uint32_t len)
{
	struct pcap_packet_header header = {.captured = len, .length = len};

	fwrite(&header, sizeof(header), 1, file);
	fwrite(frame, len, 1, file);
}

static struct rte_ipv6_hdr make_outer(const struct traffic *t, uint8_t next, uint16_t payload_len)
{
	struct rte_ipv6_hdr outer = {
		.vtc_flow = rte_cpu_to_be_32(6u << 28),
		.payload_len = rte_cpu_to_be_16(payload_len),
		.proto = next,
		.hop_limits = 64,
	};

	memcpy(outer.src_addr, t->binding->client_v6, 16);
	memcpy(outer.dst_addr, tep_v6, 16);
	return outer;
}

static void write_v6_part(
	FILE *file, const struct traffic *t, const struct inner *inner, uint16_t from, uint16_t to)
{
	const uint32_t headers = offsetof(struct frame_v6_fragment, payload);
	struct frame_v6_fragment frame = {
		.ether = ether_to_port(0, RTE_ETHER_TYPE_IPV6),
		.outer = make_outer(t, IPPROTO_FRAGMENT, sizeof(frame.extension) + to - from),
		.extension = {.next_header = IPPROTO_IPIP,
			.frag_data = rte_cpu_to_be_16(from | (to < t->inner_len)),
			.id = rte_cpu_to_be_32(t->id)},
	};

	memcpy(frame.payload, (const uint8_t *)inner + from, to - from);
	write_packet(file, &frame, headers + to - from);
}

static void write_v6(FILE *file, const struct traffic *t)
{
	struct frame_v6 frame = {
		.ether = ether_to_port(0, RTE_ETHER_TYPE_IPV6),
		.outer = make_outer(t, IPPROTO_IPIP, t->inner_len),
		.inner = make_inner(t, true),
	};
	uint16_t cut = first_part(t->inner_len);

	if (t->parts == WHOLE) {
		write_packet(file, &frame, offsetof(struct frame_v6, inner) + t->inner_len);
		return;
	}
	write_v6_part(file, t, &frame.inner, 0, cut);
	if (t->parts == TWO_FRAGMENTS)
		write_v6_part(file, t, &frame.inner, cut, t->inner_len);
}

/* From and to count payload octets of the IPv4 packet. */
static void write_v4_part(
	FILE *file, const struct traffic *t, const struct inner *inner, uint16_t from, uint16_t to)
{
	const uint16_t header_len = sizeof(inner->ip);
	struct frame_v4 frame = {
		.ether = ether_to_port(1, RTE_ETHER_TYPE_IPV4), .inner.ip = inner->ip};
	bool more = to < t->inner_len - header_len;

	frame.inner.ip.total_length = rte_cpu_to_be_16(header_len + to - from);
	frame.inner.ip.packet_id = rte_cpu_to_be_16((uint16_t)t->id);
	frame.inner.ip.fragment_offset = rte_cpu_to_be_16(
		from / 8 | (more ? RTE_IPV4_HDR_MF_FLAG : 0));
	frame.inner.ip.hdr_checksum = 0;
	frame.inner.ip.hdr_checksum = rte_ipv4_cksum(&frame.inner.ip);
	memcpy((uint8_t *)&frame.inner + header_len, (const uint8_t *)inner + header_len + from,
		to - from);
	write_packet(file, &frame, sizeof(frame.ether) + header_len + to - from);
}

static void write_v4(FILE *file, const struct traffic *t)
{
	struct frame_v4 frame = {
		.ether = ether_to_port(1, RTE_ETHER_TYPE_IPV4),
		.inner = make_inner(t, false),
	};
	uint16_t payload_len = t->inner_len - sizeof(frame.inner.ip);
	uint16_t cut = first_part(payload_len);

	if (t->parts == WHOLE) {
		write_packet(file, &frame, sizeof(frame.ether) + t->inner_len);
		return;
	}
	write_v4_part(file, t, &frame.inner, 0, cut);
	if (t->parts == TWO_FRAGMENTS)
		write_v4_part(file, t, &frame.inner, cut, payload_len);
}

/* 64, 570 and 1500 octets as 7 : 4 : 1. */
static uint32_t imix_size(uint64_t *random)
{
	uint32_t draw = random_below(random, 12);

	return draw < 7 ? 64 : draw < 11 ? 570 : 1500;
}

static enum parts choose_parts(enum kind kind, uint64_t *random)
{
	if (kind == KIND_FRAGMENTS)
		return TWO_FRAGMENTS;
	if (kind == KIND_INCOMPLETE && random_below(random, 10) == 0)
		return FIRST_FRAGMENT;
	return WHOLE;
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

static int write_pcap(const char *folder, const char *name, const struct options *options,
	void (*write_one)(FILE *file, const struct traffic *traffic))
{
	struct pcap_file_header header = {PCAP_MAGIC, 2, 4, 0, 0, 65535, PCAP_ETHERNET};
	FILE *file = open_file(folder, name);
	uint64_t random = RANDOM_SEED;

	if (file == NULL)
		return -1;
	fwrite(&header, sizeof(header), 1, file);
	for (uint32_t i = 0; i < options->n_packets; i++) {
		struct binding binding = binding_at(random_below(&random, options->n_bindings));
		uint32_t size = options->size != 0 ? options->size : imix_size(&random);
		const struct traffic traffic = {
			.binding = &binding,
			.port = binding.first + random_below(&random, BLOCK_PORTS),
			.inner_len = size - FCS_LEN - sizeof(struct rte_ether_hdr),
			.id = i,
			.parts = choose_parts(options->kind, &random),
		};

		write_one(file, &traffic);
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

static bool read_options(int argc, char **argv, struct options *options)
{
	*options = (struct options){.size = FRAME_MIN};
	if (argc < 4 || argc > 6)
		return false;
	options->n_bindings = strtoul(argv[2], NULL, 10);
	options->n_packets = strtoul(argv[3], NULL, 10);
	if (argc > 4)
		options->size = strcmp(argv[4], "imix") == 0 ? 0 : strtoul(argv[4], NULL, 10);
	if (argc > 5) {
		while (options->kind < N_KINDS && strcmp(argv[5], kinds[options->kind]) != 0)
			options->kind++;
	}
	return options->n_bindings != 0 && options->kind < N_KINDS &&
	       (options->size == 0 || (options->size >= FRAME_MIN && options->size <= FRAME_MAX));
}

int main(int argc, char **argv)
{
	struct options options, none;

	if (!read_options(argc, argv, &options)) {
		fprintf(stderr, "usage: bench_traffic FOLDER BINDINGS PACKETS [SIZE|imix [whole|"
				"fragments|incomplete]]\n");
		return 2;
	}
	none = options;
	none.n_packets = 0;
	if (write_bindings(argv[1], options.n_bindings) < 0 ||
		write_pcap(argv[1], "v6.pcap", &options, write_v6) < 0 ||
		write_pcap(argv[1], "v4.pcap", &options, write_v4) < 0 ||
		write_pcap(argv[1], "none.pcap", &none, write_v4) < 0)
		return 1;
	return 0;
}
