// SPDX-License-Identifier: BSD-3-Clause
/*
 * What the parts of the mirror share: mirror.c (the whole), mirror_route.c (the kernel's routes), mirror_place.c
 * (the data plane), mirror_neighbour.c. For no one else.
 */
#pragma once

#include "control/mirror.h"
#include "control/prefix_list.h"

struct rte_hash;

struct tep_mirror_neighbour {
	struct tep_neighbour told;
	uint32_t way; /* its own, by which its address is led; 0: none */
	uint8_t reading; /* the last one that knew of it */
};

struct tep_mirror {
	struct dp_nexthops *nexthops;
	struct tep_mirror_twin twins[TEP_TWINS_MAX];
	uint32_t n_twins;
	struct tep_ways *ways;
	struct tep_route_table *routes;
	struct rte_hash *known; /* struct tep_hop -> place in neighbours */
	struct tep_mirror_neighbour *neighbours;
	uint32_t max_neighbours;
	struct tep_prefix_list links; /* that routes without a gateway lead to */
	struct tep_prefix_list locals; /* of IPv4 */
	bool ways_changed; /* what is known of hops */
	bool links_changed; /* which neighbours count */
	uint32_t n_unplaced; /* prefixes whose best route the data plane has not */
	uint32_t n_stuck; /* neighbours without a way of their own */
	uint32_t n_refused; /* routes, since all were read last */
	bool is_reading;
	uint8_t reading; /* of routes */
	uint8_t neighbour_reading;
	uint32_t swept;
};

/* --- mirror_place.c ------------------------------------------------------------------------------ */

/* The best route of a prefix leads it. If that cannot be, the one before it does as long as it exists. */
void tep_mirror_level(struct tep_mirror *mirror, const struct tep_prefix *prefix);
/* The data plane does not wait for this route any more, or does. */
void tep_mirror_set_waiting(struct tep_mirror *mirror, struct tep_route_entry *entry, bool waits);
/* Points a prefix at the group of a way. 0 or -errno. */
int tep_mirror_lead(struct tep_mirror *mirror, const struct tep_prefix *prefix, uint32_t way);
void tep_mirror_unlead(struct tep_mirror *mirror, const struct tep_prefix *prefix);

/* --- mirror_neighbour.c -------------------------------------------------------------------------- */

int tep_mirror_create_neighbours(struct tep_mirror *mirror, uint32_t max);
/* The neighbour whose own way leads this prefix, or NULL. */
struct tep_mirror_neighbour *tep_mirror_own_way_of(
	struct tep_mirror *mirror, const struct tep_prefix *prefix);
/* Which neighbours have ways of their own, after links have changed. */
void tep_mirror_recheck_neighbours(struct tep_mirror *mirror);
