// SPDX-License-Identifier: BSD-3-Clause
/*
 * Packets from outside: hexadecimal text, or a capture file (pcap of either byte order, pcapng) of Ethernet frames
 * or IP packets. A file is read packet by packet, and whatever is wrong with it is one sentence.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define PACKET_FILE_ERROR_LEN 128
#define PACKET_FILE_LEN_MAX   65536 /* octets kept of a packet: as many as IP allows, and more */
#define PACKET_FILE_LINKS_MAX 32 /* interfaces of a pcapng section */

struct packet_file {
	FILE *file;
	bool is_ng;
	bool is_swapped; /* the other byte order */
	uint32_t n_links;
	uint32_t links[PACKET_FILE_LINKS_MAX]; /* link types, by interface */
	uint64_t number; /* packets read */
};

struct packet_file_packet {
	uint64_t number; /* from 1 */
	bool is_ip; /* no link-layer header */
	uint32_t len; /* on the wire ... */
	uint32_t kept; /* ... and here */
	uint8_t octets[PACKET_FILE_LEN_MAX];
};

/* Reads the head. False with a sentence in error; the stream stays the caller's. */
bool packet_file_open(
	struct packet_file *file, FILE *stream, char error[static PACKET_FILE_ERROR_LEN]);

/* 1: a packet; 0: the end; -1 with a sentence in error. */
int packet_file_next(struct packet_file *file, struct packet_file_packet *packet,
	char error[static PACKET_FILE_ERROR_LEN]);
