// SPDX-License-Identifier: BSD-3-Clause
#include "control/mirror_impl.h"

#include <rte_common.h>
#include <rte_errno.h>
#include <rte_hash.h>
#include <rte_jhash.h>
#include <rte_memory.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int tep_mirror_create_neighbours(struct tep_mirror *mirror, uint32_t max)
{
	char name[RTE_HASH_NAMESIZE];
	const struct rte_hash_parameters params = {
		.name = name,
		/* rte_hash without an extendable bucket list can refuse before it is full. */
		.entries = RTE_MAX(max * 2, 16U),
		.key_len = sizeof(struct tep_hop),
		.hash_func = rte_jhash,
		.socket_id = SOCKET_ID_ANY,
	};

	snprintf(name, sizeof(name), "mirror_%" PRIxPTR, (uintptr_t)mirror);
	mirror->max_neighbours = max;
	mirror->neighbours = calloc(params.entries, sizeof(*mirror->neighbours));
	mirror->known = rte_hash_create(&params);
	if (mirror->neighbours == NULL)
		return -ENOMEM;
	return mirror->known == NULL ? -rte_errno : 0;
}

static uint8_t full_len(const struct tep_ip *ip)
{
	return (uint8_t)(tep_ip_size(ip) * 8);
}

struct tep_mirror_neighbour *tep_mirror_own_way_of(
	struct tep_mirror *mirror, const struct tep_prefix *prefix)
{
	if (prefix->len != full_len(&prefix->ip))
		return NULL;
	for (uint32_t i = 0; i < mirror->n_twins; i++) {
		struct tep_hop hop = {.ip = prefix->ip, .twin = (uint8_t)i};
		int32_t place = rte_hash_lookup(mirror->known, &hop);

		if (place >= 0 && mirror->neighbours[place].way != 0)
			return &mirror->neighbours[place];
	}
	return NULL;
}

/* Its address is led as the routes say. */
static void take_own_way(struct tep_mirror *mirror, struct tep_mirror_neighbour *neighbour)
{
	const struct tep_ip *ip = &neighbour->told.hop.ip;
	struct tep_prefix prefix = {.ip = *ip, .len = full_len(ip)};
	uint32_t way = neighbour->way, number;

	if (way == 0)
		return;
	neighbour->way = 0;
	number = tep_route_table_placed(mirror->routes, &prefix);
	if (number == 0 || tep_mirror_lead(mirror, &prefix,
				   tep_route_table_get(mirror->routes, number)->placed_way) != 0)
		tep_mirror_unlead(mirror, &prefix);
	tep_ways_release(mirror->ways, way);
}

static void give_own_way(struct tep_mirror *mirror, struct tep_mirror_neighbour *neighbour)
{
	const struct tep_ip *ip = &neighbour->told.hop.ip;
	struct tep_prefix prefix = {.ip = *ip, .len = full_len(ip)};
	struct tep_way way;
	uint32_t number;

	if (neighbour->way != 0)
		return;
	memset(&way, 0, sizeof(way));
	way.family = ip->family;
	way.kind = TEP_WAY_HOPS;
	way.n = 1;
	way.hops[0] = (struct tep_way_hop){
		.hop = neighbour->told.hop, .has_gateway = true, .weight = 1};
	number = tep_ways_take(mirror->ways, &way);
	if (number != 0 && tep_mirror_lead(mirror, &prefix, number) == 0)
		neighbour->way = number;
	else if (number != 0)
		tep_ways_release(mirror->ways, number);
	mirror->n_stuck += neighbour->way == 0;
}

