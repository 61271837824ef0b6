// SPDX-License-Identifier: BSD-3-Clause
/* What dstm-server shows to those who watch over it (common/monitor.h); their argument is a struct srv_server. */
#pragma once

#include "common/monitor.h"

extern const struct monitor_ops srv_metrics_ops;
