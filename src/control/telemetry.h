// SPDX-License-Identifier: BSD-3-Clause
/*
 * /dstm/ commands of DPDK's telemetry: what dpdk-telemetry.py and collectors of DPDK ask.
 *
 * DPDK calls a command on a thread of its own, one for each connection; the tables are the control thread's. So
 * the caller only leaves a question and waits, and the control thread answers it in its event loop. A question that
 * it has not begun with in time is taken back: nothing is touched by two threads, and nobody waits for ever.
 *
 * DPDK forgets no command, so there is one of these in a process at most, and after its end every command fails.
 */
#pragma once

#include "control/view.h"

struct event_base;
struct tep_telemetry;

/* view is borrowed. NULL + errno; EBUSY: there is one. */
struct tep_telemetry *tep_telemetry_create(struct event_base *base, const struct tep_view *view);
/* Who waits for an answer gets none. NULL is allowed. */
void tep_telemetry_destroy(struct tep_telemetry *telemetry);
