// SPDX-License-Identifier: BSD-3-Clause
/* How long to wait before a TEP is dialled again: not at all long for one that was just restarted. */
#pragma once

#include <stdint.h>

/* attempts: those that have failed in a row. */
int64_t srv_tep_redial_ms(uint32_t attempts);
