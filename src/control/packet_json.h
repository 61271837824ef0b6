// SPDX-License-Identifier: BSD-3-Clause
/*
 * Packets and what became of them as answers to dstmctl (docs/control-sockets.md).
 */
#pragma once

#include "dataplane/outcome.h"

#include <jansson.h>

/* What a frame says of itself; the text is one line. New reference. */
json_t *tep_packet_summary(const uint8_t *frame, uint32_t kept);

/* A frame of len octets, kept of which are here, that came or left by this side. New reference. */
json_t *tep_packet_frame(uint32_t side, const uint8_t *frame, uint32_t kept, uint32_t len);

/* Puts the members of an outcome into an object. now_s: of the table's clock. */
void tep_packet_set_outcome(json_t *object, const struct dp_outcome *outcome, uint32_t now_s);

/* The same words everywhere. */
const char *tep_packet_side_name(uint32_t side);
json_t *tep_packet_binding(const struct dp_binding *binding, uint32_t now_s);
