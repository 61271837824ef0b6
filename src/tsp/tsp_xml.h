// SPDX-License-Identifier: BSD-3-Clause
/*
 * Octets <-> struct tsp_msg. No I/O, no state, no secrets: this parser meets hostile input.
 *
 * A body is an optional status line ("200 Success" CRLF), then optional XML. Elements are found by
 * name in any order; unknown ones are skipped; a DOCTYPE, depth, element, attribute or value beyond the
 * limits below is malformed.
 */
#pragma once

#include "tsp/tsp_msg.h"

#include <stddef.h>

#define TSP_XML_DEPTH_MAX      8
#define TSP_XML_ELEMENTS_MAX   64
#define TSP_XML_ATTRIBUTES_MAX 16
#define TSP_XML_VALUE_MAX      256

/* Frees what libxml2 keeps for the process; call once at the end of main. */
void tsp_xml_cleanup(void);

/*
 * Parses one body of len octets. Returns TSP_STATUS_OK, or the status to answer with (MALFORMED,
 * BAD_V4, BAD_V6, BAD_TUNNEL_TYPE) and *why a static sentence. *msg is whole or all zero.
 */
enum tsp_status tsp_xml_parse(const char *body, size_t len, enum tsp_generation generation,
	struct tsp_msg *msg, const char **why);

/*
 * Writes status line and XML as msg says. Returns the length, -ENOSPC, or -EINVAL for a message that
 * says nothing. The result is canonical:
 * server before client, RFC 5952 addresses, no white space inside elements.
 */
int tsp_xml_write(
	const struct tsp_msg *msg, enum tsp_generation generation, char *buf, size_t size);
