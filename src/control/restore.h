// SPDX-License-Identifier: BSD-3-Clause
/* The configured snapshot (bindings.snapshot), opened, and what came of it in the log. */
#pragma once

#include "control/snapshot.h"
#include "control/tep.h"

/* What the file holds stands in the table, dormant; the file follows it from now on. NULL + errno, with a log
 * line. */
struct tep_snapshot *tep_restore_bindings(const struct tep *tep);
