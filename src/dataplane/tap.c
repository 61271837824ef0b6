// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/tap.h"

#include "dataplane/worker.h"

#include <errno.h>
#include <rte_cycles.h>
#include <stdlib.h>

/* A worker's own: it writes slots and moves head, the control thread reads them and moves tail. */
struct dp_tap_queue {
	struct dp_tap_queue *next; /* another tap's */
	const struct dp_tap *tap;
	uint8_t *slots;
	uint32_t n_slots;
	uint32_t worker;
	uint8_t *heads; /* of the frames of the burst in work, snaplen each ... */
	uint32_t lens[DP_BURST]; /* ... and how long they are */
	uint64_t tsc;
	uint32_t head __rte_cache_aligned; /* slots ever filled ... */
	uint64_t missed;
	uint32_t tail __rte_cache_aligned; /* ... and ever emptied */
};

struct dp_tap {
	struct dp_datapath *datapath;
	struct dp_tap_params params;
	uint32_t stride; /* octets of a slot */
	struct dp_tap_queue *first; /* whose record dp_tap_first showed */
	uint32_t n_queues;
	struct dp_tap_queue *queues[];
};

/* --- workers --------------------------------------------------------------------------------------- */

/* The beginning of a frame, wherever its buffers lie. Returns how many octets. */
static uint32_t copy_frame(const struct rte_mbuf *m, uint32_t max, uint8_t *to)
{
	uint32_t len = RTE_MIN(m->pkt_len, max);
	const void *from = rte_pktmbuf_read(m, 0, len, to);

	if (from != to)
		memcpy(to, from, len);
	return len;
}

void dp_tap_before(struct dp_tap_queue *queues, struct dp_burst *burst)
{
	dp_outcome_prepare(burst);
	for (struct dp_tap_queue *queue = queues; queue != NULL; queue = queue->next) {
		uint32_t snaplen = queue->tap->params.snaplen;

		queue->tsc = rte_rdtsc();
		for (uint32_t i = 0; i < burst->n; i++) {
			queue->lens[i] = burst->pkts[i].m->pkt_len;
			copy_frame(burst->pkts[i].m, snaplen, queue->heads + i * snaplen);
		}
	}
}

static struct dp_tap_record *slot_of(const struct dp_tap_queue *queue, uint32_t number)
{
	return (struct dp_tap_record *)(queue->slots +
					(size_t)(number % queue->n_slots) * queue->tap->stride);
}

/* Where one port is both sides, a frame's content tells. */
static uint32_t side_of(const struct dp_ctx *ctx, const uint8_t *frame, uint32_t len, uint32_t side)
{
	static const uint8_t v4[] = {0x08, 0x00};

	if (ctx->ports[0] != ctx->ports[1] || len < RTE_ETHER_HDR_LEN)
		return side;
	return memcmp(frame + RTE_ETHER_HDR_LEN - sizeof(v4), v4, sizeof(v4)) == 0;
}

static void write_record(struct dp_tap_queue *queue, struct dp_tap_record *record,
	const struct dp_ctx *ctx, const struct dp_burst *burst, uint32_t index, uint32_t side)
{
	uint32_t snaplen = queue->tap->params.snaplen;
	const uint8_t *head = queue->heads + index * snaplen;

	record->tsc = queue->tsc;
	record->worker = queue->worker;
	record->in_len = queue->lens[index];
	record->in_kept = RTE_MIN(record->in_len, snaplen);
	record->out_len = 0;
	record->out_kept = 0;
	record->side = side_of(ctx, head, record->in_kept, side);
	memcpy(record->octets, head, record->in_kept);
	dp_outcome_read(ctx, burst, index, &record->outcome);
	if (dp_outcome_leaves(&record->outcome)) {
		const struct rte_mbuf *m = burst->pkts[index].m;

		record->out_len = m->pkt_len;
		record->out_kept = copy_frame(m, snaplen, record->octets + record->in_kept);
	}
}

/* The slot behind the last one is where the next record is tried: without a match it stays free. */
static void offer(struct dp_tap_queue *queue, const struct dp_ctx *ctx,
	const struct dp_burst *burst, uint32_t index, uint32_t side)
{
	struct dp_tap_record *record = slot_of(queue, queue->head);
	uint32_t tail = __atomic_load_n(&queue->tail, __ATOMIC_ACQUIRE);
	bool is_full = queue->head - tail == queue->n_slots - 1;

	write_record(queue, record, ctx, burst, index, side);
	if (!dp_tap_filter_matches(&queue->tap->params.filter, record))
		return;
	if (is_full)
		__atomic_store_n(&queue->missed, queue->missed + 1, __ATOMIC_RELAXED);
	else
		__atomic_store_n(&queue->head, queue->head + 1, __ATOMIC_RELEASE);
}

void dp_tap_after(struct dp_tap_queue *queues, const struct dp_ctx *ctx,
	const struct dp_burst *burst, uint32_t side)
{
	for (struct dp_tap_queue *queue = queues; queue != NULL; queue = queue->next)
		for (uint32_t i = 0; i < burst->n; i++)
			offer(queue, ctx, burst, i, side);
}

