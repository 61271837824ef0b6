// SPDX-License-Identifier: BSD-3-Clause
#include "ctl/packet_file.h"

#include <byteswap.h>
#include <string.h>

#define PCAP_MICROSECONDS 0xa1b2c3d4U
#define PCAP_NANOSECONDS  0xa1b23c4dU
#define NG_SECTION        0x0a0d0d0aU
#define NG_INTERFACE      1U
#define NG_SIMPLE         3U
#define NG_ENHANCED       6U
#define NG_BYTE_ORDER     0x1a2b3c4dU
#define NG_BLOCK_MAX      (PACKET_FILE_LEN_MAX + 4096U)

#define LINK_ETHERNET 1
#define LINK_RAW_OLD  12
#define LINK_RAW      101
#define LINK_IPV4     228
#define LINK_IPV6     229

static bool fail(char *error, const char *sentence)
{
	snprintf(error, PACKET_FILE_ERROR_LEN, "%s", sentence);
	return false;
}

/* n words of the file, in this machine's byte order; false: they are not there. */
static bool read_words(const struct packet_file *file, uint32_t *words, size_t n)
{
	if (fread(words, sizeof(*words), n, file->file) != n)
		return false;
	for (size_t i = 0; file->is_swapped && i < n; i++)
		words[i] = bswap_32(words[i]);
	return true;
}

static bool skip(const struct packet_file *file, uint32_t len)
{
	for (; len > 0; len--)
		if (fgetc(file->file) == EOF)
			return false;
	return true;
}

/* The body of a section header; its total length stood before the byte order did. */
static bool open_section(struct packet_file *file, uint32_t len, char *error)
{
	uint32_t order;

	if (fread(&order, sizeof(order), 1, file->file) != 1)
		return fail(error, "the file ends inside its header");
	if (order != NG_BYTE_ORDER && order != bswap_32(NG_BYTE_ORDER))
		return fail(error, "the byte order of the file is damaged");
	file->is_swapped = order != NG_BYTE_ORDER;
	len = file->is_swapped ? bswap_32(len) : len;
	if (len < 28 || len % 4 != 0 || len > NG_BLOCK_MAX)
		return fail(error, "a block of the file has an impossible length");
	file->n_links = 0;
	if (!skip(file, len - 12))
		return fail(error, "the file ends inside its header");
	return true;
}

bool packet_file_open(
	struct packet_file *file, FILE *stream, char error[static PACKET_FILE_ERROR_LEN])
{
	uint32_t magic, words[5];

	*file = (struct packet_file){.file = stream};
	if (fread(&magic, sizeof(magic), 1, stream) != 1)
		return fail(error, "the file is empty, or too short for a capture");
	if (magic == NG_SECTION) {
		file->is_ng = true;
		if (fread(words, sizeof(words[0]), 1, stream) != 1)
			return fail(error, "the file ends inside its header");
		return open_section(file, words[0], error);
	}
	file->is_swapped = magic == bswap_32(PCAP_MICROSECONDS) ||
			   magic == bswap_32(PCAP_NANOSECONDS);
	if (!file->is_swapped && magic != PCAP_MICROSECONDS && magic != PCAP_NANOSECONDS)
		return fail(error, "the file is neither hexadecimal text nor a capture");
	if (!read_words(file, words, 5))
		return fail(error, "the file ends inside its header");
	file->n_links = 1;
	file->links[0] = words[4] & 0xffff;
	return true;
}

