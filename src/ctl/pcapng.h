// SPDX-License-Identifier: BSD-3-Clause
/*
 * Writes a pcapng file: Ethernet frames with nanoseconds, a direction and a comment each
 * (draft-ietf-opsawg-pcapng). The interfaces are those of a border router: both sides, both directions.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum pcapng_interface {
	PCAPNG_V6_IN,
	PCAPNG_V6_OUT,
	PCAPNG_V4_IN,
	PCAPNG_V4_OUT,
	PCAPNG_N_INTERFACES,
};

struct pcapng_packet {
	enum pcapng_interface interface;
	int64_t time_ns; /* since 1970 */
	const uint8_t *octets;
	uint32_t kept; /* octets here, at most 65,535 */
	uint32_t len; /* and on the wire */
	const char *comment; /* UTF-8 */
};

/* Errors show in ferror(). */
void pcapng_write_head(FILE *file, uint32_t snaplen);
/* Returns how many octets it takes. */
uint32_t pcapng_write_packet(FILE *file, const struct pcapng_packet *packet);