/* A neighbour counts where packets to its own address would ask for it, and not behind a gateway. */
static void recheck(struct tep_mirror *mirror, struct tep_mirror_neighbour *neighbour)
{
	const struct tep_hop *hop = &neighbour->told.hop;
	uint32_t number = tep_route_table_lookup(mirror->routes, &hop->ip);
	const struct tep_route_entry *route = tep_route_table_get(mirror->routes, number);
	const struct tep_way *way = NULL;
	bool counts = false;

	if (route != NULL && route->way != 0)
		way = tep_ways_get(mirror->ways, route->way);
	for (uint32_t i = 0; way != NULL && way->kind == TEP_WAY_HOPS && i < way->n; i++)
		counts |= !way->hops[i].has_gateway && way->hops[i].hop.twin == hop->twin;
	if (counts)
		give_own_way(mirror, neighbour);
	else
		take_own_way(mirror, neighbour);
}

/* The next neighbour from *cursor on, or NULL. */
static struct tep_mirror_neighbour *next_neighbour(
	const struct tep_mirror *mirror, uint32_t *cursor)
{
	const void *key;
	void *data;
	int32_t place = rte_hash_iterate(mirror->known, &key, &data, cursor);

	return place < 0 ? NULL : &mirror->neighbours[place];
}

int tep_mirror_set_neighbour(struct tep_mirror *mirror, const struct tep_neighbour *neighbour)
{
	int32_t place = rte_hash_lookup(mirror->known, &neighbour->hop);
	bool is_new = place < 0;

	if (is_new && (uint32_t)rte_hash_count(mirror->known) >= mirror->max_neighbours)
		return -ENOSPC;
	if (is_new)
		place = rte_hash_add_key(mirror->known, &neighbour->hop);
	if (place < 0)
		return -ENOSPC;
	if (is_new)
		mirror->neighbours[place].way = 0;
	if (is_new || !rte_is_same_ether_addr(&mirror->neighbours[place].told.mac, &neighbour->mac))
		mirror->ways_changed = true;
	mirror->neighbours[place].told = *neighbour;
	mirror->neighbours[place].reading = mirror->neighbour_reading;
	if (is_new)
		recheck(mirror, &mirror->neighbours[place]);
	return 0;
}

void tep_mirror_remove_neighbour(struct tep_mirror *mirror, const struct tep_hop *hop)
{
	int32_t place = rte_hash_lookup(mirror->known, hop);

	if (place < 0)
		return;
	take_own_way(mirror, &mirror->neighbours[place]);
	rte_hash_del_key(mirror->known, hop);
	mirror->ways_changed = true;
}

void tep_mirror_begin_neighbours(struct tep_mirror *mirror)
{
	mirror->neighbour_reading++;
}

void tep_mirror_end_neighbours(struct tep_mirror *mirror)
{
	struct tep_mirror_neighbour *neighbour;
	uint32_t cursor = 0;

	while ((neighbour = next_neighbour(mirror, &cursor)) != NULL) {
		const struct tep_hop hop = neighbour->told.hop;

		if (neighbour->reading != mirror->neighbour_reading)
			tep_mirror_remove_neighbour(mirror, &hop);
	}
}

void tep_mirror_recheck_neighbours(struct tep_mirror *mirror)
{
	struct tep_mirror_neighbour *neighbour;
	uint32_t cursor = 0;

	mirror->n_stuck = 0;
	while ((neighbour = next_neighbour(mirror, &cursor)) != NULL)
		recheck(mirror, neighbour);
}

const struct tep_neighbour *tep_mirror_neighbour(
	const struct tep_mirror *mirror, const struct tep_hop *hop)
{
	int32_t place = rte_hash_lookup(mirror->known, hop);

	return place < 0 ? NULL : &mirror->neighbours[place].told;
}

void tep_mirror_visit_stale(const struct tep_mirror *mirror,
	void (*visit)(void *arg, const struct tep_hop *hop), void *arg)
{
	const struct tep_mirror_neighbour *neighbour;
	uint32_t cursor = 0;

	while ((neighbour = next_neighbour(mirror, &cursor)) != NULL) {
		if (neighbour->told.is_stale)
			visit(arg, &neighbour->told.hop);
	}
}
