// SPDX-License-Identifier: BSD-3-Clause
/*
 * A message as octets between two processes of one program: the parser's answers. No format for a
 * network or a file: numbers are as the machine has them.
 *
 * Unpacking believes nothing: what it returns could have come from tsp_xml_parse.
 */
#pragma once

#include "tsp/tsp_msg.h"

#include <stddef.h>
#include <stdint.h>

/* The longest packed message. */
#define TSP_PACK_MAX 640

/* Returns how many octets it wrote. */
size_t tsp_msg_pack(const struct tsp_msg *msg, uint8_t buf[static TSP_PACK_MAX]);

/* Returns 0, or -EINVAL for what is no message: *msg is zero then. */
int tsp_msg_unpack(const uint8_t *buf, size_t len, struct tsp_msg *msg);
