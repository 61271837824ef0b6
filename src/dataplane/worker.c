// SPDX-License-Identifier: BSD-3-Clause
/*
 * READ FIRST: a packet's journey.
 *
 * A worker polls its queue on every port and takes what is there, at most 32 frames at once, through the
 * whole path before it looks at the next ones (run to completion). Where a port has fewer queues than there are
 * workers, they share: one polls, and hands frames to the others (spread.h). Each frame gets a context (struct
 * dp_pkt) with one verdict. A stage works on all frames of the burst whose verdict is DP_CONTINUE and
 * may set another; where a packet can go is written on top of each stage's header.
 *
 *	dp_classify		frame -> tunnel packet, IPv4 packet, the host's, or not ours; headers proven sound;
 *				a plain UDP or TCP packet has its key already (plain.h)
 *	dp_defrag		fragments -> whole packets; what is not whole yet waits
 *	dp_l4_id		the client's address and port or identifier in it: the key
 *	dp_bindings_lookup_bulk	key -> binding; one table for both directions
 *	dp_express		plain, and no rule of the next stages has anything to say: rewritten and on its way
 *	dp_hairpin		from IPv6: is the destination a client of ours, too?
 *	dp_miss			no binding here: a server may know of one (an option)
 *	dp_decap		from IPv6: is it the holder? outer header off, TTL, ECN
 *	dp_encap		from IPv4 or to another client: TTL, outer header on
 *	dp_mss_clamp		TCP SYN: segments that fit (an option)
 *	dp_forward		neither from a tunnel nor into one: next hop, TTL, and sent as it is (an option)
 *	dp_icmp_err		refused, and its sender should know: the packet becomes an ICMP error to it
 *	dp_egress		next hop, Ethernet header
 *	deliver			by verdict: transmit buffer (in fragments if it must), host, or dp_drop
 *
 *	client ==IPv6==> classify > defrag > l4_id > lookup > decap > egress > tx --IPv4--> server
 *	client <=IPv6=== tx < egress < encap < lookup < l4_id < classify <--IPv4-- server
 *	nearly all:      classify > lookup > express > tx
 *
 * A packet to a destination that another of our bindings holds turns round here: decap and encap both work on it.
 *
 * Every frame ends in exactly one place: sent, handed to the host (punted, resolve), left to wait for a server's
 * answer (asked), or dropped under a name with its octets counted. dp_drop is the only free of what is lost,
 * dp_use_up of what lives on in fragments. A packet that becomes an ICMP error is both, dropped and sent as another
 * one in the same buffer.
 *
 * Between bursts a worker owns nothing of the tables: it reports a quiescent state to their writers once a
 * loop, so pointers into them live no longer than the burst. A worker never logs, allocates, locks or makes a
 * system call for a packet (drivers may); what it writes no other thread writes.
 */
#include "dataplane/worker.h"

#include "common/clock.h"
#include "dataplane/classify.h"
#include "dataplane/decap.h"
#include "dataplane/defrag.h"
#include "dataplane/egress.h"
#include "dataplane/encap.h"
#include "dataplane/express.h"
#include "dataplane/forward.h"
#include "dataplane/fragment.h"
#include "dataplane/hairpin.h"
#include "dataplane/icmp_err.h"
#include "dataplane/l4_id.h"
#include "dataplane/miss.h"
#include "dataplane/mss.h"
#include "dataplane/punt.h"
#include "dataplane/reassembly.h"
#include "dataplane/tap.h"
#include "dataplane/vlan.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_prefetch.h>
#include <unistd.h>

#define IDLE_LOOPS 64 /* empty polls before the first sleep */
#define TX_TRIES   16 /* software ports may be full for a moment */

/* Verdicts that are the host's, collected over a burst. */
struct host_batch {
	uint32_t n;
	struct rte_mbuf *packets[DP_BURST];
};

