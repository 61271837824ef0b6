// SPDX-License-Identifier: BSD-3-Clause
/*
 * The figures of a border router in the terms of RFC 8676 (S30), as an answer to dstmctl.
 */
#pragma once

#include "control/tep.h"

#include <jansson.h>

/* name: of this instance; start_s: when its counters were zero, since 1970. New reference. */
json_t *tep_status(const struct tep *tep, const char *name, int64_t start_s);
