// SPDX-License-Identifier: BSD-3-Clause
/*
 * What the stages of the packet path share: a packet's context, a burst of them, and the worker's own
 * view of the data plane.
 *
 * A stage is a function over a burst. It works on the packets whose verdict is still DP_CONTINUE, and
 * either leaves that or sets another one; whoever has another verdict rests untouched until the end
 * of the journey, where worker.c sends, punts or drops it. So a stage never frees, sends or logs.
 */
#pragma once

#include "dataplane/ask.h"
#include "dataplane/binding.h"
#include "dataplane/counters.h"
#include "dataplane/datapath.h"
#include "dataplane/frag_id.h"
#include "dataplane/pools.h"
#include "dataplane/verdict.h"

#include <rte_branch_prediction.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define DP_BURST 32
#define DP_SIDES 2 /* ports: the IPv6 side and the IPv4 side; one-armed: the same one twice */

struct dp_pkt {
	struct rte_mbuf *m;
	struct rte_ipv4_hdr *v4; /* the IPv4 header: inner one of a tunnel packet */
	struct rte_ipv6_hdr *v6; /* the outer header, as received or as written; NULL: none (yet) */
	uint16_t v4_len; /* its total length, checked against the frame */
	uint8_t l4_offset; /* octets of the IPv4 header with its options */
	uint8_t verdict; /* enum dp_verdict */
	uint8_t reason; /* enum dp_counter, of what was refused; not written of others */
	bool from_v6; /* came through a tunnel */
	bool cut; /* leaves in other buffers: too long for its way out, or in too many of them (fragment.h) */
	bool to_v6; /* leaves as IPv6; and from IPv4, into a tunnel */
};
static_assert(sizeof(struct dp_pkt) == 32);
static_assert(DP_N_DROPS <= UINT8_MAX);
static_assert(DP_BURST <= 32); /* bits of dp_burst.plain */

struct dp_burst {
	uint32_t n;
	uint32_t n_fragments; /* written by classify */
	uint32_t held; /* bit i: packet i waits for the rest of it, no stage looks at it any more */
	uint32_t plain; /* bit i: packet i is a plain one (plain.h), its key is written */
	uint32_t plain_v4; /* those of them that are from the IPv4 side */
	bool straight; /* what express sent leaves by the port of its side */
	struct dp_pkt pkts[DP_BURST];
	struct dp_binding_key keys[DP_BURST]; /* of every packet; written by classify or l4_id */
	const struct dp_binding *bindings[DP_BURST]; /* read by decap and encap */
	const struct dp_binding *targets[DP_BURST]; /* of packets from a tunnel into a tunnel */
	uint16_t mtus[DP_BURST]; /* that forward found too small for a packet */
};

/* A bit for each packet of the burst. */
static inline uint32_t dp_burst_all(const struct dp_burst *burst)
{
	return (uint32_t)(UINT64_C(1) << burst->n) - 1;
}

/* No packet came through a tunnel: stages for those have nothing to do. */
static inline bool dp_burst_is_from_v4(const struct dp_burst *burst)
{
	return burst->plain_v4 == dp_burst_all(burst);
}

/* All are plain, and from one side. */
static inline bool dp_burst_is_one_way(const struct dp_burst *burst)
{
	return burst->plain == dp_burst_all(burst) &&
	       (burst->plain_v4 == 0 || burst->plain_v4 == burst->plain);
}

/* The values of the ECN field. */
enum dp_ecn {
	DP_ECN_NOT_ECT,
	DP_ECN_ECT_1,
	DP_ECN_ECT_0,
	DP_ECN_CE,
	DP_ECN_MASK = 3,
};

struct dp_reassembly;
struct dp_tap_queue;

/* IPv4 addresses of this router; replaced as a whole. */
struct dp_local_v4 {
	uint32_t n;
	uint32_t v4[DP_LOCAL_V4_MAX]; /* host order */
};

/* How many ICMP errors may still be sent (icmp_err.c). */
struct dp_icmp_bucket {
	uint64_t filled_ms; /* when it was looked at last */
	uint64_t level; /* thousandths of an error */
};

