// SPDX-License-Identifier: BSD-3-Clause
#include "control/mirror_impl.h"

#include <rte_common.h>

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>

/* Prefixes that never are the destination of a packet that the data plane sends. */
static bool is_of_no_use(const struct tep_route *route)
{
	const uint8_t *octets = route->dst.octets;

	if (route->dst.family == AF_INET)
		return route->len > 0 && (octets[0] >= 224 || octets[0] == 127);
	return (route->len >= 8 && octets[0] == 0xff) || /* multicast */
	       (route->len >= 10 && octets[0] == 0xfe && (octets[1] & 0xc0) == 0x80) ||
	       (route->len == 128 && IN6_IS_ADDR_LOOPBACK((const struct in6_addr *)octets));
}

static struct tep_prefix prefix_of(const struct tep_route *route)
{
	struct tep_prefix prefix = {.ip = route->dst, .len = route->len};

	tep_prefix_mask(&prefix);
	return prefix;
}

/* In an order that does not depend on who told of them. */
static int compare_hops(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct tep_way_hop));
}

static void way_of(
	const struct tep_mirror *mirror, const struct tep_route *route, struct tep_way *way)
{
	memset(way, 0, sizeof(*way));
	way->family = route->dst.family;
	way->nexthop_id = route->nexthop_id;
	for (uint32_t i = 0; route->kind == TEP_ROUTE_UNICAST && i < route->n_hops; i++) {
		const struct tep_route_hop *hop = &route->hops[i];
		int twin = tep_mirror_twin_of(mirror, hop->ifindex);

		if (twin < 0)
			continue;
		way->kind = TEP_WAY_HOPS;
		way->hops[way->n++] = (struct tep_way_hop){
			.hop = {.twin = (uint8_t)twin, .ip = hop->gateway},
			.has_gateway = hop->has_gateway,
			.weight = (uint8_t)RTE_MIN(RTE_MAX(hop->weight, 1U), UINT8_MAX)};
	}
	if (route->kind == TEP_ROUTE_LOCAL) {
		/* A frame for the host goes through some twin: its own, or the first one. */
		int twin = route->n_hops == 0 ? 0
					      : tep_mirror_twin_of(mirror, route->hops[0].ifindex);

		way->kind = TEP_WAY_LOCAL;
		way->n = 1;
		way->hops[0].hop.twin = (uint8_t)RTE_MAX(twin, 0);
	}
	qsort(way->hops, way->n, sizeof(*way->hops), compare_hops);
}

/* Are its hops one set for the kernel, of which all are told at once? */
static bool is_joined(const struct tep_route *route)
{
	return route->dst.family == AF_INET6 && route->kind == TEP_ROUTE_UNICAST &&
	       route->n_hops > 0 && route->hops[0].has_gateway && route->protocol != RTPROT_RA;
}

static bool is_joined_way(const struct tep_way *way)
{
	return way != NULL && way->family == AF_INET6 && way->kind == TEP_WAY_HOPS &&
	       way->hops[0].has_gateway;
}

struct match {
	const struct tep_route *route;
	const struct tep_way *way;
	uint32_t number; /* of the way; 0: no route has it */
};

/* The very same route. */
static bool is_same(
	const struct tep_mirror *mirror, const struct tep_route_entry *entry, const struct match *m)
{
	return m->number != 0 && entry->way == m->number;
}

/* Told anew, as the whole of its gateways always is. */
static bool is_other_set(
	const struct tep_mirror *mirror, const struct tep_route_entry *entry, const struct match *m)
{
	return entry->protocol == m->route->protocol && is_joined(m->route) && entry->way != 0 &&
	       is_joined_way(tep_ways_get(mirror->ways, entry->way));
}

static bool is_any(
	const struct tep_mirror *mirror, const struct tep_route_entry *entry, const struct match *m)
{
	return true;
}

static bool is_of_protocol(
	const struct tep_mirror *mirror, const struct tep_route_entry *entry, const struct match *m)
{
	return entry->protocol == m->route->protocol;
}

static bool is_told_already(
	const struct tep_mirror *mirror, const struct tep_route_entry *entry, const struct match *m)
{
	return entry->told_in == mirror->reading;
}

/* The first route of the prefix with the same metric for which it is so; 0: none. */
static uint32_t find(const struct tep_mirror *mirror, const struct tep_prefix *prefix,
	const struct match *m, bool with_gone,
	bool (*is_it)(const struct tep_mirror *mirror, const struct tep_route_entry *entry,
		const struct match *m))
{
	uint32_t number = tep_route_table_first(mirror->routes, prefix);

	for (; number != 0; number = tep_route_table_next(mirror->routes, number)) {
		const struct tep_route_entry *entry = tep_route_table_get(mirror->routes, number);

		if (entry->metric == m->route->metric &&
			entry->is_local == (m->route->kind == TEP_ROUTE_LOCAL) &&
			entry->is_gone <= with_gone && is_it(mirror, entry, m))
			return number;
	}
	return 0;
}

/* With another way than before, or again with the same. */
static void change_entry(struct tep_mirror *mirror, struct tep_route_entry *entry,
	const struct tep_route *route, uint32_t way)
{
	uint32_t old = entry->way;

	entry->way = way;
	entry->metric = route->metric;
	entry->protocol = route->protocol;
	entry->is_local = route->kind == TEP_ROUTE_LOCAL;
	entry->is_gone = false;
	entry->reading = mirror->reading;
	tep_mirror_level(mirror, &entry->prefix);
	if (old != 0)
		tep_ways_release(mirror->ways, old);
}

