// SPDX-License-Identifier: BSD-3-Clause
/* What dstm-tep shows to those who watch over it (common/monitor.h); their argument is a struct tep_view. */
#pragma once

#include "common/monitor.h"
#include "control/view.h"

extern const struct monitor_ops tep_metrics_ops;
