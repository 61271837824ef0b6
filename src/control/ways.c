// SPDX-License-Identifier: BSD-3-Clause
#include "control/ways.h"

#include <rte_common.h>
#include <rte_jhash.h>

#include <errno.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdlib.h>

struct place {
	struct tep_way *way; /* as long as its hops; NULL: free */
	uint32_t routes;
	uint32_t next; /* of its bucket, or free ones; 0: none */
	int group;
	uint32_t n_slots; /* what the group leads to */
	struct dp_adjacency *slots;
};

struct tep_ways {
	struct dp_nexthops *nexthops;
	struct tep_mirror_twin twins[TEP_TWINS_MAX];
	bool is_down[TEP_TWINS_MAX];
	tep_ways_resolve *resolve;
	void *arg;
	uint32_t max;
	uint32_t used; /* places that were ever in use */
	uint32_t first_free;
	uint32_t bucket_mask;
	uint32_t *buckets;
	struct place *places; /* from 1 */
};

struct tep_ways *tep_ways_create(struct dp_nexthops *nexthops, const struct tep_mirror_twin *twins,
	uint32_t n_twins, uint32_t max, tep_ways_resolve *resolve, void *arg)
{
	struct tep_ways *ways = calloc(1, sizeof(*ways));

	if (ways == NULL)
		return NULL;
	ways->nexthops = nexthops;
	memcpy(ways->twins, twins, n_twins * sizeof(*twins));
	ways->resolve = resolve;
	ways->arg = arg;
	ways->max = max;
	ways->bucket_mask = rte_align32pow2(max) - 1;
	ways->buckets = calloc(ways->bucket_mask + 1, sizeof(*ways->buckets));
	ways->places = calloc(max + 1, sizeof(*ways->places));
	if (ways->buckets != NULL && ways->places != NULL)
		return ways;
	tep_ways_destroy(ways);
	errno = ENOMEM;
	return NULL;
}

void tep_ways_destroy(struct tep_ways *ways)
{
	if (ways == NULL)
		return;
	for (uint32_t i = 1; ways->places != NULL && i <= ways->used; i++) {
		free(ways->places[i].way);
		free(ways->places[i].slots);
	}
	free(ways->places);
	free(ways->buckets);
	free(ways);
}

const struct tep_way *tep_ways_get(const struct tep_ways *ways, uint32_t number)
{
	return ways->places[number].way;
}

int tep_ways_group(const struct tep_ways *ways, uint32_t number)
{
	return ways->places[number].group;
}

bool tep_ways_uses_nexthop(const struct tep_ways *ways, uint32_t nexthop_id)
{
	for (uint32_t i = 1; i <= ways->used; i++)
		if (ways->places[i].way != NULL && ways->places[i].way->nexthop_id == nexthop_id)
			return true;
	return false;
}

/* --- what the group leads to --------------------------------------------------------------------- */

struct slots {
	uint32_t n;
	struct dp_adjacency items[DP_GROUP_SLOTS];
};

static struct dp_adjacency adjacency_of(const struct tep_ways *ways, const struct tep_way_hop *hop,
	const struct rte_ether_addr *mac)
{
	const struct tep_mirror_twin *twin = &ways->twins[hop->hop.twin];
	struct dp_adjacency adjacency;

	memset(&adjacency, 0, sizeof(adjacency)); /* octets are compared */
	adjacency.port = twin->port;
	adjacency.src_mac = twin->mac;
	adjacency.state = hop->has_gateway ? DP_ADJ_PENDING : DP_ADJ_GLEAN;
	if (mac != NULL) {
		adjacency.state = DP_ADJ_RESOLVED;
		adjacency.dst_mac = *mac;
	}
	return adjacency;
}

