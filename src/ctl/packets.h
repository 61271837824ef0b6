// SPDX-License-Identifier: BSD-3-Clause
/*
 * dstmctl tep explain, trace and capture: the commands that are more than one question and a table. Each prints,
 * and returns what main should.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct ctl_packets_options {
	const char *socket;
	const char *operand; /* a packet or a file; NULL: none */
	const char *side; /* of explain; NULL: by the packet */
	json_t *filter; /* of the others; borrowed */
	bool json;
	uint64_t count; /* packets; 0: no limit but that of each command */
	uint64_t bytes; /* of a capture file; 0: the default */
	uint64_t snaplen; /* octets of a frame that are kept; 0: the default */
	uint64_t duration_s; /* 0: until interrupted */
};

int ctl_explain(const struct ctl_packets_options *options);
int ctl_trace(const struct ctl_packets_options *options);
int ctl_capture(const struct ctl_packets_options *options);
