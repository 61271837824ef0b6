// SPDX-License-Identifier: BSD-3-Clause
#include "control/hold.h"

#include <rte_jhash.h>

#include <stdlib.h>
#include <sys/queue.h>

#define BUCKETS 256

/* One hop that packets wait for. */
struct waiting {
	struct tep_hop hop;
	int64_t since_ms;
	uint32_t n;
	struct rte_mbuf *packets[TEP_HOLD_PER_HOP];
	SLIST_ENTRY(waiting) in_bucket;
	TAILQ_ENTRY(waiting) in_age;
};

TAILQ_HEAD(age_list, waiting);
SLIST_HEAD(bucket, waiting);

struct tep_hold {
	uint32_t n_hops;
	uint32_t n_packets;
	struct age_list by_age; /* oldest first */
	struct bucket buckets[BUCKETS];
};

static uint32_t bucket_of(const struct tep_hop *hop)
{
	return rte_jhash(hop->ip.octets, sizeof(hop->ip.octets), hop->twin) % BUCKETS;
}

static struct waiting *find(struct tep_hold *hold, const struct tep_hop *hop)
{
	struct waiting *waiting = SLIST_FIRST(&hold->buckets[bucket_of(hop)]);

	while (waiting != NULL && !tep_hop_equal(&waiting->hop, hop))
		waiting = SLIST_NEXT(waiting, in_bucket);
	return waiting;
}

/* Takes a hop out of all lists; its packets are the caller's. */
static void take_out(struct tep_hold *hold, struct waiting *waiting)
{
	SLIST_REMOVE(&hold->buckets[bucket_of(&waiting->hop)], waiting, waiting, in_bucket);
	TAILQ_REMOVE(&hold->by_age, waiting, in_age);
	hold->n_hops--;
	hold->n_packets -= waiting->n;
}

struct tep_hold *tep_hold_create(void)
{
	struct tep_hold *hold = calloc(1, sizeof(*hold));

	if (hold != NULL)
		TAILQ_INIT(&hold->by_age);
	return hold;
}

void tep_hold_destroy(struct tep_hold *hold)
{
	if (hold == NULL)
		return;
	tep_hold_expire(hold, INT64_MAX);
	free(hold);
}

static struct waiting *start_waiting(
	struct tep_hold *hold, const struct tep_hop *hop, int64_t now_ms)
{
	struct waiting *waiting;

	if (hold->n_hops == TEP_HOLD_HOPS)
		return NULL;
	waiting = calloc(1, sizeof(*waiting));
	if (waiting == NULL)
		return NULL;
	waiting->hop = *hop;
	waiting->since_ms = now_ms;
	SLIST_INSERT_HEAD(&hold->buckets[bucket_of(hop)], waiting, in_bucket);
	TAILQ_INSERT_TAIL(&hold->by_age, waiting, in_age);
	hold->n_hops++;
	return waiting;
}

enum tep_hold_result tep_hold_add(
	struct tep_hold *hold, const struct tep_hop *hop, struct rte_mbuf *m, int64_t now_ms)
{
	struct waiting *waiting = find(hold, hop);

	if (hold->n_packets == TEP_HOLD_PACKETS)
		return TEP_HOLD_FULL;
	if (waiting == NULL)
		waiting = start_waiting(hold, hop, now_ms);
	if (waiting == NULL || waiting->n == TEP_HOLD_PER_HOP)
		return TEP_HOLD_FULL;
	waiting->packets[waiting->n++] = m;
	hold->n_packets++;
	return waiting->n == 1 ? TEP_HOLD_FIRST : TEP_HOLD_WAITS;
}

void tep_hold_release(struct tep_hold *hold, const struct tep_hop *hop,
	void (*take)(void *arg, struct rte_mbuf *m), void *arg)
{
	struct waiting *waiting = find(hold, hop);

	if (waiting == NULL)
		return;
	take_out(hold, waiting);
	for (uint32_t i = 0; i < waiting->n; i++)
		take(arg, waiting->packets[i]);
	free(waiting);
}

uint32_t tep_hold_expire(struct tep_hold *hold, int64_t now_ms)
{
	struct waiting *waiting;
	uint32_t freed = 0;

	while ((waiting = TAILQ_FIRST(&hold->by_age)) != NULL &&
		now_ms - waiting->since_ms >= TEP_HOLD_MS) {
		take_out(hold, waiting);
		rte_pktmbuf_free_bulk(waiting->packets, waiting->n);
		freed += waiting->n;
		free(waiting);
	}
	return freed;
}
