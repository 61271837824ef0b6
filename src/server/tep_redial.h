// SPDX-License-Identifier: BSD-3-Clause
/*
 * How long to wait before a TEP is dialled again: not long at all for one that was just restarted, and never so
 * long that one which comes back puts in force what it knows from before because nobody has asked for it.
 */
#pragma once

#include <stdint.h>

/* attempts: those that have failed in a row. */
int64_t srv_tep_redial_ms(uint32_t attempts);
