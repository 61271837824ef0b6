// SPDX-License-Identifier: BSD-3-Clause
/* One stage of the packet path, over one packet that classify and l4_id let pass. */
#pragma once

#include "dataplane/classify.h"
#include "dataplane/l4_id.h"
#include "support/packets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* The burst holds the packet; found is what the binding lookup would have found. */
static inline const struct dp_pkt *stage_run(struct dp_ctx *ctx, struct dp_burst *burst,
	void (*stage)(struct dp_ctx *, struct dp_burst *), struct rte_mbuf *m,
	const struct dp_binding *found)
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);

	packets_burst_init(burst, m);
	/* By the port that the frame is addressed to. */
	dp_classify(ctx, burst, rte_is_same_ether_addr(&ether->dst_addr, &ctx->macs[0]) ? 0 : 1);
	dp_l4_id(ctx, burst);
	assert_int_equal(burst->pkts[0].verdict, DP_CONTINUE);
	burst->bindings[0] = found;
	stage(ctx, burst);
	return &burst->pkts[0];
}

/* Frees the packet as the end of the path does, and looks for buffers that did not come back. */
static inline void assert_dropped(const struct dp_pkt *p, enum dp_counter reason)
{
	assert_int_equal(p->verdict, DP_DROP);
	assert_string_equal(dp_counter_info[p->reason].name, dp_counter_info[reason].name);
	rte_pktmbuf_free(p->m);
	assert_true(packets_all_back());
}
