// SPDX-License-Identifier: BSD-3-Clause
#include "control/mirror.h"

#include <rte_common.h>
#include <rte_errno.h>
#include <rte_hash.h>
#include <rte_jhash.h>
#include <rte_memory.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdalign.h>
#include <stdlib.h>

/* A prefix and what the data plane is told about it. */
struct entry {
	struct tep_ip dst;
	uint8_t len;
	bool has_hop; /* by a twin; the hop is the gateway, or any address of the prefix */
	bool has_gateway;
	bool is_placed; /* the data plane has the prefix ... */
	bool is_level; /* ... and points it at this adjacency */
	struct tep_hop hop;
	struct dp_adjacency adjacency;
	int group; /* of its own, if it is or was placed; else 0 */
};

/* Sorted by family, length and prefix, no two alike. */
struct entries {
	struct entry *items;
	uint32_t n;
	bool has_len[2][129]; /* [is IPv6][length]: there is such a prefix */
};

struct tep_mirror {
	struct dp_nexthops *nexthops;
	struct tep_mirror_twin twins[TEP_TWINS_MAX];
	uint32_t n_twins;
	bool is_dirty;
	struct tep_route *routes;
	uint32_t n_routes;
	struct rte_hash *known; /* struct tep_hop -> place in neighbours */
	struct tep_neighbour neighbours[TEP_NEIGHBOURS_MAX];
	struct entries entries;
};

struct tep_mirror *tep_mirror_create(
	struct dp_nexthops *nexthops, const struct tep_mirror_twin *twins, uint32_t n_twins)
{
	static const struct rte_hash_parameters params = {
		.name = "tep_mirror",
		.entries = TEP_NEIGHBOURS_MAX,
		.key_len = sizeof(struct tep_hop),
		.hash_func = rte_jhash,
		.socket_id = SOCKET_ID_ANY,
	};
	struct tep_mirror *mirror;

	if (n_twins > TEP_TWINS_MAX) {
		errno = EINVAL;
		return NULL;
	}
	mirror = calloc(1, sizeof(*mirror));
	if (mirror == NULL)
		return NULL;
	mirror->nexthops = nexthops;
	memcpy(mirror->twins, twins, n_twins * sizeof(*twins));
	mirror->n_twins = n_twins;
	mirror->known = rte_hash_create(&params);
	if (mirror->known == NULL) {
		free(mirror);
		errno = rte_errno;
		return NULL;
	}
	return mirror;
}