void dp_worker_flush(struct dp_worker *worker, uint32_t side)
{
	struct dp_ctx *ctx = &worker->ctx;
	struct dp_tx_buffer *tx = &worker->tx[side];
	const struct dp_lane *lane = &worker->lanes[side];
	uint16_t port = ctx->ports[side] != DP_PORT_STICK ? ctx->ports[side] : ctx->ports[0];
	uint64_t bytes = 0, unsent = 0;
	uint32_t sent = 0;

	if (unlikely(lane->member != 0)) {
		dp_spread_send(lane->spread, lane->member, ctx, tx->packets, tx->n);
		tx->n = 0;
		return;
	}
	if (unlikely(ctx->vlans[side] != 0))
		tx->n = dp_vlan_tag(ctx, side, tx->packets, tx->n);
	for (uint32_t i = 0; i < tx->n; i++)
		bytes += tx->packets[i]->pkt_len;
	for (uint32_t tries = 0; sent < tx->n && tries < TX_TRIES; tries++)
		sent += rte_eth_tx_burst(port, lane->queue, tx->packets + sent, tx->n - sent);
	for (uint32_t i = sent; i < tx->n; i++) {
		unsent += tx->packets[i]->pkt_len;
		dp_drop(ctx, tx->packets[i], DP_DROP_TX_FULL);
	}
	dp_count(&ctx->counters, DP_COUNT_TX, sent, bytes - unsent);
	tx->n = 0;
}

static inline void transmit(struct dp_worker *worker, struct rte_mbuf *m)
{
	uint32_t side = m->port == worker->ctx.ports[0] ? 0 : 1;
	struct dp_tx_buffer *tx = &worker->tx[side];

	if (unlikely(m->port != worker->ctx.ports[side])) {
		dp_drop(&worker->ctx, m, DP_DROP_TX_NO_PORT);
		return;
	}
	if (tx->n == DP_BURST)
		dp_worker_flush(worker, side);
	tx->packets[tx->n++] = m;
}

/* A burst that leaves whole by the port of one side. */
static inline void transmit_all(struct dp_worker *worker, struct rte_mbuf **packets, uint32_t n)
{
	uint32_t side = packets[0]->port == worker->ctx.ports[0] ? 0 : 1;
	struct dp_tx_buffer *tx = &worker->tx[side];

	if (unlikely(tx->n + n > DP_BURST))
		dp_worker_flush(worker, side);
	memcpy(&tx->packets[tx->n], packets, n * sizeof(*packets));
	tx->n += n;
}

static void hand_to_host(
	struct dp_ctx *ctx, const struct host_batch *batch, enum dp_punt_reason reason)
{
	enum dp_counter counter = reason == DP_PUNT_HOST ? DP_COUNT_PUNTED : DP_COUNT_RESOLVE;
	uint64_t bytes[DP_BURST] = {0}; /* once handed over, a packet must not be read */
	uint32_t taken;

	for (uint32_t i = 0; i < batch->n; i++)
		bytes[i] = batch->packets[i]->pkt_len;
	taken = dp_punt_to_host(
		ctx->punt, (struct rte_mbuf **)(uintptr_t)batch->packets, batch->n, reason);
	for (uint32_t i = 0; i < taken; i++)
		dp_count(&ctx->counters, counter, 1, bytes[i]);
	for (uint32_t i = taken; i < batch->n; i++)
		dp_drop(ctx, batch->packets[i], DP_DROP_PUNT_FULL);
}

/* The burst's packets with DP_ASK. */
static __rte_noinline void hand_to_asker(
	struct dp_ctx *ctx, const struct dp_burst *burst, uint32_t side)
{
	struct dp_question questions[DP_BURST] = {0};
	uint64_t bytes[DP_BURST] = {0}; /* once handed over, a packet must not be read */
	uint32_t n = 0, taken;

	for (uint32_t i = 0; i < burst->n; i++) {
		if (burst->pkts[i].verdict != DP_ASK)
			continue;
		bytes[n] = burst->pkts[i].m->pkt_len;
		dp_miss_question(ctx, burst, i, side, &questions[n++]);
	}
	taken = dp_ask_put(ctx->ask, questions, n);
	for (uint32_t i = 0; i < taken; i++)
		dp_count(&ctx->counters, DP_COUNT_ASKED, 1, bytes[i]);
	for (uint32_t i = taken; i < n; i++)
		dp_drop(ctx, questions[i].m, DP_DROP_ASK_FULL);
}

