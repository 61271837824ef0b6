// SPDX-License-Identifier: BSD-3-Clause
#include "ctl/pcapng.h"

#include <string.h>

#define BLOCK_SECTION   0x0a0d0d0aU
#define BLOCK_INTERFACE 1U
#define BLOCK_PACKET    6U
#define BYTE_ORDER_MARK 0x1a2b3c4dU
#define VERSION         1U /* 1.0: two halves, the first one in the low octets */
#define LINK_ETHERNET   1U
#define OPTION_END      0
#define OPTION_COMMENT  1
#define OPTION_NAME     2 /* of an interface ... */
#define OPTION_FLAGS    2 /* ... and of a packet */
#define OPTION_TSRESOL  9
#define NANOSECONDS     9
#define COMMENT_MAX     1024
#define PADDED(len)     (((len) + 3) & ~3U)
#define OPTION(len)     (4 + PADDED(len))

static const char *const names[PCAPNG_N_INTERFACES] = {"v6-in", "v6-out", "v4-in", "v4-out"};

static void put(FILE *file, uint32_t word)
{
	fwrite(&word, sizeof(word), 1, file);
}

static void put_padded(FILE *file, const void *octets, uint32_t len)
{
	static const uint8_t zeros[4];

	fwrite(octets, 1, len, file);
	fwrite(zeros, 1, PADDED(len) - len, file);
}

static void put_option(FILE *file, uint16_t code, const void *octets, uint32_t len)
{
	const uint16_t head[2] = {code, (uint16_t)len};

	fwrite(head, sizeof(head), 1, file);
	put_padded(file, octets, len);
}

static void write_interface(FILE *file, const char *name, uint32_t snaplen)
{
	static const uint8_t resolution = NANOSECONDS;
	uint32_t name_len = (uint32_t)strlen(name);
	uint32_t len = 20 + OPTION(name_len) + OPTION(1) + OPTION(0);

	put(file, BLOCK_INTERFACE);
	put(file, len);
	put(file, LINK_ETHERNET);
	put(file, snaplen);
	put_option(file, OPTION_NAME, name, name_len);
	put_option(file, OPTION_TSRESOL, &resolution, 1);
	put_option(file, OPTION_END, "", 0);
	put(file, len);
}

void pcapng_write_head(FILE *file, uint32_t snaplen)
{
	put(file, BLOCK_SECTION);
	put(file, 28);
	put(file, BYTE_ORDER_MARK);
	put(file, VERSION);
	put(file, UINT32_MAX); /* of the section: not known */
	put(file, UINT32_MAX);
	put(file, 28);
	for (unsigned int i = 0; i < PCAPNG_N_INTERFACES; i++)
		write_interface(file, names[i], snaplen);
}

uint32_t pcapng_write_packet(FILE *file, const struct pcapng_packet *packet)
{
	bool is_in = packet->interface == PCAPNG_V6_IN || packet->interface == PCAPNG_V4_IN;
	uint32_t flags = is_in ? 1 : 2;
	uint32_t comment_len = (uint32_t)strnlen(packet->comment, COMMENT_MAX);
	uint32_t len = 32 + PADDED(packet->kept) + OPTION(comment_len) + OPTION(sizeof(flags)) +
		       OPTION(0);

	put(file, BLOCK_PACKET);
	put(file, len);
	put(file, packet->interface);
	put(file, (uint32_t)((uint64_t)packet->time_ns >> 32));
	put(file, (uint32_t)packet->time_ns);
	put(file, packet->kept);
	put(file, packet->len);
	put_padded(file, packet->octets, packet->kept);
	put_option(file, OPTION_COMMENT, packet->comment, comment_len);
	put_option(file, OPTION_FLAGS, &flags, sizeof(flags));
	put_option(file, OPTION_END, "", 0);
	put(file, len);
	return len;
}
