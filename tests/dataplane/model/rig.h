// SPDX-License-Identifier: BSD-3-Clause
/*
 * The real data plane beside the model: a worker between two ports made of rings, driven by hand with the
 * same frames, bindings and clock; everything that leaves and every counter is compared.
 */
#pragma once

#include "traffic.h"

#include <rte_ring.h>

#include "dataplane/worker.h"

struct rig {
	struct rte_mempool *pool;
	struct rte_ring *tx[DP_SIDES];
	uint16_t ports[DP_SIDES];
	struct rte_ether_addr macs[DP_SIDES];
	struct model *model;
	struct dp_bindings *bindings;
	struct dp_nexthops *nexthops;
	struct dp_punt *punt;
	struct dp_ask *ask;
	struct dp_datapath *datapath;
	struct dp_worker *worker;
	uint8_t last_id[4]; /* identification of the last IPv6 packet that we cut ... */
	uint32_t last_label; /* ... and flow label of the last tunnel packet */
};

/* Frames of one burst, from the port of one side. */
struct rig_burst {
	uint32_t side, n;
	uint64_t first; /* number of the first one */
	struct traffic_frame frames[DP_BURST];
};

/* EAL, ports and packet buffers. False: an error was printed. */
bool rig_init(struct rig *rig);
/* A new data plane with the model's parameters. Both have no binding yet. */
bool rig_open(struct rig *rig, struct model *model);
/* All that waits is dropped, by both, and counters are compared; then as rig_destroy. */
bool rig_close(struct rig *rig);
/* The end of the data plane without a look at the model; false: packet buffers are missing. */
bool rig_destroy(struct rig *rig);

/* Both change alike; false: they disagree whether it can be done, which is printed. */
bool rig_add(struct rig *rig, const struct model_binding *binding);
bool rig_remove(struct rig *rig, const struct model_binding *binding);
void rig_sweep(struct rig *rig);
void rig_set_clock(struct rig *rig, uint64_t now_ms);
void rig_set_local_v4(struct rig *rig, const uint32_t *v4, uint32_t n);
/* The way out of one side. */
void rig_set_hop(struct rig *rig, uint32_t side, enum dp_adjacency_state state, uint32_t by_side);

/* One burst through both; false: they disagree, and how is printed with the frames. */
bool rig_process(struct rig *rig, const struct rig_burst *burst);