/* A packet that is too long: what its verdict says happens to each of its fragments. */
static void deliver_fragments(
	struct dp_worker *worker, const struct dp_burst *burst, uint32_t index)
{
	const struct dp_pkt *p = &burst->pkts[index];
	struct rte_mbuf *fragments[DP_FRAGMENTS_MAX];
	uint32_t n = dp_fragment(&worker->ctx, burst, index, fragments);

	if (n == 0)
		dp_drop(&worker->ctx, p->m, DP_DROP_FRAG_NO_MBUF);
	for (uint32_t i = 0; i < n; i++) {
		const struct host_batch one = {1, {fragments[i]}};

		if (p->verdict == DP_TX)
			transmit(worker, fragments[i]);
		else
			hand_to_host(&worker->ctx, &one,
				p->verdict == DP_PUNT ? DP_PUNT_HOST : DP_PUNT_RESOLVE);
	}
}

/* The end of the journey: every packet to where its verdict says. */
static inline void deliver(struct dp_worker *worker, const struct dp_burst *burst, uint32_t side)
{
	struct host_batch host, resolve;
	bool asks = false;

	host.n = 0;
	resolve.n = 0;
	for (uint32_t i = 0; i < burst->n; i++) {
		const struct dp_pkt *p = &burst->pkts[i];

		if (likely(p->verdict == DP_TX && !p->cut))
			transmit(worker, p->m);
		else if (p->cut && p->verdict != DP_DROP)
			deliver_fragments(worker, burst, i);
		else if (p->verdict == DP_PUNT)
			host.packets[host.n++] = p->m;
		else if (p->verdict == DP_RESOLVE)
			resolve.packets[resolve.n++] = p->m;
		else if (p->verdict == DP_DROP)
			dp_drop(&worker->ctx, p->m, p->reason);
		else if (p->verdict == DP_ASK)
			asks = true;
	}
	if (unlikely(asks))
		hand_to_asker(&worker->ctx, burst, side);
	if (unlikely(host.n != 0))
		hand_to_host(&worker->ctx, &host, DP_PUNT_HOST);
	if (unlikely(resolve.n != 0))
		hand_to_host(&worker->ctx, &resolve, DP_PUNT_RESOLVE);
}

/* Their contexts, and the first counter. */
static inline void begin(
	struct dp_ctx *ctx, struct dp_burst *burst, struct rte_mbuf **packets, uint32_t n)
{
	uint64_t bytes = 0;

	burst->n = n;
	for (uint32_t i = 0; i < n; i++) {
		burst->pkts[i].m = packets[i];
		rte_prefetch0(rte_pktmbuf_mtod(packets[i], void *));
		bytes += packets[i]->pkt_len;
	}
	dp_count(&ctx->counters, ctx->has_returned ? DP_COUNT_ASK_RETURNED : DP_COUNT_RX, n, bytes);
}

/* True: the burst leaves whole by the port of one side. */
static inline bool pass_stages(struct dp_ctx *ctx, struct dp_burst *burst, uint32_t side)
{
	dp_classify(ctx, burst, side);
	dp_defrag(ctx, burst);
	dp_l4_id(ctx, burst);
	dp_bindings_lookup_bulk(ctx->bindings, burst->keys, burst->n, ctx->now_s, burst->bindings);
	if (likely(dp_express(ctx, burst)))
		return burst->n_fragments == 0 && burst->pkts[0].m->port == ctx->ports[!side] &&
		       dp_burst_is_one_way(burst) && burst->straight;
	dp_hairpin(ctx, burst);
	if (unlikely(ctx->ask != NULL))
		dp_miss(ctx, burst);
	dp_decap(ctx, burst);
	dp_encap(ctx, burst);
	if (ctx->mss_clamp != 0)
		dp_mss_clamp(ctx, burst);
	if (ctx->forward.v4 != DP_FORWARD_DROP || ctx->forward.v6)
		dp_forward(ctx, burst);
	dp_icmp_err(ctx, burst);
	dp_egress(ctx, burst);
	return false;
}

