// SPDX-License-Identifier: BSD-3-Clause
#include "control/mirror.h"

#include "control/mirror_impl.h"

#include <rte_common.h>
#include <rte_hash.h>

#include <errno.h>
#include <stdlib.h>

static const struct rte_ether_addr *mac_of(void *arg, const struct tep_hop *hop)
{
	const struct tep_neighbour *neighbour = tep_mirror_neighbour(arg, hop);

	return neighbour == NULL ? NULL : &neighbour->mac;
}

struct tep_mirror *tep_mirror_create(const struct tep_mirror_params *params)
{
	struct tep_mirror *mirror = calloc(1, sizeof(*mirror));
	int error;

	if (mirror == NULL || params->n_twins > TEP_TWINS_MAX) {
		free(mirror);
		errno = mirror == NULL ? ENOMEM : EINVAL;
		return NULL;
	}
	mirror->nexthops = params->nexthops;
	memcpy(mirror->twins, params->twins, params->n_twins * sizeof(*params->twins));
	mirror->n_twins = params->n_twins;
	error = tep_mirror_create_neighbours(mirror, params->max_neighbours);
	mirror->routes = tep_route_table_create(params->max_routes);
	mirror->ways = tep_ways_create(
		params->nexthops, params->twins, params->n_twins, params->max_ways, mac_of, mirror);
	if (error == 0 && (mirror->routes == NULL || mirror->ways == NULL))
		error = -ENOMEM;
	if (error == 0)
		return mirror;
	tep_mirror_destroy(mirror);
	errno = -error;
	return NULL;
}

void tep_mirror_destroy(struct tep_mirror *mirror)
{
	if (mirror == NULL)
		return;
	tep_ways_destroy(mirror->ways);
	tep_route_table_destroy(mirror->routes);
	rte_hash_free(mirror->known);
	free(mirror->neighbours);
	free(mirror);
}

int tep_mirror_twin_of(const struct tep_mirror *mirror, uint32_t ifindex)
{
	for (uint32_t i = 0; i < mirror->n_twins; i++) {
		if (mirror->twins[i].ifindex == ifindex)
			return (int)i;
	}
	return -1;
}

void tep_mirror_set_link(struct tep_mirror *mirror, uint32_t twin, bool is_up)
{
	tep_ways_set_link(mirror->ways, twin, is_up);
	mirror->ways_changed = true;
}

uint32_t tep_mirror_settle(struct tep_mirror *mirror)
{
	if (mirror->links_changed) {
		mirror->links_changed = false;
		tep_mirror_recheck_neighbours(mirror);
	}
	if (mirror->ways_changed)
		mirror->ways_changed = tep_ways_refresh(mirror->ways) > 0;
	return mirror->n_unplaced + mirror->n_refused + mirror->n_stuck + mirror->ways_changed;
}

void tep_mirror_retry(struct tep_mirror *mirror)
{
	mirror->links_changed |= mirror->n_stuck > 0;
	for (uint32_t i = 1; mirror->n_unplaced > 0 && i <= tep_route_table_last(mirror->routes);
		i++) {
		struct tep_route_entry *entry = tep_route_table_get(mirror->routes, i);

		if (entry != NULL && entry->is_waiting && entry->way != 0)
			tep_mirror_level(mirror, &entry->prefix);
	}
}

bool tep_mirror_next_hop(
	const struct tep_mirror *mirror, const struct tep_ip *dst, struct tep_hop *hop)
{
	uint32_t number = tep_route_table_lookup(mirror->routes, dst);
	const struct tep_route_entry *route = tep_route_table_get(mirror->routes, number);
	const struct tep_way *way;
	const struct tep_way_hop *chosen;

	if (route == NULL || route->way == 0)
		return false;
	way = tep_ways_get(mirror->ways, route->way);
	if (way->kind != TEP_WAY_HOPS)
		return false;
	chosen = &way->hops[0];
	for (uint32_t i = 0; i < way->n; i++)
		if (way->hops[i].has_gateway &&
			mac_of((void *)(uintptr_t)mirror, &way->hops[i].hop) == NULL)
			chosen = &way->hops[i];
	*hop = chosen->hop;
	if (!chosen->has_gateway)
		hop->ip = *dst;
	return true;
}

bool tep_mirror_uses_nexthop(const struct tep_mirror *mirror, uint32_t nexthop_id)
{
	return tep_ways_uses_nexthop(mirror->ways, nexthop_id);
}

void tep_mirror_visit_unknown(const struct tep_mirror *mirror,
	void (*visit)(void *arg, const struct tep_hop *hop), void *arg)
{
	tep_ways_visit_unknown(mirror->ways, visit, arg);
}

void tep_mirror_usage(const struct tep_mirror *mirror, uint32_t *n_routes, uint32_t *n_neighbours)
{
	*n_routes = tep_route_table_count(mirror->routes, AF_INET) +
		    tep_route_table_count(mirror->routes, AF_INET6);
	*n_neighbours = (uint32_t)rte_hash_count(mirror->known);
}

uint32_t tep_mirror_local_v4(const struct tep_mirror *mirror, uint32_t *v4, uint32_t max)
{
	uint32_t n = RTE_MIN(mirror->locals.n, max);

	for (uint32_t i = 0; i < n; i++)
		v4[i] = tep_prefix_v4(&mirror->locals.items[i]).addr;
	return n;
}
