// SPDX-License-Identifier: BSD-3-Clause
/*
 * The pages of a daemon for those who watch over it:
 *
 *	/metrics  its figures, for Prometheus
 *	/healthz  200 as long as the event loop turns
 *	/ready    200, or 503 and a line that says what is missing: for load balancers
 */
#pragma once

#include "common/config.h"
#include "common/metrics.h"

#include <stdbool.h>

#define MONITOR_REASON_LEN 160

struct event_base;
struct monitor;

/* "metrics:" of a configuration. */
struct monitor_config {
	struct config_pos pos;
	struct addr_endpoint listen;
	bool has_listen;
};
extern const struct config_section monitor_section;

struct monitor_ops {
	const char *prefix; /* of its names, such as "dstm_tep" */
	void (*write)(void *arg, struct metrics *metrics);
	/* False: reason says why, in a line. */
	bool (*is_ready)(void *arg, char reason[static MONITOR_REASON_LEN]);
};

/* ops is borrowed. NULL + errno, also logged. */
struct monitor *monitor_create(struct event_base *base, const struct monitor_config *config,
	const struct monitor_ops *ops, void *arg);
/* NULL is allowed. */
void monitor_destroy(struct monitor *monitor);