/* --- the control thread ---------------------------------------------------------------------------- */

static void queue_free(struct dp_tap_queue *queue)
{
	if (queue == NULL)
		return;
	free(queue->slots);
	free(queue->heads);
	free(queue);
}

static void tap_free(struct dp_tap *tap)
{
	for (uint32_t i = 0; i < tap->n_queues; i++)
		queue_free(tap->queues[i]);
	free(tap);
}

/* Written once, so that workers meet no page that is not there yet. */
static void *touched(size_t len)
{
	size_t room = RTE_ALIGN_CEIL(len, RTE_CACHE_LINE_SIZE);
	void *octets = aligned_alloc(RTE_CACHE_LINE_SIZE, room);

	if (octets != NULL)
		memset(octets, 0, room);
	return octets;
}

static struct dp_tap_queue *queue_create(
	const struct dp_tap *tap, uint32_t worker, uint32_t n_slots)
{
	struct dp_tap_queue *queue = touched(sizeof(*queue));

	if (queue == NULL)
		return NULL;
	queue->tap = tap;
	queue->worker = worker;
	queue->n_slots = n_slots;
	queue->slots = touched((size_t)n_slots * tap->stride);
	queue->heads = touched((size_t)DP_BURST * tap->params.snaplen);
	if (queue->slots == NULL || queue->heads == NULL) {
		queue_free(queue);
		return NULL;
	}
	return queue;
}

/* One slot more than can be filled: that in which the next record is tried. */
static uint32_t slots_of_a_queue(const struct dp_tap *tap, uint32_t n_workers)
{
	return rte_align32prevpow2(RTE_MAX(tap->params.memory / n_workers / tap->stride, 2U));
}

static uint32_t count_taps(const struct dp_worker *worker)
{
	uint32_t n = 0;

	for (const struct dp_tap_queue *at = worker->ctx.taps; at != NULL; at = at->next)
		n++;
	return n;
}

struct dp_tap *dp_tap_create(struct dp_datapath *datapath, const struct dp_tap_params *params)
{
	uint32_t n_workers = dp_datapath_n_workers(datapath);
	struct dp_tap *tap;

	if (count_taps(dp_datapath_worker(datapath, 0)) == DP_TAPS_MAX) {
		errno = EBUSY;
		return NULL;
	}
	tap = calloc(1, sizeof(*tap) + n_workers * sizeof(tap->queues[0]));
	if (tap == NULL)
		return NULL;
	tap->datapath = datapath;
	tap->params = *params;
	tap->stride = RTE_ALIGN_CEIL(
		(uint32_t)sizeof(struct dp_tap_record) + 2 * params->snaplen, RTE_CACHE_LINE_SIZE);
	for (; tap->n_queues < n_workers; tap->n_queues++) {
		tap->queues[tap->n_queues] = queue_create(
			tap, tap->n_queues, slots_of_a_queue(tap, n_workers));
		if (tap->queues[tap->n_queues] == NULL) {
			tap_free(tap);
			errno = ENOMEM;
			return NULL;
		}
	}
	for (uint32_t i = 0; i < n_workers; i++) {
		struct dp_tap_queue **taps = &dp_datapath_worker(datapath, i)->ctx.taps;

		tap->queues[i]->next = *taps;
		__atomic_store_n(taps, tap->queues[i], __ATOMIC_RELEASE);
	}
	return tap;
}

void dp_tap_destroy(struct dp_tap *tap)
{
	if (tap == NULL)
		return;
	for (uint32_t i = 0; i < tap->n_queues; i++) {
		struct dp_tap_queue **at = &dp_datapath_worker(tap->datapath, i)->ctx.taps;

		while (*at != tap->queues[i])
			at = &(*at)->next;
		__atomic_store_n(at, tap->queues[i]->next, __ATOMIC_RELEASE);
	}
	rte_rcu_qsbr_synchronize(
		dp_datapath_worker(tap->datapath, 0)->readers[0], RTE_QSBR_THRID_INVALID);
	tap_free(tap);
}

static bool has_record(const struct dp_tap_queue *queue)
{
	return queue->tail != __atomic_load_n(&queue->head, __ATOMIC_ACQUIRE);
}

const struct dp_tap_record *dp_tap_first(struct dp_tap *tap)
{
	const struct dp_tap_record *first = NULL;

	for (uint32_t i = 0; i < tap->n_queues; i++) {
		struct dp_tap_queue *queue = tap->queues[i];
		const struct dp_tap_record *record = slot_of(queue, queue->tail);

		if (has_record(queue) && (first == NULL || record->tsc < first->tsc)) {
			first = record;
			tap->first = queue;
		}
	}
	return first;
}

void dp_tap_dismiss(struct dp_tap *tap)
{
	__atomic_store_n(&tap->first->tail, tap->first->tail + 1, __ATOMIC_RELEASE);
}

uint64_t dp_tap_missed(const struct dp_tap *tap)
{
	uint64_t missed = 0;

	for (uint32_t i = 0; i < tap->n_queues; i++)
		missed += __atomic_load_n(&tap->queues[i]->missed, __ATOMIC_RELAXED);
	return missed;
}