void tep_mirror_destroy(struct tep_mirror *mirror)
{
	if (mirror == NULL)
		return;
	rte_hash_free(mirror->known);
	free(mirror->entries.items);
	free(mirror->routes);
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

/* --- what the kernel knows ----------------------------------------------------------------------- */

int tep_mirror_set_routes(struct tep_mirror *mirror, const struct tep_route *routes, uint32_t n)
{
	struct tep_route *copy;

	if (n > TEP_ROUTES_MAX)
		return -E2BIG;
	copy = calloc(n + 1, sizeof(*copy));
	if (copy == NULL)
		return -ENOMEM;
	if (n > 0)
		memcpy(copy, routes, n * sizeof(*copy));
	free(mirror->routes);
	mirror->routes = copy;
	mirror->n_routes = n;
	mirror->is_dirty = true;
	return 0;
}

int tep_mirror_set_neighbour(struct tep_mirror *mirror, const struct tep_neighbour *neighbour)
{
	int32_t place = rte_hash_lookup(mirror->known, &neighbour->hop);
	bool is_new = place < 0;

	if (is_new)
		place = rte_hash_add_key(mirror->known, &neighbour->hop);
	if (place < 0)
		return -ENOSPC;
	if (is_new || !rte_is_same_ether_addr(&mirror->neighbours[place].mac, &neighbour->mac))
		mirror->is_dirty = true;
	mirror->neighbours[place] = *neighbour;
	return 0;
}

void tep_mirror_remove_neighbour(struct tep_mirror *mirror, const struct tep_hop *hop)
{
	if (rte_hash_del_key(mirror->known, hop) >= 0)
		mirror->is_dirty = true;
}

void tep_mirror_clear_neighbours(struct tep_mirror *mirror)
{
	rte_hash_reset(mirror->known);
	mirror->is_dirty = true;
}

const struct tep_neighbour *tep_mirror_neighbour(
	const struct tep_mirror *mirror, const struct tep_hop *hop)
{
	int32_t place = rte_hash_lookup(mirror->known, hop);

	return place < 0 ? NULL : &mirror->neighbours[place];
}

/* The next neighbour from *cursor on, or NULL. */
static const struct tep_neighbour *next_neighbour(const struct tep_mirror *mirror, uint32_t *cursor)
{
	const void *key;
	void *data;
	int32_t place = rte_hash_iterate(mirror->known, &key, &data, cursor);

	return place < 0 ? NULL : &mirror->neighbours[place];
}

void tep_mirror_visit_stale(const struct tep_mirror *mirror,
	void (*visit)(void *arg, const struct tep_hop *hop), void *arg)
{
	const struct tep_neighbour *neighbour;
	uint32_t cursor = 0;

	while ((neighbour = next_neighbour(mirror, &cursor)) != NULL) {
		if (neighbour->is_stale)
			visit(arg, &neighbour->hop);
	}
}

/* --- longest prefix ------------------------------------------------------------------------------ */

static void mask(struct tep_ip *ip, uint8_t len)
{
	for (uint32_t octet = 0; octet < tep_ip_size(ip); octet++) {
		uint32_t bits = len <= octet * 8 ? 0 : RTE_MIN(len - octet * 8, 8U);

		ip->octets[octet] &= (uint8_t)(0xff00 >> bits);
	}
}

static int compare_prefixes(const struct entry *a, const struct entry *b)
{
	if (a->dst.family != b->dst.family)
		return a->dst.family < b->dst.family ? -1 : 1;
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return memcmp(a->dst.octets, b->dst.octets, sizeof(a->dst.octets));
}

static int compare_entries(const void *a, const void *b)
{
	return compare_prefixes(a, b);
}

static struct entry *find_longest(const struct entries *entries, const struct tep_ip *dst)
{
	for (int len = (int)tep_ip_size(dst) * 8; len >= 0; len--) {
		struct entry key = {.dst = *dst, .len = (uint8_t)len};
		struct entry *found;

		if (!entries->has_len[dst->family == AF_INET6][len])
			continue;
		mask(&key.dst, key.len);
		found = bsearch(&key, entries->items, entries->n, sizeof(key), compare_entries);
		if (found != NULL)
			return found;
	}
	return NULL;
}

bool tep_mirror_next_hop(
	const struct tep_mirror *mirror, const struct tep_ip *dst, struct tep_hop *hop)
{
	const struct entry *entry = find_longest(&mirror->entries, dst);

	if (entry == NULL || !entry->has_hop)
		return false;
	*hop = entry->hop;
	if (!entry->has_gateway)
		hop->ip = *dst;
	return true;
}

void tep_mirror_usage(const struct tep_mirror *mirror, uint32_t *n_routes, uint32_t *n_neighbours)
{
	*n_routes = mirror->entries.n;
	*n_neighbours = (uint32_t)rte_hash_count(mirror->known);
}

uint32_t tep_mirror_local_v4(const struct tep_mirror *mirror, uint32_t *v4, uint32_t max)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < mirror->entries.n && n < max; i++) {
		const struct entry *entry = &mirror->entries.items[i];
		const uint8_t *octets = entry->dst.octets;

		if (entry->dst.family == AF_INET && entry->len == 32 &&
			entry->adjacency.state == DP_ADJ_LOCAL)
			v4[n++] = (uint32_t)octets[0] << 24 | (uint32_t)octets[1] << 16 |
				  (uint32_t)octets[2] << 8 | octets[3];
	}
	return n;
}

/* --- what follows from it ------------------------------------------------------------------------ */

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

static void resolve(const struct tep_mirror *mirror, struct entry *entry)
{
	const struct tep_mirror_twin *twin = &mirror->twins[entry->hop.twin];
	const struct tep_neighbour *neighbour = entry->has_gateway
							? tep_mirror_neighbour(mirror, &entry->hop)
							: NULL;

	entry->adjacency.port = twin->port;
	entry->adjacency.src_mac = twin->mac;
	entry->adjacency.state = entry->has_gateway ? DP_ADJ_PENDING : DP_ADJ_GLEAN;
	if (neighbour != NULL) {
		entry->adjacency.state = DP_ADJ_RESOLVED;
		entry->adjacency.dst_mac = neighbour->mac;
	}
}

static struct entry entry_of_route(const struct tep_mirror *mirror, const struct tep_route *route)
{
	int twin = tep_mirror_twin_of(mirror, route->ifindex);
	struct entry entry = {.dst = route->dst, .len = route->len};

