// SPDX-License-Identifier: BSD-3-Clause
/*
 * A running TEP: ports, tables and workers made from its configuration, in one place for those that the
 * control thread adds to it (host, servers' sessions, control socket). Control thread only.
 */
#pragma once

#include "control/drain.h"
#include "control/fill_alarm.h"
#include "control/ready.h"
#include "control/stats.h"
#include "control/tep_config.h"
#include "dataplane/datapath.h"
#include "dataplane/mtu_rules.h"

#include <rte_mempool.h>

struct tep {
	const struct tep_config *config; /* borrowed */
	int node; /* of the workers, or SOCKET_ID_ANY */
	struct rte_mempool
		*pools[TEP_PORTS_MAX]; /* packet buffers of each port; maybe the same ones */
	int pool_nodes[TEP_PORTS_MAX];
	uint16_t ports[TEP_PORTS_MAX]; /* IPv6 side, IPv4 side; one-armed: the same one */
	uint16_t numbers[TEP_PORTS_MAX]; /* what buffers and adjacencies call them (vlan.h) */
	uint32_t n_ports; /* started */
	struct dp_mtu_rules mtu_rules; /* read by bindings */
	struct dp_bindings *bindings;
	struct dp_nexthops *nexthops;
	struct dp_punt *punt; /* NULL with neighbor: static */
	struct dp_ask *ask; /* NULL: a packet without a binding is dropped at once */
	struct dp_datapath *datapath;
	struct tep_stats stats;
	struct tep_fill_alarm reassembly_alarm;
	struct tep_ready ready;
	struct tep_drain drain;
};

/* Everything but the workers' launch. 0, or -errno with a log line; then nothing is left. */
int tep_create(struct tep *tep, const struct tep_config *config);

/* Launches the workers. 0 or -errno. */
int tep_start(struct tep *tep);

/* Looks, now and then, at what may run out, and warns in the log. */
void tep_check(struct tep *tep);

/* Stops the workers and closes the ports; the last statistics are in tep->stats then. */
void tep_stop(struct tep *tep);
void tep_destroy(struct tep *tep);
