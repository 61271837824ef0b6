// SPDX-License-Identifier: BSD-3-Clause
#include "control/mirror_impl.h"

static bool is_link(const struct tep_way *way)
{
	for (uint32_t i = 0; i < way->n; i++)
		if (way->kind == TEP_WAY_HOPS && !way->hops[i].has_gateway)
			return true;
	return false;
}

static bool is_local_v4(const struct tep_prefix *prefix, const struct tep_way *way)
{
	return way->kind == TEP_WAY_LOCAL && prefix->ip.family == AF_INET && prefix->len == 32;
}

/* A route was or is no longer the one of its prefix: whom does it concern? */
static void note_route(struct tep_mirror *mirror, const struct tep_prefix *prefix, uint32_t number,
	void (*change)(struct tep_prefix_list *list, const struct tep_prefix *prefix))
{
	const struct tep_way *way = tep_ways_get(mirror->ways, number);

	if (is_local_v4(prefix, way))
		change(&mirror->locals, prefix);
	if (is_link(way)) {
		change(&mirror->links, prefix);
		mirror->links_changed = true;
	}
	mirror->links_changed |= tep_prefix_list_may_contain(&mirror->links, prefix);
}

int tep_mirror_lead(struct tep_mirror *mirror, const struct tep_prefix *prefix, uint32_t way)
{
	struct addr_v4_prefix four = tep_prefix_v4(prefix);
	struct addr_v6_prefix six = tep_prefix_v6(prefix);
	int group = tep_ways_group(mirror->ways, way);

	if (prefix->ip.family == AF_INET)
		return dp_nexthops_route_v4_set(mirror->nexthops, &four, group);
	return dp_nexthops_route_v6_set(mirror->nexthops, &six, group);
}

void tep_mirror_unlead(struct tep_mirror *mirror, const struct tep_prefix *prefix)
{
	struct addr_v4_prefix four = tep_prefix_v4(prefix);
	struct addr_v6_prefix six = tep_prefix_v6(prefix);

	if (prefix->ip.family == AF_INET)
		dp_nexthops_route_v4_remove(mirror->nexthops, &four);
	else
		dp_nexthops_route_v6_remove(mirror->nexthops, &six);
}

void tep_mirror_set_waiting(struct tep_mirror *mirror, struct tep_route_entry *entry, bool waits)
{
	mirror->n_unplaced += waits;
	mirror->n_unplaced -= entry->is_waiting;
	entry->is_waiting = waits;
}

/* Its way leads the prefix; a neighbour's own comes before it. */
static bool place(struct tep_mirror *mirror, struct tep_route_entry *entry)
{
	const struct tep_prefix *prefix = &entry->prefix;
	bool done = entry->way != 0 && (tep_mirror_own_way_of(mirror, prefix) != NULL ||
					       tep_mirror_lead(mirror, prefix, entry->way) == 0);

	tep_mirror_set_waiting(mirror, entry, !done);
	if (!done)
		return false;
	entry->is_placed = true;
	entry->placed_way = entry->way;
	tep_ways_hold(mirror->ways, entry->way);
	note_route(mirror, prefix, entry->way, tep_prefix_list_add);
	return true;
}

static void unplace(struct tep_mirror *mirror, struct tep_route_entry *entry)
{
	uint32_t way = entry->placed_way;

	note_route(mirror, &entry->prefix, way, tep_prefix_list_remove);
	entry->is_placed = false;
	entry->placed_way = 0;
	tep_ways_release(mirror->ways, way);
}

void tep_mirror_level(struct tep_mirror *mirror, const struct tep_prefix *prefix)
{
	struct tep_route_entry *best = tep_route_table_get(
		mirror->routes, tep_route_table_best(mirror->routes, prefix));
	struct tep_route_entry *placed = tep_route_table_get(
		mirror->routes, tep_route_table_placed(mirror->routes, prefix));
	struct tep_route_entry old = {0};

	if (best != NULL && best == placed && best->placed_way == best->way)
		return;
	if (placed != NULL) {
		old = *placed;
		placed->is_placed = false;
		placed->placed_way = 0;
	}
	if (best != NULL && place(mirror, best)) {
		if (old.is_placed)
			unplace(mirror, &old);
		return;
	}
	if (placed != NULL && !placed->is_gone) {
		placed->is_placed = true;
		placed->placed_way = old.placed_way;
	} else if (old.is_placed) {
		if (tep_mirror_own_way_of(mirror, prefix) == NULL)
			tep_mirror_unlead(mirror, prefix);
		unplace(mirror, &old);
	}
}