	mask(&entry.dst, entry.len);
	entry.adjacency.state = DP_ADJ_NO_ROUTE;
	if (route->kind == TEP_ROUTE_LOCAL) {
		/* A frame for the host goes through some twin: its own, or the first one. */
		entry.adjacency.state = DP_ADJ_LOCAL;
		entry.adjacency.port = mirror->twins[RTE_MAX(twin, 0)].port;
	} else if (route->kind == TEP_ROUTE_UNICAST && twin >= 0) {
		entry.has_hop = true;
		entry.has_gateway = route->has_gateway;
		entry.hop = (struct tep_hop){.twin = (uint8_t)twin, .ip = route->gateway};
		resolve(mirror, &entry);
	}
	return entry;
}

/* By prefix; among routes to the same one the best comes first. */
static int compare_routes(const void *a, const void *b)
{
	const struct tep_route *one = *(const struct tep_route *const *)a;
	const struct tep_route *other = *(const struct tep_route *const *)b;
	const struct entry one_entry = {.dst = one->dst, .len = one->len};
	const struct entry other_entry = {.dst = other->dst, .len = other->len};
	int by_prefix = compare_prefixes(&one_entry, &other_entry);

	if (by_prefix != 0)
		return by_prefix;
	if ((one->kind == TEP_ROUTE_LOCAL) != (other->kind == TEP_ROUTE_LOCAL))
		return one->kind == TEP_ROUTE_LOCAL ? -1 : 1;
	if (one->metric != other->metric)
		return one->metric < other->metric ? -1 : 1;
	return one < other ? -1 : 1;
}

static int add_routes(const struct tep_mirror *mirror, struct entries *entries)
{
	const struct tep_route **sorted = calloc(mirror->n_routes + 1, sizeof(*sorted));
	uint32_t n = 0;

	if (sorted == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < mirror->n_routes; i++) {
		if (!is_of_no_use(&mirror->routes[i]))
			sorted[n++] = &mirror->routes[i];
	}
	qsort(sorted, n, sizeof(*sorted), compare_routes);
	for (uint32_t i = 0; i < n; i++) {
		struct entry entry = entry_of_route(mirror, sorted[i]);

		if (entries->n > 0 &&
			compare_prefixes(&entries->items[entries->n - 1], &entry) == 0)
			continue;
		entries->items[entries->n++] = entry;
		entries->has_len[entry.dst.family == AF_INET6][entry.len] = true;
	}
	free(sorted);
	return 0;
}

/* A neighbour counts where packets to its own address would ask for it, and not behind a gateway. */
static void add_neighbours(const struct tep_mirror *mirror, struct entries *entries)
{
	const struct tep_neighbour *neighbour;
	struct entries routes = *entries;
	uint32_t cursor = 0;

	while ((neighbour = next_neighbour(mirror, &cursor)) != NULL) {
		const struct tep_hop *hop = &neighbour->hop;
		struct entry *link = find_longest(&routes, &hop->ip);
		struct entry *entry;

		if (link == NULL || !link->has_hop || link->has_gateway ||
			link->hop.twin != hop->twin)
			continue;
		entry = link->len == tep_ip_size(&hop->ip) * 8 ? link
							       : &entries->items[entries->n++];
		entry->dst = hop->ip;
		entry->len = (uint8_t)(tep_ip_size(&hop->ip) * 8);
		entry->has_hop = true;
		entry->hop = *hop;
		entry->adjacency = link->adjacency;
		entry->adjacency.state = DP_ADJ_RESOLVED;
		entry->adjacency.dst_mac = neighbour->mac;
		entries->has_len[hop->ip.family == AF_INET6][entry->len] = true;
	}
	qsort(entries->items, entries->n, sizeof(*entries->items), compare_entries);
}

/* --- the data plane ------------------------------------------------------------------------------ */

static struct addr_v4_prefix prefix_v4(const struct entry *entry)
{
	const uint8_t *octets = entry->dst.octets;

	return (struct addr_v4_prefix){
		.addr = (uint32_t)octets[0] << 24 | (uint32_t)octets[1] << 16 |
			(uint32_t)octets[2] << 8 | octets[3],
		.len = entry->len,
	};
}

static struct addr_v6_prefix prefix_v6(const struct entry *entry)
{
	struct addr_v6_prefix prefix = {.len = entry->len};

