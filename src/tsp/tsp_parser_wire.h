// SPDX-License-Identifier: BSD-3-Clause
/* What goes between a program and its parser; both are the same binary. */
#pragma once

#include "tsp/tsp_msg.h"
#include "tsp/tsp_pack.h"

#include <stdint.h>

#define TSP_PARSER_WHY_MAX 63

/* Before each body. */
struct tsp_parser_request {
	uint32_t id;
	uint16_t len; /* 1..TSP_MESSAGE_MAX */
	uint16_t generation;
};

/* Before each answer: a packed message when status is OK, else a sentence without NUL. */
struct tsp_parser_answer {
	uint32_t id;
	uint16_t len; /* 0..TSP_PACK_MAX */
	uint16_t status; /* enum tsp_status */
};

/*
 * On the control socket, either way, which parser: the nursery sends the stream of a new one along, the
 * program wants one killed. They count from 1.
 */
struct tsp_parser_order {
	uint32_t serial;
};
