// SPDX-License-Identifier: BSD-3-Clause
/*
 * Where routes lead: a way is what many routes of one family have in common, which is one or several next hops with weights,
 * or none, or the host itself. Each way is one group of the data plane, which follows what is known of its
 * hops; no route has to be touched for that.
 *
 *	local				-> LOCAL
 *	hop without a gateway		-> GLEAN
 *	gateway				-> RESOLVED, or PENDING while its link-layer address is not known
 *	several hops			-> those that can be sent to; PENDING only if there is none
 *	no hop, or its link is down	-> NO_ROUTE
 */
#pragma once

#include "control/hop.h"
#include "dataplane/nexthop.h"

#include <rte_ether.h>
#include <stdbool.h>
#include <stdint.h>

#define TEP_TWINS_MAX 2
#define TEP_HOPS_MAX  DP_GROUP_SLOTS

struct tep_ways;

/* An interface that a route may point to. */
struct tep_mirror_twin {
	uint32_t ifindex;
	uint16_t port; /* DPDK port number */
	struct rte_ether_addr mac;
};

struct tep_way_hop {
	struct tep_hop hop; /* its address: the gateway's, or zero */
	bool has_gateway;
	uint8_t weight; /* of all hops of a way; from 1 */
	uint8_t zero[2];
};

enum tep_way_kind {
	TEP_WAY_NONE,
	TEP_WAY_LOCAL, /* its hop's twin is the one to hand packets over by */
	TEP_WAY_HOPS,
};

/* Octets count: what is not set is zero. */
struct tep_way {
	uint8_t family; /* of the routes */
	uint8_t kind; /* enum tep_way_kind */
	uint8_t n;
	uint8_t zero;
	uint32_t nexthop_id; /* the kernel's object that says so; 0: none */
	struct tep_way_hop hops[TEP_HOPS_MAX];
};

/* The link-layer address of a hop, or NULL. */
typedef const struct rte_ether_addr *tep_ways_resolve(void *arg, const struct tep_hop *hop);

/* NULL + errno. */
struct tep_ways *tep_ways_create(struct dp_nexthops *nexthops, const struct tep_mirror_twin *twins,
	uint32_t n_twins, uint32_t max, tep_ways_resolve *resolve, void *arg);
/* Leaves the groups as they are. NULL is allowed. */
void tep_ways_destroy(struct tep_ways *ways);

/* The number of this way if it has one, else 0. */
uint32_t tep_ways_find(const struct tep_ways *ways, const struct tep_way *way);
/* The number of this way, with one route more; 0: there is no room. */
uint32_t tep_ways_take(struct tep_ways *ways, const struct tep_way *way);
/* One route more, one less. */
void tep_ways_hold(struct tep_ways *ways, uint32_t number);
void tep_ways_release(struct tep_ways *ways, uint32_t number);

const struct tep_way *tep_ways_get(const struct tep_ways *ways, uint32_t number);
int tep_ways_group(const struct tep_ways *ways, uint32_t number);
bool tep_ways_uses_nexthop(const struct tep_ways *ways, uint32_t nexthop_id);

/* False: nothing leaves by this twin. */
void tep_ways_set_link(struct tep_ways *ways, uint32_t twin, bool is_up);
/* Brings all groups level with what is known of their hops. Returns how many could not be. */
uint32_t tep_ways_refresh(struct tep_ways *ways);

/* The gateways of ways with several that are not known: packets do not ask for them. */
void tep_ways_visit_unknown(const struct tep_ways *ways,
	void (*visit)(void *arg, const struct tep_hop *hop), void *arg);