static uint32_t find_to_change(
	const struct tep_mirror *mirror, const struct tep_prefix *prefix, const struct match *m)
{
	uint32_t number = find(mirror, prefix, m, false, is_same);

	if (number == 0)
		number = find(mirror, prefix, m, false, is_other_set);
	if (number == 0 && m->route->place == TEP_ROUTE_INSTEAD)
		number = find(mirror, prefix, m, false, is_any);
	return number;
}

static int set_route(struct tep_mirror *mirror, const struct tep_route *route, bool is_read)
{
	struct tep_prefix prefix = prefix_of(route);
	struct match m = {.route = route};
	struct tep_route_entry *entry;
	struct tep_way way;
	uint32_t number;

	way_of(mirror, route, &way);
	m.way = &way;
	m.number = tep_ways_find(mirror->ways, &way);
	if (is_read && find(mirror, &prefix, &m, true, is_told_already) != 0)
		return 0;
	number = find_to_change(mirror, &prefix, &m);
	if (number == 0)
		number = tep_route_table_add(
			mirror->routes, &prefix, route->place == TEP_ROUTE_IN_FRONT);
	if (number == 0) {
		mirror->n_refused++;
		return -ENOSPC;
	}
	entry = tep_route_table_get(mirror->routes, number);
	if (!is_read && mirror->is_reading)
		entry->told_in = mirror->reading;
	number = tep_ways_take(mirror->ways, &way);
	change_entry(mirror, entry, route, number);
	return 0;
}

int tep_mirror_set_route(struct tep_mirror *mirror, const struct tep_route *route)
{
	return is_of_no_use(route) ? 0 : set_route(mirror, route, false);
}

int tep_mirror_read_route(struct tep_mirror *mirror, const struct tep_route *route)
{
	return is_of_no_use(route) ? 0 : set_route(mirror, route, true);
}

static void drop_entry(struct tep_mirror *mirror, uint32_t number)
{
	struct tep_route_entry *entry = tep_route_table_get(mirror->routes, number);

	entry->is_gone = true;
	tep_mirror_set_waiting(mirror, entry, false);
	tep_mirror_level(mirror, &entry->prefix);
	if (entry->way != 0)
		tep_ways_release(mirror->ways, entry->way);
	entry->way = 0;
	if (mirror->is_reading)
		entry->told_in = mirror->reading;
	else
		tep_route_table_remove(mirror->routes, number);
}

/* Without the hops that are named. False: it had none of them. */
static bool cut_way(struct tep_way *way, const struct tep_way *less)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < way->n; i++) {
		bool goes = false;

		for (uint32_t k = 0; k < less->n && !goes; k++)
			goes = tep_hop_equal(&way->hops[i].hop, &less->hops[k].hop);
		if (!goes)
			way->hops[n++] = way->hops[i];
	}
	if (n == way->n)
		return false;
	memset(&way->hops[n], 0, (way->n - n) * sizeof(*way->hops));
	way->n = (uint8_t)n;
	return true;
}

/* Some gateways of an IPv6 route are gone. */
static int remove_hops(struct tep_mirror *mirror, uint32_t number, const struct match *m)
{
	struct tep_route_entry *entry = tep_route_table_get(mirror->routes, number);
	const struct tep_way *old = tep_ways_get(mirror->ways, entry->way);
	struct tep_way way;

	memset(&way, 0, sizeof(way));
	memcpy(&way, old, offsetof(struct tep_way, hops) + old->n * sizeof(*old->hops));
	if (!cut_way(&way, m->way))
		return -ENOENT;
	if (mirror->is_reading)
		entry->told_in = mirror->reading;
	if (way.n == 0)
		drop_entry(mirror, number);
	else
		change_entry(mirror, entry, m->route, tep_ways_take(mirror->ways, &way));
	return 0;
}

int tep_mirror_remove_route(struct tep_mirror *mirror, const struct tep_route *route)
{
	struct tep_prefix prefix = prefix_of(route);
	struct match m = {.route = route};
	struct tep_way way;
	uint32_t number;

	if (is_of_no_use(route))
		return 0;
	way_of(mirror, route, &way);
	m.way = &way;
	m.number = tep_ways_find(mirror->ways, &way);
	number = find(mirror, &prefix, &m, false, is_same);
	if (number == 0) {
		number = find(mirror, &prefix, &m, false, is_other_set);
		if (number != 0)
			return remove_hops(mirror, number, &m);
		number = find(mirror, &prefix, &m, false, is_of_protocol);
	}
	if (number == 0)
		return -ENOENT;
	drop_entry(mirror, number);
	return 0;
}

/* --- all routes anew ----------------------------------------------------------------------------- */

void tep_mirror_begin_reading(struct tep_mirror *mirror)
{
	/* 0 is what an entry was told in that nobody told of. */
	mirror->reading = mirror->reading % UINT8_MAX + 1;
	mirror->is_reading = true;
	mirror->n_refused = 0;
	mirror->swept = 0;
}

void tep_mirror_end_reading(struct tep_mirror *mirror)
{
	mirror->is_reading = false;
}

bool tep_mirror_sweep(struct tep_mirror *mirror, uint32_t n)
{
	for (; n > 0 && mirror->swept < tep_route_table_last(mirror->routes); n--) {
		uint32_t number = ++mirror->swept;
		struct tep_route_entry *entry = tep_route_table_get(mirror->routes, number);

		if (entry == NULL)
			continue;
		entry->told_in = 0;
		if (entry->is_gone || entry->reading != mirror->reading)
			drop_entry(mirror, number);
	}
	return mirror->swept == tep_route_table_last(mirror->routes);
}