/* The octets of a packet and what follows them up to the end of its record. */
static int take(struct packet_file *file, uint32_t link, uint32_t kept, uint32_t len,
	uint32_t behind, struct packet_file_packet *packet, char *error)
{
	if (kept > PACKET_FILE_LEN_MAX) {
		fail(error, "a packet of the file is too long to be one");
		return -1;
	}
	if (link != LINK_ETHERNET && link != LINK_RAW && link != LINK_RAW_OLD &&
		link != LINK_IPV4 && link != LINK_IPV6) {
		snprintf(error, PACKET_FILE_ERROR_LEN,
			"the file holds neither Ethernet frames nor IP packets, but link type %u",
			link);
		return -1;
	}
	if (fread(packet->octets, 1, kept, file->file) != kept || !skip(file, behind)) {
		fail(error, "the file ends inside a packet");
		return -1;
	}
	packet->number = ++file->number;
	packet->is_ip = link != LINK_ETHERNET;
	packet->kept = kept;
	packet->len = len;
	return 1;
}

/* Is this the end, or the next record's first word? 1, 0, or -1. */
static int read_first(const struct packet_file *file, uint32_t *word, char *error)
{
	size_t n = fread(word, 1, sizeof(*word), file->file);

	if (n == 0 && feof(file->file))
		return 0;
	if (n != sizeof(*word)) {
		fail(error, "the file ends inside a packet");
		return -1;
	}
	if (file->is_swapped)
		*word = bswap_32(*word);
	return 1;
}

static int next_pcap(struct packet_file *file, struct packet_file_packet *packet, char *error)
{
	uint32_t words[4];
	int rc = read_first(file, words, error);

	if (rc <= 0)
		return rc;
	if (!read_words(file, words + 1, 3)) {
		fail(error, "the file ends inside a packet");
		return -1;
	}
	return take(file, file->links[0], words[2], words[3], 0, packet, error);
}

/* A block with a packet: 1; another one, or its end: 0; -1. len: of what follows the first 8 octets. */
static int read_block(struct packet_file *file, uint32_t type, uint32_t len,
	struct packet_file_packet *packet, char *error)
{
	uint32_t words[5], kept;

	if (type == NG_ENHANCED && len >= sizeof(words) + 4 && read_words(file, words, 5)) {
		kept = words[3];
		if (words[0] >= file->n_links || kept > len - sizeof(words) - 4) {
			fail(error,
				"a packet of the file goes beyond its block, or has no interface");
			return -1;
		}
		return take(file, file->links[words[0]], kept, words[4],
			len - (uint32_t)sizeof(words) - kept, packet, error);
	}
	if (type == NG_SIMPLE && len >= 8 && file->n_links > 0 && read_words(file, words, 1)) {
		kept = words[0] < len - 8 ? words[0] : len - 8;
		return take(file, file->links[0], kept, words[0], len - 4 - kept, packet, error);
	}
	if (type == NG_INTERFACE && len >= 12 && file->n_links < PACKET_FILE_LINKS_MAX &&
		read_words(file, words, 1)) {
		file->links[file->n_links++] = words[0] & 0xffff;
		len -= 4;
	}
	if (!skip(file, len)) {
		fail(error, "the file ends inside a block");
		return -1;
	}
	return 0;
}

static int next_ng(struct packet_file *file, struct packet_file_packet *packet, char *error)
{
	uint32_t type, len;
	int rc;

	do {
		rc = read_first(file, &type, error);
		if (rc <= 0)
			return rc;
		if (fread(&len, sizeof(len), 1, file->file) != 1) {
			fail(error, "the file ends inside a block");
			return -1;
		}
		if (type == NG_SECTION) {
			rc = open_section(file, len, error) ? 0 : -1;
			continue;
		}
		len = file->is_swapped ? bswap_32(len) : len;
		if (len < 12 || len % 4 != 0 || len > NG_BLOCK_MAX) {
			fail(error, "a block of the file has an impossible length");
			return -1;
		}
		rc = read_block(file, type, len - 8, packet, error);
	} while (rc == 0);
	return rc;
}

int packet_file_next(struct packet_file *file, struct packet_file_packet *packet,
	char error[static PACKET_FILE_ERROR_LEN])
{
	return file->is_ng ? next_ng(file, packet, error) : next_pcap(file, packet, error);
}
