// SPDX-License-Identifier: BSD-3-Clause
/*
 * An array of groups, and two ways into it: one default a family (all there is with neighbor: static), and
 * rte_fib (DIR24_8) and rte_lpm6, whose next hops are indexes of the array. The default routes stand
 * outside the tables: a change of one is a change of one pointer.
 *
 * Invariant: a group that a reader can still come by stays, with slots that all lead somewhere; a number without
 * routes waits for a grace period before it is given out again (numbers.h), as do its adjacencies.
 *
 * The tables know no RCU in DPDK 22.11: second-level groups that a removed route frees may be used by
 * the next one added. So adding waits until readers have moved on from the last removal. What remains is
 * that rte_fib clears a group it frees: a reader caught between the two levels of that group takes the default
 * route for one burst.
 *
 * Two more faults of that release decided this. rte_fib6 never gives back what it reserved for a removed
 * route: with 256 groups it was full after 31 host routes had come and gone, one at a time. Hence rte_lpm6. rte_fib loses
 * track at the end of the address space: routes that reach 255.255.255.255 (multicast and
 * reserved addresses, which are not forwarded anyway) are refused.
 */
#include "dataplane/nexthop.h"

#include "dataplane/numbers.h"

#include <rte_errno.h>
#include <rte_fib.h>
#include <rte_lpm6.h>
#include <rte_malloc.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define LOOKUP_MAX          64
#define STATIC_ADJACENCIES  16 /* two in use, the rest for changes within one grace period */
#define STATIC_GROUPS       2 /* numbers of them: */
#define STATIC_V4           1
#define STATIC_V6           2
#define NUMBERS_OF_2_OCTETS INT16_MAX /* the fibs keep one bit for themselves */
#define TBL8_PER_ROUTE_V6   4 /* host routes of one link share what their addresses share */
#define TBL8_SHARED_V6      32 /* and the prefixes above it */

/* What the writer knows of a group. */
struct group_state {
	rte_be16_t ether_type;
	uint16_t held; /* slots that count as users of their adjacencies: the first n, or none */
};

struct dp_nexthops {
	const struct dp_group *default_v4; /* where no route matches */
	const struct dp_group *default_v6;
	struct dp_group *groups; /* [0] is the one without a route */
	struct rte_fib *fib4; /* NULL: static */
	struct rte_lpm6 *lpm6;
	struct rte_rcu_qsbr *qsbr;
	/* The writer's own: */
	struct dp_adjacencies *adjacencies;
	struct dp_numbers *numbers; /* of groups */
	struct group_state *states; /* of groups */
	uint64_t removal_token; /* grace period since the last route was removed */
};

static int create_qsbr(struct dp_nexthops *nexthops, uint32_t max_readers, int socket)
{
	nexthops->qsbr = rte_zmalloc_socket("dp_nexthops_qsbr",
		rte_rcu_qsbr_get_memsize(max_readers), RTE_CACHE_LINE_SIZE, socket);
	if (nexthops->qsbr == NULL)
		return -ENOMEM;
	return rte_rcu_qsbr_init(nexthops->qsbr, max_readers) == 0 ? 0 : -rte_errno;
}

/* The slots behind the first n are like them: readers may still count on more than n. */
static void fill(struct dp_group *group, const struct dp_adjacency *const *slots, uint32_t n)
{
	for (uint32_t i = 0; i < DP_GROUP_SLOTS; i++)
		__atomic_store_n(&group->slots[i], slots[i % n], __ATOMIC_RELEASE);
	__atomic_store_n(&group->n, n, __ATOMIC_RELEASE);
}

static int create_groups(
	struct dp_nexthops *nexthops, uint32_t max_groups, uint32_t max_adjacencies, int socket)
{
	const struct dp_adjacency *none;

	nexthops->adjacencies = dp_adjacencies_create(max_adjacencies, nexthops->qsbr, socket);
	if (nexthops->adjacencies == NULL)
		return -rte_errno;
	nexthops->groups = rte_zmalloc_socket("dp_groups",
		(max_groups + 1) * sizeof(*nexthops->groups), RTE_CACHE_LINE_SIZE, socket);
	nexthops->states = calloc(max_groups + 1, sizeof(*nexthops->states));
	nexthops->numbers = dp_numbers_create(max_groups, nexthops->qsbr);
	if (nexthops->groups == NULL || nexthops->states == NULL || nexthops->numbers == NULL)
		return -ENOMEM;
	none = dp_adjacencies_none(nexthops->adjacencies);
	for (uint32_t i = 0; i <= max_groups; i++)
		fill(&nexthops->groups[i], &none, 1);
	nexthops->default_v4 = &nexthops->groups[0];
	nexthops->default_v6 = &nexthops->groups[0];
	return 0;
}

