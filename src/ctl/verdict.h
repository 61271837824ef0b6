// SPDX-License-Identifier: BSD-3-Clause
/*
 * What became of a packet, in words: answers of explain and watch_next (docs/control-sockets.md).
 */
#pragma once

#include <jansson.h>
#include <stdio.h>

#define CTL_COMMENT_LEN 768

/* Line by line. */
void ctl_verdict_print_explanation(const json_t *result, FILE *file);
/* One line: time, worker, side, verdict, packet. */
void ctl_verdict_print_record(const json_t *record, FILE *file);
/* One sentence, for a packet in a capture file. */
const char *ctl_verdict_comment(const json_t *record, char buf[static CTL_COMMENT_LEN]);