	memcpy(&prefix.addr, entry->dst.octets, sizeof(prefix.addr));
	return prefix;
}

static void remove_entry(const struct tep_mirror *mirror, const struct entry *entry)
{
	struct addr_v4_prefix four = prefix_v4(entry);
	struct addr_v6_prefix six = prefix_v6(entry);

	if (entry->is_placed && entry->dst.family == AF_INET)
		dp_nexthops_route_v4_remove(mirror->nexthops, &four);
	else if (entry->is_placed)
		dp_nexthops_route_v6_remove(mirror->nexthops, &six);
	if (entry->group > 0)
		dp_nexthops_group_remove(mirror->nexthops, entry->group);
}

static int place_group(const struct tep_mirror *mirror, struct entry *entry)
{
	int group;

	if (entry->group > 0)
		return dp_nexthops_group_set(mirror->nexthops, entry->group, &entry->adjacency, 1);
	group = dp_nexthops_group_add(mirror->nexthops, entry->dst.family, &entry->adjacency, 1);
	if (group < 0)
		return group;
	entry->group = group;
	return 0;
}

/* A change that fails leaves the old way standing. */
static void place_entry(
	const struct tep_mirror *mirror, struct entry *entry, const struct entry *old)
{
	struct addr_v4_prefix four = prefix_v4(entry);
	struct addr_v6_prefix six = prefix_v6(entry);
	int error;

	entry->group = old != NULL ? old->group : 0;
	entry->is_placed = old != NULL && old->is_placed;
	error = place_group(mirror, entry);
	if (error == 0 && !entry->is_placed) {
		if (entry->dst.family == AF_INET)
			error = dp_nexthops_route_v4_set(mirror->nexthops, &four, entry->group);
		else
			error = dp_nexthops_route_v6_set(mirror->nexthops, &six, entry->group);
	}
	entry->is_level = error == 0;
	entry->is_placed |= entry->is_level;
}

static bool same_adjacency(const struct dp_adjacency *a, const struct dp_adjacency *b)
{
	return a->state == b->state && a->port == b->port &&
	       rte_is_same_ether_addr(&a->dst_mac, &b->dst_mac) &&
	       rte_is_same_ether_addr(&a->src_mac, &b->src_mac);
}

/* Removes first: what goes makes room for what comes. */
static void remove_what_went(const struct tep_mirror *mirror, const struct entries *wanted)
{
	for (uint32_t i = 0, j = 0; i < mirror->entries.n; i++) {
		const struct entry *old = &mirror->entries.items[i];

		while (j < wanted->n && compare_prefixes(&wanted->items[j], old) < 0)
			j++;
		if (j == wanted->n || compare_prefixes(&wanted->items[j], old) != 0)
			remove_entry(mirror, old);
	}
}

static uint32_t place_what_changed(const struct tep_mirror *mirror, struct entries *wanted)
{
	uint32_t failed = 0;

	for (uint32_t i = 0, j = 0; i < wanted->n; i++) {
		struct entry *entry = &wanted->items[i];
		const struct entry *old = NULL;

		while (j < mirror->entries.n &&
			compare_prefixes(&mirror->entries.items[j], entry) < 0)
			j++;
		if (j < mirror->entries.n &&
			compare_prefixes(&mirror->entries.items[j], entry) == 0)
			old = &mirror->entries.items[j];
		if (old != NULL && old->is_level &&
			same_adjacency(&old->adjacency, &entry->adjacency)) {
			entry->is_placed = true;
			entry->is_level = true;
			entry->group = old->group;
			continue;
		}
		place_entry(mirror, entry, old);
		failed += !entry->is_level;
	}
	return failed;
}

uint32_t tep_mirror_apply(struct tep_mirror *mirror)
{
	struct entries wanted = {0};
	uint32_t failed;

	if (!mirror->is_dirty)
		return 0;
	wanted.items = aligned_alloc(alignof(struct entry),
		(mirror->n_routes + rte_hash_count(mirror->known) + 1) * sizeof(*wanted.items));
	if (wanted.items == NULL || add_routes(mirror, &wanted) != 0) {
		free(wanted.items);
		return mirror->n_routes;
	}
	add_neighbours(mirror, &wanted);
	remove_what_went(mirror, &wanted);
	failed = place_what_changed(mirror, &wanted);
	free(mirror->entries.items);
	mirror->entries = wanted;
	mirror->is_dirty = failed > 0;
	return failed;
}