/* The two groups of neighbor: static, still without a way. */
static void create_static(struct dp_nexthops *nexthops)
{
	nexthops->default_v4 = &nexthops->groups[STATIC_V4];
	nexthops->default_v6 = &nexthops->groups[STATIC_V6];
	nexthops->states[STATIC_V4].ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	nexthops->states[STATIC_V6].ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV6);
}

static int create_tables(struct dp_nexthops *nexthops, const struct dp_nexthops_params *params)
{
	bool wide = RTE_MAX(params->max_routes, params->max_groups) > NUMBERS_OF_2_OCTETS;
	struct rte_fib_conf conf4 = {
		.type = RTE_FIB_DIR24_8,
		.max_routes = (int)params->max_routes,
		.dir24_8.nh_sz = wide ? RTE_FIB_DIR24_8_4B : RTE_FIB_DIR24_8_2B,
		.dir24_8.num_tbl8 = params->max_routes,
	};
	const struct rte_lpm6_config conf6 = {
		.max_rules = params->max_routes,
		.number_tbl8s = params->max_routes * TBL8_PER_ROUTE_V6 + TBL8_SHARED_V6,
	};
	char name[RTE_LPM6_NAMESIZE];

	snprintf(name, sizeof(name), "fib4_%" PRIxPTR, (uintptr_t)nexthops);
	nexthops->fib4 = rte_fib_create(name, params->socket, &conf4);
	if (nexthops->fib4 == NULL)
		return -rte_errno;
	snprintf(name, sizeof(name), "lpm6_%" PRIxPTR, (uintptr_t)nexthops);
	nexthops->lpm6 = rte_lpm6_create(name, params->socket, &conf6);
	return nexthops->lpm6 == NULL ? -rte_errno : 0;
}

static bool is_in_range(const struct dp_nexthops_params *params)
{
	return params->max_adjacencies >= 1 && params->max_adjacencies <= INT32_MAX / 32 &&
	       params->max_groups >= 1 && params->max_groups <= 1U << 20 &&
	       params->max_routes >= 1 && params->max_routes <= 1U << 24;
}

struct dp_nexthops *dp_nexthops_create(const struct dp_nexthops_params *params)
{
	uint32_t max_groups = params->fib ? params->max_groups : STATIC_GROUPS;
	uint32_t max_adjacencies = params->fib ? params->max_adjacencies : STATIC_ADJACENCIES;
	struct dp_nexthops *nexthops;
	int error;

	if (params->fib && !is_in_range(params)) {
		rte_errno = EINVAL;
		return NULL;
	}
	nexthops = rte_zmalloc_socket(
		"dp_nexthops", sizeof(*nexthops), RTE_CACHE_LINE_SIZE, params->socket);
	if (nexthops == NULL) {
		rte_errno = ENOMEM;
		return NULL;
	}
	error = create_qsbr(nexthops, params->max_readers, params->socket);
	if (error == 0)
		error = create_groups(nexthops, max_groups, max_adjacencies, params->socket);
	if (error == 0 && params->fib)
		error = create_tables(nexthops, params);
	if (error != 0) {
		dp_nexthops_destroy(nexthops);
		rte_errno = -error;
		return NULL;
	}
	if (!params->fib)
		create_static(nexthops);
	return nexthops;
}

void dp_nexthops_destroy(struct dp_nexthops *nexthops)
{
	if (nexthops == NULL)
		return;
	rte_fib_free(nexthops->fib4);
	rte_lpm6_free(nexthops->lpm6);
	dp_numbers_destroy(nexthops->numbers);
	free(nexthops->states);
	rte_free(nexthops->groups);
	dp_adjacencies_destroy(nexthops->adjacencies);
	rte_free(nexthops->qsbr);
	rte_free(nexthops);
}

struct rte_rcu_qsbr *dp_nexthops_qsbr(struct dp_nexthops *nexthops)
{
	return nexthops->qsbr;
}

bool dp_nexthops_static(const struct dp_nexthops *nexthops, const struct dp_adjacency **v4,
	const struct dp_adjacency **v6)
{
	if (nexthops->fib4 != NULL)
		return false;
	*v4 = __atomic_load_n(&nexthops->default_v4->slots[0], __ATOMIC_ACQUIRE);
	*v6 = __atomic_load_n(&nexthops->default_v6->slots[0], __ATOMIC_ACQUIRE);
	return true;
}