/* A worker's view: read-mostly settings, then its own counters on cache lines of their own. */
struct dp_ctx {
	const struct dp_bindings *bindings;
	const struct dp_nexthops *nexthops;
	struct dp_punt *punt; /* NULL: no host behind this router */
	struct dp_ask *ask; /* NULL: a miss is a drop */
	struct dp_ask_limits *ask_limits; /* NULL: none */
	bool asks
		[DP_SIDES]; /* about packets from the IPv4 side and between clients; out of tunnels */
	bool has_returned; /* the burst now has come back with its answers */
	const struct dp_local_v4 *const *local_v4; /* read with dp_is_local_v4 */
	uint32_t now_s; /* of the binding table's clock */
	uint64_t now_ms; /* the same moment */
	struct dp_reassembly *reassembly[DP_FRAG_N_KINDS];
	uint32_t mtu_v6;
	uint32_t mtu_v4;
	uint32_t tunnel_overhead; /* octets that encap puts in front of an IPv4 packet */
	uint32_t mss_clamp; /* 0: off; DP_MSS_AUTO; else the largest segment (mss.h) */
	uint8_t hop_limit;
	bool hairpin;
	bool pass_source_routes;
	struct dp_dscp dscp;
	uint8_t encapsulation_limit; /* if tunnel_overhead has room for one (outer.h) */
	bool hash_flows; /* else all have this flow label */
	uint32_t flow_label;
	uint64_t flow_seed;
	bool fragment_inner; /* as in struct dp_datapath_params, like the next two */
	bool ignore_df;
	bool path_mtu;
	const struct dp_pools *pools; /* of packets from clients that nobody holds; NULL: none */
	struct dp_forward_params forward;
	bool tagged; /* is one of vlans not 0? */
	uint16_t vlans[DP_SIDES]; /* of frames from and to each side; 0: untagged */
	uint16_t ports[DP_SIDES]; /* DPDK port numbers, IPv6 side first; [1] may be DP_PORT_STICK */
	struct rte_ether_addr macs[DP_SIDES];
	uint32_t n_tep_v6;
	struct in6_addr tep_v6[DP_TEP_ADDRESSES_MAX];
	struct dp_frag_ids frag_ids;
	struct dp_icmp_params icmp;
	struct dp_icmp_bucket icmp_bucket;
	struct dp_tap_queue
		*taps; /* who watches (tap.h); NULL: nobody. Written by the control thread */
	struct dp_counters counters;
} __rte_cache_aligned;

static inline void dp_pkt_drop(struct dp_pkt *p, enum dp_counter reason)
{
	p->verdict = DP_DROP;
	p->reason = reason;
}

/* For the router itself: to the host, where there is one. */
static inline void dp_pkt_to_host(const struct dp_ctx *ctx, struct dp_pkt *p)
{
	if (ctx->punt != NULL)
		p->verdict = DP_PUNT;
	else
		dp_pkt_drop(p, DP_DROP_NO_HOST);
}

/* Of a packet in several buffers; see dp_pkt_set_len. */
void dp_chain_set_len(struct dp_pkt *p, uint32_t len, int32_t grown);

/* After data_off of the first buffer moved, by as much as it grew: the frame is len octets, without what followed. */
static inline void dp_pkt_set_len(struct dp_pkt *p, uint32_t len, int32_t grown)
{
	struct rte_mbuf *m = p->m;

	if (likely(m->nb_segs == 1)) {
		m->data_len = (uint16_t)len;
		m->pkt_len = len;
	} else {
		dp_chain_set_len(p, len, grown);
	}
}

static inline bool dp_is_local_v4(const struct dp_ctx *ctx, uint32_t v4)
{
	const struct dp_local_v4 *local = __atomic_load_n(ctx->local_v4, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < local->n; i++)
		if (local->v4[i] == v4)
			return true;
	return false;
}

/* Some client's, or to be given to one? */
static inline bool dp_is_clients_v4(const struct dp_ctx *ctx, uint32_t v4)
{
	return dp_bindings_has_v4(ctx->bindings, v4) ||
	       (ctx->pools != NULL && dp_pools_contain(ctx->pools, v4));
}

/* Not for a tunnel: forward decides. Neither from a tunnel nor into one, as long as it has not left. */
static inline void dp_pkt_forward(struct dp_pkt *p)
{
	p->verdict = DP_FORWARD;
	p->to_v6 = false;
}

static inline bool dp_pkt_is_plain(const struct dp_pkt *p)
{
	return !p->from_v6 && !p->to_v6;
}

/* An IPv4 packet to an address that is no client's; nor was when its fragments came, to be joined here. */
static inline bool dp_pkt_forward_v4(const struct dp_ctx *ctx, struct dp_pkt *p, uint32_t dst)
{
	if (ctx->forward.v4 == DP_FORWARD_DROP || p->m->nb_segs != 1 || dp_is_clients_v4(ctx, dst))
		return false;
	dp_pkt_forward(p);
	return true;
}

/*
 * A packet from the IPv4 side that no binding can claim: the host's if the address is ours, else forwarded if
 * that is wanted, else dropped for the reason given.
 */
static inline void dp_pkt_unclaimed(
	const struct dp_ctx *ctx, struct dp_pkt *p, enum dp_counter reason)
{
	uint32_t dst = rte_be_to_cpu_32(p->v4->dst_addr);

	if (dp_is_local_v4(ctx, dst))
		dp_pkt_to_host(ctx, p);
	else if (!dp_pkt_forward_v4(ctx, p, dst))
		dp_pkt_drop(p, reason);
}

/* 0/8, 127/8, multicast and 240/4: neither a source nor a destination of forwarded packets. */
static inline bool dp_v4_is_martian(uint32_t v4)
{
	uint8_t top = v4 >> 24;

	return top - 1U >= 223 || top == 127;
}

/* The only free of what is lost in the packet path ... */
static inline void dp_drop(struct dp_ctx *ctx, struct rte_mbuf *m, enum dp_counter reason)
{
	dp_count(&ctx->counters, reason, 1, m->pkt_len);
	rte_pktmbuf_free(m);
}

/* ... and of what lives on in other buffers. */
static inline void dp_use_up(struct dp_ctx *ctx, struct rte_mbuf *m, enum dp_counter counter)
{
	dp_count(&ctx->counters, counter, 1, m->pkt_len);
	rte_pktmbuf_free(m);
}
