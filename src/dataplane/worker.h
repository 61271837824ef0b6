// SPDX-License-Identifier: BSD-3-Clause
/*
 * One worker: an lcore with its queue pair on each port or rings to the worker that has it (spread.h), its
 * counters, and nothing that it shares by writing. worker.c is where to start reading the packet path.
 */
#pragma once

#include "dataplane/pkt_ctx.h"
#include "dataplane/spread.h"

#include <rte_rcu_qsbr.h>
#include <stdatomic.h>

/* Packets waiting for one port; sent when full and at the end of every loop. */
struct dp_tx_buffer {
	uint32_t n;
	struct rte_mbuf *packets[DP_BURST];
};

/* A worker's way to the port of a side. */
struct dp_lane {
	struct dp_spread *spread; /* who shares the queue pair with it; NULL: nobody */
	uint32_t member; /* its number there; 0: the queue pair is its own */
	uint16_t queue;
};

struct dp_worker {
	struct dp_ctx ctx;
	struct dp_lane lanes[DP_SIDES];
	bool shares; /* a queue pair with others */
	struct dp_tx_buffer tx[DP_SIDES];
	uint64_t last_rx_tsc; /* of the last loop that received a packet */
	uint64_t empty_polls; /* loops in a row that received none; 0 also before the first */
	uint64_t clock_tsc; /* when ctx.now_s was read */
	uint64_t clock_cycles; /* how long it stands */
	uint32_t id; /* worker number, and its number as a reader */
	uint32_t n_sides; /* 1: one-armed */
	uint32_t idle_sleep_us;
	struct rte_rcu_qsbr *readers[2]; /* of the bindings and of the next hops */
	const atomic_bool *stop;
} __rte_cache_aligned;

/* What time it is, to the stages. */
static inline void dp_worker_set_clock(struct dp_worker *worker, uint64_t now_ms)
{
	worker->ctx.now_ms = now_ms;
	worker->ctx.now_s = (uint32_t)(now_ms / 1000);
}

/* Runs until *stop; for rte_eal_remote_launch. */
int dp_worker_run(void *worker);

/* When no worker runs any more: takes a burst from each of its rings further; how many packets there were. */
uint32_t dp_worker_carry_on(struct dp_worker *worker);
/* Counts as too late the fragments that it still holds. */
void dp_worker_give_up(struct dp_worker *worker);

/* A burst through all stages, up to delivery, by whoever owns the context; its frames came to the port of this side. */
void dp_worker_stages(struct dp_ctx *ctx, struct dp_burst *burst, uint32_t side);

/* A context as a worker has it, without reassembly; for explain.h. */
void dp_datapath_ctx_init(struct dp_ctx *ctx, const struct dp_datapath *datapath);

uint32_t dp_datapath_n_workers(const struct dp_datapath *datapath);
struct dp_worker *dp_datapath_worker(const struct dp_datapath *datapath, uint32_t id);

/* One burst from the port of this side through the whole path, up to the transmit buffers. */
void dp_worker_process(
	struct dp_worker *worker, uint32_t side, struct rte_mbuf **packets, uint32_t n);

/* Empties the transmit buffer of a side into its port, or into the ring to who has its queue. */
void dp_worker_flush(struct dp_worker *worker, uint32_t side);