void dp_worker_stages(struct dp_ctx *ctx, struct dp_burst *burst, uint32_t side)
{
	pass_stages(ctx, burst, side);
}

/* The same while somebody watches. */
static __rte_noinline void process_tapped(struct dp_worker *worker, uint32_t side,
	struct rte_mbuf **packets, uint32_t n, struct dp_tap_queue *taps)
{
	struct dp_burst burst;

	begin(&worker->ctx, &burst, packets, n);
	dp_tap_before(taps, &burst);
	pass_stages(&worker->ctx, &burst, side);
	dp_tap_after(taps, &worker->ctx, &burst, side);
	deliver(worker, &burst, side);
}

void dp_worker_process(
	struct dp_worker *worker, uint32_t side, struct rte_mbuf **packets, uint32_t n)
{
	struct dp_tap_queue *taps = __atomic_load_n(&worker->ctx.taps, __ATOMIC_ACQUIRE);
	struct dp_burst burst;

	if (unlikely(taps != NULL)) {
		process_tapped(worker, side, packets, n, taps);
		return;
	}
	begin(&worker->ctx, &burst, packets, n);
	if (likely(pass_stages(&worker->ctx, &burst, side)))
		transmit_all(worker, packets, n);
	else
		deliver(worker, &burst, side);
}

/* What the host sends, ready with its Ethernet header. */
static uint32_t send_from_host(struct dp_worker *worker)
{
	struct rte_mbuf *packets[DP_BURST];
	uint32_t n = dp_punt_from_host(worker->ctx.punt, packets, DP_BURST);

	for (uint32_t i = 0; i < n; i++) {
		dp_count(&worker->ctx.counters, DP_COUNT_FROM_HOST, 1, packets[i]->pkt_len);
		transmit(worker, packets[i]);
	}
	return n;
}

/* Packets that have waited for a server's answer: from the start, by the side that each came by. */
static uint32_t process_returned(struct dp_worker *worker)
{
	struct dp_question questions[DP_BURST];
	struct rte_mbuf *packets[DP_BURST];
	uint32_t n = dp_ask_returned(worker->ctx.ask, questions, DP_BURST);

	worker->ctx.has_returned = true;
	for (uint32_t i = 0, run; i < n; i += run) {
		for (run = 0; i + run < n && questions[i + run].side == questions[i].side; run++) {
			packets[run] = questions[i + run].m;
			packets[run]->hash.usr = questions[i + run].asked;
		}
		dp_worker_process(worker, questions[i].side, packets, run);
	}
	worker->ctx.has_returned = false;
	return n;
}

/* A queue pair that others share: sends for its other members what they want sent. */
static uint32_t send_for_members(struct dp_worker *worker, struct dp_spread *spread)
{
	uint32_t n_members = dp_spread_n_members(spread), total = 0;

	for (uint32_t member = 1; member < n_members; member++) {
		struct rte_mbuf *packets[DP_BURST];
		uint32_t n = dp_spread_collect(spread, member, packets, DP_BURST);

		for (uint32_t i = 0; i < n; i++)
			transmit(worker, packets[i]);
		total += n;
	}
	return total;
}

/* Where workers share a queue pair: what others have handed to this one. */
static uint32_t poll_rings(struct dp_worker *worker)
{
	struct rte_mbuf *packets[DP_BURST];
	uint32_t total = 0;

	for (uint32_t side = 0; side < worker->n_sides; side++) {
		const struct dp_lane *lane = &worker->lanes[side];
		uint32_t n;

		if (lane->spread == NULL)
			continue;
		if (lane->member == 0) {
			total += send_for_members(worker, lane->spread);
			continue;
		}
		n = dp_spread_take(lane->spread, lane->member, packets, DP_BURST);
		if (n != 0)
			dp_worker_process(worker, side, packets, n);
		total += n;
	}
	return total;
}

