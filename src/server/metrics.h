// SPDX-License-Identifier: BSD-3-Clause
/* What dstm-server shows to those who watch over it (common/monitor.h); their argument is a struct srv_server. */
#pragma once

#include "common/monitor.h"

/*
 * Ready means that a new client can be served: the store is written, and a TEP is there to go through. A pool that is full is
 * no reason to send clients elsewhere; redirect is for that.
 */
extern const struct monitor_ops srv_metrics_ops;
