// SPDX-License-Identifier: BSD-3-Clause
/* What dstm-tep shows to those who watch over it (common/monitor.h). Control thread only. */
#pragma once

#include "common/monitor.h"
#include "control/host.h"
#include "control/session.h"
#include "control/tep.h"

/* The argument of tep_metrics_ops; all borrowed. */
struct tep_metrics {
	struct tep *tep;
	const struct tep_host *host; /* NULL: neighbor: static */
	const struct tep_sessions *sessions; /* NULL: none */
};

extern const struct monitor_ops tep_metrics_ops;