static uint32_t poll_ports(struct dp_worker *worker)
{
	struct rte_mbuf *packets[DP_BURST];
	uint32_t total = 0;

	for (uint32_t side = 0; side < worker->n_sides; side++) {
		const struct dp_lane *lane = &worker->lanes[side];
		uint32_t n;

		if (unlikely(lane->member != 0))
			continue;
		n = rte_eth_rx_burst(worker->ctx.ports[side], lane->queue, packets, DP_BURST);
		total += n;
		if (unlikely(worker->ctx.tagged))
			n = dp_vlan_untag(&worker->ctx, side, packets, n);
		if (unlikely(lane->spread != NULL))
			n = dp_spread_hand_out(lane->spread, &worker->ctx, packets, n);
		if (n != 0)
			dp_worker_process(worker, side, packets, n);
	}
	return total;
}

static void flush_all(struct dp_worker *worker)
{
	for (uint32_t side = 0; side < DP_SIDES; side++)
		if (worker->tx[side].n != 0)
			dp_worker_flush(worker, side);
}

/* Timers need no more than the clock: it is read anew every few milliseconds. */
static void read_clock(struct dp_worker *worker, uint64_t tsc)
{
	struct dp_ctx *ctx = &worker->ctx;

	if (likely(tsc - worker->clock_tsc < worker->clock_cycles))
		return;
	worker->clock_tsc = tsc;
	dp_worker_set_clock(worker, clock_boot_ms());
	for (uint32_t kind = 0; kind < DP_FRAG_N_KINDS; kind++)
		dp_reassembly_expire(ctx, ctx->reassembly[kind]);
}

static void tell_writers(const struct dp_worker *worker)
{
	for (uint32_t i = 0; i < RTE_DIM(worker->readers); i++)
		rte_rcu_qsbr_quiescent(worker->readers[i], worker->id);
}

/* One loop is over: was it work, and how long did it take? */
static inline void account(struct dp_worker *worker, uint32_t received, uint32_t from_host,
	uint64_t start, uint64_t end)
{
	struct dp_counters *counters = &worker->ctx.counters;

	if (received != 0) {
		worker->last_rx_tsc = end;
		worker->empty_polls = 0;
	} else {
		worker->empty_polls++;
	}
	if (received + from_host != 0) {
		counters->busy_cycles += end - start;
		counters->busy_loops++;
	} else {
		counters->idle_loops++;
	}
}

int dp_worker_run(void *arg)
{
	struct dp_worker *worker = arg;
	uint64_t start = rte_rdtsc(), end;

	for (uint32_t i = 0; i < RTE_DIM(worker->readers); i++) {
		rte_rcu_qsbr_thread_register(worker->readers[i], worker->id);
		rte_rcu_qsbr_thread_online(worker->readers[i], worker->id);
	}
	while (!atomic_load_explicit(worker->stop, memory_order_relaxed)) {
		uint32_t received, host = 0;

		read_clock(worker, start);
		if (worker->id == 0 && worker->ctx.ask != NULL)
			host = process_returned(worker);
		received = poll_ports(worker);
		if (unlikely(worker->shares))
			received += poll_rings(worker);
		if (worker->id == 0 && worker->ctx.punt != NULL)
			host += send_from_host(worker);
		flush_all(worker);
		tell_writers(worker);

		end = rte_rdtsc();
		account(worker, received, host, start, end);
		if (worker->empty_polls >= IDLE_LOOPS && host == 0 && worker->idle_sleep_us != 0)
			usleep(worker->idle_sleep_us);
		start = end;
	}
	for (uint32_t i = 0; i < RTE_DIM(worker->readers); i++) {
		rte_rcu_qsbr_thread_offline(worker->readers[i], worker->id);
		rte_rcu_qsbr_thread_unregister(worker->readers[i], worker->id);
	}
	return 0;
}

uint32_t dp_worker_carry_on(struct dp_worker *worker)
{
	uint32_t n = poll_rings(worker);

	if (worker->id == 0 && worker->ctx.ask != NULL)
		n += process_returned(worker);
	flush_all(worker);
	return n;
}

void dp_worker_give_up(struct dp_worker *worker)
{
	for (uint32_t kind = 0; kind < DP_FRAG_N_KINDS; kind++)
		dp_reassembly_flush(&worker->ctx, worker->ctx.reassembly[kind]);
}