void dp_nexthops_lookup_v4(const struct dp_nexthops *nexthops, const uint32_t *v4, uint32_t n,
	const struct dp_group **found)
{
	const struct dp_group *otherwise = __atomic_load_n(&nexthops->default_v4, __ATOMIC_ACQUIRE);
	uint64_t numbers[LOOKUP_MAX] = {0};

	if (nexthops->fib4 == NULL) {
		for (uint32_t i = 0; i < n; i++)
			found[i] = otherwise;
		return;
	}
	/* The library takes a pointer to non-const and only reads. */
	rte_fib_lookup_bulk(nexthops->fib4, (uint32_t *)(uintptr_t)v4, numbers, (int)n);
	for (uint32_t i = 0; i < n; i++)
		found[i] = numbers[i] == 0 ? otherwise : &nexthops->groups[numbers[i]];
}

void dp_nexthops_lookup_v6(const struct dp_nexthops *nexthops,
	const struct in6_addr *const *addresses, uint32_t n, const struct dp_group **found)
{
	const struct dp_group *otherwise = __atomic_load_n(&nexthops->default_v6, __ATOMIC_ACQUIRE);
	uint8_t keys[LOOKUP_MAX][RTE_LPM6_IPV6_ADDR_SIZE];
	int32_t numbers[LOOKUP_MAX];

	if (nexthops->lpm6 == NULL) {
		for (uint32_t i = 0; i < n; i++)
			found[i] = otherwise;
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		memcpy(keys[i], addresses[i], sizeof(keys[i]));
	rte_lpm6_lookup_bulk_func(nexthops->lpm6, keys, numbers, n);
	for (uint32_t i = 0; i < n; i++)
		found[i] = numbers[i] < 0 ? otherwise : &nexthops->groups[numbers[i]];
}

/* --- groups -------------------------------------------------------------------------------------- */

static void release(
	struct dp_nexthops *nexthops, const struct dp_adjacency *const *slots, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		dp_adjacencies_release(nexthops->adjacencies, slots[i]);
}

int dp_nexthops_group_set(
	struct dp_nexthops *nexthops, int group, const struct dp_adjacency *adjacencies, uint32_t n)
{
	struct group_state *state = &nexthops->states[group];
	const struct dp_group old = nexthops->groups[group];
	const struct dp_adjacency *slots[DP_GROUP_SLOTS];

	if (n < 1 || n > DP_GROUP_SLOTS)
		return -EINVAL;
	for (uint32_t i = 0; i < n; i++) {
		slots[i] = dp_adjacencies_take(
			nexthops->adjacencies, &adjacencies[i], state->ether_type);
		if (slots[i] == NULL) {
			release(nexthops, slots, i);
			return -ENOSPC;
		}
	}
	fill(&nexthops->groups[group], slots, n);
	release(nexthops, old.slots, state->held);
	state->held = (uint16_t)n;
	return 0;
}

int dp_nexthops_group_add(struct dp_nexthops *nexthops, int family,
	const struct dp_adjacency *adjacencies, uint32_t n)
{
	uint32_t number;
	int error;

	if (nexthops->fib4 == NULL)
		return -EINVAL;
	number = dp_numbers_take(nexthops->numbers);
	if (number == 0)
		return -ENOSPC;
	nexthops->states[number].ether_type = family == AF_INET ? RTE_BE16(RTE_ETHER_TYPE_IPV4)
								: RTE_BE16(RTE_ETHER_TYPE_IPV6);
	error = dp_nexthops_group_set(nexthops, (int)number, adjacencies, n);
	if (error == 0)
		return (int)number;
	dp_numbers_give_back(nexthops->numbers, number);
	return error;
}

/* Its slots stay as they are for the readers that it still has; for as long their adjacencies stay, too. */
void dp_nexthops_group_remove(struct dp_nexthops *nexthops, int group)
{
	struct group_state *state = &nexthops->states[group];

	release(nexthops, nexthops->groups[group].slots, state->held);
	*state = (struct group_state){0};
	dp_numbers_give_back(nexthops->numbers, (uint32_t)group);
}

/* Out of room only after many changes within one burst of a worker: wait that long. */
static void set_static(
	struct dp_nexthops *nexthops, int group, const struct dp_adjacency *adjacency)
{
	while (dp_nexthops_group_set(nexthops, group, adjacency, 1) != 0)
		rte_rcu_qsbr_synchronize(nexthops->qsbr, RTE_QSBR_THRID_INVALID);
}

void dp_nexthops_set_static_v4(struct dp_nexthops *nexthops, const struct dp_adjacency *adjacency)
{
	set_static(nexthops, STATIC_V4, adjacency);
}

void dp_nexthops_set_static_v6(struct dp_nexthops *nexthops, const struct dp_adjacency *adjacency)
{
	set_static(nexthops, STATIC_V6, adjacency);
}

/* --- routes -------------------------------------------------------------------------------------- */

static bool is_group(const struct dp_nexthops *nexthops, int group, rte_be16_t ether_type)
{
	return group > 0 && nexthops->states[group].ether_type == ether_type;
}

/* A prefix that rte_fib can hold. */
static bool is_usable_v4(const struct dp_nexthops *nexthops, const struct addr_v4_prefix *prefix)
{
	return nexthops->fib4 != NULL && prefix->len <= RTE_FIB_MAXDEPTH &&
	       (prefix->len == 0 ||
		       (prefix->addr | UINT32_MAX >> (prefix->len - 1) >> 1) != UINT32_MAX);
}

static bool is_usable_v6(const struct dp_nexthops *nexthops, const struct addr_v6_prefix *prefix)
{
	return nexthops->lpm6 != NULL && prefix->len <= RTE_LPM6_MAX_DEPTH;
}

/* Before a second-level group that the last removal freed can be used again. */
static void wait_for_readers(struct dp_nexthops *nexthops)
{
	if (nexthops->removal_token != 0)
		rte_rcu_qsbr_check(nexthops->qsbr, nexthops->removal_token, true);
	nexthops->removal_token = 0;
}

int dp_nexthops_route_v4_set(
	struct dp_nexthops *nexthops, const struct addr_v4_prefix *prefix, int group)
{
	if (!is_usable_v4(nexthops, prefix) ||
		!is_group(nexthops, group, RTE_BE16(RTE_ETHER_TYPE_IPV4)))
		return -EINVAL;
	if (prefix->len == 0) {
		__atomic_store_n(&nexthops->default_v4, &nexthops->groups[group], __ATOMIC_RELEASE);
		return 0;
	}
	wait_for_readers(nexthops);
	return rte_fib_add(nexthops->fib4, prefix->addr, prefix->len, (uint64_t)group);
}

int dp_nexthops_route_v6_set(
	struct dp_nexthops *nexthops, const struct addr_v6_prefix *prefix, int group)
{
	if (!is_usable_v6(nexthops, prefix) ||
		!is_group(nexthops, group, RTE_BE16(RTE_ETHER_TYPE_IPV6)))
		return -EINVAL;
	if (prefix->len == 0) {
		__atomic_store_n(&nexthops->default_v6, &nexthops->groups[group], __ATOMIC_RELEASE);
		return 0;
	}
	wait_for_readers(nexthops);
	return rte_lpm6_add(nexthops->lpm6, prefix->addr.s6_addr, prefix->len, (uint32_t)group);
}

static int remove_default(struct dp_nexthops *nexthops, const struct dp_group **pointer)
{
	if (*pointer == &nexthops->groups[0])
		return -ENOENT;
	__atomic_store_n(pointer, &nexthops->groups[0], __ATOMIC_RELEASE);
	return 0;
}

int dp_nexthops_route_v4_remove(struct dp_nexthops *nexthops, const struct addr_v4_prefix *prefix)
{
	if (!is_usable_v4(nexthops, prefix))
		return -ENOENT;
	if (prefix->len == 0)
		return remove_default(nexthops, &nexthops->default_v4);
	if (rte_fib_delete(nexthops->fib4, prefix->addr, prefix->len) != 0)
		return -ENOENT;
	nexthops->removal_token = rte_rcu_qsbr_start(nexthops->qsbr);
	return 0;
}

int dp_nexthops_route_v6_remove(struct dp_nexthops *nexthops, const struct addr_v6_prefix *prefix)
{
	if (!is_usable_v6(nexthops, prefix))
		return -ENOENT;
	if (prefix->len == 0)
		return remove_default(nexthops, &nexthops->default_v6);
	if (rte_lpm6_delete(nexthops->lpm6, prefix->addr.s6_addr, prefix->len) != 0)
		return -ENOENT;
	nexthops->removal_token = rte_rcu_qsbr_start(nexthops->qsbr);
	return 0;
}