static uint32_t greatest_common_divisor(uint32_t a, uint32_t b)
{
	while (b != 0) {
		uint32_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* As many slots for each as its weight says, as far as there are slots. */
static void spread(struct slots *slots, const struct dp_adjacency *adjacencies,
	const uint32_t *weights, uint32_t n)
{
	uint32_t sum = 0, divisor = 0;

	for (uint32_t i = 0; i < n; i++) {
		sum += weights[i];
		divisor = greatest_common_divisor(weights[i], divisor);
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t share = weights[i] / divisor;

		if (sum / divisor > DP_GROUP_SLOTS)
			share = RTE_MAX(weights[i] * (DP_GROUP_SLOTS - n) / sum, 1U);
		for (; share > 0; share--)
			slots->items[slots->n++] = adjacencies[i];
	}
}

/* Those hops that can be sent to; if there are none, those that have to be asked for. */
static void slots_of_hops(
	const struct tep_ways *ways, const struct tep_way *way, struct slots *slots)
{
	struct dp_adjacency known[TEP_HOPS_MAX], unknown[TEP_HOPS_MAX];
	uint32_t known_weights[TEP_HOPS_MAX], unknown_weights[TEP_HOPS_MAX];
	uint32_t n_known = 0, n_unknown = 0;

	for (uint32_t i = 0; i < way->n; i++) {
		const struct tep_way_hop *hop = &way->hops[i];
		const struct rte_ether_addr *mac = NULL;

		if (ways->is_down[hop->hop.twin])
			continue;
		if (hop->has_gateway)
			mac = ways->resolve(ways->arg, &hop->hop);
		if (hop->has_gateway && mac == NULL) {
			unknown[n_unknown] = adjacency_of(ways, hop, NULL);
			unknown_weights[n_unknown++] = hop->weight;
		} else {
			known[n_known] = adjacency_of(ways, hop, mac);
			known_weights[n_known++] = hop->weight;
		}
	}
	if (n_known > 0)
		spread(slots, known, known_weights, n_known);
	else if (n_unknown > 0)
		spread(slots, unknown, unknown_weights, n_unknown);
}

static void find_slots(const struct tep_ways *ways, const struct tep_way *way, struct slots *slots)
{
	memset(slots, 0, sizeof(*slots));
	if (way->kind == TEP_WAY_HOPS)
		slots_of_hops(ways, way, slots);
	if (slots->n > 0)
		return;
	slots->n = 1;
	slots->items[0].state = DP_ADJ_NO_ROUTE;
	if (way->kind == TEP_WAY_LOCAL) {
		slots->items[0].state = DP_ADJ_LOCAL;
		slots->items[0].port = ways->twins[way->hops[0].hop.twin].port;
	}
}

/* 0 or -errno; then the group is as it was. */
static int refresh(struct tep_ways *ways, struct place *place)
{
	struct dp_adjacency *copy;
	struct slots slots;
	int error;

	find_slots(ways, place->way, &slots);
	if (place->n_slots == slots.n &&
		memcmp(place->slots, slots.items, slots.n * sizeof(*place->slots)) == 0)
		return 0;
	copy = aligned_alloc(alignof(struct dp_adjacency), slots.n * sizeof(*copy));
	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, slots.items, slots.n * sizeof(*copy));
	if (place->group > 0)
		error = dp_nexthops_group_set(ways->nexthops, place->group, copy, slots.n);
	else
		error = place->group = dp_nexthops_group_add(
			ways->nexthops, place->way->family, copy, slots.n);
	if (error < 0) {
		free(copy);
		return error;
	}
	free(place->slots);
	place->slots = copy;
	place->n_slots = slots.n;
	return 0;
}

uint32_t tep_ways_refresh(struct tep_ways *ways)
{
	uint32_t failed = 0;

	for (uint32_t i = 1; i <= ways->used; i++)
		if (ways->places[i].way != NULL)
			failed += refresh(ways, &ways->places[i]) != 0;
	return failed;
}

void tep_ways_set_link(struct tep_ways *ways, uint32_t twin, bool is_up)
{
	ways->is_down[twin] = !is_up;
}

/* --- numbers ------------------------------------------------------------------------------------- */

static size_t size_of(const struct tep_way *way)
{
	return offsetof(struct tep_way, hops) + way->n * sizeof(*way->hops);
}

static uint32_t *bucket_of(const struct tep_ways *ways, const struct tep_way *way)
{
	return &ways->buckets[rte_jhash(way, (uint32_t)size_of(way), 0) & ways->bucket_mask];
}

uint32_t tep_ways_find(const struct tep_ways *ways, const struct tep_way *way)
{
	uint32_t number = *bucket_of(ways, way);

	while (number != 0) {
		const struct tep_way *other = ways->places[number].way;

		if (other->n == way->n && memcmp(other, way, size_of(way)) == 0)
			return number;
		number = ways->places[number].next;
	}
	return 0;
}

static uint32_t take_place(struct tep_ways *ways)
{
	uint32_t number = ways->first_free;

	if (number != 0) {
		ways->first_free = ways->places[number].next;
		return number;
	}
	return ways->used < ways->max ? ++ways->used : 0;
}

static void free_place(struct tep_ways *ways, uint32_t number)
{
	struct place *place = &ways->places[number];

	free(place->way);
	free(place->slots);
	*place = (struct place){.next = ways->first_free};
	ways->first_free = number;
}

uint32_t tep_ways_take(struct tep_ways *ways, const struct tep_way *way)
{
	uint32_t number = tep_ways_find(ways, way);
	uint32_t *bucket = bucket_of(ways, way);
	struct place *place;

	if (number == 0) {
		number = take_place(ways);
		if (number == 0)
			return 0;
		place = &ways->places[number];
		*place = (struct place){.way = malloc(size_of(way))};
		if (place->way != NULL)
			memcpy(place->way, way, size_of(way));
		if (place->way == NULL || refresh(ways, place) != 0) {
			free_place(ways, number);
			return 0;
		}
		place->next = *bucket;
		*bucket = number;
	}
	ways->places[number].routes++;
	return number;
}

void tep_ways_hold(struct tep_ways *ways, uint32_t number)
{
	ways->places[number].routes++;
}

void tep_ways_release(struct tep_ways *ways, uint32_t number)
{
	struct place *place = &ways->places[number];
	uint32_t *link;

	if (--place->routes > 0)
		return;
	for (link = bucket_of(ways, place->way); *link != number; link = &ways->places[*link].next)
		;
	*link = place->next;
	dp_nexthops_group_remove(ways->nexthops, place->group);
	free_place(ways, number);
}

void tep_ways_visit_unknown(
	const struct tep_ways *ways, void (*visit)(void *arg, const struct tep_hop *hop), void *arg)
{
	for (uint32_t i = 1; i <= ways->used; i++) {
		const struct tep_way *way = ways->places[i].way;

		for (uint32_t k = 0; way != NULL && way->n > 1 && k < way->n; k++)
			if (way->hops[k].has_gateway &&
				ways->resolve(ways->arg, &way->hops[k].hop) == NULL)
				visit(arg, &way->hops[k].hop);
	}
}
