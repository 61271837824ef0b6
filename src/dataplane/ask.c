// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/ask.h"

#include "dataplane/wake.h"

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_random.h>
#include <rte_ring_elem.h>

#include <inttypes.h>
#include <stdio.h>

#define RING_SIZE_MAX (1U << 20)
#define BUCKETS       512 /* of each direction; prefixes by their hash */
#define SHARE \
	4 /* a bucket has this part of the rate, of all questions: few fill it, many do not add up to much */
#define TOKEN     1000 /* thousandths of a packet */
#define BURST_MIN 8

struct dp_ask {
	struct dp_ask_params params;
	struct rte_ring *out; /* many workers -> control */
	struct rte_ring *back; /* control -> worker 0 */
	struct dp_negative *negative;
	struct dp_wake wake;
};

static struct rte_ring *create_ring(const struct dp_ask *ask, const char *way,
	const struct dp_ask_params *params, uint32_t flags)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "ask_%s_%" PRIxPTR, way, (uintptr_t)ask);
	return rte_ring_create_elem(name, sizeof(struct dp_question), params->ring_size,
		params->socket, flags | RING_F_SC_DEQ | RING_F_EXACT_SZ);
}

static void drain(struct rte_ring *ring)
{
	struct dp_question question;

	while (ring != NULL && rte_ring_dequeue_elem(ring, &question, sizeof(question)) == 0)
		rte_pktmbuf_free(question.m);
}

struct dp_ask *dp_ask_create(const struct dp_ask_params *params)
{
	struct dp_ask *ask;

	if (!rte_is_power_of_2(params->ring_size) || params->ring_size > RING_SIZE_MAX) {
		rte_errno = EINVAL;
		return NULL;
	}
	ask = rte_zmalloc_socket("dp_ask", sizeof(*ask), 0, params->socket);
	if (ask == NULL) {
		rte_errno = ENOMEM;
		return NULL;
	}
	ask->params = *params;
	rte_errno = -dp_wake_open(&ask->wake);
	if (rte_errno != 0)
		goto fail;
	ask->negative = dp_negative_create(params->socket);
	if (ask->negative == NULL) {
		rte_errno = ENOMEM;
		goto fail;
	}
	ask->out = create_ring(ask, "out", params, 0);
	if (ask->out == NULL)
		goto fail;
	ask->back = create_ring(ask, "back", params, RING_F_SP_ENQ);
	if (ask->back == NULL)
		goto fail;
	return ask;
fail:
	dp_ask_destroy(ask);
	return NULL;
}

void dp_ask_destroy(struct dp_ask *ask)
{
	int error = rte_errno;

	if (ask == NULL)
		return;
	drain(ask->out);
	drain(ask->back);
	rte_ring_free(ask->out);
	rte_ring_free(ask->back);
	dp_negative_destroy(ask->negative);
	dp_wake_close(&ask->wake);
	rte_free(ask);
	rte_errno = error;
}

const struct dp_ask_params *dp_ask_params(const struct dp_ask *ask)
{
	return &ask->params;
}

struct dp_negative *dp_ask_negative(const struct dp_ask *ask)
{
	return ask->negative;
}

uint32_t dp_ask_put(struct dp_ask *ask, const struct dp_question *questions, uint32_t n)
{
	uint32_t taken = rte_ring_mp_enqueue_burst_elem(
		ask->out, questions, sizeof(*questions), n, NULL);

	dp_wake_ask(&ask->wake);
	return taken;
}

uint32_t dp_ask_returned(struct dp_ask *ask, struct dp_question *questions, uint32_t n)
{
	return rte_ring_sc_dequeue_burst_elem(ask->back, questions, sizeof(*questions), n, NULL);
}

int dp_ask_eventfd(const struct dp_ask *ask)
{
	return ask->wake.eventfd;
}

uint32_t dp_ask_take(struct dp_ask *ask, struct dp_question *questions, uint32_t n)
{
	uint32_t taken;

	dp_wake_heed(&ask->wake);
	taken = rte_ring_sc_dequeue_burst_elem(ask->out, questions, sizeof(*questions), n, NULL);
	if (!rte_ring_empty(ask->out))
		dp_wake_ask(&ask->wake);
	return taken;
}

bool dp_ask_give_back(struct dp_ask *ask, const struct dp_question *question)
{
	return rte_ring_sp_enqueue_elem(
		       ask->back, (void *)(uintptr_t)question, sizeof(*question)) == 0;
}

/* --- a worker's own token buckets --------------------------------------------------------------------- */

struct bucket {
	uint64_t filled_ms; /* when it was looked at last */
	uint64_t level; /* thousandths of a packet */
};

struct dp_ask_limits {
	uint64_t seed;
	uint32_t rate; /* packets a second of one bucket */
	uint32_t burst; /* thousandths */
	struct bucket buckets[2][BUCKETS];
};

struct dp_ask_limits *dp_ask_limits_create(uint32_t rate, int socket)
{
	struct dp_ask_limits *limits = rte_zmalloc_socket(
		"dp_ask_limits", sizeof(*limits), RTE_CACHE_LINE_SIZE, socket);

	if (limits == NULL)
		return NULL;
	limits->seed = rte_rand() ^ rte_rdtsc();
	limits->rate = RTE_MAX(rate / SHARE, 1U);
	limits->burst = RTE_MAX(rate / 10, (uint32_t)BURST_MIN) * TOKEN;
	return limits;
}

void dp_ask_limits_destroy(struct dp_ask_limits *limits)
{
	rte_free(limits);
}

bool dp_ask_limits_take(struct dp_ask_limits *limits, bool from_v6, uint64_t asker, uint64_t now_ms)
{
	uint32_t hash = dp_ask_hash(asker, limits->seed, now_ms);
	struct bucket *bucket = &limits->buckets[from_v6][hash % BUCKETS];
	uint64_t waited_ms = now_ms - bucket->filled_ms;

	/* A token a second is a thousandth a millisecond. */
	bucket->level = waited_ms > TOKEN * BURST_MIN
				? limits->burst
				: RTE_MIN(bucket->level + waited_ms * limits->rate, limits->burst);
	bucket->filled_ms = now_ms;
	if (bucket->level < TOKEN)
		return false;
	bucket->level -= TOKEN;
	return true;
}
